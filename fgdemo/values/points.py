"""Points that people place on pictures: where a named part is seen. They teach parts, and never decide a label."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from fgdemo.values.errors import PictureError

LONGEST_PART = 40
"""Characters of the name of a part: it must fit on a chip."""
ENOUGH = 10
"""Pictures with points from which the parts of a group are worth having; they replace those that a model came with."""
FIRST_GUESSES = 3
"""Pictures with points from which on the parts of a group are fitted; below it the clusters stay."""
MOST_PARTS = 12
"""Parts of one group: so many colours can be told apart among neighbours."""


@dataclass(frozen=True)
class PlacedPoint:
    """Where a part is seen on the upright picture.

    Attributes:
        part: its name, as people say it ("crown").
        x, y: fractions of the width and the height in [0, 1], from the upper left; both None where the part is not
            seen here, which also takes a point away.

    Raises:
        PictureError: a point outside the picture, or a name that no chip can hold.
    """

    part: str
    x: float | None
    y: float | None

    def __post_init__(self) -> None:
        name = self.part
        if not name.strip() or name != " ".join(name.split()) or len(name) > LONGEST_PART or not name.isprintable():
            raise PictureError(f"A part has a name of 1 to {LONGEST_PART} characters in one line, such as “crown”.")
        if (self.x is None) != (self.y is None):
            raise PictureError(f"The point of “{name}” needs both x and y, or neither where it is not seen.")
        for side in (self.x, self.y):
            if side is not None and not (math.isfinite(side) and 0.0 <= side <= 1.0):
                raise PictureError(f"The point of “{name}” lies outside the picture: x and y are from 0 to 1.")

    @property
    def is_seen(self) -> bool:
        return self.x is not None


@dataclass(frozen=True)
class Guess:
    """Where a part seems to be, as fractions. `is_sure`: of parts that are not seen hardly any is so sure."""

    part: str
    x: float
    y: float
    is_sure: bool = True


@dataclass(frozen=True)
class GroupLesson:
    """How far the parts of a group are taught.

    Attributes:
        group: a taxon, or "" for kinds that stand alone.
        pictures: on which points were placed.
        counts: on how many of them each part is seen.
        found: (found, placed) of each part, on pictures that were left out of what taught it.
        next: pictures without points that would teach most, the best first.
        learned: pictures with points that had been learned from when `found` was counted.
        unread: pictures with points that cannot be read now.
        trouble: why the points teach nothing, in a sentence; empty where they do.
    """

    group: str
    pictures: int
    counts: Mapping[str, int]
    found: Mapping[str, tuple[int, int]]
    next: tuple[str, ...] = ()
    learned: int = 0
    unread: int = 0
    trouble: str = ""

    def with_next(self, images: Sequence[str]) -> GroupLesson:
        return replace(self, next=tuple(images))
