"""One answer about many pictures: all are kept, or none."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from fgdemo.services.labelling.disputes import require_third
from fgdemo.services.labelling.gold import back_in_gold, out_of_gold
from fgdemo.storage.history.events import EventLog, LabelEvent, Note, standing_of
from fgdemo.storage.history.roster import Roster
from fgdemo.values.annotation import OUT, Kind, Person
from fgdemo.values.counting import counted
from fgdemo.values.errors import ForbiddenError, StaleError, StorageError
from fgdemo.values.limits import LARGEST_BATCH
from fgdemo.values.taxonomy import Taxonomy

Answer = Literal["label", "confirm", "unusable", "none", "adjudication", "gold_unusable", "gold_none", "gold_back"]
"""label: all are this kind; confirm: each keeps the label it has, which thereby is checked; adjudication: a
maintainer's last word, about gold pictures that have a label and only about those. gold_unusable, gold_none: so a
maintainer takes gold pictures out of gold; gold_back: puts them back, with the labels that they had."""
OUT_OF_GOLD: Mapping[str, Kind] = {"gold_unusable": "unusable", "gold_none": "none"}


Noted = Callable[[str], Note]
"""Of a sentence for the record of who did what: what writes it. The log has what is said of pictures; what changes the
pictures by which models are judged is noted besides."""


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
    noted: Noted,
) -> str:
    """Keep an answer about many pictures, and give the name of the batch; durable when this returns.

    Args:
        roster: has followed the log.
        key: made by the page; the same answer sent twice counts once.
        noted: see `Noted`.

    Raises:
        StaleBatchError: some have changed since they were shown; it names them.
        ForbiddenError: some are gold and have a label, and it is no adjudication by a maintainer; or an expert would
            settle a dispute of their own.
        StorageError: the question makes no sense, or nothing can be written.
    """
    names_kind = answer in ("label", "adjudication")
    if not 1 <= len(items) <= LARGEST_BATCH or answer not in get_args(Answer) or names_kind != bool(taxon):
        raise StorageError(f"Choose 1 to {LARGEST_BATCH} pictures and what they are.")
    if answer == "adjudication" or answer in OUT_OF_GOLD:
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
            item.image,
            _kind(answer),
            person.name,
            taxon=roster.standing(item.image).taxon if answer == "confirm" else taxon,
            shown_version=item.version,
            batch=batch,
            answer_key=f"{batch}/{item.image}",
            reason="adjudication" if answer in OUT_OF_GOLD else None,
        )
        for item in items
    ]
    try:
        log.answer_all(events, noted(out_of_gold(len(items), _kind(answer))) if answer in OUT_OF_GOLD else None)
    except StaleError:  # between our look and the lock
        roster.follow()
        _check(roster, items, answer)
        raise
    return batch


def back_to_gold(log: EventLog, roster: Roster, person: Person, items: Sequence[Shown], noted: Noted) -> None:
    """Put pictures back into gold, with the labels that they had before a last word took them out; all or none. Those
    that are back already stay so, as where a reply was lost.

    Raises:
        StaleBatchError: some have changed since they were shown; it names them.
        ForbiddenError: the person is no maintainer.
        StorageError: some were never taken out of gold.
    """
    person.require("maintainer")
    if not 1 <= len(items) <= LARGEST_BATCH:
        raise StorageError(f"Choose 1 to {LARGEST_BATCH} pictures.")
    histories = log.histories([item.image for item in items])
    taken, stale = list[int](), list[str]()
    for item in items:
        now, history = roster.standing(item.image), histories[item.image]
        out = next((said for said in reversed(history) if said.kind in OUT and not said.blind), None)
        had = standing_of([said for said in history if out and (said.id or 0) < (out.id or 0)], "gold")
        if now.split != "gold" or out is None or had is None or had.taxon is None:
            raise StorageError(
                f"{item.image[:12]}… was not taken out of gold, or had no label there: say what it shows instead."
            )
        undone = any(said.undoes == out.id for said in history)
        if not undone and now.version != item.version:
            stale.append(item.image)
        elif not undone:
            taken.append(out.id or 0)
    if stale:
        raise StaleBatchError(f"{counted(len(stale), 'picture')} changed meanwhile, so nothing was kept.", stale)
    log.undo(taken, person, note=noted(back_in_gold(len(taken))))


def undo_many(log: EventLog, person: Person, batch: str, noted: Noted) -> list[str]:
    """Take back a whole batch, and give its pictures.

    Raises:
        StaleError: somebody has spoken since about one of them; nothing was taken back.
        ForbiddenError: it is somebody else's, and the person is no maintainer.
    """
    events = [said for said in log.by_batch(batch) if said.kind != "undo"]
    if not events:
        raise StorageError("There is nothing to take back.")
    left_gold = events[0].kind in OUT and events[0].is_last_word
    told = noted(back_in_gold(len(events))) if left_gold else None
    log.undo([said.id or 0 for said in events], person, note=told)
    return [said.image for said in events]


def _check(roster: Roster, items: Sequence[Shown], answer: Answer) -> None:
    standing = [roster.standing(item.image) for item in items]
    stale = [item.image for item, now in zip(items, standing, strict=True) if now.version != item.version]
    if stale:
        raise StaleBatchError(f"{counted(len(stale), 'picture')} changed meanwhile, so nothing was kept.", stale)
    gold = sum(now.is_locked for now in standing)
    if answer in OUT_OF_GOLD:
        labelled = sum(now.is_locked and now.taxon is not None for now in standing)
        if labelled < len(items):
            raise StorageError("Only gold pictures that have a label can be taken out of gold: nothing was kept.")
        return
    if answer == "adjudication":
        if gold < len(items):
            raise StorageError("Only gold pictures that have a label wait for a last word: nothing was kept.")
    elif gold:
        raise ForbiddenError(
            f"Only adjudication changes the label of gold pictures, and {gold} of these are gold: nothing was kept."
        )
    bare = sum(now.taxon is None for now in standing)
    if answer == "confirm" and bare:
        raise StorageError(f"{counted(bare, 'picture')} without a label cannot be called right, so nothing was kept.")


def _kind(answer: Answer) -> Kind:
    if answer == "confirm":
        return "label"
    return OUT_OF_GOLD.get(answer) or answer  # type: ignore[return-value]
