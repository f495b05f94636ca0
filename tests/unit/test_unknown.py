"""The unknown score against direct Mahalanobis distances, real refits, and pictures that are far away."""

from __future__ import annotations

import numpy as np
import pytest

from fgdemo.model.head import RidgeHead
from fgdemo.model.unknown import FALSE_ALARMS, ClassDistances, UnknownScale

CLASSES, DIM = 4, 6


def kinds(per_class: int, seed: int, spread: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(CLASSES, DIM)) * 5
    labels = np.repeat(np.arange(CLASSES), per_class)
    return (centres[labels] + rng.normal(size=(len(labels), DIM)) * spread).astype(np.float32), labels


def shrunk_inverse(covariance: np.ndarray) -> np.ndarray:
    return np.linalg.inv(covariance + (0.01 * np.trace(covariance) / DIM + 1e-9) * np.eye(DIM))


def test_distances_are_relative_mahalanobis_distances_of_the_raw_pictures() -> None:
    embeddings, labels = kinds(12, 0)
    fresh, _ = kinds(3, 1)
    head = RidgeHead.fit(embeddings, labels, CLASSES)
    x, new = (embeddings - head.mean) / head.scale, (fresh - head.mean) / head.scale
    means = np.stack([x[labels == c].mean(0) for c in range(CLASSES)])
    residuals = x - means[labels]
    within = shrunk_inverse(residuals.T @ residuals / (len(x) - CLASSES))
    overall = shrunk_inverse(x.T @ x / len(x))
    offsets = new[:, None] - means
    wanted = np.einsum("ncd,de,nce->nc", offsets, within, offsets).min(1) - np.einsum("nd,de,ne->n", new, overall, new)
    np.testing.assert_allclose(ClassDistances.of(head)(fresh), wanted, rtol=1e-4, atol=1e-4)


def test_leave_one_out_is_as_if_the_picture_had_not_been_there() -> None:
    embeddings, labels = kinds(8, 2)
    head = RidgeHead.fit(embeddings, labels, CLASSES)
    distances = ClassDistances.of(head)
    phi, total = head.features(embeddings), len(labels)
    got = distances.leave_one_out(embeddings, labels)
    plain = distances(embeddings)
    for out in range(0, total, 5):
        kept = np.arange(total) != out
        x, y = phi[kept, :-1], labels[kept]
        means = np.stack([x[y == c].mean(0) for c in range(CLASSES)])
        residuals = x - means[y]
        # Shrinkage and divisors stay as they are: they are constants of the head, not of the picture.
        all_x, all_means = phi[:, :-1], distances.means
        ridge_within = 0.01 * np.trace((all_x - all_means[labels]).T @ (all_x - all_means[labels])) / DIM
        ridge_overall = 0.01 * np.trace(all_x.T @ all_x) / DIM
        within = np.linalg.inv((residuals.T @ residuals + ridge_within * np.eye(DIM)) / (total - CLASSES))
        overall = np.linalg.inv((x.T @ x + ridge_overall * np.eye(DIM)) / total)
        offsets, alone = phi[out, :-1] - means, phi[out, :-1]
        wanted = np.einsum("cd,de,ce->c", offsets, within, offsets).min() - alone @ overall @ alone
        assert got[out] == pytest.approx(wanted, rel=1e-4, abs=1e-4)
        assert got[out] > plain[out]


def test_a_class_of_one_picture_or_none_has_no_mean_to_be_near_to() -> None:
    embeddings, labels = kinds(6, 3)
    lonely = np.concatenate([embeddings, np.full((1, DIM), 40, np.float32)])
    head = RidgeHead.fit(lonely, np.append(labels, CLASSES), CLASSES + 2)
    distances = ClassDistances.of(head)
    own = np.append(labels, CLASSES)
    left_out = distances.leave_one_out(lonely, own)
    assert np.isfinite(left_out).all()
    # Left out, the lonely picture is far from all that remains; kept in, it lies on its own mean.
    assert left_out[-1] > left_out[:-1].max()
    assert distances(lonely)[-1] < left_out[-1]


def scale_of(head: RidgeHead, embeddings: np.ndarray, labels: np.ndarray) -> UnknownScale:
    left_out = head.leave_one_out(embeddings, labels)
    return UnknownScale.fit(left_out.max(1), ClassDistances.of(head).leave_one_out(embeddings, labels))


def scores(head: RidgeHead, scale: UnknownScale, embeddings: np.ndarray) -> np.ndarray:
    weight, bias = head.linear()
    return scale((embeddings @ weight + bias).max(1), ClassDistances.of(head)(embeddings))


def test_known_pictures_score_evenly_and_few_of_them_are_called_unknown() -> None:
    embeddings, labels = kinds(60, 4)
    fresh, _ = kinds(100, 5)
    head = RidgeHead.fit(embeddings, labels, CLASSES)
    scale = scale_of(head, embeddings, labels)
    known = scores(head, scale, fresh)
    assert ((known >= 0) & (known <= 1)).all()
    for quantile in (0.25, 0.5, 0.75):
        assert np.quantile(known, quantile) == pytest.approx(quantile, abs=0.12)
    assert (known > scale.threshold).mean() == pytest.approx(FALSE_ALARMS, abs=0.04)


def test_other_kinds_are_unknown() -> None:
    embeddings, labels = kinds(30, 6)
    head = RidgeHead.fit(embeddings, labels, CLASSES)
    scale = scale_of(head, embeddings, labels)
    between = (embeddings[:30] + embeddings[30:60] + embeddings[60:90] + embeddings[90:]) / 4
    strange = scores(head, scale, between)
    assert (strange > scale.threshold).all()
    assert strange.max() <= 1


def test_beyond_the_strangest_known_picture_the_order_is_kept() -> None:
    rng = np.random.default_rng(1)
    scale = UnknownScale.fit(rng.normal(size=300), rng.normal(size=300))
    beyond = np.array([4.0, 5.0, 8.0, 20.0, 1000.0])
    for scores in (scale(np.full(5, -4.0), beyond), scale(-beyond, np.full(5, 4.0))):
        assert (np.diff(scores) > 0).all()
        assert (scores > scale.threshold).all()
        assert scores[-1] <= 1


def test_the_score_rises_with_distance_and_falls_with_the_logit() -> None:
    rng = np.random.default_rng(0)
    scale = UnknownScale.fit(rng.normal(size=500), rng.normal(size=500))
    steps = np.linspace(-6, 6, 60)
    assert (np.diff(scale(np.zeros(60), steps)) >= 0).all()
    assert (np.diff(scale(steps, np.zeros(60))) <= 0).all()


def test_more_dimensions_than_pictures() -> None:
    rng = np.random.default_rng(7)
    centres = rng.normal(size=(3, 100)) * 2
    labels = np.repeat(np.arange(3), 15)
    embeddings = (centres[labels] + rng.normal(size=(45, 100))).astype(np.float32)
    fresh = (centres[np.repeat(np.arange(3), 60)] + rng.normal(size=(180, 100))).astype(np.float32)
    head = RidgeHead.fit(embeddings, labels, 3)
    scale = scale_of(head, embeddings, labels)
    # A distance that the training pictures themselves made small would call nearly every fresh picture unknown.
    assert (scores(head, scale, fresh) > scale.threshold).mean() < 0.15
