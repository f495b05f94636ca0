"""The columns of the roster: what type each has, how they grow, and words as the numbers that stand in them."""

from typing import get_args

import numpy as np

from fgdemo.storage.history.label_event import BRINGS, PUBLISHING
from fgdemo.values.annotation import OUT, Kind, Split

KINDS: tuple[Kind, ...] = get_args(Kind)
SPLITS: tuple[Split, ...] = get_args(Split)
KIND_CODES: dict[str, int] = {kind: code for code, kind in enumerate(KINDS)}
SPLIT_CODES: dict[str, int] = {split: code for code, split in enumerate(SPLITS)}
SIMPLE = np.isin(KINDS, ("import", "label", "unusable", "none"))
IS_OUT = np.isin(KINDS, OUT)
"""By the number of a kind: it takes the picture out of training."""
GOLD = SPLITS.index("gold")
DOES_BRING = np.isin(KINDS, BRINGS)
"""By the number of a kind: a picture is there from then on."""
NO_MATTER = np.isin(KINDS, ("unsure", "skip", "point", *PUBLISHING))
COLUMNS = {
    "taxon": np.int32,
    "kind": np.uint8,
    "checked": np.bool_,
    "disputed": np.bool_,
    "suggested": np.bool_,
    "version": np.int64,
    "split": np.uint8,
    "annotator": np.int32,
    "twin": np.int32,
    "imported": np.int32,
    "seconded": np.bool_,
    "came_as": np.int32,
    "published": np.bool_,
    "removed": np.bool_,
}


class Numbered:
    """Words as numbers: each gets the next one when it is first met."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.numbers: dict[str, int] = {}

    def number(self, word: str | None) -> int:
        if word is None:
            return -1
        if word not in self.numbers:
            self.numbers[word] = len(self.words)
            self.words.append(word)
        return self.numbers[word]


def grown(old: np.ndarray, size: int, held: int) -> np.ndarray:
    """A column of `size` rows that begins with the first `held` of the old one."""
    new = np.zeros(size, old.dtype)
    new[:held] = old[:held]
    return new
