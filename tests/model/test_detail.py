"""Figures with intervals: known answers by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fgdemo.learn.measure.detail import (
    detail,
    ece_interval,
    kind_scores,
    reliability,
    risk_curve,
    selective,
    tree_distance,
    unknown_figures,
)
from fgdemo.model.calibration import expected_calibration_error
from fgdemo.specimens import taxonomy as specimen_taxonomy
from fgdemo.statistics.bootstrap import CHUNK_NUMBERS, crossed_interval, draws_of, macro_interval, mean_interval
from fgdemo.values.taxonomy import Taxon, Taxonomy

TREE = Taxonomy(
    (
        Taxon("bird", "bird"),
        Taxon("wren", "wren", "bird"),
        Taxon("house", "House Wren", "wren"),
        Taxon("marsh", "Marsh Wren", "wren"),
        Taxon("raven", "Raven", "bird"),
        Taxon("pug", "Pug"),
    )
)


def test_every_draw_weighs_as_many_pictures_and_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = np.concatenate(list(draws_of(50, draws=20)))
    assert whole.shape == (20, 50)
    assert (whole.sum(1) == 50).all()
    monkeypatch.setattr("fgdemo.statistics.bootstrap.CHUNK_NUMBERS", 150)
    np.testing.assert_array_equal(np.concatenate(list(draws_of(50, draws=20))), whole)
    assert CHUNK_NUMBERS > 150


def test_the_bootstrap_of_many_right_answers_is_that_of_the_normal_distribution() -> None:
    right = np.arange(300) % 10 > 0
    half = 1.96 * np.sqrt(0.9 * 0.1 / 300)
    assert mean_interval(right) == pytest.approx((0.9, 0.9 - half, 0.9 + half), abs=0.005)


def test_macro_gives_a_rare_kind_the_same_voice() -> None:
    right = np.r_[np.ones(90), np.zeros(10)]
    mean, low, high = macro_interval(right, np.r_[np.zeros(90, int), np.ones(10, int)])
    # Π (1 − p)^n ≥ 2.5 %: all of it may lie in the rare kind, of which 1 − 0.025^(1/10) may be otherwise.
    assert (mean, low, high) == pytest.approx((0.5, 0.5 - 0.5 * 0.1542, 0.5 + 0.5 * 0.1542), abs=1e-3)


def test_repetitions_are_resampled_too() -> None:
    values = np.r_[np.ones((1, 40)), np.zeros((1, 40))]  # nothing but the seed decides
    assert crossed_interval(values) == (0.5, 0, 1)


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_calibration_error_is_the_one_of_the_product(seed: int) -> None:
    generator = np.random.default_rng(seed)
    probs = generator.dirichlet(np.ones(4), 60)
    labels = generator.integers(0, 4, 60)
    value, low, high = ece_interval(probs, labels)
    assert value == pytest.approx(expected_calibration_error(probs, labels), abs=1e-6)
    assert low <= high
    bins = reliability(probs, labels)
    gaps = sum(one.n * abs(one.confidence - one.right) for one in bins) / 60
    assert gaps == pytest.approx(value, abs=1e-6)


def test_the_surest_are_answered_first() -> None:
    confidence, right = np.array([0.9, 0.6, 0.8, 0.7]), np.array([True, False, True, False])
    assert risk_curve(confidence, right) == ((0.25, 0), (0.5, 0), (0.75, pytest.approx(1 / 3)), (1, 0.5))
    figures = selective(confidence, right)
    assert figures["risk_area"][0] == pytest.approx((0 + 0 + 1 / 3 + 1 / 2) / 4)
    assert figures["selective"][0] == pytest.approx(0.5)  # 80 % of four are four
    five = selective(np.r_[confidence, 0.5], np.r_[right, False])
    assert five["selective"][0] == pytest.approx(0.5)  # four of five


def test_mistakes_are_as_far_apart_as_the_tree_says() -> None:
    house, marsh, raven, pug = (TREE.leaf_index[leaf] for leaf in ("house", "marsh", "raven", "pug"))
    pairs = np.array([(house, house), (house, marsh), (house, raven), (raven, house), (house, pug), (pug, house)])
    assert tree_distance(pairs[:, 0], pairs[:, 1], TREE).tolist() == [0, 1, 2, 1, 3, 1]


def test_kinds_come_worst_first_and_count_what_is_taken_for_them() -> None:
    scores = kind_scores(np.array([0, 1, 1, 1]), np.array([0, 0, 1, 1]), TREE)
    assert [(score.taxon, score.n, score.right[0], score.false) for score in scores] == [
        ("house", 2, 0.5, 0),
        ("marsh", 2, 1.0, 1),
    ]


def test_known_figures_of_four_pictures() -> None:
    probs = np.array([[0.7, 0.3, 0, 0], [0.6, 0.4, 0, 0], [0.1, 0.9, 0, 0], [0.2, 0.3, 0.5, 0]])
    found = detail(probs, np.array([0, 1, 1, 2]), TREE, least_prob=0.35)
    assert found.figures["top1"][0] == 0.75
    assert found.figures["macro"][0] == pytest.approx((1 + 0.5 + 1) / 3)
    assert found.figures["brier"][0] == pytest.approx((0.18 + 0.72 + 0.02 + 0.38) / 4)
    assert found.figures["nll"][0] == pytest.approx(-np.log([0.7, 0.4, 0.9, 0.5]).mean())
    assert found.figures["coverage"][0] == 1
    assert found.figures["set_size"][0] == 1.25
    assert found.figures["mistake_distance"] == (1, 1, 1)
    (pair,) = found.pairs
    assert (pair.a, pair.b, pair.mistaken, pair.of) == ("house", "marsh", 1, 3)
    assert pair.share[0] == pytest.approx(1 / 3)
    assert pair.share[1:] == pytest.approx((0.0084, 0.9057), abs=1e-4)  # one of three: Clopper & Pearson
    assert 0.6 < pair.share[2] <= 1
    assert found.risk[-1] == (1, 0.25)


def test_a_flawless_model_has_no_mistakes_to_measure() -> None:
    taxonomy = specimen_taxonomy()
    count = len(taxonomy.leaves)
    found = detail(np.eye(count), np.arange(count), taxonomy, 0.5)
    assert "mistake_distance" not in found.figures
    left = 1 - 0.025 ** (1 / count)  # so many may be wrong although none was
    assert found.figures["risk_area"] == pytest.approx((0, 0, left))
    assert found.figures["top1"] == pytest.approx((1, 1 - left, 1))
    assert found.pairs == ()


def test_unknown_things_that_all_look_stranger_are_all_found() -> None:
    found = unknown_figures(np.linspace(0, 0.5, 30), np.linspace(0.6, 1, 20))
    left = 1 - 0.025 ** (1 / 20)
    assert found["unknown_auroc"] == pytest.approx((1, 1 - left, 1))
    assert found["unknown_fpr95"] == pytest.approx((0, 0, left))
    chance = unknown_figures(np.arange(100.0), np.arange(100.0))["unknown_auroc"]
    assert chance[0] == 0.5
    assert chance[1] < 0.5 < chance[2]
