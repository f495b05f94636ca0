"""From raw logits to honest probabilities, and from probabilities to prediction sets. Arrays in, numbers out."""

import numpy as np
from scipy.optimize import brentq, minimize_scalar


def softmax(logits: np.ndarray) -> np.ndarray:
    """Over the last axis, without overflow."""
    shifted = np.exp(logits - logits.max(-1, keepdims=True))
    return shifted / shifted.sum(-1, keepdims=True)


def nll(probs: np.ndarray, labels: np.ndarray) -> float:
    """Mean negative log-likelihood in nats; low is good. `probs` (N, C), `labels` (N,)."""
    return float(-np.log(np.maximum(probs[np.arange(len(labels)), labels], 1e-12)).mean())


PRIOR_SPREAD = np.log(2)
"""A temperature that is known beforehand is believed to within a factor of two."""


FEW = 2
"""Of a kind that is known from so few different pictures, leave-one-out says nothing about other kinds."""


def telling(different: np.ndarray) -> np.ndarray:
    """(N,) bool: which pictures, each left out once, say how sure a head may be of other kinds.

    Those of kinds with one picture never do: they cannot be right. Those of kinds with two do where they are most of
    what is left: of 3,000 kinds of two pictures nothing else can be asked. All do where none does.

    Args:
        different: (N,) from how many different pictures the kind of each is known.
    """
    one, few = different < 1.5, different < FEW + 0.5
    tells = ~few if (~few).sum() >= (few & ~one).sum() else ~one
    return tells if tells.any() else np.ones(len(different), bool)


def fit_temperature(logits: np.ndarray, labels: np.ndarray, expected: float | None = None) -> float:
    """T > 0 so that softmax(logits / T) has the least NLL on held-out (N, C) logits (Guo 2017).

    Where none of them is mistaken the NLL falls until every probability is 0 or 1, be there ever so few pictures. Then
    the right class has (N + 1) / (N + 2) on average, which is how far N successes go (Laplace's rule of succession).

    Args:
        expected: what T is likely to be, as far as is known beforehand (the middle of a log-normal prior); it bounds T
            instead of the rule.
    """
    # By how much the likeliest class leads, not how large a logit is: a class without pictures has one of −10⁵.
    first, second = np.sort(logits, axis=1)[:, [-1, -2 % logits.shape[1]]].T
    scale = max(float((first - second).max()), expected or 0.0) or 1.0
    widest = max(float(np.ptp(logits)), scale)

    def penalty(log_t: float) -> float:
        off = 0.0 if expected is None else (log_t - np.log(expected)) / PRIOR_SPREAD
        return off**2 / (2 * len(labels))

    found = minimize_scalar(
        lambda log_t: nll(softmax(logits / np.exp(log_t)), labels) + penalty(log_t),
        bounds=(np.log(scale * 1e-3), np.log(widest * 10)),
        method="bounded",
    )
    log_t = float(found.x)  # pyright: ignore[reportAttributeAccessIssue]
    if expected is None:
        allowed = (len(labels) + 1) / (len(labels) + 2)

        def excess(log_t: float) -> float:
            return float(softmax(logits / np.exp(log_t))[np.arange(len(labels)), labels].mean()) - allowed

        flattest = np.log(widest * 1e3)
        if excess(log_t) > 0 > excess(flattest):
            log_t = float(brentq(excess, log_t, flattest))  # pyright: ignore[reportArgumentType]
    return float(np.exp(log_t))


def expected_calibration_error(probs: np.ndarray, labels: np.ndarray, bins: int = 15) -> float:
    """ECE of the top prediction in equal-width bins (Naeini 2015), in [0, 1]; low is good."""
    confidence = probs.max(1)
    right = probs.argmax(1) == labels
    slot = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [abs(confidence[slot == b].mean() - right[slot == b].mean()) * (slot == b).sum() for b in np.unique(slot)]
    return float(sum(gaps) / len(labels))


def conformal_prob(probs: np.ndarray, labels: np.ndarray, coverage: float) -> float:
    """The probability from which on a class is in the prediction set, so that sets hold the right one with `coverage`.

    Split conformal with the least ambiguous sets (Sadinle, Lei & Wasserman 2019): the sets are the smallest on average.
    Adaptive sets (Romano 2020) were tried and held nearly all classes wherever the model is sure. Calibrated on
    held-out (N, C) probabilities.
    """
    given = np.sort(probs[np.arange(len(labels)), labels])
    rank = int(np.floor((len(given) + 1) * (1 - coverage) + 1e-9)) - 1
    return float(given[rank]) if rank >= 0 else 0.0


def shared_probs(probs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(C, C) symmetric: how much probability each two classes lend each other on average; 0 on the diagonal.

    Args:
        probs: (N, C) of pictures that were not learned from, and their class indices (N,).
    """
    given = np.zeros((probs.shape[1], probs.shape[1]))
    np.add.at(given, labels, probs)
    given /= np.maximum(np.bincount(labels, minlength=len(given)), 1)[:, None]
    shared = given + given.T
    np.fill_diagonal(shared, 0)
    return shared


def prediction_set(probs: np.ndarray, least_prob: float) -> tuple[int, ...]:
    """Class indices of one picture (C,), likeliest first, whose probability is at least `least_prob`; at least one."""
    order = np.argsort(-probs, kind="stable")
    size = max(1, int((probs >= least_prob).sum()))
    return tuple(int(index) for index in order[:size])
