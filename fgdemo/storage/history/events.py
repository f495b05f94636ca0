"""The append-only log of what people said about pictures. What is true now is a fold over it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from fgdemo.storage.database.database import reading, utc_now, writing
from fgdemo.storage.database.dialects import UNSTORABLE
from fgdemo.storage.database.schema import image_table, label_event_table, lease_table
from fgdemo.storage.history.event_rows import AT_ONCE, events_among, events_where, histories_of, row_of, store_picture
from fgdemo.storage.history.label_event import (
    NO_RECEIPT,
    REMOVED,
    LabelEvent,
    NewPicture,
    is_forged_receipt,
    standing_of,
)
from fgdemo.storage.history.removing import removed_among
from fgdemo.storage.pictures.originals import ImageStore, image_id_of
from fgdemo.values.annotation import DECIDING, Kind, Person
from fgdemo.values.batches import batches
from fgdemo.values.errors import ForbiddenError, StaleError, StorageError

__all__ = ["EventLog", "Kind", "LabelEvent", "NewPicture", "standing_of"]

NOT_TAKEN_BACK: tuple[Kind, ...] = ("import", "suggestion", "undo", "point", "publish", "withdraw")
"""Points and publications are changed by newer ones."""
Note = Callable[[sa.Connection], None]
"""Writes down that something was done, in the same transaction; not called for what was done already."""


class EventLog:
    """The label events of one database."""

    def __init__(self, engine: sa.Engine, clock: Callable[[], datetime] = utc_now) -> None:
        self._engine = engine
        self._clock = clock

    # --- taking in ----------------------------------------------------------------------------------------

    def append(self, label_event: LabelEvent) -> LabelEvent:
        """Add an event about a picture of the workspace; it is durable when this returns. Gives it with id and time.

        Raises:
            StorageError: the picture or the taxon is not in the workspace, or nothing can be written.
        """
        with writing(self._engine) as connection:
            return self._insert(connection, label_event)

    def append_with_picture(self, label_event: LabelEvent, picture: NewPicture, store: ImageStore) -> LabelEvent:
        """Like `append`, for a picture that may be new: picture, its row and the event are all stored, or none is."""
        return self.append_many([(label_event, picture)], store)[0]

    def append_many(self, entries: Sequence[tuple[LabelEvent, NewPicture]], store: ImageStore) -> list[LabelEvent]:
        """Like `append_with_picture` for many, in one transaction: all of them are stored, or none is.

        The files come first, so no row can ever name a missing file, and without the write lock, because it takes long
        until they are on the disk. What a failure leaves behind is at most files without rows, which are then removed.
        """
        originals = {said.image: picture.original for said, picture in entries}
        if any(image_id_of(original) != image for image, original in originals.items()):
            raise StorageError("The picture and its id do not belong together, so nothing was stored.")
        new = [image for image in originals if image not in store]
        try:
            for image in new:
                store.put(originals[image])
            with writing(self._engine) as connection:
                appended: list[LabelEvent] = []
                for said, picture in entries:
                    if said.image not in store:  # somebody whose transaction failed has just removed it
                        store.put(picture.original)
                    self._insert_image(connection, said.image, picture)
                    appended.append(self._insert(connection, said))
        except StorageError:
            self.remove_orphans(new, store)
            raise
        return appended

    def answer(self, label_event: LabelEvent, note: Note | None = None) -> LabelEvent:
        """An expert's answer. See `answer_all`."""
        return self.answer_all([label_event], note)[0]

    def answer_all(self, label_events: Sequence[LabelEvent], note: Note | None = None) -> list[LabelEvent]:
        """Experts' answers: all are durable when this returns, or none was taken. One sent twice counts once.

        Who has answered holds no lease on the picture any more. That is part of the same transaction, because with
        many people at work the turn to write is what an answer waits for.

        Raises:
            StaleError: somebody said something else about one of the pictures since it was shown.
            ForbiddenError: a gold picture that has a label, and no last word.
            StorageError: as `append`.
        """
        table, images = label_event_table, list({said.image for said in label_events})
        keys = [said.answer_key for said in label_events if said.answer_key is not None]
        with writing(self._engine) as connection:
            known = {said.answer_key: said for said in events_among(connection, table.c.answer_key, keys)}
            locked, versions = self._locked(connection, images), _versions(connection, images)
            if removed_among(connection, images):
                raise StaleError("A picture was removed meanwhile, so nothing is said about it any more.")
            appended, is_new = list[LabelEvent](), False
            for said in label_events:
                kept = known.get(said.answer_key) if said.answer_key is not None else None
                if kept is None:
                    _check_fresh(said, said.image in locked, versions.get(said.image, 0))
                    kept, is_new = self._insert(connection, said), True
                    known[said.answer_key] = kept
                    if said.kind in DECIDING:
                        versions[said.image] = kept.id or 0
                elif (kept.image, kept.annotator) != (said.image, said.annotator):
                    raise StorageError("This answer carries the key of another one: load the page again.")
                appended.append(kept)
            _end_leases(connection, {said.annotator for said in appended}, images)
            if is_new and note:
                note(connection)
            return appended

    def undo(
        self, event_ids: Iterable[int], person: Person, session: int | None = None, note: Note | None = None
    ) -> list[LabelEvent]:
        """Take back events: all or none. Gives the events that say so; what was taken back before is passed over.

        Raises:
            ForbiddenError: an event of somebody else, and the person is no maintainer.
            StaleError: something newer was said about the picture.
        """
        table, newest_first = label_event_table, sorted(set(event_ids), reverse=True)
        with writing(self._engine) as connection:
            asked = {said.id: said for said in events_among(connection, table.c.id, newest_first)}
            histories = histories_of(connection, {said.image for said in asked.values()})
            taken_back = {said.undoes for history in histories.values() for said in history}
            appended: list[LabelEvent] = []
            for event_id in newest_first:
                undone = asked.get(event_id)
                if undone is None or undone.kind in NOT_TAKEN_BACK:
                    raise StorageError("Only an answer can be taken back.")
                if undone.reason == REMOVED:
                    raise StorageError("A picture that was removed is not there any more: bring it in again.")
                if undone.annotator != person.name and person.role != "maintainer":
                    raise ForbiddenError("Only the person who gave an answer, or a maintainer, may take it back.")
                if event_id in taken_back:
                    continue
                if undone.kind in DECIDING and any(
                    said.kind in DECIDING and (said.id or 0) > event_id and said.id not in taken_back
                    for said in histories[undone.image]
                ):
                    raise StaleError("Somebody answered about this picture after you, so it stays as it is now.")
                undo = LabelEvent(undone.image, "undo", person.name, undoes=event_id, session=session)
                appended.append(self._insert(connection, replace(undo, batch=undone.batch)))
                taken_back.add(event_id)
            if appended and note:
                note(connection)
            return appended

    # --- reading ------------------------------------------------------------------------------------------

    def suggestions(self) -> list[LabelEvent]:
        """What visitors suggested, oldest first."""
        return self._select(label_event_table.c.kind == "suggestion")

    def history(self, image: str) -> list[LabelEvent]:
        """All that was ever said about a picture, oldest first."""
        return self._select(label_event_table.c.image == image)

    def since(self, event_id: int, limit: int = 10_000) -> list[LabelEvent]:
        """The next events after `event_id`, oldest first."""
        with reading(self._engine) as connection:
            return events_where(connection, label_event_table.c.id > event_id, limit)

    def tally(self, after: int = 0) -> tuple[int, dict[str, int]]:
        """How many events of each kind follow the event `after`, and the id of the last of them."""
        table = label_event_table
        query = sa.select(table.c.kind, sa.func.count(), sa.func.max(table.c.id)).where(table.c.id > after)
        with reading(self._engine) as connection:
            rows = connection.execute(query.group_by(table.c.kind)).all()
        return max((row[2] for row in rows), default=after), {row[0]: row[1] for row in rows}

    def by_session(self, session: int, after: int = 0) -> list[LabelEvent]:
        """All that was said in a labelling session, or what followed the event `after`, oldest first."""
        return self._select((label_event_table.c.session == session) & (label_event_table.c.id > after))

    def seconded_by(self, annotator: str) -> set[str]:
        """Pictures about which this person gave a blind second opinion."""
        table = label_event_table
        query = sa.select(table.c.image).where((table.c.reason == "second") & (table.c.annotator == annotator))
        with reading(self._engine) as connection:
            return set(connection.execute(query).scalars())

    def histories(self, images: Sequence[str]) -> dict[str, list[LabelEvent]]:
        """`history` of several pictures."""
        with reading(self._engine) as connection:
            return histories_of(connection, images)

    def by_answer_key(self, key: str) -> LabelEvent | None:
        """The event that carries this key."""
        return next(iter(self._select(label_event_table.c.answer_key == key)), None)

    def by_batch(self, batch: str) -> list[LabelEvent]:
        """The events of one answer about many pictures, oldest first."""
        return self._select(label_event_table.c.batch == batch)

    # --- rows ---------------------------------------------------------------------------------------------

    def _select(self, condition: sa.ColumnElement[bool]) -> list[LabelEvent]:
        with reading(self._engine) as connection:
            return events_where(connection, condition)

    def _locked(self, connection: sa.Connection, images: Sequence[str]) -> set[str]:
        """Those of the pictures that are locked, see `Standing.is_locked`."""
        gold = [image for image, split in _splits(connection, images).items() if split == "gold"]
        standings = [standing_of(history, "gold") for history in histories_of(connection, gold).values() if history]
        return {standing.image for standing in standings if standing is not None and standing.is_locked}

    def _insert(self, connection: sa.Connection, label_event: LabelEvent) -> LabelEvent:
        stamped = replace(label_event, id=None, created_at=self._clock().isoformat())
        row = row_of(stamped)
        _check_texts(row)
        if is_forged_receipt(stamped.kind, stamped.answer_key):
            raise StorageError(NO_RECEIPT)
        insert = label_event_table.insert().values(row).returning(label_event_table.c.id)
        return replace(stamped, id=connection.execute(insert).scalar_one())

    def _insert_image(self, connection: sa.Connection, image: str, picture: NewPicture) -> None:
        columns = {name: value for name, value in vars(picture).items() if name != "original"}
        _check_texts(columns)
        store_picture(connection, image, {"id": image, "created_at": self._clock().isoformat(), **columns})

    def remove_orphans(self, images: Sequence[str], store: ImageStore) -> None:
        """Remove files of pictures that have no row, under the write lock: somebody may just have stored them too."""
        try:
            with writing(self._engine) as connection:
                for image in set(images) - set(_splits(connection, images)):
                    store.remove(image)
        except StorageError:
            pass  # The first error is the one to tell; a file without rows does no harm.


def _end_leases(connection: sa.Connection, annotators: Iterable[str], images: Sequence[str]) -> None:
    for some in batches(images, AT_ONCE):
        theirs = lease_table.c.annotator.in_(list(annotators)) & lease_table.c.image.in_(some)
        connection.execute(lease_table.delete().where(theirs))


def _splits(connection: sa.Connection, images: Sequence[str]) -> dict[str, str | None]:
    """The split of each of these pictures that there is."""
    found: dict[str, str | None] = {}
    for some in batches(images, AT_ONCE):
        query = sa.select(image_table.c.id, image_table.c.split).where(image_table.c.id.in_(some))
        found.update((row.id, row.split) for row in connection.execute(query))
    return found


def _versions(connection: sa.Connection, images: Sequence[str]) -> dict[str, int]:
    """`Standing.version` of each of these pictures about which anything was said."""
    table, found = label_event_table, dict[str, int]()
    for some in batches(images, AT_ONCE):
        told = table.c.image.in_(some) & table.c.kind.in_((*DECIDING, "undo"))
        query = sa.select(table.c.image, sa.func.max(table.c.id)).where(told).group_by(table.c.image)
        found.update((image, version) for image, version in connection.execute(query))
    return found


def _check_fresh(said: LabelEvent, is_locked: bool, version: int) -> None:
    if version != (said.shown_version or 0):
        raise StaleError("Somebody answered about this picture meanwhile. Here it is as it stands now.")
    if is_locked and not said.blind and not said.is_last_word and said.kind not in ("skip", "unsure"):
        raise ForbiddenError("This picture is gold: its label is only changed by adjudication.")


def _check_texts(row: Mapping[str, Any]) -> None:
    """Whatever the database: what one can keep shall go into another."""
    if any(isinstance(value, str) and "\0" in value for value in row.values()):
        raise StorageError(UNSTORABLE)
