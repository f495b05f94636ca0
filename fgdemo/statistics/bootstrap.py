"""Bootstrap intervals over pictures (Efron 1979): how far a figure would move with other pictures of the same kind.

Every figure here is a smooth function of sums over pictures, so a resample is only a weight for each picture: how
often it was drawn. The same seed gives the same draws, so two figures of the same pictures are compared in pairs.

A bootstrap draws only what was seen, so it has no width where all values are equal, and too little where there are
few. No interval of a mean is therefore narrower than what n pictures leave open: u = 1 − α^(1/n) of all pictures may
be otherwise without one of them having been seen (`fgdemo.statistics.proportions`), as far as the values can go.
Shares and paired changes of right answers have exact limits there, and need no bootstrap.
"""

from collections.abc import Callable, Iterator

import numpy as np
from scipy.special import stdtrit

from fgdemo.statistics.proportions import LEVEL, unseen_share
from fgdemo.values.training import Interval

DRAWS = 1000
CHUNK_NUMBERS = 8_000_000
"""Weights held at a time: a hundred thousand pictures need no more memory than a few thousand."""
SHARE, CHANGE = (0.0, 1.0), (-1.0, 1.0)
"""How far values can go: of what is in [0, 1], of the difference of two such."""
Span = tuple[float, float]


def draws_of(n: int, seed: int = 0, draws: int = DRAWS) -> Iterator[np.ndarray]:
    """(d, n) float32 weights, `draws` rows in all: each how often the pictures were drawn, n draws a row."""
    generator = np.random.default_rng(seed)
    step = max(1, CHUNK_NUMBERS // max(n, 1))
    for start in range(0, draws, step):
        rows = min(step, draws - start)
        weights = np.empty((rows, n), np.float32)
        for row in range(rows):
            weights[row] = np.bincount(generator.integers(0, n, n), minlength=n)
        yield weights


def interval(
    statistic: Callable[[np.ndarray], np.ndarray],
    n: int,
    seed: int = 0,
    span: Span | None = None,
    unseen: float | None = None,
) -> Interval:
    """(value, low, high) of a figure of n pictures, 95 % percentile limits; three nan for no pictures.

    Args:
        statistic: (d, n) weights → (d,) values; with all weights 1 it is the figure itself.
        span: the least and the greatest value that one picture can have, where there are such.
        unseen: the share that may be otherwise without having been seen; by default that of n pictures.
    """
    if n == 0:
        return float("nan"), float("nan"), float("nan")
    value = float(statistic(np.ones((1, n), np.float32))[0])
    low, high = limits(np.concatenate([statistic(weights) for weights in draws_of(n, seed)]))
    if span is not None:
        share = unseen_share([n]) if unseen is None else unseen
        low, high = min(low, value - share * (value - span[0])), max(high, value + share * (span[1] - value))
    return value, low, high


def mean_interval(values: np.ndarray, seed: int = 0, span: Span | None = None) -> Interval:
    """(mean, low, high) of (N,) values; for right and wrong see `fgdemo.statistics.proportions.share_interval`.

    Args:
        span: as for `interval`. Without one nothing bounds what was not seen: then the interval is no narrower than
            Student's (1908) where the values differ, and says nothing of values that do not.
    """
    numbers = np.asarray(values, np.float64)
    n = len(numbers)
    value, low, high = interval(lambda weights: weights @ numbers / weights.sum(1), n, seed, span)
    if span is None and n > 1:
        half = _student(n) * float(numbers.std(ddof=1)) / np.sqrt(n)
        low, high = min(low, value - half), max(high, value + half)
    return value, low, high


def macro_interval(values: np.ndarray, groups: np.ndarray, seed: int = 0, span: Span = SHARE) -> Interval:
    """(mean, low, high) of the means of (N,) values in each of (N,) groups, so that every group counts the same.

    A group that a draw left out is left out of that draw's mean.
    """
    return interval(_macro(values, groups), len(values), seed, span, unseen_share(_sizes(groups)))


def macro_loss(change: np.ndarray, groups: np.ndarray, seed: int = 0) -> float:
    """The largest loss that (N,) changes in {−1, 0, 1} do not exclude, every group counting the same, by a one-sided
    95 % limit; 1 for no pictures. Where nothing changed this is `unseen_share`."""
    if not len(change):
        return 1.0
    statistic = _macro(change, groups)
    value = float(statistic(np.ones((1, len(change)), np.float32))[0])
    drawn = np.concatenate([statistic(weights) for weights in draws_of(len(change), seed)])
    tail = 1 - LEVEL
    low = float(np.quantile(drawn[np.isfinite(drawn)], tail))
    return max(0.0, -min(low, value - unseen_share(_sizes(groups), tail) * (value + 1)))


def _macro(values: np.ndarray, groups: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    member = (groups[:, None] == np.unique(groups)).astype(np.float64)
    numbers = values.astype(np.float64)[:, None] * member

    def statistic(weights: np.ndarray) -> np.ndarray:
        counts = weights @ member
        means = weights @ numbers / np.maximum(counts, 1e-9)
        return means.sum(1) / (counts > 0).sum(1)

    return statistic


def _sizes(groups: np.ndarray) -> np.ndarray:
    return np.unique(groups, return_counts=True)[1]


def _student(n: int) -> float:
    """The 97.5 % quantile of Student's t with n − 1 degrees of freedom."""
    return float(stdtrit(n - 1, (1 + LEVEL) / 2))


def limits(values: np.ndarray) -> tuple[float, float]:
    """2.5 % and 97.5 % of (draws,) values; those that are not finite are left out."""
    low, high = np.quantile(values[np.isfinite(values)], [0.025, 0.975])
    return float(low), float(high)


def crossed_interval(values: np.ndarray, seed: int = 0) -> Interval:
    """(mean, low, high) of (S, N) values in [0, 1]: S repetitions with other seeds on the same N pictures, both
    resampled."""
    repeats, n = values.shape
    generator = np.random.default_rng(seed + 1)
    numbers = values.astype(np.float64)
    means = []
    for weights in draws_of(n, seed):
        drawn = generator.multinomial(repeats, np.full(repeats, 1 / repeats), len(weights))
        means.append(np.einsum("ds,ds->d", weights @ numbers.T, drawn) / (repeats * n))
    mean, (low, high) = float(numbers.mean()), limits(np.concatenate(means))
    share = unseen_share([n])
    return mean, min(low, mean * (1 - share)), max(high, mean + share * (1 - mean))
