"""All that can be said of a classifier on held-out pictures, every figure with its interval. Arrays in, figures out.

risk–coverage    The surest pictures are answered first; the risk at a coverage is the share of wrong answers among
                 those (El-Yaniv & Wiener 2010). The area under it is the mean risk over all coverages; low is good.
mistakes         How far apart the answer and the truth lie in the tree: steps up from the truth to the first group
                 that holds both (Bertinetto et al. 2020, "Making better mistakes"), 1 for siblings; over the wrong
                 answers only. Two roots meet one step above both.
Brier            Sum of squared differences between probabilities and the truth, in [0, 2]; low is good (Brier 1950).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from fgdemo.learn.measure.evaluate import Pair, auroc, fpr_at_95, worst_pairs
from fgdemo.statistics.bootstrap import SHARE, draws_of, interval, limits, macro_interval, mean_interval
from fgdemo.statistics.proportions import share_interval, unseen_share
from fgdemo.values.taxonomy import Taxonomy
from fgdemo.values.training import Interval

BINS = 15
CURVE_POINTS = 101
ANSWERED = 0.8
LEAST_PROB = 1e-12
"""Below this a probability costs no more nats."""


@dataclass(frozen=True)
class KindScore:
    """One leaf: the share of its n pictures that are right, and how many other pictures were taken for it."""

    taxon: str
    n: int
    right: Interval
    false: int


@dataclass(frozen=True)
class PairScore:
    """Two leaves: how many of their `of` pictures were taken for the other, both ways together, and which share."""

    a: str
    b: str
    mistaken: int
    of: int
    share: Interval


@dataclass(frozen=True)
class Bin:
    """Pictures of about the same confidence: its mean, and the share that is right."""

    confidence: float
    right: float
    n: int


@dataclass(frozen=True)
class Detail:
    """
    Attributes:
        figures: top1, top5, macro (every kind counts the same), ece (15 bins), nll (nats), brier, coverage and
            set_size of the prediction sets, risk_area and selective (top-1 when the surest 80 % are answered),
            mistake_distance (in steps; not there without mistakes).
        kinds: those with pictures, worst first.
        pairs: up to thirty pairs that are taken for each other, most mistaken first.
        reliability: the bins of the calibration error that hold pictures.
        risk: (coverage, risk) points, from few answered to all.
    """

    figures: Mapping[str, Interval]
    kinds: tuple[KindScore, ...]
    pairs: tuple[PairScore, ...]
    reliability: tuple[Bin, ...]
    risk: tuple[tuple[float, float], ...]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def detail(probs: np.ndarray, labels: np.ndarray, taxonomy: Taxonomy, least_prob: float) -> Detail:
    """Of (N, C) calibrated probabilities against (N,) class indices.

    Args:
        least_prob: from which on a leaf is in the prediction set; the likeliest always is.
    """
    order = np.argsort(-probs, axis=1)
    right = order[:, 0] == labels
    given = probs[np.arange(len(labels)), labels]
    inside = (given >= least_prob) | right
    squared = (probs**2).sum(1) - 2 * given + 1
    wrong = np.flatnonzero(~right)
    steps = tree_distance(labels[wrong], order[wrong, 0], taxonomy)
    mistakes = {"mistake_distance": mean_interval(steps)} if len(wrong) else {}
    return Detail(
        figures={
            "top1": share_interval(right),
            "top5": share_interval((order[:, :5] == labels[:, None]).any(1)),
            "macro": macro_interval(right, labels),
            "ece": ece_interval(probs, labels),
            "nll": mean_interval(-np.log(np.maximum(given, LEAST_PROB)), span=(0.0, -np.log(LEAST_PROB))),
            "brier": mean_interval(squared, span=(0.0, 2.0)),
            "coverage": share_interval(inside),
            "set_size": mean_interval(np.maximum((probs >= least_prob).sum(1), 1), span=(1.0, probs.shape[1])),
            **selective(probs.max(1), right),
            **mistakes,
        },
        kinds=kind_scores(order[:, 0], labels, taxonomy),
        pairs=tuple(pair_score(pair) for pair in worst_pairs(order[:, 0], labels, taxonomy, most=30)),
        reliability=reliability(probs, labels),
        risk=risk_curve(probs.max(1), right),
    )


def pair_score(pair: Pair) -> PairScore:
    mistaken = np.arange(pair.of) < pair.mistaken
    return PairScore(pair.a, pair.b, pair.mistaken, pair.of, share_interval(mistaken))


def ece_interval(probs: np.ndarray, labels: np.ndarray) -> Interval:
    """Expected calibration error as in `fgdemo.model.calibration`. Resampled ones lie higher: noise only adds."""
    gaps = bin_gaps(probs.max(1), probs.argmax(1) == labels)
    return interval(lambda weights: np.abs(weights @ gaps).sum(1) / weights.sum(1), len(labels), span=SHARE)


def bin_gaps(confidence: np.ndarray, right: np.ndarray) -> np.ndarray:
    """(N, 15): confidence less correctness of each of N pictures, in the bin of its confidence."""
    slots = np.minimum((confidence * BINS).astype(int), BINS - 1)
    return np.eye(BINS)[slots] * (confidence - right)[:, None]


def reliability(probs: np.ndarray, labels: np.ndarray) -> tuple[Bin, ...]:
    """The bins that hold pictures, lowest confidence first."""
    confidence, right = probs.max(1), probs.argmax(1) == labels
    slots = np.minimum((confidence * BINS).astype(int), BINS - 1)
    members = [slots == slot for slot in np.unique(slots)]
    return tuple(Bin(float(confidence[m].mean()), float(right[m].mean()), int(m.sum())) for m in members)


def risk_curve(confidence: np.ndarray, right: np.ndarray) -> tuple[tuple[float, float], ...]:
    """Up to 101 points (coverage, risk), of (N,) confidences and whether each answer is right."""
    if not len(right):
        return ()
    wrong = np.cumsum(~right[np.argsort(-confidence, kind="stable")])
    ends = np.unique(np.linspace(1, len(right), min(CURVE_POINTS, len(right))).round().astype(int))
    return tuple((float(end / len(right)), float(wrong[end - 1] / end)) for end in ends)


def selective(confidence: np.ndarray, right: np.ndarray) -> dict[str, Interval]:
    """The area under the risk–coverage curve, and top-1 of the surest 80 % of (N,) pictures."""
    order = np.argsort(-confidence, kind="stable")
    wrong = (~right[order]).astype(np.float64)

    def both(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        counts = weights[:, order].astype(np.float64)
        answered, mistaken = np.cumsum(counts, 1), np.cumsum(counts * wrong, 1)
        risk = mistaken / np.maximum(answered, 1e-9)
        area = (risk * counts).sum(1) / counts.sum(1)
        place = (answered >= ANSWERED * counts.sum(1, keepdims=True)).argmax(1)[:, None]
        return area, 1 - np.take_along_axis(risk, place, 1)[:, 0]

    return {
        "risk_area": interval(lambda weights: both(weights)[0], len(right), span=SHARE),
        "selective": interval(lambda weights: both(weights)[1], len(right), span=SHARE),
    }


def tree_distance(labels: np.ndarray, answers: np.ndarray, taxonomy: Taxonomy) -> np.ndarray:
    """(M,) steps from the leaf `labels` up to the first taxon that also holds the leaf `answers`; 0 for the same."""
    paths = [[taxon.id for taxon in taxonomy.path(leaf)] for leaf in taxonomy.leaves]

    def steps(a: int, b: int) -> int:
        shared = 0
        for one, other in zip(paths[a], paths[b], strict=False):
            if one != other:
                break
            shared += 1
        return len(paths[a]) - shared

    return np.array([steps(a, b) for a, b in zip(labels.tolist(), answers.tolist(), strict=True)], np.float64)


def kind_scores(answers: np.ndarray, labels: np.ndarray, taxonomy: Taxonomy) -> tuple[KindScore, ...]:
    """Every leaf that has pictures, the one with fewest right first."""
    false = np.bincount(answers[answers != labels], minlength=len(taxonomy.leaves))
    scores = [
        KindScore(
            taxonomy.leaves[kind],
            int((labels == kind).sum()),
            share_interval(answers[labels == kind] == kind),
            int(false[kind]),
        )
        for kind in np.unique(labels)
    ]
    return tuple(sorted(scores, key=lambda score: (score.right[0], -score.n)))


def unknown_figures(known: np.ndarray, strange: np.ndarray) -> dict[str, Interval]:
    """AUROC and FPR at 95 % of unknown scores, high is strange: (N,) of known pictures, (M,) of other things.

    Both sets are resampled.
    """
    rows = [np.concatenate(list(draws_of(len(scores), seed, 300))) for seed, scores in enumerate((known, strange))]
    measures = {"unknown_auroc": auroc, "unknown_fpr95": fpr_at_95}
    drawn = [
        (np.repeat(known, one.astype(int)), np.repeat(strange, other.astype(int)))
        for one, other in zip(*rows, strict=True)
    ]
    unseen = unseen_share([min(len(known), len(strange))])
    found = {}
    for name, measure in measures.items():
        value, (low, high) = measure(known, strange), limits(np.array([measure(*pair) for pair in drawn]))
        found[name] = value, min(low, value * (1 - unseen)), max(high, value + unseen * (1 - value))
    return found
