"""How likely each label is wrong, from what the head says of a picture it has never seen. Arrays in, scores out."""

from __future__ import annotations

import numpy as np

CONFIRMED = 2.0
"""A pair of kinds starts as if this many checks had found as many labels wrong as the average of all pairs."""


def leave_one_out(raw: np.ndarray, leverage: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Raw logits of each picture by the head without it (Cook & Weisberg 1982, §2.2).

    Args:
        raw: (N, C) logits of the head that knows the pictures.
        leverage: (N,) ω φ'G⁻¹φ in [0, 1); 0 for a picture that does not train.
        labels: (N,) class it trains as; ignored where the leverage is 0.
    """
    share = np.minimum(leverage, 1 - 1e-6)[:, None].astype(raw.dtype)
    out = raw / (1 - share)
    rows = np.flatnonzero(leverage > 0)
    out[rows, labels[rows]] -= share[rows, 0] / (1 - share[rows, 0])
    return out


def suspicion(probs: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(suspicion, suggested, rival) of (N, C) leave-one-out probabilities and the given classes (N,).

    Suspicion is the probability of the likeliest other class against the given one, in (0, 1): one half where both are
    equally likely, high where the label looks wrong. `suggested` is the likeliest class, `rival` the likeliest after
    it. A class of −1 is no label; the suspicion is nan.
    """
    rows = np.arange(len(probs))
    top = np.argpartition(-probs, min(1, probs.shape[1] - 1), axis=1)[:, :2]
    first = top[rows, probs[rows[:, None], top].argmax(1)]
    second = np.where(top[:, 0] == first, top[:, -1], top[:, 0])
    given = np.where(labels >= 0, probs[rows, np.maximum(labels, 0)], np.nan)
    other = np.where(first == labels, probs[rows, second], probs[rows, first])
    total = given + other
    return np.where(total > 0, other / np.maximum(total, 1e-12), given * 0.5), first, second


def with_pair_record(
    scores: np.ndarray, given: np.ndarray, other: np.ndarray, checked_pairs: np.ndarray, wrong_pairs: np.ndarray
) -> np.ndarray:
    """Suspicion again, knowing in which pairs of kinds the checks so far found wrong labels.

    The odds are multiplied by the pair's record: (wrong + κ r) / (checked + κ) against the average r of all checks.

    Args:
        scores: (N,) in (0, 1).
        given, other: (N,) class indices, the label and what it may be instead.
        checked_pairs: (C, C) how often a label of the row, suspected to be the column, was checked; `wrong_pairs` of
            those how often it was wrong.
    """
    total = float(checked_pairs.sum())
    if not total:
        return scores
    average = (float(wrong_pairs.sum()) + 1) / (total + 2)
    rate = (wrong_pairs + CONFIRMED * average) / (checked_pairs + CONFIRMED)
    pair = np.clip(rate[np.maximum(given, 0), np.maximum(other, 0)] / average, 0.1, 10.0)
    odds = scores / np.maximum(1 - scores, 1e-12) * pair
    return odds / (1 + odds)
