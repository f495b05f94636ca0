"""The five conditions on which a candidate may go live.

Both models answer the same pictures, so all is compared in pairs: what counts are the pictures that only one of
them has right.

accuracy     The lower 95 % bootstrap limit of the difference in top-1 is at least −`MARGIN`; above 0 it is better.
             A test of "not worse" must exclude a loss that matters, it is not enough that none was proven: with few
             pictures nothing is ever proven. One point is one picture in a hundred, less than people notice, and
             about what can be excluded with 300 pictures of which 1 % changed, or 1,000 of which 3 % did.
             Where the pictures do not suffice the outcome is "unproven", and the sentence says how many would.
kinds        No kind lost pictures that chance does not explain: exact one-sided McNemar test of the pictures of that
             kind, at least 2 lost and more than 2 points, corrected for the number of kinds after Tarone (1990,
             Biometrics 46:515): only kinds with enough changed pictures to be significant at all are counted, or with a
             hundred kinds of ten pictures each nothing could ever be found. A kind that was mostly right
             and is never right now fails too, from 3 pictures on: its few pictures alone prove little.
forgetting   The kinds that the live model knows, each kind counting the same: as accuracy, with `FORGOTTEN_MARGIN`
             (twice as wide, because a macro average of few pictures a kind scatters about twice as far). Kinds
             without gold pictures cannot be judged; that is no reason to fail, but the sentence says so.
calibration  The expected calibration error did not rise by more than 1 point and its own bootstrap noise.
maps         The trust of the class maps did not fall by more than `MAP_MARGIN` and its bootstrap noise. It takes some
             twenty passes a picture, so it is measured on few pictures, which could not exclude a small loss.

McNemar 1947 is exact here (binomial). Everything is seeded: the same answers give the same verdict.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import binomtest

from fgdemo.learn.detail import bin_gaps
from fgdemo.learn.resampling import draws_of, limits, macro_interval, mean_interval
from fgdemo.training import Check, Interval, Outcome

FEWEST = 30
MARGIN = 0.01
FORGOTTEN_MARGIN = 0.02
KIND_POINTS, KIND_PICTURES, GONE_PICTURES = 0.02, 2, 3
ECE_MARGIN = 0.01
MAP_MARGIN = 0.05
MORE_GOLD = (
    "Label or import more pictures: of those that come without splits a tenth becomes gold, of others the test split."
)


def answers_of(probs: np.ndarray) -> np.ndarray:
    """(N,) likeliest column; −1 for a row without any."""
    return np.where(probs.max(1) > 0, probs.argmax(1), -1)


def outcome_of(n: int, difference: Interval) -> Outcome:
    _, low, high = difference
    if n < FEWEST:
        return "unproven"
    if high < 0:
        return "worse"
    if low > 0:
        return "better"
    return "not worse" if low >= -MARGIN else "unproven"


def mcnemar(broken: int, fixed: int) -> float:
    """Exact two-sided p-value that as many pictures break as are fixed; 1 where nothing changed."""
    return float(binomtest(broken, broken + fixed).pvalue) if broken + fixed else 1.0


def needed(n: int, difference: Interval, margin: float = MARGIN) -> int | None:
    """How many pictures would show "not worse" if the difference stays as it is; None if it is beyond the margin.

    The limits close in with the square root of the number of pictures.
    """
    value, low, _ = difference
    if value <= -margin:
        return None
    return int(np.ceil(max(n, FEWEST) * max(1.0, ((value - low) / (value + margin)) ** 2)))


def check_accuracy(n: int, difference: Interval, outcome: Outcome) -> Check:
    points = in_points(difference)
    if outcome == "unproven":
        return Check("accuracy", False, f"{points[0].upper()}{points[1:]}. {advice(n, difference)}")
    if outcome == "worse":
        return Check("accuracy", False, f"Fewer pictures are right: {points}.")
    sentence = "More pictures are right" if outcome == "better" else f"A loss of more than {MARGIN:.0%} is excluded"
    return Check("accuracy", True, f"{sentence}: {points}.")


def advice(n: int, difference: Interval) -> str:
    """What an unproven candidate lacks, and what to do."""
    if n < FEWEST:
        return f"{n} gold pictures prove nothing; at least {FEWEST} are needed. {MORE_GOLD}"
    enough = needed(n, difference)
    return f"A loss of more than {MARGIN:.0%} cannot be excluded" + (
        f"; about {enough} gold pictures would tell. {MORE_GOLD}" if enough else "."
    )


def check_kinds(class_index: np.ndarray, was: np.ndarray, now: np.ndarray, names: Sequence[str]) -> Check:
    """(N,) kinds, and whether each picture was and is right; `names` of all kinds."""
    size = len(names)
    totals = np.bincount(class_index, minlength=size)
    broken = np.bincount(class_index[was & ~now], minlength=size)
    fixed = np.bincount(class_index[now & ~was], minlength=size)
    right_before, lost = np.bincount(class_index[was], minlength=size), broken - fixed
    level = tarone(broken + fixed)
    failed = [
        f"{names[kind]} lost {lost[kind]} of {totals[kind]}"
        for kind in np.argsort(-lost, kind="stable")
        if (
            lost[kind] >= KIND_PICTURES
            and lost[kind] > KIND_POINTS * totals[kind]
            and binomtest(int(broken[kind]), int(broken[kind] + fixed[kind]), alternative="greater").pvalue <= level
        )
        or (lost[kind] >= GONE_PICTURES and lost[kind] == right_before[kind] and 2 * lost[kind] >= totals[kind])
    ]
    if failed:
        return Check("kinds", False, f"More than chance explains: {_listed(failed)}.")
    return Check("kinds", True, "No kind lost more than chance explains.")


def tarone(changed: np.ndarray, level: float = 0.05) -> float:
    """The level at which each of (K,) one-sided tests is made, so that with `level` none is wrongly significant.

    A kind of which d pictures changed cannot get a p-value below 2⁻ᵈ, so kinds with few do not count.
    """
    smallest = 0.5 ** changed[changed > 0].astype(float)
    tests = 1
    while (smallest <= level / tests).sum() > tests:
        tests += 1
    return level / tests


def check_forgetting(change: np.ndarray, class_index: np.ndarray, known: int, seed: int) -> Check:
    """`change` (M,) and `class_index` (M,): of the gold pictures of the `known` kinds that the live model knows."""
    if not len(change):
        return Check("forgetting", True, unjudged(class_index, known).strip() or "It knew no kinds before.")
    difference = macro_interval(change, class_index, seed)
    found = f"the kinds it knew, each counting the same: {in_points(difference)}"
    if difference[1] >= -FORGOTTEN_MARGIN:
        return Check("forgetting", True, f"{found[0].upper()}{found[1:]}.{unjudged(class_index, known)}")
    if difference[2] < 0:
        return Check("forgetting", False, f"It has forgotten some ({found}).")
    return Check("forgetting", False, f"Forgetting more than {FORGOTTEN_MARGIN:.0%} cannot be excluded ({found}).")


def unjudged(class_index: np.ndarray, known: int) -> str:
    """A sentence, after a space, where gold pictures show only some of the `known` kinds; else nothing."""
    without = known - len(np.unique(class_index))
    if not without:
        return ""
    has, them = ("has", "it") if without == 1 else ("have", "them")
    who = f"{without} of the {known} kinds it knew {has} no gold pictures"
    if without == known > 1:
        who = f"None of the {known} kinds it knew has gold pictures"
    return f" {who}, so nothing shows whether it still knows {them}."


def check_calibration(before: np.ndarray, after: np.ndarray, class_index: np.ndarray, seed: int) -> Check:
    gaps = [_gaps(probs, class_index) for probs in (before, after)]

    def rise(weights: np.ndarray) -> np.ndarray:
        was, now = (np.abs(weights @ gap).sum(1) / weights.sum(1) for gap in gaps)
        return now - was

    n = len(class_index)
    risen = float(rise(np.ones((1, n)))[0])
    low, _ = limits(np.concatenate([rise(weights) for weights in draws_of(n, seed)]))
    was, now = (calibration_error(probs, class_index) for probs in (before, after))
    found = f"calibration error {was:.3f} → {now:.3f}"
    if low > 0 and risen > ECE_MARGIN:
        return Check("calibration", False, f"Its probabilities are less honest: {found}.")
    return Check("calibration", True, f"Its probabilities are as honest: {found}.")


def _gaps(probs: np.ndarray, class_index: np.ndarray) -> np.ndarray:
    return bin_gaps(probs.max(1), answers_of(probs) == class_index)


def calibration_error(probs: np.ndarray, class_index: np.ndarray) -> float:
    return float(np.abs(_gaps(probs, class_index).sum(0)).sum() / len(class_index))


def check_maps(before: np.ndarray | None, after: np.ndarray | None, seed: int) -> Check:
    if before is None or after is None:
        return Check("maps", True, "The trust of the maps was not measured.")
    change, _, high = mean_interval(after - before, seed)
    found = f"trust of the class maps {before.mean():.2f} → {after.mean():.2f} on {len(before)} pictures"
    if change < -MAP_MARGIN and high < 0:
        return Check("maps", False, f"The maps are less faithful: {found}.")
    return Check("maps", True, f"The maps are as faithful: {found}.")


def in_points(difference: Interval) -> str:
    """“2.4 points [1.1, 3.8]”, with a minus where it is a loss."""
    value, low, high = (round(100 * share, 1) + 0.0 for share in difference)
    return f"{value:.1f} {'point' if abs(value) == 1 else 'points'} [{low:.1f}, {high:.1f}]".replace("-", "−")


def _listed(items: Sequence[str], most: int = 3) -> str:
    more = f" and {len(items) - most} more" if len(items) > most else ""
    return ", ".join(items[:most]) + more
