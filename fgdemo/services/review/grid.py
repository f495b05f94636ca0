"""Which pictures a filter shows, in which order, and what is said of each."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from fgdemo.services.review.snapshot import Snapshot
from fgdemo.storage.history.roster import SPLITS
from fgdemo.values.annotation import Kind
from fgdemo.values.errors import StorageError

State = Literal[
    "all", "unchecked", "suspect", "checked", "disputed", "suggestion", "unlabelled", "unusable", "published"
]
Sort = Literal["suspicion", "similarity", "newest"]
MOST_BY_LIKENESS = 2000
"""So many pictures are laid out by likeness, the most suspect ones; the others follow them by suspicion."""


@dataclass(frozen=True)
class Filter:
    """Which pictures, and in which order. None leaves a thing open.

    Attributes:
        given: they are labelled as this leaf, or as this group or anything below it.
        suggested: the model takes them for this leaf, or for one of this group.
        state: suspect is unchecked with a suspicion above one half; suggestion: a visitor's suggestion waits;
            published: visitors may see it. Neither unchecked nor suspect means gold pictures with a label, which are
            locked, unless `split` asks for them.
        annotator: who said what they are labelled as now; imports count as one annotator each.
        imported: which import brought them.
        sort: suspicion (most suspect first), similarity (neighbours look alike) or newest.
    """

    given: str | None = None
    suggested: str | None = None
    state: State = "all"
    split: str | None = None
    annotator: str | None = None
    imported: str | None = None
    sort: Sort = "suspicion"

    def __post_init__(self) -> None:
        sound = self.state in get_args(State) and self.sort in get_args(Sort)
        if not sound or (self.split is not None and self.split not in SPLITS):
            raise StorageError("There is no such view of the pictures: load the page again.")


@dataclass(frozen=True)
class Tile:
    """One picture of the grid.

    Attributes:
        version: to be named by an answer about it.
        given: taxon of its label; `given_name` says what stands where there is none.
        suggested, rival: the two likeliest leaves, by leave-one-out, with their probabilities.
        suspicion: in [0, 1], high is suspect; None where there is no label to doubt.
        suggestion: a visitor's suggestion waits.
        locked: only adjudication changes it, see `fgdemo.values.annotation.Standing`.
        published: visitors may see it.
    """

    image: str
    version: int
    given: str | None
    given_name: str
    suggested: str | None
    suggested_name: str
    suggested_prob: float | None
    rival: str | None
    rival_name: str
    rival_prob: float | None
    suspicion: float | None
    checked: bool
    disputed: bool
    suggestion: bool
    split: str
    locked: bool
    published: bool


@dataclass(frozen=True)
class Grid:
    """A page of the pictures; `view` names the order that the other pages are to be cut from."""

    total: int
    view: str
    tiles: tuple[Tile, ...]


def rows_shown(now: Snapshot, wanted: Filter) -> np.ndarray:
    """Rows that the filter keeps, in the order in which the pictures came."""
    keep = _in_state(now, wanted.state) & ~now.hidden & ~now.removed
    if wanted.split is None and wanted.state in ("unchecked", "suspect"):
        keep &= ~now.locked
    roster, n = now.roster, now.n
    if wanted.given is not None:
        keep &= now.labelled_as(wanted.given)
    if wanted.suggested is not None:
        keep &= now.taken_for(wanted.suggested)
    if wanted.split is not None:
        keep &= now.split == SPLITS.index(wanted.split)
    for name, words, column in (
        (wanted.annotator, roster.annotators, roster.annotator),
        (wanted.imported, roster.imports, roster.imported),
    ):
        if name is not None:
            keep &= column[:n] == (words.index(name) if name in words else -2)
    return np.flatnonzero(keep)


def in_order(
    now: Snapshot, rows: np.ndarray, sort: Sort, by_likeness: Callable[[tuple[str, ...]], tuple[str, ...]]
) -> np.ndarray:
    """The same rows as they are to be shown. `by_likeness` orders images so that neighbours look alike."""
    if sort == "newest":
        return rows[::-1].astype(np.int32)
    doubt = np.nan_to_num(now.suspicion[rows], nan=-1.0)
    rows = rows[np.argsort(-doubt, kind="stable")].astype(np.int32)
    if sort == "similarity":
        ids, row_of = now.roster.image_ids, now.roster.row_of
        laid = by_likeness(tuple(ids.at(rows[:MOST_BY_LIKENESS])))
        rows[: len(laid)] = [row_of[image] for image in laid]
    return rows


def tiles(now: Snapshot, rows: np.ndarray) -> tuple[Tile, ...]:
    """What is said of these pictures now."""
    return tuple(_tile(now, row) for row in rows.tolist())


def _tile(now: Snapshot, row: int) -> Tile:
    standing = now.roster.standing(now.roster.image_ids[row])
    first, second = (_leaf(now, int(column[row])) for column in (now.suggested, now.rival))
    prob, doubt = float(now.suggested_prob[row]), float(now.suspicion[row])
    margin = 1 - float(now.uncertainty[row])
    return Tile(
        image=standing.image,
        version=standing.version,
        given=standing.taxon,
        given_name=_say(standing.kind, now.taxonomy[standing.taxon].name if standing.taxon else ""),
        suggested=first[0],
        suggested_name=first[1],
        suggested_prob=None if np.isnan(prob) else prob,
        rival=second[0],
        rival_name=second[1],
        rival_prob=None if np.isnan(prob) else max(0.0, prob - margin),
        suspicion=None if np.isnan(doubt) else doubt,
        checked=standing.checked,
        disputed=standing.disputed,
        suggestion=standing.suggested,
        split=standing.split,
        locked=standing.is_locked,
        published=bool(now.roster.is_public[row]),
    )


def _leaf(now: Snapshot, index: int) -> tuple[str | None, str]:
    if index < 0:
        return None, ""
    return now.taxa[index], now.taxonomy[now.taxa[index]].name


def _in_state(now: Snapshot, state: State) -> np.ndarray:
    if state == "unchecked":
        return now.unchecked.copy()
    if state == "suspect":
        return now.looks_wrong.copy()
    if state == "checked":
        return now.checked.copy()
    if state == "disputed":
        return now.disputed.copy()
    if state == "suggestion":
        return now.roster.suggested[: now.n].copy()
    if state == "published":
        return now.roster.is_public[: now.n].copy()
    if state == "unlabelled":
        return (now.taxon < 0) & ~now.out
    return now.out.copy() if state == "unusable" else np.ones(now.n, bool)


def _say(kind: Kind, name: str) -> str:
    return {"unusable": "unusable", "none": "none of these"}.get(kind, name or "no label")
