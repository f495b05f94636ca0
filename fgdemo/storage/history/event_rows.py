"""Events and pictures as rows of the database, within somebody's transaction."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa

from fgdemo.storage.database.json_columns import read_column
from fgdemo.storage.database.schema import image_table, label_event_table
from fgdemo.storage.history.label_event import LabelEvent
from fgdemo.values.annotation import Publication
from fgdemo.values.batches import batches
from fgdemo.values.points import PlacedPoint
from fgdemo.values.types import CropBox

_JSON = {"box": CropBox, "point": PlacedPoint, "publication": Publication}
"""Columns that hold a value of ours as JSON."""
AT_ONCE = 500
"""So many pictures or events does one statement name."""


def event_of(row: Any) -> LabelEvent:
    """The event of a row of `label_event`."""
    read: dict[str, Any] = {name: read_column(kind, row[name]) for name, kind in _JSON.items()}
    told: dict[str, Any] = {**row, "blind": bool(row["blind"]), **read}
    return LabelEvent(**told)


def row_of(event: LabelEvent) -> dict[str, Any]:
    """The row of `label_event` of an event, without the number that the database gives it."""
    row = {name: value for name, value in vars(event).items() if name != "id"}
    written = {name: json.dumps(asdict(row[name])) for name in _JSON if row[name]}
    return {**row, **written}


def events_where(
    connection: sa.Connection, condition: sa.ColumnElement[bool], limit: int | None = None
) -> list[LabelEvent]:
    """Those that this is true of, oldest first."""
    query = sa.select(label_event_table).where(condition).order_by(label_event_table.c.id).limit(limit)
    return [event_of(row) for row in connection.execute(query).mappings()]


def events_among(connection: sa.Connection, column: sa.ColumnClause[Any], values: Sequence[Any]) -> list[LabelEvent]:
    """The events whose column is one of many values; those of one picture in their order."""
    return [said for some in batches(values, AT_ONCE) for said in events_where(connection, column.in_(some))]


def histories_of(connection: sa.Connection, images: Iterable[str]) -> dict[str, list[LabelEvent]]:
    """All that was said about each of these pictures, oldest first; empty for one that is not known."""
    found: dict[str, list[LabelEvent]] = {image: [] for image in images}
    for said in events_among(connection, label_event_table.c.image, list(found)):
        found[said.image].append(said)
    return found


def store_picture(connection: sa.Connection, image: str, row: Mapping[str, Any] | None) -> sa.Row[Any, Any] | None:
    """Make sure that there is a row for a picture; gives the `split` of the one that was there, None where none was.

    Args:
        row: of the picture, which completes that of a visitor who was first with it, and takes the place of that of one
            that was removed; None where it must be there.
    """
    this_one = image_table.c.id == image
    known = connection.execute(sa.select(image_table.c.split, image_table.c.name).where(this_one)).first()
    if known is None and row is not None:
        connection.execute(image_table.insert().values(row))
    elif known is not None and row is not None and (not known.name or (known.split is None and row["split"])):
        brought = {name: value for name, value in row.items() if name not in ("id", "created_at")}
        connection.execute(image_table.update().where(this_one).values(brought))
    return known
