"""From raw logits to honest probabilities, and from probabilities to prediction sets. Arrays in, numbers out."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize_scalar


def softmax(logits: np.ndarray) -> np.ndarray:
    """Over the last axis, without overflow."""
    shifted = np.exp(logits - logits.max(-1, keepdims=True))
    return shifted / shifted.sum(-1, keepdims=True)


def nll(probs: np.ndarray, labels: np.ndarray) -> float:
    """Mean negative log-likelihood in nats; low is good. `probs` (N, C), `labels` (N,)."""
    return float(-np.log(np.maximum(probs[np.arange(len(labels)), labels], 1e-12)).mean())


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """T > 0 so that softmax(logits / T) has the least NLL on held-out (N, C) logits (Guo 2017)."""
    scale = float(np.abs(logits).max()) or 1.0
    found = minimize_scalar(
        lambda log_t: nll(softmax(logits / np.exp(log_t)), labels),
        bounds=(np.log(scale * 1e-3), np.log(scale * 10)),
        method="bounded",
    )
    return float(np.exp(found.x))


def expected_calibration_error(probs: np.ndarray, labels: np.ndarray, bins: int = 15) -> float:
    """ECE of the top prediction in equal-width bins (Naeini 2015), in [0, 1]; low is good."""
    confidence = probs.max(1)
    right = probs.argmax(1) == labels
    slot = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [abs(confidence[slot == b].mean() - right[slot == b].mean()) * (slot == b).sum() for b in np.unique(slot)]
    return float(sum(gaps) / len(labels))


def conformal_mass(probs: np.ndarray, labels: np.ndarray, coverage: float) -> float:
    """The probability mass a prediction set must gather to hold the right class with `coverage`.

    Adaptive prediction sets (Romano, Sesia & Candès 2020) without randomisation, so they err on the large side.
    Calibrated on held-out (N, C) probabilities.
    """
    order = np.argsort(-probs, axis=1)
    cumulative = np.cumsum(np.take_along_axis(probs, order, 1), 1)
    place = (order == labels[:, None]).argmax(1)
    needed = np.sort(cumulative[np.arange(len(labels)), place])
    rank = min(len(needed) - 1, int(np.ceil((len(needed) + 1) * coverage)) - 1)
    return float(needed[rank])


def prediction_set(probs: np.ndarray, mass: float) -> tuple[int, ...]:
    """Class indices of one picture, likeliest first, until their probabilities (C,) gather `mass`; at least one."""
    order = np.argsort(-probs)
    before = np.cumsum(probs[order]) - probs[order]
    # A class belongs to the set when the mass up to and including it does not pass the calibrated one.
    size = max(1, int((before + probs[order] <= mass + 1e-12).sum()))
    return tuple(int(index) for index in order[:size])


def bootstrap_mean(values: np.ndarray, seed: int = 0, draws: int = 1000) -> tuple[float, float, float]:
    """Mean of (N,) values with its 95 % bootstrap interval: (mean, low, high)."""
    if len(values) == 0:
        return (float("nan"),) * 3
    generator = np.random.default_rng(seed)
    means = values.astype(np.float64)[generator.integers(0, len(values), (draws, len(values)))].mean(1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(values.mean()), float(low), float(high)
