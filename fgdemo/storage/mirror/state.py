"""What of a workspace is at a mirror already, and by which identity its events are known there."""

import hashlib
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from fgdemo.storage.database.database import reading, sortable, utc_now, writing
from fgdemo.storage.database.schema import (
    event_origin_table,
    label_event_table,
    mirror_table,
    mirrored_table,
    workspace_origin_table,
)
from fgdemo.storage.mirror.records import Identity
from fgdemo.values.batches import batches

AT_ONCE = 500
_IS_ANSWER = label_event_table.c.kind != "import"


@dataclass(frozen=True)
class Backed:
    """How far the mirror is.

    Attributes:
        answers: all that people said, labels that pictures came with left out.
        waiting: how many of these are not at the mirror yet.
        sent_at: when something was last sent, ISO 8601; None where nothing ever was.
    """

    answers: int
    waiting: int
    sent_at: str | None


class MirrorState:
    """What one destination holds of one database.

    Args:
        url: of the destination; only its hash is kept, since it may hold a key.
    """

    def __init__(self, engine: sa.Engine, url: str, clock: Callable[[], datetime] = utc_now) -> None:
        self._engine, self._clock = engine, clock
        self.name = hashlib.sha256(url.rstrip("/").encode()).hexdigest()[:32]
        self._counted = 0, 0

    def event(self) -> int:
        """Id of the newest event that is there, with all before it."""
        with reading(self._engine) as connection:
            return connection.execute(sa.select(mirror_table.c.event).where(self._mine())).scalar() or 0

    def has_sent(self) -> bool:
        """Whether anything was ever sent there."""
        with reading(self._engine) as connection:
            return connection.execute(sa.select(mirror_table.c.event).where(self._mine())).first() is not None

    def digests(self) -> dict[tuple[str, str], str]:
        """Of the other rows that are there, by (kind, name)."""
        table = mirrored_table
        with reading(self._engine) as connection:
            rows = connection.execute(sa.select(table).where(table.c.destination == self.name))
            return {(row.kind, row.name): row.digest for row in rows}

    def backed(self) -> Backed:
        """Counts only what came since the last call."""
        table = label_event_table
        with reading(self._engine) as connection:
            row = connection.execute(sa.select(mirror_table).where(self._mine())).first()
            event, sent_at = (row.event, row.sent_at) if row else (0, None)
            until, answers = self._counted
            new = sa.select(sa.func.count(), sa.func.max(table.c.id)).where(_IS_ANSWER, table.c.id > until)
            count, newest = connection.execute(new).one()
            self._counted = newest or until, answers + count
            late = sa.select(sa.func.count()).select_from(table).where(_IS_ANSWER, table.c.id > event)
            return Backed(answers + count, connection.execute(late).scalar_one(), sent_at)

    def waiting(self) -> int:
        """How many events of any kind are not there yet."""
        query = sa.select(sa.func.count()).select_from(label_event_table).where(label_event_table.c.id > self.event())
        with reading(self._engine) as connection:
            return connection.execute(query).scalar_one()

    def note(self, event: int | None, digests: Mapping[tuple[str, str], str]) -> None:
        """All events up to this one are there, and these rows. None: no more events than before."""
        with writing(self._engine) as connection:
            note_in(connection, self.name, event, digests, sortable(self._clock()))

    def forget(self) -> None:
        """As if nothing had ever been sent."""
        with writing(self._engine) as connection:
            connection.execute(mirror_table.delete().where(self._mine()))
            connection.execute(mirrored_table.delete().where(mirrored_table.c.destination == self.name))

    def _mine(self) -> sa.ColumnElement[bool]:
        return mirror_table.c.destination == self.name


def note_in(
    connection: sa.Connection, destination: str, event: int | None, digests: Mapping[tuple[str, str], str], now: str
) -> None:
    """`MirrorState.note` within a transaction."""
    mine = mirror_table.c.destination == destination
    before = connection.execute(sa.select(mirror_table.c.event).where(mine)).scalar()
    if before is None:
        connection.execute(mirror_table.insert().values(destination=destination, event=event or 0, sent_at=now))
    else:
        connection.execute(mirror_table.update().where(mine).values(event=max(event or 0, before), sent_at=now))
    table = mirrored_table
    for (kind, name), digest in digests.items():
        here = (table.c.destination == destination) & (table.c.kind == kind) & (table.c.name == name)
        connection.execute(table.delete().where(here))
        connection.execute(table.insert().values(destination=destination, kind=kind, name=name, digest=digest))


def own_origin(engine: sa.Engine) -> str:
    """By which events that were said first in this database are known everywhere. Drawn once."""
    query = sa.select(workspace_origin_table.c.id)
    with reading(engine) as connection:
        found = connection.execute(query).scalar()
    if found is not None:
        return found
    with writing(engine) as connection:
        found = connection.execute(query).scalar()  # another process may have been faster
        if found is None:
            found = secrets.token_hex(16)
            connection.execute(workspace_origin_table.insert().values(id=found))
        return found


def identities(connection: sa.Connection, events: Iterable[int]) -> dict[int, Identity]:
    """The identity of those of these events that were said first in another workspace."""
    numbers, found, table = sorted(events), dict[int, Identity](), event_origin_table
    for some in batches(numbers, AT_ONCE):
        query = sa.select(table).where(table.c.event.in_(some))
        found.update({row.event: (row.origin, row.number) for row in connection.execute(query)})
    return found
