"""The learning head at one moment, and what it holds of each picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fgdemo.model.discriminant import Discriminant


@dataclass
class Held:
    """What the head holds of each row of the roster: a column (−1: none) and a weight; and where its embedding is."""

    column: np.ndarray
    weight: np.ndarray
    embedding: np.ndarray
    audit_key: np.ndarray

    @classmethod
    def empty(cls) -> Held:
        return cls(np.empty(0, np.int32), np.empty(0, np.float32), np.empty(0, np.int64), np.empty(0, np.uint64))

    def grown(self, n: int) -> Held:
        new = n - len(self.column)
        return Held(
            np.append(self.column, np.full(new, -1, np.int32)),
            np.append(self.weight, np.zeros(new, np.float32)),
            np.append(self.embedding, np.full(new, -1, np.int64)),
            np.append(self.audit_key, np.zeros(new, np.uint64)),
        )

    def copy(self) -> Held:
        return Held(self.column.copy(), self.weight.copy(), self.embedding.copy(), self.audit_key.copy())


@dataclass(frozen=True)
class HeadState:
    """The head at one moment, to work with while it learns on.

    Attributes:
        taxa: of its C columns.
        column_of: (T + 1,) column of each taxon of the roster; −1 for those that are none, and last for no label.
        weight, bias: (D, C) and (C,) float32, from raw embeddings to the outputs of the ridge head.
        penalty: λ.
        event: id of the newest event that it has seen.
    """

    held: Held
    taxa: tuple[str, ...]
    column_of: np.ndarray
    weight: np.ndarray
    bias: np.ndarray
    readout: Discriminant
    penalty: float
    event: int
