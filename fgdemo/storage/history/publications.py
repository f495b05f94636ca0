"""Pictures that visitors may see, with credit and licence, as events of the log: kept, exported and mirrored.

What an import says of publications counts for nothing (`fgdemo.storage.exchange.believed`), and no `undo` touches them:
what was published is withdrawn by a newer event, and the other way round.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from fgdemo.storage.database.database import reading, utc_now, writing
from fgdemo.storage.database.schema import image_table, label_event_table
from fgdemo.storage.history.event_rows import AT_ONCE, events_among, events_where, histories_of, row_of
from fgdemo.storage.history.events import Note
from fgdemo.storage.history.label_event import (
    FROM_VISITOR,
    PUBLISHING,
    REMOVED,
    LabelEvent,
    publication_of,
    standing_of,
)
from fgdemo.values.annotation import Publication
from fgdemo.values.batches import batches
from fgdemo.values.errors import ForbiddenError, StaleError, StorageError


class PublicationLog:
    """The publications of one database. Safe to use from many threads."""

    def __init__(self, engine: sa.Engine, clock: Callable[[], datetime] = utc_now) -> None:
        self._engine, self._clock = engine, clock

    def append(self, events: Sequence[LabelEvent], note: Note | None = None) -> None:
        """Publish and withdraw pictures: all is durable when this returns, or nothing was done. One that is sent twice
        (its `answer_key` says so) counts once.

        Raises:
            ForbiddenError: a gold picture, or one that a visitor left, is to be published.
            StaleError: somebody said something else about a picture since it was shown.
            StorageError: a picture is not in the workspace, or has no label; or nothing can be written.
        """
        table, now = label_event_table, self._clock().isoformat()
        keys = [said.answer_key for said in events if said.answer_key is not None]
        with writing(self._engine) as connection:
            known = {said.answer_key for said in events_among(connection, table.c.answer_key, keys)}
            new = [said for said in events if said.answer_key not in known]
            _check(connection, [said for said in new if said.kind == "publish"])
            for said in new:
                connection.execute(table.insert().values(row_of(replace(said, created_at=now))))
            if new and note:
                note(connection)


def publications(engine: sa.Engine, images: Sequence[str]) -> dict[str, Publication]:
    """Under which words each of these pictures is published, those that are; whether it has a label is another matter
    (`Roster.is_public`). Raises StorageError."""
    table, found = label_event_table, dict[str, list[LabelEvent]]()
    said_of_it = table.c.kind.in_(PUBLISHING) | (table.c.reason == REMOVED)
    for some in batches(images, AT_ONCE):
        with reading(engine) as connection:
            for said in events_where(connection, table.c.image.in_(some) & said_of_it):
                found.setdefault(said.image, []).append(said)
    now = {image: publication_of(history) for image, history in found.items()}
    return {image: publication for image, publication in now.items() if publication is not None}


def _check(connection: sa.Connection, published: Sequence[LabelEvent]) -> None:
    """Of pictures that are to be published, under the write lock."""
    images = [said.image for said in published]
    rows = dict[str, Any]()
    for some in batches(images, AT_ONCE):
        query = sa.select(image_table.c.id, image_table.c.split, image_table.c.source)
        rows.update((row.id, row) for row in connection.execute(query.where(image_table.c.id.in_(some))))
    histories = histories_of(connection, images)
    for said in published:
        row = rows.get(said.image)
        if row is None:
            raise StorageError(
                "One of the pictures is not in the workspace, so none was published: load the page again."
            )
        if row.split == "gold":
            raise ForbiddenError(
                "Gold pictures measure every model, and what is public can be learned by heart: none was published."
            )
        if row.source == FROM_VISITOR:
            raise ForbiddenError(
                "A visitor left one of the pictures for the experts, and not for everybody: none was published."
            )
        standing = standing_of(histories[said.image], "train")
        if standing is None or standing.taxon is None:
            raise StorageError("Only pictures with a label can be published, and one has none: none was published.")
        if standing.version != (said.shown_version or 0):
            raise StaleError("Somebody answered about one of the pictures meanwhile, so none was published.")
