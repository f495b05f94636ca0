"""Probabilities, prediction sets and intervals on synthetic data whose truth is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fgdemo.model.calibration import (
    conformal_prob,
    expected_calibration_error,
    fit_temperature,
    nll,
    prediction_set,
    softmax,
)


def draw(n: int, classes: int = 5, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits, and labels that really are distributed as their softmax says."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n, classes)) * 2
    return logits, (softmax(logits).cumsum(1) > rng.random((n, 1))).argmax(1)


@pytest.mark.parametrize("true_temperature", [0.07, 0.5, 1.0, 4.0, 30.0])
def test_the_temperature_is_found(true_temperature: float) -> None:
    logits, labels = draw(6000)
    assert fit_temperature(logits * true_temperature, labels) == pytest.approx(true_temperature, rel=0.08)


def test_no_other_temperature_does_better() -> None:
    logits, labels = draw(500, seed=3)
    best = fit_temperature(logits * 3, labels)
    least = nll(softmax(logits * 3 / best), labels)
    for other in (best * 0.8, best * 0.95, best * 1.05, best * 1.3):
        assert nll(softmax(logits * 3 / other), labels) > least


def test_few_pictures_without_a_mistake_make_nobody_far_surer_than_was_expected() -> None:
    labels = np.arange(40) % 4
    perfect = np.eye(4)[labels] * 5.0
    assert softmax(perfect / fit_temperature(perfect, labels))[:, 0].max() == pytest.approx(41 / 42)
    assert 0.5 < fit_temperature(perfect, labels, expected=2.0) < 2.0
    logits, drawn = draw(6000)
    assert fit_temperature(logits, drawn, expected=30.0) == pytest.approx(1.0, rel=0.08), "many pictures decide"
    assert fit_temperature(logits[:2], drawn[:2], expected=30.0) > 10, "two do not"


def test_kinds_far_below_all_others_change_nothing() -> None:
    logits, labels = draw(2000)
    unseen = np.full((len(labels), 50), -1e5)
    alone = fit_temperature(logits, labels)
    assert fit_temperature(np.concatenate([logits, unseen], axis=1), labels) == pytest.approx(alone, rel=1e-3)


def test_logits_of_zero_have_a_finite_temperature() -> None:
    assert math.isfinite(fit_temperature(np.zeros((4, 3)), np.array([0, 1, 2, 0])))
    assert math.isfinite(fit_temperature(np.zeros((4, 1)), np.zeros(4, int)))


@given(arrays(np.float64, (3, 4), elements=st.floats(-1e4, 1e4)))
def test_softmax_is_a_distribution_and_keeps_order(logits: np.ndarray) -> None:
    probs = softmax(logits)
    assert np.isfinite(probs).all()
    np.testing.assert_allclose(probs.sum(-1), 1)
    assert (np.take_along_axis(probs, logits.argmax(1)[:, None], 1)[:, 0] == probs.max(1)).all()
    np.testing.assert_allclose(softmax(logits + 17.0), probs, atol=1e-9)


def test_nll_known_answer() -> None:
    probs = np.array([[0.5, 0.5], [0.25, 0.75]])
    assert nll(probs, np.array([0, 0])) == pytest.approx((math.log(2) + math.log(4)) / 2)


def test_calibrated_probabilities_have_hardly_any_calibration_error() -> None:
    logits, labels = draw(20_000, seed=1)
    assert expected_calibration_error(softmax(logits), labels) < 0.015
    assert expected_calibration_error(softmax(logits * 4), labels) > 0.1


def test_the_error_of_overconfidence_known_answer() -> None:
    # Ten pictures said to be certain at 0.9, six right: 0.3 off. Ten at 0.6, six right: 0 off. Half of 0.3 together.
    probs = np.array([[0.9, 0.1]] * 10 + [[0.6, 0.4]] * 10)
    labels = np.array(([0] * 6 + [1] * 4) * 2)
    assert expected_calibration_error(probs, labels) == pytest.approx(0.15)
    assert expected_calibration_error(np.array([[1.0, 0.0]]), np.array([1])) == 1.0


@pytest.mark.parametrize("coverage", [0.8, 0.9, 0.95])
def test_prediction_sets_cover_fresh_pictures(coverage: float) -> None:
    held, sizes = [], []
    for seed in range(60):
        logits, labels = draw(600, seed=500 + seed)
        probs = softmax(logits * 2)  # the guarantee does not rest on calibrated probabilities
        threshold = conformal_prob(probs[:300], labels[:300], coverage)
        sets = [prediction_set(row, threshold) for row in probs[300:]]
        held += [label in members for members, label in zip(sets, labels[300:], strict=True)]
        sizes += [len(members) for members in sets]
    assert np.mean(held) > coverage - 0.02
    assert np.mean(sizes) < 4  # naming all five classes would cover everything and say nothing


def test_the_conformal_threshold_known_answer() -> None:
    given = np.arange(1, 20) / 100  # 19 pictures: at 0.9, (19 + 1) · 0.1 = 2 may lie below: the second lowest
    probs = np.stack([given, 1 - given], 1)
    labels = np.zeros(19, dtype=int)
    assert conformal_prob(probs, labels, 0.9) == pytest.approx(0.02)
    assert conformal_prob(probs[:9], labels[:9], 0.9) == pytest.approx(0.01)
    # Too few pictures to promise anything: then every class belongs to the set.
    assert conformal_prob(probs[:8], labels[:8], 0.9) == 0.0


@settings(deadline=None)
@given(arrays(np.float64, 6, elements=st.floats(-30, 30)), st.floats(0, 1))
def test_a_set_is_never_empty_ordered_and_exactly_the_classes_above(logits: np.ndarray, least: float) -> None:
    probs = softmax(logits)
    members = prediction_set(probs, least)
    assert members[0] == int(probs.argmax())
    assert [probs[i] for i in members] == sorted((probs[i] for i in members), reverse=True)
    if len(members) > 1 or probs.max() >= least:
        assert set(members) == set(np.flatnonzero(probs >= least).tolist())
