"""How good a classifier is, with intervals. Arrays in, scores out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from fgdemo.model.calibration import expected_calibration_error, nll, softmax
from fgdemo.model.classifier import Classifier
from fgdemo.statistics.proportions import share_interval
from fgdemo.values.taxonomy import Taxonomy
from fgdemo.values.training import Interval

SURE_RIGHT = 0.95
"""An answer is only given at a level where, on held-out pictures, this share of the answers is right."""


@dataclass(frozen=True)
class Pair:
    """Two leaves and how many held-out pictures of one were taken for the other, both ways together."""

    a: str
    b: str
    mistaken: int
    of: int


@dataclass(frozen=True)
class Scores:
    """
    Attributes:
        n: number of pictures.
        top1, top5: share whose right leaf is the likeliest, or among the five likeliest.
        groups: top-1 for each root taxon.
        ece: expected calibration error, 15 bins, low is good.
        nll: nats, low is good.
        coverage: share whose prediction set holds the right leaf; set_size: mean number of leaves in it.
        answered_right, answered_leaf: share of answers "at the deepest level it is sure of" that are right (None
            where it was never sure enough to answer), and share of pictures whose answer names a leaf.
        false_alarms: share called unknown.
        worst_pairs: the ten most confused pairs.
    """

    n: int
    top1: Interval
    top5: Interval
    groups: Mapping[str, Interval]
    ece: float
    nll: float
    coverage: float
    set_size: float
    answered_right: float | None
    answered_leaf: float
    false_alarms: float
    worst_pairs: tuple[Pair, ...]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Scores:
        return cls(**{**values, "worst_pairs": tuple(Pair(**pair) for pair in values["worst_pairs"])})


def score(classifier: Classifier, logits: np.ndarray, labels: np.ndarray, distances: np.ndarray) -> Scores:
    """Scores of (N, C) calibrated logits against (N,) class indices; `distances` (N,) as in `ClassDistances`."""
    taxonomy = classifier.taxonomy
    probs = softmax(logits.astype(np.float64))
    order = np.argsort(-probs, axis=1)
    right = order[:, 0] == labels
    roots = np.array([taxonomy.root(leaf) for leaf in taxonomy.leaves])[labels]
    sets = [classifier.prediction_set(row) for row in probs]
    answers = answer_rows(probs, taxonomy, classifier.sure_prob)
    given = answers >= 0
    leaf_rows = np.array([taxon.id in taxonomy.leaf_index for taxon in taxonomy.taxa])
    strange = classifier.unknown(logits.max(1) * classifier.calibration.temperature, distances)
    return Scores(
        n=len(labels),
        top1=share_interval(right),
        top5=share_interval((order[:, :5] == labels[:, None]).any(1)),
        groups={str(root): share_interval(right[roots == root]) for root in sorted(set(roots))}
        if len(set(roots)) < 20
        else {},
        ece=expected_calibration_error(probs, labels),
        nll=nll(probs, labels),
        coverage=float(np.mean([label in members for label, members in zip(labels, sets, strict=True)])),
        set_size=float(np.mean([len(members) for members in sets])),
        answered_right=float(taxonomy.membership[answers[given], labels[given]].mean()) if given.any() else None,
        answered_leaf=float(leaf_rows[answers[given]].sum() / len(labels)),
        false_alarms=float((strange > classifier.unknown.threshold).mean()),
        worst_pairs=worst_pairs(order[:, 0], labels, taxonomy),
    )


def answer_rows(probs: np.ndarray, taxonomy: Taxonomy, sure_prob: float) -> np.ndarray:
    """(N,) row of `taxonomy.taxa` that answers each of (N, C) probabilities; −1 where not even a root is sure.

    The deepest taxon of at least `sure_prob`, which is above a half, so that all such taxa lie on one path.
    """
    totals = probs @ taxonomy.membership.T
    depth = np.array([len(taxonomy.path(taxon.id)) for taxon in taxonomy.taxa])
    usable = totals >= sure_prob
    return np.where(usable.any(1), np.where(usable, depth, 0).argmax(1), -1)


def choose_sure_prob(probs: np.ndarray, labels: np.ndarray, taxonomy: Taxonomy) -> float:
    """The lowest threshold in [0.5, 0.95] at which `SURE_RIGHT` of the answers (at whatever level) are right."""
    grid = np.arange(0.5, 0.96, 0.05)
    answers = [answer_rows(probs, taxonomy, float(threshold)) for threshold in grid]
    for threshold, rows in zip(grid, answers, strict=True):
        given = rows >= 0
        if given.any() and taxonomy.membership[rows[given], labels[given]].mean() >= SURE_RIGHT:
            return round(float(threshold), 2)
    return 0.95


def worst_pairs(predicted: np.ndarray, labels: np.ndarray, taxonomy: Taxonomy, most: int = 10) -> tuple[Pair, ...]:
    """The pairs of leaves most often taken for each other."""
    classes = len(taxonomy.leaves)
    confusion = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(confusion, (labels, predicted), 1)
    totals = confusion.sum(1)
    both = np.triu(confusion + confusion.T, 1)
    ranked = np.argsort(-both, axis=None, kind="stable")[:most]
    cells: Sequence[tuple[int, int]] = [divmod(int(cell), classes) for cell in ranked]
    return tuple(
        Pair(taxonomy.leaves[a], taxonomy.leaves[b], int(both[a, b]), int(totals[a] + totals[b]))
        for a, b in cells
        if both[a, b] > 0
    )


def auroc(negatives: np.ndarray, positives: np.ndarray) -> float:
    """Probability that a positive scores higher than a negative (ties count half), in [0, 1]."""
    both = np.concatenate([negatives, positives])
    _, inverse, counts = np.unique(both, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    total = ranks[len(negatives) :].sum() - len(positives) * (len(positives) + 1) / 2
    return float(total / (len(positives) * len(negatives)))


def fpr_at_95(negatives: np.ndarray, positives: np.ndarray) -> float:
    """Share of negatives (known pictures) flagged when 95 % of positives (unknown ones) are; low is good."""
    return float((negatives >= np.quantile(positives, 0.05)).mean())
