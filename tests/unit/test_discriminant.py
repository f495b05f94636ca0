"""Fisher's discriminant read off the ridge sums is the one of the textbook, and leaves one out exactly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fgdemo.model.discriminant import Discriminant

DIM, CLASSES, PENALTY = 6, 4, 0.5


def by_the_book(phi, labels, weights, classes=CLASSES):
    """−½ n (φ − μ)'(scatter within + λI)⁻¹(φ − μ), up to a constant a picture, for any φ."""
    means = np.stack([np.average(phi[labels == c], axis=0, weights=weights[labels == c]) for c in range(classes)])
    residuals = phi - means[labels]
    scatter = residuals.T @ (residuals * weights[:, None]) + PENALTY * np.eye(phi.shape[1])

    def logits(points):
        away = points[:, None] - means
        return -0.5 * weights.sum() * np.einsum("ncd,de,nce->nc", away, np.linalg.inv(scatter), away)

    return logits


def sums(phi, labels, weights, classes=CLASSES):
    targets = np.eye(classes)[labels] * weights[:, None]
    inverse = np.linalg.inv(phi.T @ (phi * weights[:, None]) + PENALTY * np.eye(phi.shape[1]))
    moment = phi.T @ targets
    return inverse, inverse @ moment, moment, targets.sum(0)


def drawn(seed, per_class=5):
    generator = np.random.default_rng(seed)
    labels = np.arange(CLASSES * per_class) % CLASSES
    phi = generator.normal(size=(len(labels), DIM)) + labels[:, None] * 0.7
    return np.concatenate([phi, np.ones((len(phi), 1))], 1), labels, generator.choice([0.5, 1.0, 3.0], len(labels))


def centred(logits):
    return logits - logits.max(1, keepdims=True)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_it_is_the_discriminant_of_the_textbook(seed):
    phi, labels, weights = drawn(seed)
    _, solution, moment, counts = sums(phi, labels, weights)
    weight, bias = Discriminant.of(solution, moment, counts).linear(solution)
    points = np.concatenate([np.random.default_rng(seed + 1).normal(size=(9, DIM)), np.ones((9, 1))], 1)
    ours, theirs = points @ weight + bias, by_the_book(phi, labels, weights)(points)
    np.testing.assert_allclose(ours - ours[:, :1], theirs - theirs[:, :1], rtol=1e-6, atol=1e-6)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), per_class=st.integers(2, 5))
def test_leave_one_out_is_a_fit_without_the_picture(seed, per_class):
    phi, labels, weights = drawn(seed, per_class)
    inverse, solution, moment, counts = sums(phi, labels, weights)
    spread = np.einsum("nd,de,ne->n", phi, inverse, phi)
    readout = Discriminant.of(solution, moment, counts)
    ours = readout.leave_one_out(phi @ solution, spread, weights, labels)
    total = weights.sum()
    for row in range(len(phi)):
        rest = np.arange(len(phi)) != row
        theirs = by_the_book(phi[rest], labels[rest], weights[rest])(phi[row : row + 1])
        theirs *= total / weights[rest].sum()  # the temperature is that of all pictures
        np.testing.assert_allclose(ours[row], centred(theirs)[0], rtol=1e-5, atol=1e-5)
    untrained = readout.leave_one_out(phi @ solution, spread, np.zeros(len(phi)), np.full(len(phi), -1))
    np.testing.assert_allclose(untrained, centred(by_the_book(phi, labels, weights)(phi)), rtol=1e-5, atol=1e-5)


def test_nothing_is_known_of_a_picture_that_is_alone_in_its_class_and_unseen_classes_are_never_meant():
    phi, labels, weights = drawn(0)
    labels = np.where(np.arange(len(labels)) == 0, CLASSES, labels)  # one picture of a fifth class, none of a sixth
    inverse, solution, moment, counts = sums(phi, labels, weights, CLASSES + 2)
    spread = np.einsum("nd,de,ne->n", phi, inverse, phi)
    readout = Discriminant.of(solution, moment, counts)
    logits = readout.leave_one_out(phi @ solution, spread, weights, labels)
    assert logits[0, CLASSES] == pytest.approx(0)
    assert logits[0, :CLASSES].max() == pytest.approx(0)
    assert np.isneginf(logits[:, -1]).all()
    assert np.isfinite(logits[:, :-1]).all()
    nothing = Discriminant.of(np.zeros((3, 2)), np.zeros((3, 2)), np.zeros(2))
    assert not nothing.leave_one_out(np.zeros((2, 2)), np.zeros(2), np.zeros(2), np.array([-1, -1])).any()
