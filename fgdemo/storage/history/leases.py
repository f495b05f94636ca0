"""Leases keep two people off one picture. They end by themselves, so nothing stays locked when a laptop is closed."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa

from fgdemo.storage.database.database import reading, sortable, utc_now, writing
from fgdemo.storage.database.schema import lease_table

LEASE_S = 300
SKEW_S = 60
"""So far may the clocks of two servers differ."""
REASON_KEPT = timedelta(days=1)
"""So long it is known why a picture was dealt to a person who has not answered yet, however long the pause was."""


class Leases:
    """Who is looking at which picture now.

    A lease holds from `leased_at` up to `expires_at`. A clock that jumped back lies well before the former and ends
    the lease, too, so none can hang. Should a power cut take the newest leases away, the same happens: a picture is
    asked twice, and the later answer is refused as stale.
    """

    def __init__(self, engine: sa.Engine, clock: Callable[[], datetime] = utc_now) -> None:
        self._engine = engine
        self._clock = clock

    def take(
        self,
        images: Sequence[str],
        annotator: str,
        session: int,
        count: int,
        shared: Collection[str] = (),
        reasons: Mapping[str, str] | None = None,
    ) -> list[str]:
        """Lease the first `count` of these pictures that nobody else holds, in their order, in one transaction.

        What the annotator holds already is renewed. Of the pictures in `shared` others' leases do not matter.

        Args:
            reasons: why each is dealt; one that is renewed keeps its reason.
        """
        with writing(self._engine, durable=False) as connection:
            now = self._clock()  # not before: waiting for the others takes time
            held = _valid(connection, now)
            others = {image for image, holder in held if holder != annotator}
            free = [image for image in dict.fromkeys(images) if image not in others or image in shared]
            taken = free[:count]
            mine = (lease_table.c.annotator == annotator) & lease_table.c.image.in_(taken)
            known = connection.execute(sa.select(lease_table.c.image, lease_table.c.reason).where(mine))
            why = {**{row.image: row.reason for row in known}, **(reasons or {})}
            rows = [
                {
                    "image": image,
                    "annotator": annotator,
                    "session": session,
                    "leased_at": sortable(now),
                    "expires_at": sortable(now + timedelta(seconds=LEASE_S)),
                    "reason": why.get(image),
                }
                for image in taken
            ]
            if rows:
                connection.execute(lease_table.delete().where(mine))
                connection.execute(lease_table.insert(), rows)
            return taken

    def release(self, annotator: str, images: Collection[str] | None = None) -> None:
        """Give back what a person holds, or only these pictures of it; also clears away what has ended."""
        mine = lease_table.c.annotator == annotator
        if images is not None:
            mine = mine & lease_table.c.image.in_(list(images))
        with writing(self._engine, durable=False) as connection:
            now = self._clock()
            forgotten = lease_table.c.reason.is_(None) | (lease_table.c.leased_at <= sortable(now - REASON_KEPT))
            connection.execute(lease_table.delete().where(mine | (~_holds(now) & forgotten)))

    def reason_of(self, image: str, annotator: str) -> str | None:
        """Why this picture was dealt to this person; None where it was not, was answered, or was given back."""
        this_one = (lease_table.c.image == image) & (lease_table.c.annotator == annotator)
        with reading(self._engine) as connection:
            return connection.execute(sa.select(lease_table.c.reason).where(this_one)).scalar()

    def held(self) -> dict[str, set[str]]:
        """The holders of every picture that is leased now."""
        with reading(self._engine) as connection:
            holders: dict[str, set[str]] = {}
            for image, annotator in _valid(connection, self._clock()):
                holders.setdefault(image, set()).add(annotator)
            return holders


def _holds(now: datetime) -> sa.ColumnElement[bool]:
    latest = sortable(now + timedelta(seconds=SKEW_S))
    return (lease_table.c.leased_at <= latest) & (lease_table.c.expires_at > sortable(now))


def _valid(connection: sa.Connection, now: datetime) -> list[tuple[str, str]]:
    query = sa.select(lease_table.c.image, lease_table.c.annotator).where(_holds(now))
    return [(image, annotator) for image, annotator in connection.execute(query)]
