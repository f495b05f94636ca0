"""Evidence is arithmetic: it sums to the logits over places, parts and both, here as in the browser."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fgdemo.explain.overlay import opacity
from fgdemo.services.classify.views import part_views
from fgdemo.values.evidence import (
    both_sides,
    completeness_error,
    contrast_map,
    part_sums,
    rounded,
    shares_of,
    split,
    strongest,
)
from fgdemo.values.types import Reading
from tests.support.readings import reading_of

TESTS = Path(__file__).resolve().parents[1]
GOLDEN: dict[str, Any] = json.loads((TESTS / "support/golden/evidence.json").read_text())


@st.composite
def readings(draw: st.DrawFn) -> Reading:
    rows, columns, parts, classes = (draw(st.integers(low, 6)) for low in (1, 1, 0, 2))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    scores = rng.normal(0, 3, (rows, columns, parts + 1))
    shares = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
    evidence = rng.normal(0, draw(st.sampled_from([1e-3, 1.0, 100.0])), (rows, columns, classes))
    return reading_of(evidence.astype(np.float32), shares.astype(np.float32), rng.normal(0, 1, classes))


@given(readings())
def test_everything_sums_to_the_logits(reading: Reading) -> None:
    near = 1e-5 * (1 + float(np.abs(reading.evidence).sum()))
    maps = np.moveaxis(reading.evidence.astype(np.float64), -1, 0)
    for class_map, bias, logit in zip(maps, reading.bias, reading.logits, strict=True):
        assert part_sums(class_map, reading.assignment).sum() + bias == pytest.approx(logit, abs=near)
        assert sum(both_sides(class_map)) == pytest.approx(class_map.sum(), abs=near)
    why, back = (
        split(contrast_map(maps[a], maps[b]), reading.bias[a] - reading.bias[b], reading.assignment[..., :-1])
        for a, b in ((0, 1), (1, 0))
    )
    assert why.total == pytest.approx(reading.logits[0] - reading.logits[1], abs=near)
    assert [-one for one in back.parts] == pytest.approx(why.parts)
    assert -back.background == pytest.approx(why.background, abs=near)


@given(readings())
def test_what_rounding_leaves_goes_into_the_bias(reading: Reading) -> None:
    maps, biases = rounded(reading.evidence, reading.logits)
    np.testing.assert_allclose(maps.sum(0) + biases, reading.logits, rtol=1e-12, atol=1e-9)
    largest = float(np.abs(reading.evidence).max())
    assert np.abs(maps - reading.evidence.reshape(maps.shape)).max() <= 1e-3 * largest


def test_known_answer_two_places_two_parts() -> None:
    # The left place is all wing, the right one half wing, half background.
    assignment = np.array([[[1.0, 0.0, 0.0], [0.5, 0.0, 0.5]]])
    evidence = np.array([[[2.0, 1.0], [-4.0, 6.0]]])
    reading = reading_of(evidence, assignment, np.array([0.25, 0.5]))
    assert [part_sums(evidence[..., place], assignment).tolist() for place in (0, 1)] == [[0, 0, -2], [4, 0, 3]]
    contrast = contrast_map(evidence[..., 0], evidence[..., 1])
    np.testing.assert_allclose(contrast, [[1.0, -10.0]])
    why = split(contrast, -0.25, assignment[..., :-1])
    assert (why.parts, why.background, why.base, why.total) == ((-4, 0), -5, -0.25, -9.25)
    top = strongest(contrast)
    assert (top.row, top.column, top.value, top.peak) == (0, 0, 1, 10)
    assert both_sides(contrast) == (1, -10)
    np.testing.assert_allclose(shares_of(part_views(reading), (1, 2)), assignment[..., :-1])


def test_evidence_that_does_not_sum_is_noticed() -> None:
    reading = reading_of(np.ones((2, 2, 3)), np.ones((2, 2, 1)), np.zeros(3))
    assert completeness_error(reading) == 0.0
    reading.evidence[0, 0, 1] += 0.01
    assert completeness_error(reading) > 1e-3


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: case["name"])
def test_the_golden_numbers_are_found_here(case: dict[str, Any]) -> None:
    grid, parts = tuple(case["grid"]), case["parts"]
    a, b = (np.reshape(case[side]["evidence"], grid) for side in ("a", "b"))
    contrast = contrast_map(a, b)
    shares = np.moveaxis(np.reshape(parts, (len(parts), *grid)), 0, -1)
    why = split(contrast, case["a"]["bias"] - case["b"]["bias"], shares)
    top = strongest(contrast)
    told = case["told"]
    assert contrast.ravel().tolist() == pytest.approx(told["difference"], abs=1e-12)
    assert why.parts == pytest.approx(told["parts"], abs=1e-12)
    assert [why.background, why.base, why.total] == pytest.approx(
        [told["background"], told["base"], told["total"]], abs=1e-12
    )
    assert [top.row * grid[1] + top.column, top.value, top.peak] == pytest.approx(
        [told["place"], told["value"], told["peak"]], abs=1e-12
    )


def test_the_golden_opacities_are_found_here() -> None:
    strengths, alphas = zip(*GOLDEN["opacity"], strict=True)
    assert opacity(np.array(strengths)).tolist() == pytest.approx(alphas, abs=1e-12)


def test_the_browser_finds_the_golden_numbers() -> None:
    run = subprocess.run(
        ["node", "--test", "tests/web/js/evidence.test.js"],
        cwd=TESTS.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
