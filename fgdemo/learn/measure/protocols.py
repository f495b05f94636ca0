"""What the same features are worth to different ways of learning, on the same split.

knn           votes of the 20 nearest training pictures by cosine, each counting exp(cosine / 0.07) (Wu et al. 2018)
nearest_mean  cosine to the mean of each class's unit-length embeddings
linear        logistic regression on unit-length embeddings, C = 10 (of 1, 10 and 100 the best on birds)
ridge         the closed-form head of fgdemo, λ by leave-one-out
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from fgdemo.learn.measure.detail import unknown_figures
from fgdemo.model.calibration import telling
from fgdemo.model.head import RidgeHead
from fgdemo.model.unknown import ClassDistances, UnknownScale
from fgdemo.statistics.bootstrap import crossed_interval, macro_interval
from fgdemo.statistics.proportions import change_interval, share_interval
from fgdemo.values.errors import DatasetError
from fgdemo.values.training import Interval

NEIGHBOURS, NEIGHBOUR_TEMPERATURE = 20, 0.07
SHOTS = (1, 2, 5, 10)


@dataclass(frozen=True)
class FeatureSplit:
    """(N, D) embeddings to learn from with class indices (N,), and (M, D) to be tested on with (M,)."""

    train: np.ndarray
    train_labels: np.ndarray
    test: np.ndarray
    test_labels: np.ndarray
    classes: int

    def only(self, rows: np.ndarray) -> FeatureSplit:
        """With these training pictures alone."""
        return FeatureSplit(self.train[rows], self.train_labels[rows], self.test, self.test_labels, self.classes)


Protocol = Callable[[FeatureSplit], np.ndarray]
"""A split → (M, C) scores of its test pictures, high is likely; classes without training pictures must score low."""


def knn(split: FeatureSplit) -> np.ndarray:
    train, test = _unit(split.train), _unit(split.test)
    votes = np.zeros((len(test), split.classes))
    nearest = min(NEIGHBOURS, len(train))
    for row, cosines in enumerate(test @ train.T):
        chosen = np.argpartition(-cosines, nearest - 1)[:nearest]
        np.add.at(votes[row], split.train_labels[chosen], np.exp((cosines[chosen] - 1) / NEIGHBOUR_TEMPERATURE))
    return votes


def nearest_mean(split: FeatureSplit) -> np.ndarray:
    sums = np.zeros((split.classes, split.train.shape[1]))
    np.add.at(sums, split.train_labels, _unit(split.train))
    scores = _unit(split.test) @ _unit(sums).T
    scores[:, np.bincount(split.train_labels, minlength=split.classes) == 0] = -np.inf
    return scores


def linear(split: FeatureSplit) -> np.ndarray:
    from sklearn.linear_model import LogisticRegression  # not at the start of a server, which never needs it

    model = LogisticRegression(C=10, max_iter=300).fit(_unit(split.train), split.train_labels)
    scores = np.full((len(split.test), split.classes), -np.inf)
    scores[:, model.classes_] = model.predict_proba(_unit(split.test))
    return scores


def ridge(split: FeatureSplit) -> np.ndarray:
    weight, bias = RidgeHead.fit(split.train, split.train_labels, split.classes).linear()
    return split.test @ weight + bias


PROTOCOLS: Mapping[str, Protocol] = {"knn": knn, "nearest_mean": nearest_mean, "linear": linear, "ridge": ridge}


def _unit(embeddings: np.ndarray) -> np.ndarray:
    return embeddings / np.maximum(np.linalg.norm(embeddings, axis=1, keepdims=True), 1e-9)


@dataclass(frozen=True)
class Outcome:
    """How one protocol did. `behind`: its top-1 less that of the best one, paired over pictures; (0, 0, 0) for it."""

    top1: Interval
    macro: Interval
    behind: Interval
    elapsed_s: float


def compare(split: FeatureSplit, others: Mapping[str, Protocol] | None = None) -> dict[str, Outcome]:
    """All protocols on one split, and `others` (such as fine-tuning), by name."""
    right, elapsed = {}, {}
    for name, protocol in {**PROTOCOLS, **(others or {})}.items():
        began = time.perf_counter()
        right[name] = protocol(split).argmax(1) == split.test_labels
        elapsed[name] = time.perf_counter() - began
    best = max(right, key=lambda name: right[name].mean())
    return {
        name: Outcome(
            share_interval(found),
            macro_interval(found, split.test_labels),
            (0.0, 0.0, 0.0) if name == best else change_interval(right[best], found),
            round(elapsed[name], 3),
        )
        for name, found in right.items()
    }


def tested_kinds(split: FeatureSplit) -> np.ndarray:
    """Class indices, in order, of the kinds with test pictures; there may be others, that only train."""
    return np.unique(split.test_labels)


def held_out_kinds(split: FeatureSplit, share: float = 0.2, seeds: Sequence[int] = (0, 1, 2)) -> dict[str, Any]:
    """Unknown figures when a share of the kinds is left out of the head, and met in the test pictures all the same.

    Kinds of the same group are as near as unknown things come. Intervals are of the first seed; `mean_auroc` of all.

    Raises:
        DatasetError: there are not at least two kinds with test pictures, one to leave out and one to keep.
    """
    tested = tested_kinds(split)
    if len(tested) < 2:
        raise DatasetError("There must be pictures to test on of at least two kinds, so that one can be left out.")
    number = min(max(1, round(share * split.classes)), len(tested) - 1)
    found = []
    for seed in seeds:
        left_out = np.random.default_rng(seed).permutation(tested)[:number]
        kept = np.setdiff1d(np.arange(split.classes), left_out)
        place = np.full(split.classes, -1)
        place[kept] = np.arange(len(kept))
        rows = np.flatnonzero(place[split.train_labels] >= 0)
        labels = place[split.train_labels[rows]]
        head = RidgeHead.fit(split.train[rows], labels, len(kept))
        distances = ClassDistances.of(head)
        tells = telling(head.counts[labels])
        scale = UnknownScale.fit(
            head.leave_one_out(split.train[rows], labels).max(1)[tells],
            distances.leave_one_out(split.train[rows], labels)[tells],
        )
        weight, bias = head.linear()
        scores = scale((split.test @ weight + bias).max(1), distances(split.test))
        known = place[split.test_labels] >= 0
        found.append(unknown_figures(scores[known], scores[~known]))
    return {**found[0], "mean_auroc": float(np.mean([one["unknown_auroc"][0] for one in found]))}


@dataclass(frozen=True)
class LowShot:
    """Top-1 by pictures a class, intervals over pictures and seeds.

    Attributes:
        shots: as asked; the last is the most that any class has ("all").
        top1: one interval for each.
        area: mean top-1 over the logarithm of the shots (trapezoid rule), in [0, 1].
    """

    shots: tuple[int, ...]
    top1: tuple[Interval, ...]
    area: float

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def low_shot(
    split: FeatureSplit,
    protocols: Mapping[str, Protocol] = PROTOCOLS,
    shots: Sequence[int] = SHOTS,
    seeds: Sequence[int] = (0, 1, 2),
) -> dict[str, LowShot]:
    """Each protocol with 1, 2, 5, 10 and all training pictures a class, drawn by seed, the same for each protocol."""
    most = int(np.bincount(split.train_labels).max())
    sizes = (*(size for size in shots if size < most), most)
    found = {}
    for name, protocol in protocols.items():
        rows = []
        for size in sizes:
            draws = seeds if size < most else seeds[:1]
            right = [
                protocol(split.only(some_of_each(split.train_labels, size, seed))).argmax(1) == split.test_labels
                for seed in draws
            ]
            rows.append(crossed_interval(np.array(right)))
        found[name] = LowShot(sizes, tuple(rows), log_area(sizes, [row[0] for row in rows]))
    return found


def some_of_each(labels: np.ndarray, size: int, seed: int) -> np.ndarray:
    """Rows of up to `size` pictures of each class of (N,) labels. A larger size only adds to those of a smaller."""
    order = np.random.default_rng(seed).permutation(len(labels))
    ranked = order[np.argsort(labels[order], kind="stable")]
    starts = np.flatnonzero(np.r_[True, np.diff(labels[ranked]) > 0])
    place = np.arange(len(labels)) - np.repeat(starts, np.diff(np.r_[starts, len(labels)]))
    return np.sort(ranked[place < size])


def log_area(shots: Sequence[int], values: Sequence[float]) -> float:
    """Mean of `values` over log(shots), trapezoid rule."""
    if len(shots) == 1:
        return float(values[0])
    scale = np.log(np.array(shots, np.float64))
    return float(np.trapezoid(values, scale) / (scale[-1] - scale[0]))
