"""One answer about many pictures: all are kept, or none."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from fgdemo.annotation import Person
from fgdemo.errors import ForbiddenError, StaleError, StorageError
from fgdemo.services.disputes import require_third
from fgdemo.storage.events import EventLog, LabelEvent
from fgdemo.storage.roster import Roster
from fgdemo.taxonomy import Taxonomy

LARGEST_BATCH = 1000

Answer = Literal["label", "confirm", "unusable", "none", "adjudication"]
"""label: all are this kind; confirm: each keeps the label it has, which thereby is checked; adjudication: a
maintainer's last word, about gold pictures that have a label and only about those."""


@dataclass(frozen=True)
class Shown:
    """A picture as the person saw it."""

    image: str
    version: int


class StaleBatchError(StaleError):
    """Some of the pictures are no longer as they were shown; nothing was kept."""

    def __init__(self, message: str, images: Sequence[str]) -> None:
        super().__init__(message)
        self.images = tuple(images)


def answer_many(
    log: EventLog,
    roster: Roster,
    taxonomy: Taxonomy,
    person: Person,
    items: Sequence[Shown],
    answer: Answer,
    taxon: str | None,
    key: str,
) -> str:
    """Keep an answer about many pictures, and give the name of the batch; durable when this returns.

    Args:
        roster: has followed the log.
        key: made by the page; the same answer sent twice counts once.

    Raises:
        StaleBatchError: some have changed since they were shown; it names them.
        ForbiddenError: some are gold and have a label, and it is no adjudication by a maintainer; or an expert would
            settle a dispute of their own.
        StorageError: the question makes no sense, or nothing can be written.
    """
    names_kind = answer in ("label", "adjudication")
    if not 1 <= len(items) <= LARGEST_BATCH or answer not in get_args(Answer) or names_kind != bool(taxon):
        raise StorageError(f"Choose 1 to {LARGEST_BATCH} pictures and what they are.")
    if answer == "adjudication":
        person.require("maintainer")
    if taxon is not None and taxon not in taxonomy.by_id:
        raise StorageError("This kind is not in the workspace: load the page again.")
    if len({item.image for item in items}) < len(items):
        raise StorageError("A picture was chosen twice: load the page again.")
    batch = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{person.name}/{key}"))
    if not log.by_batch(batch):  # else it was kept already, and the pictures are stale because of that
        _check(roster, items, answer)
        require_third(log, person, [item.image for item in items if roster.standing(item.image).disputed])
    events = [
        LabelEvent(
            item.image, "label" if answer == "confirm" else answer, person.name,
            taxon=roster.standing(item.image).taxon if answer == "confirm" else taxon,
            shown_version=item.version, batch=batch, answer_key=f"{batch}/{item.image}",
        )
        for item in items
    ]  # fmt: skip
    try:
        log.answer_all(events)
    except StaleError:  # between our look and the lock
        roster.follow()
        _check(roster, items, answer)
        raise
    return batch


def undo_many(log: EventLog, person: Person, batch: str) -> list[str]:
    """Take back a whole batch, and give its pictures.

    Raises:
        StaleError: somebody has spoken since about one of them; nothing was taken back.
        ForbiddenError: it is somebody else's, and the person is no maintainer.
    """
    events = [said for said in log.by_batch(batch) if said.kind != "undo"]
    if not events:
        raise StorageError("There is nothing to take back.")
    log.undo([said.id or 0 for said in events], person)
    return [said.image for said in events]


def _check(roster: Roster, items: Sequence[Shown], answer: Answer) -> None:
    standing = [roster.standing(item.image) for item in items]
    stale = [item.image for item, now in zip(items, standing, strict=True) if now.version != item.version]
    if stale:
        raise StaleBatchError(f"{_pictures(len(stale))} changed meanwhile, so nothing was kept.", stale)
    gold = sum(now.is_locked for now in standing)
    if answer == "adjudication":
        if gold < len(items):
            raise StorageError("Only gold pictures that have a label wait for a last word: nothing was kept.")
    elif gold:
        raise ForbiddenError(
            f"Only adjudication changes the label of gold pictures, and {gold} of these are gold: nothing was kept."
        )
    bare = sum(now.taxon is None for now in standing)
    if answer == "confirm" and bare:
        raise StorageError(f"{_pictures(bare)} without a label cannot be called right, so nothing was kept.")


def _pictures(n: int) -> str:
    return "1 picture" if n == 1 else f"{n} pictures"
