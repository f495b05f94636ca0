"""Pictures that a head has not learned from, and which of them say how sure it may be.

Leave-one-out asks the head that never saw a picture. Of a kind with one picture it then knows nothing, so it can never
be right; of near-duplicates of one picture it still knows the picture, so it always is; of two pictures it knows one.
What that finds is true of these kinds alone, so temperature, prediction sets and thresholds are made without them, and
they are told as what they are (`fgdemo.model.calibration.telling`).

Measured on birds100 (frozen ImageNet features; 60 kinds of 8 pictures, and 40 more of few;
held-out pictures of the first 60; mean of two draws): calibration error, kinds in a set, answered to the kind

    no others 0.042, 3.0, 0.49      one picture each 0.073, 20.7, 0.37, left out 0.040, 3.0, 0.51
                                    two each         0.091, 21.3, 0.34, left out 0.050, 3.2, 0.51
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from PIL import Image
from scipy.sparse.csgraph import connected_components

from fgdemo.learn.data.pictures import Pictures
from fgdemo.model.calibration import FEW, telling
from fgdemo.model.discriminant import LEAST_COUNT
from fgdemo.model.head import RidgeHead
from fgdemo.model.unknown import ClassDistances
from fgdemo.storage.pictures.twins import alike, dhash

LOOKED_AT = 24
"""So many pictures of a kind, spread evenly, say whether all of it must be compared."""


@dataclass(frozen=True)
class HeldOut:
    """Raw logits (N, C) of pictures the head has not learned from, and where they come from.

    Attributes:
        source: `leave-one-out` on the training pictures, or `val`.
        distances: (N,) Mahalanobis distance to the nearest class.
        few: by class index, from how many different pictures a kind is known, where those are one or two and say
            nothing about the others.
        tells: (N,) bool: those that say how sure the head may be.
    """

    source: str
    logits: np.ndarray
    labels: np.ndarray
    distances: np.ndarray
    few: Mapping[int, int] = field(default_factory=dict)
    tells: np.ndarray = field(default_factory=lambda: np.empty(0, bool))

    @property
    def telling(self) -> HeldOut:
        """Those alone; all where there is none, for it must be made of something."""
        rows = self.tells if self.tells.any() else np.ones(len(self.labels), bool)
        return replace(
            self,
            logits=self.logits[rows],
            labels=self.labels[rows],
            distances=self.distances[rows],
            tells=np.ones(int(rows.sum()), bool),
        )


def held_out_of(
    head: RidgeHead, pictures: Pictures, embeddings: np.ndarray, class_index: np.ndarray, trained: bool
) -> HeldOut:
    """Leave-one-out on the "train" pictures, or the "val" pictures where the backbone knows the training ones.

    A val picture of a kind that the head has never seen can never be right either.
    """
    distances = ClassDistances.of(head)
    if trained:
        rows = pictures.where("val")
        weight, bias = head.linear()
        logits, far = embeddings[rows] @ weight + bias, distances(embeddings[rows])
        return HeldOut("val", logits, class_index[rows], far, {}, head.counts[class_index[rows]] > LEAST_COUNT)
    rows = pictures.where("train")
    labels = class_index[rows]
    different = _different_of(head, pictures, embeddings, class_index)
    tells = telling(different[labels])
    return HeldOut(
        "leave-one-out",
        head.leave_one_out(embeddings[rows], labels),
        labels,
        distances.leave_one_out(embeddings[rows], labels),
        {int(kind): round(float(different[kind])) for kind in np.unique(labels[~tells])},
        tells,
    )


def _different_of(head: RidgeHead, pictures: Pictures, embeddings: np.ndarray, class_index: np.ndarray) -> np.ndarray:
    """(C,) from how many different pictures each class is known; at least, where those are more than a few."""
    train = pictures.where("train")
    different = head.counts.copy()
    for kind, size in zip(*np.unique(class_index[train], return_counts=True), strict=True):
        besides = head.counts[kind] - size  # what the head was given of it besides
        different[kind] = besides + _different(pictures.pixels, embeddings, train[class_index[train] == kind])
    return different


def _different(pixels: np.ndarray, embeddings: np.ndarray, rows: np.ndarray) -> int:
    """How many different pictures these are: near-duplicates, in however many steps, are one. At least some 24 where
    there are so many."""
    if len(rows) == 1:
        return 1
    spread = np.unique(np.linspace(0, len(rows) - 1, LOOKED_AT).round().astype(int))
    number = _groups(pixels, embeddings, rows[spread])
    return number if number > FEW or len(spread) == len(rows) else _groups(pixels, embeddings, rows)


def _groups(pixels: np.ndarray, embeddings: np.ndarray, rows: np.ndarray) -> int:
    unit = embeddings[rows] / np.maximum(np.linalg.norm(embeddings[rows], axis=1, keepdims=True), 1e-12)
    hashes = np.array([dhash(Image.fromarray(pixels[row])) for row in rows], np.uint64)
    bits = np.bitwise_count(hashes[:, None] ^ hashes[None])
    return int(connected_components(alike(bits, unit @ unit.T), directed=False)[0])
