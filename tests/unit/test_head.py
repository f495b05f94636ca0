"""The closed-form head against dense textbook solutions and real refits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st

from fgdemo.model.head import PENALTIES, RidgeHead, press


def cloud(seed: int, n: int = 18, dim: int = 5, classes: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Embeddings, labels (each class at least once) and weights."""
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(classes), rng.integers(0, classes, n - classes)])
    embeddings = (rng.normal(size=(n, dim)) * 3 + 7 + np.eye(classes, dim)[labels] * 4).astype(np.float32)
    return embeddings, labels, rng.choice([0.5, 1.0, 3.0], n)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_the_solution_is_weighted_ridge_regression(seed: int) -> None:
    embeddings, labels, weights = cloud(seed)
    head = RidgeHead.fit(embeddings, labels, 3, weights)
    phi = np.hstack([(embeddings.astype(np.float64) - head.mean) / head.scale, np.ones((len(labels), 1))])
    root = np.sqrt(weights)[:, None]
    # Ridge regression as ordinary least squares on rows √ω φ and D + 1 pseudo-rows √λ e_j with target 0.
    rows = np.vstack([phi * root, np.sqrt(head.penalty) * np.eye(phi.shape[1])])
    wanted = np.vstack([np.eye(3)[labels] * root, np.zeros((phi.shape[1], 3))])
    textbook = np.linalg.lstsq(rows, wanted, rcond=None)[0]
    np.testing.assert_allclose(head.solve(), textbook, atol=1e-9)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_leave_one_out_is_really_refitting_without_each_picture(seed: int) -> None:
    embeddings, labels, weights = cloud(seed)
    head = RidgeHead.fit(embeddings, labels, 3, weights)
    phi, targets = head.features(embeddings), np.eye(3)[labels]
    refitted = np.empty((len(labels), 3))
    for out in range(len(labels)):
        kept = np.arange(len(labels)) != out
        gram = (phi[kept] * weights[kept, None]).T @ phi[kept] + head.penalty * np.eye(phi.shape[1])
        moment = (phi[kept] * weights[kept, None]).T @ targets[kept]
        refitted[out] = phi[out] @ np.linalg.solve(gram, moment)
    np.testing.assert_allclose(head.leave_one_out(embeddings, labels, weights), refitted, atol=1e-8)


def test_leave_one_out_without_weights_counts_each_picture_once() -> None:
    embeddings, labels, _ = cloud(1)
    head = RidgeHead.fit(embeddings, labels, 3)
    ones = head.leave_one_out(embeddings, labels, np.ones(len(labels)))
    np.testing.assert_array_equal(head.leave_one_out(embeddings, labels), ones)
    # A picture that is hard to do without is answered differently by the head that never saw it.
    seen = head.features(embeddings) @ head.solve()
    assert np.abs(ones - seen).max() > 0.01


@pytest.mark.parametrize("noise", [0.1, 30.0])
def test_the_penalty_is_the_one_of_least_leave_one_out_error(noise: float) -> None:
    embeddings, labels, weights = cloud(5, n=40)
    embeddings = embeddings + np.random.default_rng(0).normal(size=embeddings.shape).astype(np.float32) * noise
    head = RidgeHead.fit(embeddings, labels, 3, weights)
    unit = np.trace(head.gram) / len(head.gram)
    errors = []
    for step in PENALTIES:
        left_out = replace(head, penalty=unit * step).leave_one_out(embeddings, labels, weights)
        errors.append(float((weights[:, None] * (left_out - np.eye(3)[labels]) ** 2).sum()))
    assert head.penalty == pytest.approx(unit * PENALTIES[int(np.argmin(errors))])
    values, vectors = scipy.linalg.eigh(head.gram)
    features, targets = head.features(embeddings), np.eye(3)[labels]
    shortcut = [
        press(features @ vectors, targets, weights, values, vectors.T @ head.moment, unit * step) for step in PENALTIES
    ]
    np.testing.assert_allclose(shortcut, errors, rtol=1e-8)


def test_noise_asks_for_a_larger_penalty() -> None:
    embeddings, labels, _ = cloud(2, n=60)
    noisy = embeddings + np.random.default_rng(0).normal(size=embeddings.shape).astype(np.float32) * 50

    def relative(head: RidgeHead) -> float:
        return head.penalty / (np.trace(head.gram) / len(head.gram))

    assert relative(RidgeHead.fit(noisy, labels, 3)) > relative(RidgeHead.fit(embeddings, labels, 3))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_the_folded_weights_act_on_raw_embeddings(seed: int) -> None:
    embeddings, labels, weights = cloud(seed)
    head = RidgeHead.fit(embeddings, labels, 3, weights)
    weight, bias = head.linear()
    assert weight.dtype == bias.dtype == np.float32
    np.testing.assert_allclose(embeddings @ weight + bias, head.features(embeddings) @ head.solve(), atol=2e-5)


def test_a_class_without_pictures_is_never_the_answer_and_breaks_nothing() -> None:
    embeddings, labels, _ = cloud(3)
    with_empty = RidgeHead.fit(embeddings, labels, 4)
    without = RidgeHead.fit(embeddings, labels, 3)
    np.testing.assert_array_equal(with_empty.solve()[:, 3], 0)
    np.testing.assert_allclose(with_empty.solve()[:, :3], without.solve())
    assert with_empty.counts.tolist() == [*without.counts.tolist(), 0]


def test_one_picture_of_each_class() -> None:
    embeddings = np.eye(3, 6, dtype=np.float32) * 5
    head = RidgeHead.fit(embeddings, np.arange(3), 3)
    weight, bias = head.linear()
    assert (embeddings @ weight + bias).argmax(1).tolist() == [0, 1, 2]
    left_out = head.leave_one_out(embeddings, np.arange(3))
    assert np.isfinite(left_out).all()
    # What never saw its only picture has no ground to name it.
    assert (left_out.argmax(1) != np.arange(3)).all()


def test_identical_embeddings_give_the_base_rates() -> None:
    head = RidgeHead.fit(np.full((10, 4), 2.5, np.float32), np.array([0] * 7 + [1] * 3), 2)
    weight, bias = head.linear()
    logits = np.full(4, 2.5, np.float32) @ weight + bias
    assert np.isfinite(logits).all()
    assert logits[0] / logits[1] == pytest.approx(7 / 3)


def test_the_path_differs_in_nothing_but_the_penalty() -> None:
    embeddings, labels, _ = cloud(4)
    head = RidgeHead.fit(embeddings, labels, 3)
    path = head.path()
    assert [candidate.penalty for candidate in path] == sorted(candidate.penalty for candidate in path)
    assert head.penalty in [candidate.penalty for candidate in path]
    assert all(candidate.gram is head.gram and candidate.moment is head.moment for candidate in path)


def test_the_discriminant_is_read_off_the_same_sums_and_an_unseen_class_is_never_meant() -> None:
    generator = np.random.default_rng(3)
    labels = np.repeat([0, 1, 3], 12)
    embeddings = (generator.normal(size=(36, 6)) + labels[:, None] * generator.normal(size=6)).astype(np.float32)
    ridge = RidgeHead.fit(embeddings, labels, 4)
    head = replace(ridge, readout="discriminant")
    weight, bias = head.linear()
    logits = embeddings @ weight + bias
    assert set(logits.argmax(1)) == {0, 1, 3}
    phi = ridge.features(embeddings)
    means = np.stack([phi[labels == k].mean(0) for k in (0, 1, 3)])
    scatter = ridge.gram + ridge.penalty * np.eye(7) - means.T @ (12 * means)
    inverse = np.linalg.inv(scatter)
    by_the_book = 36 * (phi @ inverse @ means.T - 0.5 * np.einsum("cd,de,ce->c", means, inverse, means))
    np.testing.assert_allclose(logits[:, [0, 1, 3]], by_the_book, rtol=1e-3, atol=1e-2)
    assert not np.allclose(weight, ridge.linear()[0])
