"""Limits by hand, and that they hold as often as they say."""

from __future__ import annotations

import numpy as np
import pytest

from fgdemo.statistics.bootstrap import CHANGE, SHARE, macro_interval, macro_loss, mean_interval
from fgdemo.statistics.proportions import (
    change_interval,
    change_limits,
    clopper_pearson,
    loss_limit,
    share_interval,
    unseen_share,
    wilson,
)


@pytest.mark.parametrize(
    ("count", "n", "low", "high"),
    [
        (0, 10, 0, 1 - 0.025 ** (1 / 10)),
        (10, 10, 0.025 ** (1 / 10), 1),
        (1, 1, 0.025, 1),
        (0, 0, 0, 1),
        (9, 10, 0.5550, 0.9975),  # of the tables of Clopper & Pearson
        (5, 10, 0.1871, 0.8129),
    ],
)
def test_limits_of_a_share(count: int, n: int, low: float, high: float) -> None:
    assert clopper_pearson(count, n) == pytest.approx((low, high), abs=5e-5)
    if n:
        assert share_interval(np.arange(n) < count) == pytest.approx((count / n, low, high), abs=5e-5)
    if count in (0, n):
        assert wilson(count, n)[0] <= low + 1e-9
        assert wilson(count, n)[1] >= high - 1e-9


@pytest.mark.parametrize(
    ("broken", "fixed", "n", "loss"),
    [
        (0, 0, 82, 1 - 0.05 ** (1 / 82)),  # 3.6 points
        (0, 0, 300, 1 - 0.05 ** (1 / 300)),  # 1.0
        (0, 0, 1, 0.95),
        (0, 0, 0, 1),
        (1, 0, 100, 0.04656),  # the exact upper limit of 1 in 100
        (3, 3, 1000, np.hypot(0.0077368 - 0.003, 0.003 - 0.0008179)),  # both exact limits, squared and added
    ],
)
def test_the_loss_that_is_not_excluded(broken: int, fixed: int, n: int, loss: float) -> None:
    assert loss_limit(broken, fixed, n) == pytest.approx(loss, rel=2e-3)


def test_both_sides_of_a_paired_change_are_alike() -> None:
    low, high = change_limits(4, 9, 120)
    assert change_limits(9, 4, 120) == pytest.approx((-high, -low))
    assert low < 5 / 120 < high
    was, now = np.arange(120) % 30 > 0, np.arange(120) % 7 > 0
    mean, low, high = change_interval(was, now)
    assert mean == pytest.approx(now.mean() - was.mean())
    assert low < mean < high


@pytest.mark.parametrize(("broken", "fixed"), [(0.0, 0.0), (0.01, 0.0), (0.03, 0.03), (0.1, 0.01)])
@pytest.mark.parametrize("n", [40, 300])
def test_a_loss_is_covered_as_often_as_it_says(broken: float, fixed: float, n: int) -> None:
    drawn = np.random.default_rng(0).multinomial(n, [broken, fixed, 1 - broken - fixed], 3000)[:, :2]
    kinds, counts = np.unique(drawn, axis=0, return_counts=True)
    covered = [loss_limit(b, f, n) >= broken - fixed for b, f in kinds.tolist()]
    assert (counts * covered).sum() / counts.sum() >= 0.94  # 0.95, less the noise of 3,000 draws


@pytest.mark.parametrize(
    ("sizes", "share"),
    [([82], 1 - 0.05 ** (1 / 82)), ([41, 41], 1 - 0.05 ** (1 / 82)), ([1, 99], 0.475), ([], 1)],
)
def test_what_may_be_otherwise_without_having_been_seen(sizes: list[int], share: float) -> None:
    """Of two groups with one and 99 pictures all may lie in the first, which weighs as much as the other."""
    assert unseen_share(sizes, 0.05) == pytest.approx(share, rel=1e-6)


@pytest.mark.parametrize("n", [1, 3, 40])
def test_no_interval_is_without_width_where_all_values_are_equal(n: int) -> None:
    left = 1 - 0.025 ** (1 / n)
    same, kinds = np.ones(n), np.arange(n) % 2
    assert mean_interval(same, span=SHARE) == pytest.approx((1, 1 - left, 1))
    assert mean_interval(0 * same, span=CHANGE) == pytest.approx((0, -left, left))
    assert macro_interval(0 * same, kinds, span=CHANGE)[1] <= -left + 1e-9
    assert macro_loss(0 * same, kinds) >= 1 - 0.05 ** (1 / n) - 1e-9


def test_a_few_other_values_have_no_narrower_interval_than_students() -> None:
    mean, low, high = mean_interval(np.array([1.0, 3.0]))
    assert (mean, low, high) == pytest.approx((2, 2 - 12.706, 2 + 12.706), abs=1e-3)  # t of one degree of freedom
    assert all(np.isnan(mean_interval(np.zeros(0))))
    assert all(np.isnan(share_interval(np.zeros(0, bool))))
