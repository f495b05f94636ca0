"""Limits of shares and of paired changes that hold for any number of pictures, also where nothing was seen to change.

A bootstrap only draws what was seen. Where all pictures were right, or none changed, it gives an interval without
width, as if n pictures could exclude everything. These limits are made of exact ones instead.

- A share: Clopper & Pearson (1934, Biometrika 26:404). All right of n leaves up to 1 − α^(1/n) wrong, which is about
  3 / n for α = 5 % (the rule of three: Hanley & Lippman-Hand 1983, JAMA 249:1743).
- A paired change, fixed less broken: MOVER (Zou & Donner 2008, Stat Med 27:1693; the square-and-add of Newcombe 1998,
  Stat Med 17:2635) puts the exact limits of the two shares together. Nothing fixed and b broken has the exact limit
  of b broken; nothing changed has 1 − α^(1/n).
"""

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import betaincinv

from fgdemo.values.training import Interval

LEVEL = 0.95


def clopper_pearson(count: float, n: float, tail: float = (1 - LEVEL) / 2) -> tuple[float, float]:
    """Exact limits of a share of which `count` of `n` were seen; (0, 1) where nothing was counted.

    Args:
        tail: the chance, at most, that the truth lies below the lower limit; and as much above the upper one.
    """
    if n <= 0:
        return 0.0, 1.0
    low = float(betaincinv(count, n - count + 1, tail)) if count > 0 else 0.0
    high = float(betaincinv(count + 1, n - count, 1 - tail)) if count < n else 1.0
    return low, high


def share_interval(right: np.ndarray) -> Interval:
    """(share, low, high) of (N,) bool, exact 95 % limits; three nan for no pictures."""
    n = len(right)
    if n == 0:
        return math.nan, math.nan, math.nan
    count = int(np.count_nonzero(right))
    return count / n, *clopper_pearson(count, n)


def change_interval(was: np.ndarray, now: np.ndarray) -> Interval:
    """(difference, low, high) of the share right, `now` less `was`, each (N,) bool of the same pictures."""
    n = len(was)
    if n == 0:
        return math.nan, math.nan, math.nan
    broken, fixed = int((was & ~now).sum()), int((now & ~was).sum())
    return (fixed - broken) / n, *change_limits(broken, fixed, n)


def change_limits(broken: float, fixed: float, n: float, tail: float = (1 - LEVEL) / 2) -> tuple[float, float]:
    """Limits of the difference (fixed − broken) / n of n pictures; (−1, 1) for none."""
    if n <= 0:
        return -1.0, 1.0
    return -_largest_fall(broken, fixed, n, tail), _largest_fall(fixed, broken, n, tail)


def loss_limit(broken: float, fixed: float, n: float, tail: float = 1 - LEVEL) -> float:
    """The largest loss, as a share in [0, 1], that n gold pictures do not exclude, by a one-sided 95 % limit.

    82 pictures without a change leave 0.036, 300 leave 0.010.
    """
    return max(0.0, _largest_fall(broken, fixed, n, tail)) if n > 0 else 1.0


def _largest_fall(down: float, up: float, n: float, tail: float) -> float:
    most, least = clopper_pearson(down, n, tail)[1], clopper_pearson(up, n, tail)[0]
    down_share, up_share = down / n, up / n
    below, above = up_share - least, most - down_share
    # What goes up cannot go down, so the two shares of one sample are correlated; they add up to at most all of it.
    spread = (1 - down_share) * (1 - up_share)
    together = math.sqrt(down_share * up_share / spread) if spread > 0 else 1.0
    fall = down_share - up_share + math.sqrt(below**2 + above**2 + 2 * together * below * above)
    return min(fall, 1.0)


def unseen_share(sizes: Sequence[int] | np.ndarray, tail: float = (1 - LEVEL) / 2) -> float:
    """What share, each group counting the same, may be otherwise although nothing of it was seen in these groups.

    The largest mean of p_g for which Π (1 − p_g)^n_g ≥ α. By Lagrange 1 − p_g = min(1, c n_g), so what is left open
    lies in the groups with few pictures; for one group it is 1 − α^(1/n).

    Args:
        sizes: pictures in each group, none of them empty.
    """
    counts = np.asarray(sizes, np.float64)
    if not len(counts):
        return 1.0
    low, high = -750.0, 0.0  # log c
    for _ in range(200):
        middle = (low + high) / 2
        chance = float((counts * np.minimum(0.0, middle + np.log(counts))).sum())
        low, high = (middle, high) if chance < math.log(tail) else (low, middle)
    return float((1 - np.minimum(1.0, math.exp(high) * counts)).mean())


def wilson(right: int, n: int, z: float = 1.959964) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927), never narrower than what all or none right leaves open (exact);
    (0, 1) where nothing was counted."""
    if n == 0:
        return 0.0, 1.0
    share = right / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low, high = max(0.0, middle - half), min(1.0, middle + half)
    if 0 < right < n:
        return low, high
    exact = clopper_pearson(right, n)
    return min(low, exact[0]), max(high, exact[1])
