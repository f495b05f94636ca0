"""The append-only log of what people said about pictures. What is true now is a query over it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Literal, get_args

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from fgdemo.errors import StorageError
from fgdemo.storage.database import image_table, label_event_table, reading, utc_now, writing
from fgdemo.storage.originals import ImageStore, image_id_of
from fgdemo.types import CropBox

Kind = Literal["import", "suggestion"]
"""import: the label a picture came with; suggestion: what a visitor says it is, which is no label until an expert
agrees."""


@dataclass(frozen=True)
class LabelEvent:
    """One thing that was said about one picture. Only `EventLog.append` gives it its `id` and `created_at`.

    Attributes:
        image: id of the picture.
        taxon: id of the taxon it is said to be, or None.
        new_name: the name of a taxon that does not exist yet; never together with `taxon`.
        annotator: who said it.
        shown_version: id of the newest event of this picture when it was shown, where that matters.
        model_version: the model whose answer was on the page.
        seconds_spent: how long the picture was looked at.
        box: the part of the picture that it was said about; None means the whole picture.
        id: grows with every event of the database.
        created_at: ISO 8601, UTC.
    """

    image: str
    kind: Kind
    annotator: str
    taxon: str | None = None
    new_name: str | None = None
    shown_version: int | None = None
    model_version: str | None = None
    seconds_spent: float | None = None
    comment: str | None = None
    box: CropBox | None = None
    id: int | None = None
    created_at: str | None = None

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise StorageError(f"“{self.kind}” is not a kind of label event.")
        if self.taxon is not None and self.new_name is not None:
            raise StorageError("A label event names a taxon or a new name, not both.")


@dataclass(frozen=True)
class NewPicture:
    """A picture that is stored together with the first event about it."""

    original: bytes
    width_px: int
    height_px: int
    source: str
    """Where it came from: "visitor", or the name of a data set."""
    split: str | None
    """train, val, gold, …; None for pictures that belong to none."""
    name: str
    """The name of its file, for people."""


class EventLog:
    """The label events of one database."""

    def __init__(self, engine: Engine, clock: Callable[[], datetime] = utc_now) -> None:
        self._engine = engine
        self._clock = clock

    def append(self, label_event: LabelEvent) -> LabelEvent:
        """Add an event about a picture of the workspace; it is durable when this returns. Gives it with id and time.

        Raises:
            StorageError: the picture or the taxon is not in the workspace, or nothing can be written.
        """
        with writing(self._engine) as connection:
            return self._insert(connection, label_event)

    def append_with_picture(self, label_event: LabelEvent, picture: NewPicture, store: ImageStore) -> LabelEvent:
        """Like `append`, for a picture that may be new: picture, its row and the event are all stored, or none is.

        The file is written between the rows and their commit, so no row can ever name a missing file, and what a
        failure leaves behind is at most a file without rows, which is then removed.
        """
        known_file = label_event.image in store
        try:
            with writing(self._engine) as connection:
                self._insert_image(connection, label_event.image, picture)
                appended = self._insert(connection, label_event)
                if store.put(picture.original) != label_event.image:
                    raise StorageError("The picture and its id do not belong together, so nothing was stored.")
        except StorageError:
            if not known_file:
                self._remove_orphan(image_id_of(picture.original), store)
            raise
        return appended

    def labels(self, taxon: str | None = None) -> dict[str, LabelEvent]:
        """The current label of every labelled picture, by image id: its latest event that is not a suggestion.

        With `taxon`, only the pictures that are labelled as this taxon now.
        """
        latest = (
            sa.select(sa.func.max(label_event_table.c.id))
            .where(label_event_table.c.kind != "suggestion")
            .group_by(label_event_table.c.image)
        )
        current = label_event_table.c.id.in_(latest)
        if taxon is not None:
            current = current & (label_event_table.c.taxon == taxon)
        return {found.image: found for found in self._select(current)}

    def suggestions(self) -> list[LabelEvent]:
        """What visitors suggested, oldest first."""
        return self._select(label_event_table.c.kind == "suggestion")

    def history(self, image: str) -> list[LabelEvent]:
        """All that was ever said about a picture, oldest first."""
        return self._select(label_event_table.c.image == image)

    def _select(self, condition: sa.ColumnElement[bool]) -> list[LabelEvent]:
        with reading(self._engine) as connection:
            rows = connection.execute(
                sa.select(label_event_table).where(condition).order_by(label_event_table.c.id)
            ).mappings()
            return [
                LabelEvent(**{**row, "box": CropBox(**json.loads(row["box"])) if row["box"] else None}) for row in rows
            ]

    def _insert(self, connection: Connection, label_event: LabelEvent) -> LabelEvent:
        stamped = replace(label_event, id=None, created_at=self._clock().isoformat())
        row = {name: value for name, value in vars(stamped).items() if name != "id"}
        row["box"] = json.dumps(asdict(stamped.box)) if stamped.box else None
        insert = label_event_table.insert().values(row).returning(label_event_table.c.id)
        return replace(stamped, id=connection.execute(insert).scalar_one())

    def _insert_image(self, connection: Connection, image: str, picture: NewPicture) -> None:
        columns = {name: value for name, value in vars(picture).items() if name != "original"}
        this_one = image_table.c.id == image
        known = connection.execute(sa.select(image_table.c.split).where(this_one)).first()
        if known is None:
            connection.execute(image_table.insert().values(id=image, created_at=self._clock().isoformat(), **columns))
        elif known.split is None and picture.split is not None:  # A visitor was first with a picture of a data set.
            connection.execute(image_table.update().where(this_one).values(columns))

    def _remove_orphan(self, image: str, store: ImageStore) -> None:
        """Remove the file of a picture that has no row, under the write lock: somebody may just have stored it too."""
        try:
            with writing(self._engine) as connection:
                if connection.execute(sa.select(image_table.c.id).where(image_table.c.id == image)).first() is None:
                    store.remove(image)
        except StorageError:
            pass  # The first error is the one to tell; a file without rows does no harm.
