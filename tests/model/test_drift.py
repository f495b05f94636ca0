"""Sums carried to features that have moved are those of the pictures themselves, where the drift is linear."""

from __future__ import annotations

import numpy as np

from fgdemo.model.drift import drift, plus, with_columns, without_members
from fgdemo.model.head import RidgeHead

RNG = np.random.default_rng(0)
EMBEDDINGS = RNG.normal(size=(80, 6)).astype(np.float32)
LABELS = np.arange(80) % 4
KEYS = np.arange(1, 81).astype(np.uint64)


def head_of(embeddings: np.ndarray, labels: np.ndarray, keys: np.ndarray) -> RidgeHead:
    head = RidgeHead.fit(embeddings, labels, 4)
    return RidgeHead(**{**vars(head), "members": keys, "member_classes": labels.astype(np.int16)})


def test_a_linear_drift_is_carried_exactly() -> None:
    moved = (EMBEDDINGS @ RNG.normal(size=(6, 6)) + RNG.normal(size=6)).astype(np.float32)
    gone, here = LABELS == 3, LABELS != 3
    old = head_of(EMBEDDINGS[gone], LABELS[gone], KEYS[gone])
    new = head_of(moved[here], LABELS[here], KEYS[here])
    both = plus(new, old, drift(old, EMBEDDINGS[here], new, moved[here]))
    features = new.features(moved)
    np.testing.assert_allclose(both.gram, features.T @ features, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(both.moment, features.T @ np.eye(4)[LABELS], rtol=1e-3, atol=1e-3)
    np.testing.assert_array_equal(both.counts, [20, 20, 20, 20])
    untouched = plus(new, old, np.eye(7))
    assert not np.allclose(untouched.moment, features.T @ np.eye(4)[LABELS], rtol=1e-1, atol=1e-1)


def test_features_that_stayed_stay() -> None:
    old, new = head_of(EMBEDDINGS[:40], LABELS[:40], KEYS[:40]), head_of(EMBEDDINGS[40:43], LABELS[40:43], KEYS[40:43])
    mapping = drift(old, EMBEDDINGS[40:43], new, EMBEDDINGS[40:43])
    np.testing.assert_allclose(old.features(EMBEDDINGS) @ mapping.T, new.features(EMBEDDINGS), atol=1e-5)


def test_members_are_taken_out_once_with_the_class_they_were_counted_as() -> None:
    head = head_of(EMBEDDINGS, LABELS, KEYS)
    some = [3, 3, 10]  # one of them twice, and one that was never counted
    rest = without_members(
        head, np.concatenate([EMBEDDINGS[some], EMBEDDINGS[:1]]), np.array([*KEYS[some], 999], np.uint64)
    )
    stay = np.setdiff1d(np.arange(80), some)
    features = head.features(EMBEDDINGS[stay])
    np.testing.assert_allclose(rest.gram, features.T @ features, atol=1e-9)
    np.testing.assert_allclose(rest.moment, features.T @ np.eye(4)[LABELS[stay]], atol=1e-9)
    np.testing.assert_array_equal(np.sort(rest.members), KEYS[stay])
    np.testing.assert_array_equal(rest.counts, np.bincount(LABELS[stay]))


def test_columns_move_with_their_members() -> None:
    head = head_of(EMBEDDINGS, LABELS, KEYS)
    wide = with_columns(head, np.array([2, 0, 5, 1]), 6)
    np.testing.assert_array_equal(wide.moment[:, 5], head.moment[:, 2])
    np.testing.assert_array_equal(wide.counts, [20, 20, 20, 0, 0, 20])
    assert wide.member_columns()[1] == 2
