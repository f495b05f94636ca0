"""One thing that was said about a picture, and what follows from all that was said about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from fgdemo.values.annotation import DECIDING, OUT, Kind, Publication, Split, Standing
from fgdemo.values.errors import StorageError
from fgdemo.values.points import PlacedPoint
from fgdemo.values.types import CropBox

REMOVED = "removed"
"""`reason` of the event that says that a picture's file was removed for good, on purpose, here and at every mirror."""

PUBLISHING: tuple[Kind, ...] = ("publish", "withdraw")
"""The kinds of events that say whether visitors may see a picture."""

FROM_VISITOR = "visitor"
"""`image.source` of a picture that a visitor left."""

BRINGS = ("import", "suggestion")
"""The kinds of events with which a picture comes."""

IMPORT = "import "
"""Begins the `batch` of what an import has brought; the name of the import follows."""

RECEIPT = "receipt:"
"""Begins the `answer_key` of a suggestion whose picture was kept, and of nothing else: the receipt deletes it."""
NO_RECEIPT = "A key that begins with “receipt:” belongs to a visitor's suggestion: choose another one."


@dataclass(frozen=True)
class LabelEvent:
    """One thing that was said about one picture. Only the log gives it its `id` and `created_at`.

    Attributes:
        image: id of the picture.
        kind: see `fgdemo.values.annotation.Kind`.
        annotator: who said it.
        taxon: id of the taxon it is said to be, or None.
        new_name: the name of a taxon that does not exist yet; never together with `taxon`.
        shown_version: `Standing.version` of this picture when it was shown, where that matters.
        model_version: the model whose answer was on the page.
        seconds_spent: how long the picture was looked at.
        box: the part of the picture that it was said about; None means the whole picture.
        point: where a part is seen; of points only.
        publication: under which words the picture is shown to visitors; of `publish` only.
        undoes: id of the event that this one takes back.
        batch: the same for all events of one answer about many pictures.
        answer_key: made by the page for each answer, so that one that is sent twice counts once.
        blind: a second opinion, given without seeing the first.
        session: id of the labelling session.
        reason: why the picture was asked, see `fgdemo.values.annotation.Reason`.
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
    point: PlacedPoint | None = None
    publication: Publication | None = None
    undoes: int | None = None
    batch: str | None = None
    answer_key: str | None = None
    blind: bool = False
    session: int | None = None
    reason: str | None = None
    id: int | None = None
    created_at: str | None = None

    @property
    def is_last_word(self) -> bool:
        """An adjudication; or that a picture shows nothing that could be labelled, said where one was asked for: so a
        picture leaves gold, and comes back when that is taken back."""
        return self.kind == "adjudication" or (self.kind in OUT and self.reason == "adjudication" and not self.blind)

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise StorageError(f"“{self.kind}” is not a kind of label event.")
        if self.taxon is not None and self.new_name is not None:
            raise StorageError("A label event names a taxon or a new name, not both.")
        if self.kind in ("label", "adjudication") and self.taxon is None:
            raise StorageError("A label must name what the picture shows.")
        if (self.kind == "point") != (self.point is not None):
            raise StorageError("A point, and nothing else, says where a part is seen.")
        if (self.kind == "publish") != (self.publication is not None):
            raise StorageError("Whose picture it is, and its licence, are said when it is published, and only then.")


def is_forged_receipt(kind: Kind, answer_key: str | None) -> bool:
    """Whether something other than a suggestion would carry a receipt, and so delete a picture that a visitor left."""
    return kind != "suggestion" and answer_key is not None and answer_key.startswith(RECEIPT)


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


def standing_of(history: Sequence[LabelEvent], split: Split) -> Standing | None:
    """What is true of a picture, by all that was said about it, oldest first; None if nothing decides."""
    taken_back = {said.undoes for said in history if said.kind == "undo"}
    version = max((said.id or 0 for said in history if said.kind in (*DECIDING, "undo")), default=0)
    valid = [said for said in history if said.id not in taken_back]
    deciding = [said for said in valid if said.kind in DECIDING and not said.blind]
    if not deciding:
        return None
    now = deciding[-1]
    settled = max((said.id or 0 for said in valid if said.is_last_word), default=0)
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


def points_of(history: Sequence[LabelEvent]) -> dict[str, PlacedPoint]:
    """What was said last of each part of a picture, by all that was said about it, oldest first."""
    return {said.point.part: said.point for said in history if said.point is not None}


def counts_here(kind: Kind, reason: str | None) -> bool:
    """Whether an event says whether visitors may see a picture. One that an import brought has a reason, and does not
    (`fgdemo.storage.exchange.believed`)."""
    return kind in PUBLISHING and reason is None


def publication_of(history: Sequence[LabelEvent]) -> Publication | None:
    """Under which words visitors may see a picture, by all that was said about it, oldest first; None: they may not."""
    said = (one for one in reversed(history) if counts_here(one.kind, one.reason) or one.reason == REMOVED)
    newest = next(said, None)
    return None if newest is None else newest.publication


def is_removed(history: Sequence[LabelEvent]) -> bool:
    """Whether a picture, by all that was said about it, oldest first, was removed and not brought again."""
    newest = next((said for said in reversed(history) if said.reason == REMOVED or said.kind in BRINGS), None)
    return newest is not None and newest.reason == REMOVED


def parties_to(history: Sequence[LabelEvent]) -> frozenset[str]:
    """Who has said what a disputed picture shows since it was settled last; empty where nobody disputes it."""
    standing = standing_of(history, "train")
    if standing is None or not standing.disputed:
        return frozenset()
    taken_back = {said.undoes for said in history if said.kind == "undo"}
    valid = [said for said in history if said.id not in taken_back]
    settled = max((said.id or 0 for said in valid if said.is_last_word), default=0)
    return frozenset(
        {standing.annotator, *(said.annotator for said in valid if said.blind and (said.id or 0) > settled)}
    )


def _opinion(said: LabelEvent) -> Kind:
    """An adjudication and an import say the same as a label does."""
    return "label" if said.kind in ("adjudication", "import") and said.taxon is not None else said.kind
