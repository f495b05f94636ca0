"""Bootstrap intervals over pictures (Efron 1979): how far a figure would move with other pictures of the same kind.

Every figure here is a smooth function of sums over pictures, so a resample is only a weight for each picture: how
often it was drawn. The same seed gives the same draws, so two figures of the same pictures are compared in pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from fgdemo.training import Interval

DRAWS = 1000
CHUNK_NUMBERS = 8_000_000
"""Weights held at a time: a hundred thousand pictures need no more memory than a few thousand."""


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


def interval(statistic: Callable[[np.ndarray], np.ndarray], n: int, seed: int = 0) -> Interval:
    """(value, low, high) of a figure of n pictures, 95 % percentile limits.

    Args:
        statistic: (d, n) weights → (d,) values; with all weights 1 it is the figure itself.
    """
    if n == 0:
        return float("nan"), float("nan"), float("nan")
    value = float(statistic(np.ones((1, n), np.float32))[0])
    low, high = limits(np.concatenate([statistic(weights) for weights in draws_of(n, seed)]))
    return value, low, high


def mean_interval(values: np.ndarray, seed: int = 0) -> Interval:
    """(mean, low, high) of (N,) values."""
    numbers = values.astype(np.float64)
    return interval(lambda weights: weights @ numbers / weights.sum(1), len(numbers), seed)


def macro_interval(values: np.ndarray, groups: np.ndarray, seed: int = 0) -> Interval:
    """(mean, low, high) of the means of (N,) values in each of (N,) groups, so that every group counts the same.

    A group that a draw left out is left out of that draw's mean.
    """
    member = (groups[:, None] == np.unique(groups)).astype(np.float64)
    numbers = values.astype(np.float64)[:, None] * member

    def statistic(weights: np.ndarray) -> np.ndarray:
        counts = weights @ member
        means = weights @ numbers / np.maximum(counts, 1e-9)
        return means.sum(1) / (counts > 0).sum(1)

    return interval(statistic, len(values), seed)


def limits(values: np.ndarray) -> tuple[float, float]:
    """2.5 % and 97.5 % of (draws,) values; those that are not finite are left out."""
    low, high = np.quantile(values[np.isfinite(values)], [0.025, 0.975])
    return float(low), float(high)


def crossed_interval(values: np.ndarray, seed: int = 0) -> Interval:
    """(mean, low, high) of (S, N) values: S repetitions with other seeds on the same N pictures, both resampled."""
    repeats, n = values.shape
    generator = np.random.default_rng(seed + 1)
    numbers = values.astype(np.float64)
    means = []
    for weights in draws_of(n, seed):
        drawn = generator.multinomial(repeats, np.full(repeats, 1 / repeats), len(weights))
        means.append(np.einsum("ds,ds->d", weights @ numbers.T, drawn) / (repeats * n))
    return float(numbers.mean()), *limits(np.concatenate(means))
