"""Which gold pictures the live model and a candidate have right, and what follows for accuracy.

What is proven of it, and why by these limits: `fgdemo.learn.gate.conditions`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fgdemo.statistics.proportions import loss_limit
from fgdemo.values.training import Check, Interval, Outcome, gold_pictures, points

FEWEST = 30
MARGIN = 0.01
MORE_GOLD = (
    "Label or import more pictures: of those that come without splits a tenth becomes gold, of others the test split."
)


def answers_of(probs: np.ndarray) -> np.ndarray:
    """(N,) likeliest column; −1 for a row without any."""
    return np.where(probs.max(1) > 0, probs.argmax(1), -1)


@dataclass(frozen=True)
class Compared:
    """Which of N gold pictures the live model and the candidate have right.

    Attributes:
        class_index: (N,) what they show.
        known: the kinds that the live model knows.
        was, now: (N,) bool: right.
        had, kept: the same, but pictures of known kinds are answered among these alone.
    """

    class_index: np.ndarray
    known: Sequence[int]
    was: np.ndarray
    now: np.ndarray
    had: np.ndarray
    kept: np.ndarray

    @classmethod
    def of(cls, before: np.ndarray, after: np.ndarray, class_index: np.ndarray, known: Sequence[int]) -> Compared:
        """Of (N, C) probabilities."""
        was, now = (answers_of(probs) == class_index for probs in (before, after))
        had, kept = was, now
        if len(known):  # where nothing is answered, −1, which is no kind
            among = (np.append(known, -1)[answers_of(probs[:, known])] == class_index for probs in (before, after))
            had, kept = (right | besides for right, besides in zip((was, now), among, strict=True))
        return cls(class_index, known, was, now, had, kept)

    @property
    def broken(self) -> int:
        """How many only the live model has right."""
        return int((self.was & ~self.now).sum())

    @property
    def fixed(self) -> int:
        """How many only the candidate has right."""
        return int((self.now & ~self.was).sum())

    @property
    def loss(self) -> float:
        """The largest loss of top-1 that is not excluded, in [0, 1]."""
        return loss_limit(self.broken, self.fixed, len(self.now))

    @property
    def change(self) -> np.ndarray:
        """1, 0 or −1: newly right, as before, newly wrong."""
        return self.now.astype(float) - self.was

    @property
    def old(self) -> np.ndarray:
        """Which show a known kind."""
        return np.isin(self.class_index, self.known)

    @property
    def taken(self) -> np.ndarray:
        """Which the candidate takes for a kind that is new."""
        return self.kept & ~self.now


def outcome_of(n: int, difference: Interval, loss: float) -> Outcome:
    """By the difference in top-1 with its two-sided limits, and the loss that is not excluded."""
    _, low, high = difference
    if high < 0:
        return "worse"
    if n < FEWEST:
        return "unproven"
    if low > 0:
        return "better"
    return "not worse" if loss <= MARGIN else "unproven"


def needed(broken: int, fixed: int, n: int, margin: float = MARGIN) -> int | None:
    """How many pictures would show "not worse" if as large a share is broken and fixed of them; None if the
    difference is beyond the margin already, or there is nothing to go by."""
    if n == 0 or fixed - broken <= -margin * n:
        return None
    low, high = 0, 1
    while _loss_of(broken / n, fixed / n, high) > margin:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _loss_of(broken / n, fixed / n, middle) > margin else (low, middle)
    return max(high, FEWEST)


def _loss_of(broken: float, fixed: float, n: int) -> float:
    """Of shares."""
    return loss_limit(broken * n, fixed * n, n)


def check_accuracy(found: Compared, difference: Interval, outcome: Outcome) -> Check:
    told = in_points(difference)
    if outcome == "unproven":
        return Check("accuracy", False, f"{told[0].upper()}{told[1:]}. {advice(found)}", open=True)
    if outcome == "worse":
        return Check("accuracy", False, f"Fewer pictures are right: {told}.")
    sentence = "More pictures are right" if outcome == "better" else f"A loss of more than {MARGIN:.0%} is excluded"
    return Check("accuracy", True, f"{sentence}: {told}.")


def advice(found: Compared) -> str:
    """What an unproven candidate lacks, and what to do."""
    n = len(found.now)
    not_excluded = f"A loss of up to {points(found.loss)} is not excluded by {gold_pictures(n)}"
    enough = needed(found.broken, found.fixed, n)
    return f"{not_excluded}{f'; about {enough:,} gold pictures would tell. {MORE_GOLD}' if enough else '.'}"


def in_points(difference: Interval) -> str:
    """“2.4 points [1.1, 3.8]”, with a minus where it is a loss."""
    value, low, high = (round(100 * share, 1) + 0.0 for share in difference)
    return f"{value:.1f} {'point' if abs(value) == 1 else 'points'} [{low:.1f}, {high:.1f}]".replace("-", "−")
