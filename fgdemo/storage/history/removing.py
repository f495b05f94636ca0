"""Pictures are removed for good: an event says so first, then the files go.

The event is `unusable` for the reason `removed`; all that was said before stays as a stub. The event is durable before
a file goes, and whoever finds one without the other goes on from there (`clear_removed`). A picture is there again when
it is brought again, see `fgdemo.storage.history.label_event.BRINGS`.
"""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from fgdemo.storage.database.database import reading, sortable, utc_now, writing
from fgdemo.storage.database.schema import image_table, label_event_table, lease_table
from fgdemo.storage.history.event_rows import AT_ONCE, row_of
from fgdemo.storage.history.label_event import BRINGS, REMOVED, LabelEvent
from fgdemo.storage.pictures.originals import ImageStore
from fgdemo.values.batches import batches

FILES_AT_ONCE = 100
"""So many files are removed while nobody else may write."""


def removed_images(after: int = 0) -> sa.Select[Any]:
    """The ids of the pictures that are removed now, for a reason that is newer than the event `after`."""
    said, later = label_event_table, label_event_table.alias("later")
    brought = sa.exists().where((later.c.image == said.c.image) & (later.c.id > said.c.id) & later.c.kind.in_(BRINGS))
    return sa.select(said.c.image).where((said.c.reason == REMOVED) & (said.c.id > after) & ~brought).distinct()


def removed_among(connection: sa.Connection, images: Collection[str]) -> set[str]:
    """Those of these pictures that are removed now."""
    found: set[str] = set()
    for some in batches(list(images), AT_ONCE):
        query = removed_images().where(label_event_table.c.image.in_(some))
        found.update(connection.execute(query).scalars())
    return found


def mark_removed(
    connection: sa.Connection,
    images: Sequence[str],
    by: str,
    why: str,
    batch: str | None = None,
    clock: Callable[[], datetime] = utc_now,
) -> list[str]:
    """Say of pictures, within a transaction, that they are removed; gives those that were there.

    Files are to be cleared away after it (`clear_removed`). People call files by names and places, so the name goes,
    too; nobody is asked about a removed picture, so leases end.
    """
    gone = removed_among(connection, images)
    there = [image for image in dict.fromkeys(images) if image not in gone]
    now = sortable(clock())
    for some in batches(there, AT_ONCE):
        rows = [
            row_of(LabelEvent(image, "unusable", by, comment=why, reason=REMOVED, batch=batch, created_at=now))
            for image in some
        ]
        connection.execute(label_event_table.insert(), rows)
        connection.execute(image_table.update().where(image_table.c.id.in_(some)).values(name=""))
        connection.execute(lease_table.delete().where(lease_table.c.image.in_(some)))
    return there


def clear_removed(
    engine: sa.Engine, store: ImageStore, images: Sequence[str] | None = None, after: int = 0
) -> list[str]:
    """Remove the files and thumbnails of removed pictures that are still there; gives whose.

    A picture that is brought again at this moment keeps its file: its event is written under the lock that is held
    here.

    Args:
        images: only of these; None for all that were removed after the event `after`.

    Raises:
        StorageError: a file cannot be removed; it is tried again at the next time.
    """
    listed = list(images or ())
    if images is None:
        with reading(engine) as connection:
            listed.extend(connection.execute(removed_images(after)).scalars())
    cleared: list[str] = []
    for some in batches([image for image in listed if store.holds(image)], FILES_AT_ONCE):
        with writing(engine, durable=False) as connection:
            for image in removed_among(connection, some):
                store.remove(image)
                cleared.append(image)
    return cleared
