"""The five conditions on which a candidate may go live.

Both models answer the same pictures, so all is compared in pairs: what counts are the pictures that only one of
them has right.

accuracy     The largest loss of top-1 that the pictures do not exclude, by an exact one-sided 95 % limit, is at most
             `MARGIN` (`fgdemo.statistics.proportions.loss_limit`). It is better where the two-sided 95 % interval of
             the difference lies above 0, worse where it lies below 0, be there ever so few pictures.
             A test of "not worse" must exclude a loss that matters, it is not enough that none was proven: with few
             pictures nothing is ever proven, even where both models answer all of them alike. One point is one picture
             in a hundred, less than people notice, and what is excluded by 300 pictures without a change, or by
             1,000 of which three were fixed and three broken.
             Where the pictures do not suffice the outcome is "unproven", and the sentence says which loss is not
             excluded, and how many pictures would tell.
kinds        No kind lost pictures that chance does not explain: exact one-sided McNemar test of the pictures of that
             kind, at least 2 lost and more than 2 points, corrected for the number of kinds after Tarone (1990,
             Biometrics 46:515): only kinds with enough changed pictures to be significant at all are counted, or with a
             hundred kinds of ten pictures each nothing could ever be found. A kind that was mostly right
             and is never right now fails too, from 3 pictures on: its few pictures alone prove little.
forgetting   The kinds that the live model knows, each kind counting the same: as accuracy, with `FORGOTTEN_MARGIN`
             (twice as wide, because a macro average of few pictures a kind scatters about twice as far), and by a
             bootstrap that is no narrower than what the pictures of each kind leave open (`macro_loss`). Kinds
             without gold pictures cannot be judged; that is no reason to fail, but the sentence says so.
             Where a candidate knows kinds that the live model does not, known ones are taken for them now and then:
             with more kinds there is more to be wrong about, and nothing need be forgotten for it. So for kinds and
             forgetting it answers among the known kinds. What that leaves out is told, and has limits of its own: no
             kind may lose more than half of what was right, and all kinds, the new ones too and each counting the
             same, must not lose more than `FORGOTTEN_MARGIN`, or one new kind with many pictures could pay for a
             little from every other. Where few gold pictures show known kinds, nothing could exclude that some of
             them is forgotten, whatever the new kinds bring: then it suffices that the estimate is within the margin
             and that all kinds together, each counting the same, are proven better. (Without new kinds these two
             cannot both be, so nothing changes there.)
calibration  The expected calibration error did not rise by more than 1 point and its own bootstrap noise.
maps         The trust of the class maps did not fall by more than `MAP_MARGIN` and its bootstrap noise. It takes some
             twenty passes a picture, so it is measured on few pictures, which could not exclude a small loss.

A condition is open where it is not met, but nothing bad was proven either. A candidate that is nowhere worse and fails
open conditions alone may go live on the word of a maintainer who has read which loss is not excluded: with 40 gold
pictures nothing could ever be proven, and whoever has 400 pictures must not be locked out.

McNemar 1947 is exact here (binomial). Everything is seeded: the same answers give the same verdict.
"""

from collections.abc import Sequence

import numpy as np
from scipy.stats import binomtest

from fgdemo.learn.gate.compared import Compared, answers_of, in_points
from fgdemo.learn.measure.detail import bin_gaps
from fgdemo.statistics.bootstrap import CHANGE, draws_of, limits, macro_interval, macro_loss, mean_interval
from fgdemo.values.counting import counted
from fgdemo.values.training import Check

FORGOTTEN_MARGIN = 0.02
KIND_POINTS, KIND_PICTURES, GONE_PICTURES = 0.02, 2, 3
ECE_MARGIN = 0.01
MAP_MARGIN = 0.05


def mcnemar(broken: int, fixed: int) -> float:
    """Exact two-sided p-value that as many pictures break as are fixed; 1 where nothing changed."""
    return float(binomtest(broken, broken + fixed).pvalue) if broken + fixed else 1.0


def check_kinds(found: Compared, names: Sequence[str]) -> Check:
    """`names` of all kinds."""

    def count(pictures: np.ndarray) -> np.ndarray:
        return np.bincount(found.class_index[pictures], minlength=len(names))

    totals, right_before = count(np.full(len(found.now), True)), count(found.had)
    broken, fixed = count(found.had & ~found.kept), count(found.kept & ~found.had)
    taken, was_right, lost = count(found.was & found.taken), count(found.was), broken - fixed
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
    swallowed = [
        f"{names[kind]} {taken[kind]} of {totals[kind]}"
        for kind in np.argsort(-taken, kind="stable")
        if taken[kind] >= GONE_PICTURES and 2 * taken[kind] > was_right[kind]
    ]
    sentences = [f"More than chance explains: {_listed(failed)}."] if failed else []
    sentences += [f"Taken for kinds that are new: {_listed(swallowed)}."] if swallowed else []
    if sentences:
        return Check("kinds", False, " ".join(sentences))
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


def check_forgetting(found: Compared, seed: int) -> Check:
    old, remarks = found.old, on_known(found)
    if not old.any():
        return Check("forgetting", True, remarks or "It knew no kinds before.")
    change, kinds = found.kept[old].astype(float) - found.had[old], found.class_index[old]
    difference = macro_interval(change, kinds, seed, CHANGE)
    balance = macro_interval(found.change, found.class_index, seed, CHANGE)
    among = f"the kinds it knew, each counting the same: {in_points(difference)}"
    together = f"all kinds, each counting the same: {in_points(balance)}"
    if macro_loss(change, kinds, seed) > FORGOTTEN_MARGIN:
        if difference[2] < 0:
            return Check("forgetting", False, f"It has forgotten some ({among}).")
        doubt = f"Forgetting more than {FORGOTTEN_MARGIN:.0%} cannot be excluded ({among})"
        if difference[0] < -FORGOTTEN_MARGIN or balance[1] <= 0:
            return Check("forgetting", False, f"{doubt}. {remarks}".rstrip(), open=True)
        sentence = f"{doubt}, but none was found, and more is won ({together})."
    elif found.taken.any() and macro_loss(found.change, found.class_index, seed) > FORGOTTEN_MARGIN:
        costs = f"New kinds may cost the known ones more than they bring ({together})."
        return Check("forgetting", False, costs, open=balance[2] >= 0)
    else:
        sentence = f"{among[0].upper()}{among[1:]}."
    return Check("forgetting", True, f"{sentence} {remarks}".rstrip())


def on_known(found: Compared) -> str:
    """Sentences on how many pictures of known kinds are taken for new ones, and on known kinds that no gold picture
    shows; mostly empty."""
    known, taken, sentences = len(found.known), int(found.taken.sum()), []
    if taken:
        whose = f"{taken} of the {found.old.sum()} pictures of kinds it knew {'is' if taken == 1 else 'are'}"
        sentences.append(f"{whose} taken for kinds that are new.")
    without = known - len(np.unique(found.class_index[found.old]))
    if without:
        has, them = ("has", "it") if without == 1 else ("have", "them")
        who = f"{without} of the {known} kinds it knew {has} no gold pictures"
        if without == known > 1:
            who = f"None of the {known} kinds it knew has gold pictures"
        sentences.append(f"{who}, so nothing shows whether it still knows {them}.")
    return " ".join(sentences)


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
    found = f"trust of the class maps {before.mean():.2f} → {after.mean():.2f} on {counted(len(before), 'picture')}"
    if change < -MAP_MARGIN and high < 0 and len(before) > 1:  # one picture proves nothing
        return Check("maps", False, f"The maps are less faithful: {found}.")
    return Check("maps", True, f"The maps are as faithful: {found}.")


def _listed(items: Sequence[str], most: int = 3) -> str:
    more = f" and {len(items) - most} more" if len(items) > most else ""
    return ", ".join(items[:most]) + more
