"""Evidence cards: which place of which labelled picture spoke for an answer, as a part of the same sum.

The vote of picture i (`fgdemo.values.classification.votes`) splits over pairs of places, with N and N_i tokens:

    E[n, i, m] = a_ic δ_n'K δ_im / (N N_i),        Σ_n Σ_m E[n, i, m] = v_ic

A card is a block of it: places of one part here, places of the same part there, both on the thing, of which each alone
speaks for the kind. What a card says is the sum of its block, so cards and the rest of the votes are the logit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fgdemo.values.annotation import Publication
from fgdemo.values.classification.votes import VotingHead
from fgdemo.values.types import CropBox, Part, Reading

ENOUGH = 0.7
"""Cards are shown until the parts that they are of hold so much of what all parts say for the kind."""
MOST = 6
"""Cards of one kind."""
ON_THE_THING = 0.5
"""A place with this much foreground is on the thing."""
LEAST_SIDE = 3
"""Tokens that a crop shows in each direction, where the picture has them."""


@dataclass(frozen=True)
class Voting:
    """The pictures of one class that have a vote and are at hand.

    Attributes:
        column: of the class in the head.
        images: ids, n of them.
        vectors: (n, D) embeddings; weights: (n,) ω.
    """

    column: int
    images: tuple[str, ...]
    vectors: np.ndarray
    weights: np.ndarray


@dataclass(frozen=True)
class Pair:
    """Places of a part here that look like places of the same part there.

    Attributes:
        part: None where the model has no parts; then it is all of the thing.
        image: there.
        value: what they say for the kind, in log-odds, > 0.
        here, there: flat indices of the places.
        grid: (rows, columns) here; within: what they cover of the picture, None for all of it.
    """

    part: Part | None
    image: str
    value: float
    here: np.ndarray
    there: np.ndarray
    grid: tuple[int, int] = (0, 0)
    within: CropBox | None = None


@dataclass(frozen=True)
class View:
    """A picture, or a frame in it, as it was read.

    Attributes:
        reading: with tokens.
        within: what was read of the picture; None: all of it.
        weight: what its logits are multiplied by, where an answer is of several views.
    """

    reading: Reading
    within: CropBox | None = None
    weight: float = 1.0

    @property
    def tokens(self) -> np.ndarray:
        """(N, D)."""
        assert self.reading.tokens is not None
        return flat(self.reading.tokens)


@dataclass(frozen=True)
class Card:
    """One card as it is shown.

    Attributes:
        of_part: what all pictures at hand say for the kind by this part, in log-odds.
        here, there: where both are, as fractions of the pictures.
        without: A's logit less B's by the head that never saw this picture; None where then nothing is left of a kind.
        publication: credit and licence of the picture, where it is published.
    """

    image: str
    part: str
    colour: str
    value: float
    of_part: float
    here: CropBox
    there: CropBox
    without: float | None
    checked: bool
    publication: Publication | None


@dataclass(frozen=True)
class Side:
    """One logit, less what A and B have alike: `cards` and all that follows them sum to it.

    Attributes:
        same: what the pictures of the cards say besides.
        others: what other pictures of the kind here say, `pictures` of them.
        itself: what the picture in question says of itself, where it has taught the model.
        absent: what pictures say that are not here.
        start: what is said before anything is seen, less what A and B have alike.
    """

    taxon: str
    cards: tuple[Card, ...]
    same: float
    others: float
    pictures: int
    itself: float
    absent: float
    start: float
    logit: float


@dataclass(frozen=True)
class Flip:
    """The smallest change of real cells that flips an answer (`fgdemo.values.classification.flip`).

    Attributes:
        image: the labelled picture whose cells they are.
        taxon: what the answer would be then.
        here, there: flat index of each cell that is changed, and of what is put in for it.
        within: what the cells here cover of the picture; None: all of it.
        publication: credit and licence of the picture, where it is published.
        grid_here, grid_there: (rows, columns).
        parts: names of the parts that are changed, the one that moves the answer most first.
        before, after: A's logit less B's.
    """

    image: str
    taxon: str
    here: tuple[int, ...]
    there: tuple[int, ...]
    grid_here: tuple[int, int]
    grid_there: tuple[int, int]
    parts: tuple[str, ...]
    before: float
    after: float
    within: CropBox | None = None
    publication: Publication | None = None


@dataclass(frozen=True)
class Cards:
    """What spoke for A and for B; and what would have to look otherwise, where any change of cells at hand would do."""

    a: Side
    b: Side
    flip: Flip | None = None


def regions(reading: Reading) -> dict[int | None, np.ndarray]:
    """Flat indices of the places of each part that are on the thing, by the part's id; None: the model has no parts."""
    rows, columns, _ = reading.assignment.shape
    thing = np.ones((rows, columns), bool) if reading.foreground is None else reading.foreground > ON_THE_THING
    if not reading.parts:
        found: dict[int | None, np.ndarray] = {None: thing}
    else:
        owner = reading.assignment.argmax(-1)
        found = {part.id: (owner == row) & thing for row, part in enumerate(reading.parts)}
    return {part: np.flatnonzero(places) for part, places in found.items() if places.any()}


def flat(tokens: np.ndarray) -> np.ndarray:
    """(h, w, D) → (h · w, D)."""
    return tokens.reshape(-1, tokens.shape[-1])


def pairs(head: VotingHead, view: View, voting: Voting, others: Mapping[str, Reading]) -> list[Pair]:
    """What each part of some pictures says for their kind, strongest first; only what speaks for it.

    Args:
        others: readings of some of the pictures, with tokens.
    """
    seen = head.metric(head.against_background(view.tokens)) * view.weight
    here, names = regions(view.reading), {part.id: part for part in view.reading.parts}
    rows_here, columns_here = view.reading.assignment.shape[:2]
    found: list[Pair] = []
    for image, other in others.items():
        if other.tokens is None:
            continue
        deltas = head.against_background(flat(other.tokens))
        share = head.share(voting.column, float(voting.weights[voting.images.index(image)]))
        for part, there in regions(other).items():
            if part in here:
                block = share / (len(seen) * len(deltas)) * seen[here[part]] @ deltas[there].T
                rows, columns = block.sum(1) > 0, block.sum(0) > 0
                value = float(block[np.ix_(rows, columns)].sum())
                if value > 0:
                    known = None if part is None else names[part]
                    places = here[part][rows]
                    found.append(
                        Pair(known, image, value, places, there[columns], (rows_here, columns_here), view.within)
                    )
    return sorted(found, key=lambda one: -one.value)


def part_totals(head: VotingHead, view: View, voting: Voting) -> dict[int | None, float]:
    """What all pictures of a kind say by each part of this view, in log-odds."""
    seen = head.metric(head.against_background(view.tokens)) * view.weight
    shares = np.array([head.share(voting.column, weight) for weight in voting.weights.tolist()])
    says = seen @ (shares @ head.against_background(voting.vectors)) / len(seen)
    return {part: float(says[places].sum()) for part, places in regions(view.reading).items()}


def chosen(
    found: Sequence[Pair], totals: Mapping[int | None, float], groups: Mapping[str, int], enough: float = ENOUGH
) -> list[Pair]:
    """The strongest pairs, each part once and each group of near-duplicates once, until their parts hold `enough`.

    Args:
        totals: see `part_totals`.
        groups: of near-duplicates, by image.
    """
    whole = sum(max(value, 0.0) for value in totals.values())
    kept: list[Pair] = []
    parts, used, held = set[int | None](), set[int](), 0.0
    for one in found:
        part, group = None if one.part is None else one.part.id, groups[one.image]
        if part in parts or group in used:
            continue
        if len(kept) == MOST or (kept and held >= enough * whole):
            break
        kept.append(one)
        parts.add(part)
        used.add(group)
        held += max(totals.get(part, 0.0), 0.0)
    return kept


def crop_of(places: np.ndarray, grid: tuple[int, int], within: CropBox | None = None) -> CropBox:
    """The smallest crop of at least `LEAST_SIDE` tokens a side that holds these places.

    Args:
        within: what the grid covers of the picture; None: all of it.
    """
    corners: list[float] = []
    for axis, size in zip(np.divmod(places, grid[1]), grid, strict=True):
        low, high = int(axis.min()), int(axis.max()) + 1
        length = min(max(high - low, LEAST_SIDE), size)
        start = min(max((low + high - length) / 2, 0.0), size - length)
        corners += [start / size, (start + length) / size]
    top, bottom, left, right = corners
    if within is not None:
        left, right = (within.left + side * (within.right - within.left) for side in (left, right))
        top, bottom = (within.top + side * (within.bottom - within.top) for side in (top, bottom))
    return CropBox(left, top, min(right, 1.0), min(bottom, 1.0))
