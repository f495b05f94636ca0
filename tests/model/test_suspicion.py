"""Which labels are suspected, and in which order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fgdemo.commands.data.suspects import _in_all
from fgdemo.learn.measure.suspects import Suspects, find_suspects
from fgdemo.learn.measure.suspicion import Candidates, doubts
from fgdemo.model.head import RidgeHead
from fgdemo.values.taxonomy import Taxonomy


def judged(probs, given_class, came_as=None, checked=None):
    candidates = Candidates.empty(len(probs), probs.shape[1])
    candidates.take(np.arange(len(probs)), probs, given_class)
    came_as = given_class if came_as is None else came_as
    checked = np.zeros(len(probs), bool) if checked is None else checked
    return candidates, doubts(candidates, came_as, checked, probs.shape[1])


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), classes=st.integers(1, 12))
def test_candidates_are_the_likeliest_and_the_given_class_is_among_them(seed, classes):
    generator = np.random.default_rng(seed)
    probs = generator.dirichlet(np.ones(classes), 7)
    given_class = generator.integers(-1, classes, 7)
    candidates, odds = judged(probs, given_class)
    suggested, prob, rival, rival_prob = candidates.best()
    np.testing.assert_array_equal(suggested, probs.argmax(1))
    np.testing.assert_allclose(prob, probs.max(1), rtol=1e-6)
    if classes > 1:
        np.testing.assert_array_equal(rival, np.argsort(-probs, axis=1)[:, 1])
        np.testing.assert_allclose(rival_prob, np.sort(probs, axis=1)[:, -2], rtol=1e-6)
    np.testing.assert_array_equal(np.isnan(odds), given_class < 0)


def test_a_pair_that_is_often_mixed_up_is_suspected_sooner_and_only_in_its_direction():
    undecided = np.array([[0.55, 0.45, 0.0], [0.0, 0.55, 0.45], [0.45, 0.55, 0.0]])
    clear = np.tile([0.05, 0.95, 0.0], (10, 1))  # given as 0, though 1 is right
    right = np.repeat(np.eye(3), 30, 0)
    probs = np.concatenate([undecided, clear, right])
    given_class = np.concatenate([[0, 1, 1], np.zeros(10, np.int64), np.repeat(np.arange(3), 30)])
    odds = judged(probs, given_class)[1]
    assert odds[0] > odds[1]
    assert odds[0] > odds[2]
    assert (odds[3:13] > 0).all()


def test_what_was_checked_says_what_other_labels_of_its_pair_are_worth():
    undecided = np.tile([0.5, 0.5], (2, 1))
    probs = np.concatenate([undecided, np.repeat([[0.0, 1.0], [1.0, 0.0]], 40, 0)])
    came_as = np.concatenate([[0, 1], np.zeros(40, np.int64), np.zeros(40, np.int64)])
    now = np.concatenate([[0, 1], np.ones(40, np.int64), np.zeros(40, np.int64)])
    odds = judged(probs, now, came_as, np.arange(82) >= 2)[1]
    assert odds[0] > odds[1]


def looks(seed=0, per_class=12, classes=4, dim=8):
    generator = np.random.default_rng(seed)
    centres = 3 * generator.normal(size=(classes, dim))
    truth = np.arange(per_class * classes) % classes
    return (centres[truth] + generator.normal(size=(len(truth), dim))).astype(np.float32), truth


def nothing_known(dim=8, leaves=1):
    return RidgeHead(
        np.zeros(dim, np.float32), 3.0, np.zeros((dim + 1,) * 2), np.zeros((dim + 1, leaves)), np.zeros(leaves), 0.1
    )


NAMES = np.array(["häher", "Кедровка", "鴉", "a crow"])


@pytest.mark.parametrize("knows", [True, False])
def test_planted_errors_come_first_whether_the_checkpoint_knows_the_classes_or_not(knows):
    embeddings, truth = looks()
    given_class = truth.copy()
    given_class[:5] = (truth[:5] + 1) % 4
    taxonomy = Taxonomy.flat(NAMES.tolist() if knows else ["teapot"])
    head = nothing_known()
    if knows:
        others, labels = looks(1)
        centres = np.array([embeddings[truth == c].mean(0) for c in range(4)])
        head = RidgeHead.fit((centres[labels] + others * 0.1).astype(np.float32), labels, 4)
    keys = np.arange(len(truth)).astype(np.uint64)
    found = find_suspects(embeddings, NAMES[given_class].tolist(), keys, head, taxonomy)
    assert set(np.argsort(-found.suspicion)[:5]) == set(range(5))
    assert [found.classes[at] for at in found.suggested[:5]] == NAMES[truth[:5]].tolist()
    assert found.known.all() == knows
    assert ((found.suspicion >= 0) & (found.suspicion <= 1)).all()


def test_copies_count_once_and_the_checkpoints_own_pictures_too():
    embeddings, truth = looks()
    labels = NAMES[truth].tolist()
    keys = np.arange(len(truth)).astype(np.uint64)
    taxonomy = Taxonomy.flat(NAMES.tolist())
    alone = find_suspects(embeddings, labels, keys, nothing_known(leaves=4), taxonomy)
    twice = find_suspects(
        np.concatenate([embeddings, embeddings]), labels * 2, np.tile(keys, 2), nothing_known(leaves=4), taxonomy
    )
    np.testing.assert_allclose(twice.suspicion, np.tile(alone.suspicion, 2), atol=1e-6)
    empty = nothing_known(leaves=4)
    phi = empty.features(embeddings)
    head = RidgeHead(
        empty.mean,
        empty.scale,
        phi.T @ phi,
        phi.T @ np.eye(4)[truth],
        np.bincount(truth) * 1.0,
        0.1,
        keys,
        truth.astype(np.int16),
    )
    share = head.penalty / (np.trace(head.gram) / 9)
    fresh = RidgeHead(
        empty.mean, empty.scale, head.gram * 1e-12, empty.moment, empty.counts, share * 1e-12 * np.trace(head.gram) / 9
    )
    known = find_suspects(embeddings, labels, keys, head, taxonomy)
    anew = find_suspects(embeddings, labels, keys, fresh, taxonomy)
    np.testing.assert_allclose(known.suspicion, anew.suspicion, atol=1e-6)


def test_the_same_picture_in_two_classes_is_suspect_in_the_wrong_one_and_a_class_of_one_is_no_fault():
    embeddings, truth = looks()
    labels = [*NAMES[truth].tolist(), NAMES[(truth[0] + 1) % 4], "only one"]
    stranger = np.full((1, 8), 40.0, np.float32)
    keys = np.append(np.arange(len(truth)), [0, 999]).astype(np.uint64)
    found = find_suspects(
        np.concatenate([embeddings, embeddings[:1], stranger]), labels, keys, nothing_known(), Taxonomy.flat(["teapot"])
    )
    assert found.suspicion[-2] > 0.5 > found.suspicion[0]
    assert found.suspicion[-1] <= 0.5


@pytest.mark.parametrize(("per_kind", "known", "is_told"), [(2, False, False), (3, False, True), (2, True, True)])
def test_of_kinds_with_two_pictures_nobody_says_how_many_labels_are_wrong(per_kind, known, is_told):
    kinds = 300
    given_class = np.repeat(np.arange(kinds), per_kind)
    suspicion = np.full(len(given_class), 0.05)
    names = tuple(f"kind {n}" for n in range(kinds))
    found = Suspects(names, given_class, given_class, suspicion, np.full(kinds, known))
    sentence = _in_all(found, float(suspicion.sum()))
    assert ("to be expected wrong" in sentence) == is_told
    assert ("300 of 300 kinds have 2 pictures or fewer" in sentence) != is_told
