"""The same place of two pictures: known answers by arithmetic alone."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from fgdemo.values.classification.same_place import LEAST_SURENESS, at, has_mid, inside, likeness, matches
from fgdemo.values.types import Reading

GRID = (9, 12)
GOLDEN = Path(__file__).parents[1] / "support" / "golden" / "same_place.json"


def reading(tokens: np.ndarray, mid: np.ndarray | None = None) -> Reading:
    rows, columns = tokens.shape[:2]
    flat = np.zeros((rows, columns, 2))
    return Reading(
        logits=np.zeros(2),
        probs=np.full(2, 0.5),
        evidence=flat,
        bias=np.zeros(2),
        assignment=np.ones((rows, columns, 1)),
        parts=(),
        embedding=np.array([1.0]),
        unknown_score=None,
        unknown_threshold=1.0,
        tokens=tokens,
        mid=mid,
    )


def textured(seed: int = 0, grid: tuple[int, int] = GRID, dim: int = 24) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(*grid, dim))


def middle(row: int, column: int, grid: tuple[int, int] = GRID) -> tuple[float, float]:
    return (column + 0.5) / grid[1], (row + 0.5) / grid[0]


def test_each_place_of_a_picture_is_itself():
    same = reading(textured(), textured(1))
    found = matches(same, same)
    assert found is not None
    for side in found:
        for row, column in ((0, 0), (4, 7), (8, 11)):
            place = at(side, *middle(row, column))
            assert (place.x, place.y) == pytest.approx(middle(row, column), abs=0.02)
            assert place.sureness > 0.95


def test_a_thing_that_moved_is_found_where_it_went_and_back():
    before = textured()
    after = np.roll(before, (2, 3), (0, 1))
    found = matches(reading(before, before), reading(after, after))
    assert found is not None
    there, back = found
    assert (at(there, *middle(3, 4)).x, at(there, *middle(3, 4)).y) == pytest.approx(middle(5, 7), abs=0.02)
    assert (at(back, *middle(5, 7)).x, at(back, *middle(5, 7)).y) == pytest.approx(middle(3, 4), abs=0.02)


def test_what_is_not_there_is_less_sure_than_what_is():
    before, after = textured(), textured()
    after[:, 6:] = textured(5)[:, 6:]
    there = matches(reading(before, before), reading(after, after))
    assert there is not None
    assert at(there[0], *middle(4, 2)).sureness > 0.9
    assert at(there[0], *middle(4, 9)).sureness < LEAST_SURENESS + 0.5


def test_between_the_tokens_a_match_moves_with_the_place():
    """A smooth picture, shifted by half a token."""
    rows, columns = np.mgrid[0 : GRID[0], 0 : GRID[1]].astype(float)

    def smooth(shift: float) -> np.ndarray:
        waves = [np.cos(k * (columns + shift) / 3 + p) for k in (1, 2) for p in (0, 1.5)]
        waves += [np.cos(k * rows / 3 + p) for k in (1, 2) for p in (0, 1.5)]
        return np.stack(waves, -1)

    before, after = smooth(0.0), smooth(0.5)
    found = matches(reading(before, before), reading(after, after))
    assert found is not None
    place = at(found[0], *middle(4, 6))
    assert place.x * GRID[1] == pytest.approx(6.0, abs=0.25)


def test_pictures_may_have_grids_of_their_own():
    small = textured(grid=(3, 4))
    large = np.repeat(np.repeat(small, 2, 0), 3, 1)
    found = matches(reading(small), reading(large))
    assert found is not None
    assert (found[0].shape, found[1].shape) == ((3, 4, 3), (6, 12, 3))
    x, y = middle(2, 3, (3, 4))
    place = at(found[0], x, y)
    assert abs(place.x - x) < 1 / 8
    assert abs(place.y - y) < 1 / 6


@pytest.mark.parametrize("grid", [(1, 1), (1, 5), (5, 1)])
def test_the_smallest_grids_have_places_too(grid):
    one = reading(textured(grid=grid), textured(1, grid))
    found = matches(one, one)
    assert found is not None
    place = at(found[0], 1.0, 0.0)
    assert 0 <= place.x <= 1
    assert 0 <= place.y <= 1
    assert np.isfinite(found[0]).all()


def test_flat_pictures_give_places_and_no_numbers_that_are_none():
    flat = reading(np.zeros((*GRID, 4)), np.zeros((*GRID, 4)))
    found = matches(flat, flat)
    assert found is not None
    assert np.isfinite(found[0]).all()


def test_without_tokens_nothing_is_found_and_without_mid_tokens_the_last_ones_answer():
    tokens = textured()
    known = reading(tokens, tokens)
    none = Reading(**{**vars(known), "tokens": None})
    assert matches(known, none) is None
    assert not has_mid(reading(tokens))
    last = likeness(reading(tokens), known)
    assert last is not None
    assert np.diag(last) == pytest.approx(np.ones(GRID[0] * GRID[1]), abs=1e-5)


def test_a_ring_holds_a_part_of_the_sum():
    values = np.arange(108.0).reshape(GRID)
    assert inside(values, *middle(4, 6)) == pytest.approx(9 * values[4, 6])
    assert inside(values, 1 / GRID[1], 0.0) == pytest.approx(values[0, 0] + values[0, 1])


@pytest.mark.parametrize("case", json.loads(GOLDEN.read_text(encoding="utf-8")), ids=lambda case: str(case["grid"]))
def test_the_golden_numbers_that_the_browser_is_held_to(case):
    grid = tuple(case["grid"])
    found, values = np.reshape(case["matches"], (*grid, 3)), np.reshape(case["values"], grid)
    for spot in case["spots"]:
        place = at(found, spot["x"], spot["y"])
        assert (place.x, place.y, place.sureness) == pytest.approx(spot["match"], abs=1e-9)
        assert inside(values, spot["x"], spot["y"]) == pytest.approx(spot["inside"], abs=1e-9)
