"""The append-only log of what people said about pictures. What is true now is a fold over it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, get_args

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from fgdemo.annotation import DECIDING, Kind, Person, Split, Standing
from fgdemo.errors import ForbiddenError, StaleError, StorageError
from fgdemo.storage.database import reading, utc_now, writing
from fgdemo.storage.originals import ImageStore, image_id_of
from fgdemo.storage.schema import image_table, label_event_table
from fgdemo.types import CropBox

__all__ = ["EventLog", "Kind", "LabelEvent", "NewPicture", "event_of", "standing_of"]


@dataclass(frozen=True)
class LabelEvent:
    """One thing that was said about one picture. Only the log gives it its `id` and `created_at`.

    Attributes:
        image: id of the picture.
        kind: see `fgdemo.annotation.Kind`.
        annotator: who said it.
        taxon: id of the taxon it is said to be, or None.
        new_name: the name of a taxon that does not exist yet; never together with `taxon`.
        shown_version: `Standing.version` of this picture when it was shown, where that matters.
        model_version: the model whose answer was on the page.
        seconds_spent: how long the picture was looked at.
        box: the part of the picture that it was said about; None means the whole picture.
        undoes: id of the event that this one takes back.
        batch: the same for all events of one answer about many pictures.
        answer_key: made by the page for each answer, so that one that is sent twice counts once.
        blind: a second opinion, given without seeing the first.
        session: id of the labelling session.
        reason: why the picture was asked, see `fgdemo.annotation.Reason`.
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
    undoes: int | None = None
    batch: str | None = None
    answer_key: str | None = None
    blind: bool = False
    session: int | None = None
    reason: str | None = None
    id: int | None = None
    created_at: str | None = None

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise StorageError(f"“{self.kind}” is not a kind of label event.")
        if self.taxon is not None and self.new_name is not None:
            raise StorageError("A label event names a taxon or a new name, not both.")
        if self.kind in ("label", "adjudication") and self.taxon is None:
            raise StorageError("A label must name what the picture shows.")


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
    dhash: str | None = None
    """Perceptual hash, 16 hexadecimal digits."""
    twin_of: str | None = None
    """The first picture of its group of near-duplicates, if it is not the first itself."""
    imported_in: str | None = None
    """Which import brought it."""


class EventLog:
    """The label events of one database."""

    def __init__(self, engine: Engine, clock: Callable[[], datetime] = utc_now) -> None:
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

        The files are written between the rows and their commit, so no row can ever name a missing file, and what a
        failure leaves behind is at most files without rows, which are then removed.
        """
        new_files = [image_id_of(picture.original) for _, picture in entries]
        new_files = [image for image in new_files if image not in store]
        try:
            with writing(self._engine) as connection:
                appended = []
                for label_event, picture in entries:
                    self._insert_image(connection, label_event.image, picture)
                    appended.append(self._insert(connection, label_event))
                    if store.put(picture.original) != label_event.image:
                        raise StorageError("The picture and its id do not belong together, so nothing was stored.")
        except StorageError:
            self.remove_orphans(new_files, store)
            raise
        return appended

    def answer(self, label_event: LabelEvent) -> LabelEvent:
        """An expert's answer. See `answer_all`."""
        return self.answer_all([label_event])[0]

    def answer_all(self, label_events: Sequence[LabelEvent]) -> list[LabelEvent]:
        """Experts' answers: all are durable when this returns, or none was taken. One sent twice counts once.

        Raises:
            StaleError: somebody said something else about one of the pictures since it was shown.
            ForbiddenError: a gold picture, and no adjudication.
            StorageError: as `append`.
        """
        with writing(self._engine) as connection:
            appended = []
            for label_event in label_events:
                known = self._answered_before(connection, label_event)
                if known is None:
                    self._check_fresh(connection, label_event)
                    known = self._insert(connection, label_event)
                appended.append(known)
            return appended

    def undo(self, event_ids: Iterable[int], person: Person, session: int | None = None) -> list[LabelEvent]:
        """Take back events: all or none. Gives the events that say so; what was taken back before is passed over.

        Raises:
            ForbiddenError: an event of somebody else, and the person is no maintainer.
            StaleError: something newer was said about the picture.
        """
        table = label_event_table
        with writing(self._engine) as connection:
            appended = []
            for event_id in sorted(event_ids, reverse=True):
                (undone,) = self._rows(connection, table.c.id == event_id) or [None]
                if undone is None or undone.kind in ("import", "suggestion", "undo"):
                    raise StorageError("Only an answer can be taken back.")
                if undone.annotator != person.name and person.role != "maintainer":
                    raise ForbiddenError("Only the person who gave an answer, or a maintainer, may take it back.")
                history = self._rows(connection, table.c.image == undone.image)
                taken_back = {said.undoes for said in history}
                if undone.id in taken_back:
                    continue
                newer = [
                    said
                    for said in history
                    if said.kind in DECIDING and (said.id or 0) > event_id and said.id not in taken_back
                ]
                if newer and undone.kind in DECIDING:
                    raise StaleError("Somebody answered about this picture after you, so it stays as it is now.")
                undo = LabelEvent(undone.image, "undo", person.name, undoes=event_id, session=session)
                appended.append(self._insert(connection, replace(undo, batch=undone.batch)))
            return appended

    # --- reading ------------------------------------------------------------------------------------------

    def labels(self, taxon: str | None = None) -> dict[str, LabelEvent]:
        """The current label of every labelled picture, by image id, with `taxon` only those labelled so now.

        A scan of the whole log: for questions asked all the time there is `fgdemo.storage.roster.Roster`.
        """
        table = label_event_table
        undone = sa.select(table.c.undoes).where(table.c.undoes.is_not(None))
        latest = (
            sa.select(sa.func.max(table.c.id))
            .where(table.c.kind.in_(DECIDING), table.c.blind.is_(sa.false()), table.c.id.not_in(undone))
            .group_by(table.c.image)
        )
        current = table.c.id.in_(latest) & table.c.taxon.is_not(None)
        if taxon is not None:
            current = current & (table.c.taxon == taxon)
        return {found.image: found for found in self._select(current)}

    def suggestions(self) -> list[LabelEvent]:
        """What visitors suggested, oldest first."""
        return self._select(label_event_table.c.kind == "suggestion")

    def history(self, image: str) -> list[LabelEvent]:
        """All that was ever said about a picture, oldest first."""
        return self._select(label_event_table.c.image == image)

    def since(self, event_id: int, limit: int = 10_000) -> list[LabelEvent]:
        """The next events after `event_id`, oldest first."""
        with reading(self._engine) as connection:
            return self._rows(connection, label_event_table.c.id > event_id, limit)

    def by_session(self, session: int) -> list[LabelEvent]:
        """All that was said in a labelling session, oldest first."""
        return self._select(label_event_table.c.session == session)

    def by_reason(self, reason: str) -> list[LabelEvent]:
        """All answers to pictures that were asked for this reason, oldest first."""
        return self._select(label_event_table.c.reason == reason)

    def seconded_by(self, annotator: str) -> set[str]:
        """Pictures about which this person gave a blind second opinion."""
        table = label_event_table
        mine = (table.c.reason == "second") & (table.c.annotator == annotator)
        return {said.image for said in self._select(mine)}

    def histories(self, images: Sequence[str]) -> dict[str, list[LabelEvent]]:
        """`history` of several pictures."""
        found: dict[str, list[LabelEvent]] = {image: [] for image in images}
        for start in range(0, len(images), 500):
            for said in self._select(label_event_table.c.image.in_(images[start : start + 500])):
                found[said.image].append(said)
        return found

    def by_batch(self, batch: str) -> list[LabelEvent]:
        """The events of one answer about many pictures, oldest first."""
        return self._select(label_event_table.c.batch == batch)

    # --- rows ---------------------------------------------------------------------------------------------

    def _select(self, condition: sa.ColumnElement[bool]) -> list[LabelEvent]:
        with reading(self._engine) as connection:
            return self._rows(connection, condition)

    @staticmethod
    def _rows(connection: Connection, condition: sa.ColumnElement[bool], limit: int | None = None) -> list[LabelEvent]:
        query = sa.select(label_event_table).where(condition).order_by(label_event_table.c.id).limit(limit)
        return [event_of(row) for row in connection.execute(query).mappings()]

    def _answered_before(self, connection: Connection, label_event: LabelEvent) -> LabelEvent | None:
        if label_event.answer_key is None:
            return None
        known = self._rows(connection, label_event_table.c.answer_key == label_event.answer_key)
        if known and (known[0].image, known[0].annotator) != (label_event.image, label_event.annotator):
            raise StorageError("This answer carries the key of another one: load the page again.")
        return known[0] if known else None

    def _check_fresh(self, connection: Connection, label_event: LabelEvent) -> None:
        table = label_event_table
        split = connection.execute(
            sa.select(image_table.c.split).where(image_table.c.id == label_event.image)
        ).scalar_one_or_none()
        if split == "gold" and label_event.kind not in ("adjudication", "skip", "unsure"):
            raise ForbiddenError("This picture is gold: its label is only changed by adjudication.")
        newest = connection.execute(
            sa.select(sa.func.max(table.c.id)).where(
                table.c.image == label_event.image, table.c.kind.in_((*DECIDING, "undo"))
            )
        ).scalar_one()
        if (newest or 0) != (label_event.shown_version or 0):
            raise StaleError("Somebody answered about this picture meanwhile. Here it is as it stands now.")

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

    def remove_orphans(self, images: Sequence[str], store: ImageStore) -> None:
        """Remove files of pictures that have no row, under the write lock: somebody may just have stored them too."""
        try:
            with writing(self._engine) as connection:
                for image in images:
                    if connection.execute(sa.select(image_table.c.id).where(image_table.c.id == image)).first() is None:
                        store.remove(image)
        except StorageError:
            pass  # The first error is the one to tell; a file without rows does no harm.


def event_of(row: Any) -> LabelEvent:
    """The event of a row of `label_event`."""
    box = CropBox(**json.loads(row["box"])) if row["box"] else None
    return LabelEvent(**{**row, "box": box, "blind": bool(row["blind"])})


def standing_of(history: Sequence[LabelEvent], split: Split) -> Standing | None:
    """What is true of a picture, by all that was said about it, oldest first; None if nothing decides."""
    taken_back = {said.undoes for said in history if said.kind == "undo"}
    version = max((said.id or 0 for said in history if said.kind in (*DECIDING, "undo")), default=0)
    valid = [said for said in history if said.id not in taken_back]
    deciding = [said for said in valid if said.kind in DECIDING and not said.blind]
    if not deciding:
        return None
    now = deciding[-1]
    settled = max((said.id or 0 for said in valid if said.kind == "adjudication"), default=0)
    second = {said.annotator: said for said in valid if said.blind and (said.id or 0) > settled}
    answered = max((said.id or 0 for said in valid if said.kind in DECIDING and said.kind != "import"), default=0)
    return Standing(
        image=now.image,
        version=version,
        kind=now.kind,
        taxon=now.taxon,
        annotator=now.annotator,
        checked=now.kind != "import",
        disputed=any((said.kind, said.taxon) != (_opinion(now), now.taxon) for said in second.values()),
        suggested=any(said.kind == "suggestion" and (said.id or 0) > answered for said in valid),
        split=split,
    )


def _opinion(said: LabelEvent) -> Kind:
    """An adjudication and an import say the same as a label does."""
    return "label" if said.kind in ("adjudication", "import") and said.taxon is not None else said.kind
