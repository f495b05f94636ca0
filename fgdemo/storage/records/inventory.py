"""All that a workspace holds, picture by picture, as of one moment. Neither waits for a writer nor makes one wait."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Literal

import sqlalchemy as sa

from fgdemo.storage.database.database import reading, taxon_in
from fgdemo.storage.database.schema import image_table, label_event_table, session_table, taxon_table
from fgdemo.storage.history.event_rows import event_of
from fgdemo.storage.history.events import LabelEvent, standing_of
from fgdemo.storage.history.removing import removed_images
from fgdemo.values.annotation import Split, Standing
from fgdemo.values.batches import batches
from fgdemo.values.taxonomy import Taxon

PAGE = 500

AnswerState = Literal["kind", "group", "unlabelled", "unusable", "none"]
"""What is said of a picture now: a leaf; only a higher taxon; nothing; that it cannot be labelled; none of these."""


@dataclass(frozen=True)
class Holding:
    """A picture's row, all that was said about it, oldest first, and what is true of it now."""

    image: str
    width_px: int
    height_px: int
    source: str
    split: str | None
    name: str
    created_at: str
    dhash: str | None
    twin_of: str | None
    imported_in: str | None
    history: tuple[LabelEvent, ...]
    standing: Standing | None


_COLUMNS = [image_table.c[f.name] for f in fields(Holding) if f.name not in ("image", "history", "standing")]
_IMAGES = sa.select(image_table.c.id, *_COLUMNS)


class Inventory:
    """A workspace as it was when this was made: later events are left out, since the log only grows.

    Attributes:
        taxa: in the order in which they came, with those that are `retired`.
        sessions: rows of the session table.
        pictures: how many there are; those that were removed are none.
        removed: how many were removed.
        events: how many there are.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        table = label_event_table
        with reading(engine) as connection:
            rows = connection.execute(sa.select(taxon_table)).mappings().all()
            self.taxa = tuple(taxon_in(row) for row in rows)
            self.retired = frozenset(row["id"] for row in rows if row["retired"])
            sessions = connection.execute(sa.select(session_table).order_by(session_table.c.id))
            self.sessions = [dict(row) for row in sessions.mappings()]
            self._last, self.events = connection.execute(
                sa.select(sa.func.coalesce(sa.func.max(table.c.id), 0), sa.func.count(table.c.id))
            ).one()
            first = sa.func.min(table.c.id)
            query = sa.select(table.c.image).where(table.c.id <= self._last).group_by(table.c.image).order_by(first)
            removed = set(connection.execute(removed_images()).scalars())
            self._images = [image for image in connection.execute(query).scalars() if image not in removed]
        self.pictures, self.removed = len(self._images), len(removed)
        self._groups = frozenset(taxon.parent for taxon in self.taxa if taxon.parent)
        self.by_id = {taxon.id: taxon for taxon in self.taxa}

    def __iter__(self) -> Iterator[Holding]:
        """Every picture, in the order in which they came."""
        events, images = label_event_table, image_table
        for page in batches(self._images, PAGE):
            histories: dict[str, list[LabelEvent]] = {image: [] for image in page}
            said = sa.select(events).where(events.c.image.in_(page), events.c.id <= self._last).order_by(events.c.id)
            with reading(self._engine) as connection:
                found = connection.execute(_IMAGES.where(images.c.id.in_(page))).mappings().all()
                for row in connection.execute(said).mappings():
                    histories[row["image"]].append(event_of(row))
            rows = {row["id"]: row for row in found}
            for image in page:
                row = {key: value for key, value in rows[image].items() if key != "id"}
                split: Split = row["split"] or "train"
                history = tuple(histories[image])
                yield Holding(image, **row, history=history, standing=standing_of(history, split))

    def answer(self, held: Holding) -> tuple[AnswerState, Taxon | None]:
        """What is said of a picture now, and the taxon if that names one."""
        standing = held.standing
        if standing is not None and standing.kind in ("unusable", "none"):
            return ("unusable" if standing.kind == "unusable" else "none"), None
        if standing is None or standing.taxon is None:
            return "unlabelled", None
        taxon = self.by_id[standing.taxon]
        return ("group" if taxon.id in self._groups else "kind"), taxon
