"""How far annotators agree beyond chance, and how sure a share is. Arrays in, numbers out."""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from fgdemo.statistics.proportions import wilson


@dataclass(frozen=True)
class Share:
    """`right` of `n`, and the 95 % interval of the share."""

    right: int
    n: int
    low: float
    high: float


def share_of(right: int, n: int) -> Share | None:
    """The share with its interval; None where nothing was counted."""
    return Share(right, n, *wilson(right, n)) if n else None


@dataclass(frozen=True)
class Agreement:
    """How far independent opinions about the same pictures agree.

    Attributes:
        n: pictures about which two or more people gave an opinion.
        same: of those, on how many all said the same.
        kappa: Cohen's, of first against second opinions; 1 is perfect, 0 is chance; None where it says nothing.
        alpha: Krippendorff's, of all opinions; read like `kappa`.
    """

    n: int
    same: int
    kappa: float | None
    alpha: float | None


def agreement_of(units: Sequence[Mapping[str, Hashable]]) -> Agreement:
    """Of (annotator → answer) for each picture, the first opinion first. Pictures with one opinion do not count."""
    units = [unit for unit in units if len(unit) > 1]
    pairs = [(answers[0], other) for answers in (list(unit.values()) for unit in units) for other in answers[1:]]
    return Agreement(
        n=len(units),
        same=sum(len(set(unit.values())) == 1 for unit in units),
        kappa=cohen_kappa([first for first, _ in pairs], [second for _, second in pairs]),
        alpha=krippendorff_alpha(units),
    )


def cohen_kappa(first: Sequence[Hashable], second: Sequence[Hashable]) -> float | None:
    """Agreement of two annotators on the same pictures (Cohen 1960): 1 is perfect, 0 is chance.

    None where nothing can be said: no pictures, or both always gave the same single answer.
    """
    n = len(first)
    if n == 0:
        return None
    observed = sum(a == b for a, b in zip(first, second, strict=True)) / n
    left, right = Counter(first), Counter(second)
    expected = sum(left[answer] * right[answer] for answer in left) / n**2
    return None if expected >= 1 else (observed - expected) / (1 - expected)


def krippendorff_alpha(answers: Sequence[Mapping[str, Hashable]]) -> float | None:
    """Agreement of any number of annotators, nominal (Krippendorff 2011): 1 is perfect, 0 is chance.

    Args:
        answers: for each picture, the answer of each annotator who gave one.
    """
    units = [Counter(unit.values()) for unit in answers if len(unit) > 1]
    total: Counter[Hashable] = Counter()
    for unit in units:
        total.update(unit)
    n = sum(total.values())
    if n < 2 or len(total) < 2:
        return None
    disagree = 0.0
    for unit in units:
        size = sum(unit.values())
        disagree += sum(count * (size - count) for count in unit.values()) / (size - 1)
    expected = sum(count * (n - count) for count in total.values()) / (n - 1)
    return 1 - disagree / expected
