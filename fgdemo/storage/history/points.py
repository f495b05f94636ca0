"""Points that experts place on pictures, as events of the log: kept, exported and mirrored like answers."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa

from fgdemo.storage.database.database import reading, utc_now, writing
from fgdemo.storage.database.schema import image_table, label_event_table
from fgdemo.storage.history.event_rows import events_among, events_where, row_of
from fgdemo.storage.history.label_event import LabelEvent, points_of
from fgdemo.storage.history.removing import removed_images
from fgdemo.values.errors import ForbiddenError, StorageError
from fgdemo.values.points import PlacedPoint

MOST_AT_ONCE = 48
"""Points of one answer: a group has twelve parts, and all of them may be moved more than once."""
_IS_POINT = label_event_table.c.point.is_not(None)


class PointLog:
    """The points of one database. Safe to use from many threads."""

    def __init__(self, engine: sa.Engine, clock: Callable[[], datetime] = utc_now) -> None:
        self._engine = engine
        self._clock = clock

    def place(
        self, image: str, points: Sequence[PlacedPoint], annotator: str, key: str, model_version: str | None = None
    ) -> list[LabelEvent]:
        """Points on one picture: all are durable when this returns, or none was taken. One sent twice counts once.

        Args:
            key: made by whoever asks, for this answer alone.
            model_version: the model whose guesses were drawn.

        Raises:
            ForbiddenError: a gold picture. What measures every model teaches none of its parts.
            StorageError: the picture is not in the workspace, too many points, or nothing can be written.
        """
        if len(points) > MOST_AT_ONCE:
            raise StorageError(f"At most {MOST_AT_ONCE} points fit in one answer; there are {len(points):,}.")
        table, now = label_event_table, self._clock().isoformat()
        keys = [f"{key}/{at}" for at in range(len(points))]
        with writing(self._engine) as connection:
            known = events_among(connection, table.c.answer_key, keys)
            if any((one.image, one.annotator) != (image, annotator) for one in known):
                raise StorageError("This answer carries the key of another one: load the page again.")
            split = connection.execute(sa.select(image_table.c.split).where(image_table.c.id == image)).first()
            if split is None:
                raise StorageError("This picture is not in the workspace: load the page again.")
            if split.split == "gold":
                raise ForbiddenError("Gold pictures measure every model, so they teach no parts: choose another one.")
            kept = {one.answer_key for one in known}
            for answer_key, point in zip(keys, points, strict=True):
                if answer_key not in kept:
                    event = LabelEvent(image, "point", annotator, point=point, model_version=model_version)
                    row = {**row_of(event), "answer_key": answer_key, "created_at": now}
                    connection.execute(table.insert().values(row))
            return events_among(connection, table.c.answer_key, keys)

    def newest(self) -> int:
        """The id of the newest point, 0 where there is none: it grows whenever a point is placed."""
        with reading(self._engine) as connection:
            return connection.execute(sa.select(sa.func.max(label_event_table.c.id)).where(_IS_POINT)).scalar() or 0

    def said(self, image: str) -> dict[str, PlacedPoint]:
        """What was said last of each part of one picture, also that it is not seen."""
        with reading(self._engine) as connection:
            return points_of(events_where(connection, _IS_POINT & (label_event_table.c.image == image)))

    def all_said(self) -> dict[str, dict[str, PlacedPoint]]:
        """`said` of each picture; gold ones, and those that were removed, are left out."""
        gold = sa.select(image_table.c.id).where(image_table.c.split == "gold")
        images = label_event_table.c.image
        with reading(self._engine) as connection:
            events = events_where(connection, _IS_POINT & images.not_in(gold) & images.not_in(removed_images()))
        histories: dict[str, list[LabelEvent]] = {}
        for event in events:
            histories.setdefault(event.image, []).append(event)
        return {image: points_of(history) for image, history in histories.items()}

    def all(self) -> dict[str, dict[str, PlacedPoint]]:
        """Of each picture on which parts are seen, the points that count now, by part."""
        found = {image: seen(points) for image, points in self.all_said().items()}
        return {image: points for image, points in found.items() if points}


def seen(points: Mapping[str, PlacedPoint]) -> dict[str, PlacedPoint]:
    """Those of parts that are seen."""
    return {part: point for part, point in points.items() if point.is_seen}
