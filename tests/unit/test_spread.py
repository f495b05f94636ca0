"""Evidence on the fine grid: the picture decides where it is drawn, never how much of it there is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fgdemo.values.evidence import FINE, FLOOR, as_drawn, fine_map, pair_spread, spread

GRIDS = st.tuples(st.integers(1, 14), st.integers(1, 14))
EVIDENCE = GRIDS.flatmap(lambda grid: arrays(np.float32, grid, elements=st.floats(-50, 50, width=32)))
WANTED = arrays(np.float64, (FINE, FINE), elements=st.sampled_from([0.0, 0.3, 1.0]))


def near(evidence: np.ndarray) -> float:
    return 1e-4 * max(float(np.abs(evidence).sum()), 1e-9)


@settings(deadline=None, max_examples=40)
@given(EVIDENCE, WANTED)
def test_the_sum_stays_whatever_the_picture_says(evidence: np.ndarray, wanted: np.ndarray) -> None:
    drawn = spread(evidence, wanted)
    assert drawn.shape == (FINE, FINE)
    assert drawn.sum() == pytest.approx(evidence.sum(dtype=np.float64), abs=near(evidence))


@settings(deadline=None, max_examples=40)
@given(EVIDENCE, GRIDS.flatmap(lambda grid: arrays(np.float64, grid, elements=st.floats(-9, 9))))
def test_the_sum_of_a_pair_stays_on_either_side(evidence: np.ndarray, pull: np.ndarray) -> None:
    for sign in (1, -1):
        side = np.maximum(sign * evidence, 0)
        drawn = pair_spread(sign * side, pull, np.eye(FINE))
        assert (sign * drawn >= 0).all()
        assert drawn.sum() == pytest.approx(sign * side.sum(dtype=np.float64), abs=near(evidence))
    assert pair_spread(evidence, pull, np.eye(FINE)).sum() == pytest.approx(
        evidence.sum(dtype=np.float64), abs=near(evidence)
    )


@settings(deadline=None, max_examples=40)
@given(WANTED, st.integers(0, 195))
def test_no_weight_is_negative_and_a_token_stays_near_itself(wanted: np.ndarray, place: int) -> None:
    one = np.zeros(196)
    one[place] = 1.0
    drawn = spread(one.reshape(14, 14), wanted)
    assert (drawn >= 0).all()
    rows, columns = np.mgrid[:FINE, :FINE]
    row, column = divmod(place, 14)
    away = np.hypot((rows + 0.5) / 4 - 0.5 - row, (columns + 0.5) / 4 - 0.5 - column)
    assert drawn[away > 7].sum() < 1e-3 / FLOOR


def test_evidence_goes_to_the_pixels_on_which_the_thing_is() -> None:
    thing = np.zeros((FINE, FINE))
    thing[:, : FINE // 2] = 1
    drawn = spread(np.ones((14, 14)), thing)
    plain = spread(np.ones((14, 14)), np.zeros((FINE, FINE)))
    assert drawn[:, : FINE // 2].sum() > 1.2 * plain[:, : FINE // 2].sum()
    assert drawn[:, FINE // 2 :].min() > 0  # a token beside the thing keeps its evidence where it looked


def test_a_picture_that_tells_nothing_leaves_the_map_as_it_was() -> None:
    evidence = np.zeros((14, 14))
    evidence[4, 9] = 2.0
    for empty in (np.zeros((FINE, FINE)), np.ones((FINE, FINE))):
        drawn = spread(evidence, empty)
        row, column = divmod(int(drawn.argmax()), FINE)
        assert (row // 4, column // 4) == (4, 9)
    np.testing.assert_allclose(
        pair_spread(evidence, np.zeros((7, 7)), np.ones((FINE, FINE))), spread(evidence, np.zeros((FINE, FINE)))
    )


def test_a_pair_is_drawn_where_the_network_is_moved() -> None:
    contrast = np.full((14, 14), 0.1)
    contrast[:, 7:] = -0.1
    pull = np.zeros((14, 14))
    pull[3, 3], pull[10, 10] = 5.0, -2.0
    drawn = pair_spread(contrast, pull, np.ones((FINE, FINE)))
    assert divmod(int(drawn.argmax()), FINE) == pytest.approx((13.5, 13.5), abs=2)
    assert divmod(int(drawn.argmin()), FINE) == pytest.approx((41.5, 41.5), abs=2)
    np.testing.assert_allclose(
        drawn, pair_spread(contrast, 1e-6 * pull, np.ones((FINE, FINE)))
    )  # only the shape of it counts


@settings(deadline=None, max_examples=40)
@given(arrays(np.float64, (FINE, FINE), elements=st.floats(-1e3, 1e3)))
def test_what_rounding_leaves_of_a_place_goes_to_the_next(values: np.ndarray) -> None:
    fine = fine_map(values)
    largest = max(float(np.abs(values).max()), 1e-9)
    assert fine.grid == (FINE, FINE)
    assert sum(fine.values) == pytest.approx(float(values.sum()), abs=1e-3 * largest)
    assert np.abs(np.reshape(fine.values, fine.grid) - values).max() <= 2e-3 * largest


def test_fine_maps_are_drawn_in_log_odds_a_place_of_the_evidence() -> None:
    evidence = np.full((14, 14), 0.5)
    drawn = as_drawn(evidence, fine_map(spread(evidence, np.zeros((FINE, FINE)))))
    assert drawn.mean() == pytest.approx(0.5, rel=1e-3)
    assert as_drawn(evidence, None) is evidence
