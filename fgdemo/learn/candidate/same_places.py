"""From which sureness on a place of another picture is shown as the same, found without points.

Where people placed no points, nobody knows which matches are true. Of two pictures of one kind those are taken that
find each other to within a token, on the thing in both. With the bundled model the sureness that 85 % of them reach is
that which 95 % of true matches reach, by key points on photographs (`benchmarks/same_place.py`).
"""

from collections import defaultdict

import numpy as np

from fgdemo.learn.data.embed import both_batches
from fgdemo.learn.data.pictures import Pictures
from fgdemo.model.classifier import Classifier
from fgdemo.values.classification.same_place import LEAST_SURENESS, matches
from fgdemo.values.types import Reading

SHARE_BELOW = 0.15
MOST_PAIRS = 40
ENOUGH = 50
"""Matches; with fewer of them it is that of models which say nothing."""
ON_THE_THING = 0.5


def shown_from(classifier: Classifier, pictures: Pictures, class_index: np.ndarray, seed: int = 0) -> float:
    """`least_sureness` of a classifier, by its train pictures. `class_index`: (N,) of all."""
    train = pictures.where("train")
    pairs = [(int(train[a]), int(train[b])) for a, b in _pairs(class_index[train], seed)]
    if not pairs:
        return LEAST_SURENESS
    rows = sorted({row for pair in pairs for row in pair})
    read: dict[int, Reading] = {}
    for tokens, mid in both_batches(classifier.backbone, pictures.pixels[rows], classifier.data_config):
        for one, half in zip(tokens.split(1), mid.split(1), strict=True):
            read[rows[len(read)]] = classifier.read_tokens(one, half)
    sureness = np.concatenate([_mutual(read[a], read[b]) for a, b in pairs])
    if len(sureness) < ENOUGH:
        return LEAST_SURENESS
    return round(float(np.quantile(sureness, SHARE_BELOW)), 3)


def _pairs(class_index: np.ndarray, seed: int) -> list[tuple[int, int]]:
    """Two pictures of a kind each, of many kinds."""
    generator = np.random.default_rng(seed)
    of_kind: dict[int, list[int]] = defaultdict(list)
    for row in generator.permutation(len(class_index)).tolist():
        of_kind[int(class_index[row])].append(row)
    pairs = [(rows[at], rows[at + 1]) for at in range(0, 8, 2) for rows in of_kind.values() if len(rows) > at + 1]
    return pairs[:MOST_PAIRS]


def _mutual(one: Reading, other: Reading) -> np.ndarray:
    """(n,) sureness of the matches that find each other on the thing."""
    found = matches(one, other)
    if found is None:
        return np.zeros(0)
    there, back = found
    rows, columns = back.shape[:2]
    at_row = np.clip((there[..., 1] * rows).astype(int), 0, rows - 1)
    at_column = np.clip((there[..., 0] * columns).astype(int), 0, columns - 1)
    row, column = np.mgrid[0 : there.shape[0], 0 : there.shape[1]] + 0.5
    again = back[at_row, at_column]
    away = np.hypot(again[..., 0] * there.shape[1] - column, again[..., 1] * there.shape[0] - row)
    of_one, of_other = (
        np.ones(side.assignment.shape[:2]) if side.foreground is None else side.foreground for side in (one, other)
    )
    is_on = (of_one > ON_THE_THING) & (of_other[at_row, at_column] > ON_THE_THING)
    return there[..., 2][(away <= 1) & is_on]
