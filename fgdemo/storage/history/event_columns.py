"""Events as columns, for those who follow the log from its beginning."""

from dataclasses import dataclass

import sqlalchemy as sa

from fgdemo.storage.database.database import reading
from fgdemo.storage.database.schema import image_table, label_event_table
from fgdemo.values.annotation import Kind


@dataclass(frozen=True)
class EventColumns:
    """Columns of events, oldest first, and of the pictures that they are about."""

    ids: tuple[int, ...]
    images: tuple[str, ...]
    kinds: tuple[Kind, ...]
    taxa: tuple[str | None, ...]
    annotators: tuple[str, ...]
    blind: tuple[bool, ...]
    splits: tuple[str | None, ...]
    twins: tuple[str | None, ...]
    imports: tuple[str | None, ...]
    reasons: tuple[str | None, ...]


def events_after(engine: sa.Engine, event: int, limit: int, until: int | None = None) -> EventColumns | None:
    """The next events after the one with this id, at most `limit`, none after `until`; None where there are none."""
    table, pictures = label_event_table, image_table
    query = (
        sa.select(
            *(table.c[name] for name in ("id", "image", "kind", "taxon", "annotator", "blind")),
            *(pictures.c[name] for name in ("split", "twin_of", "imported_in")),
            table.c.reason,
        )
        .join_from(table, pictures, table.c.image == pictures.c.id)
        .where(table.c.id > event)
        .order_by(table.c.id)
        .limit(limit)
    )
    if until is not None:
        query = query.where(table.c.id <= until)
    with reading(engine) as connection:
        rows = connection.execute(query).all()
    return EventColumns(*zip(*rows, strict=True)) if rows else None
