"""The roster follows the log to the same as folding each picture's whole history; so does the head."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fgdemo.learn.live.live_learner import LiveLearner
from fgdemo.model.head import RidgeHead
from fgdemo.model.instant import InstantHead, solve
from fgdemo.storage.history.events import LabelEvent, standing_of
from fgdemo.storage.history.roster import Roster
from fgdemo.values.errors import FgdemoError
from tests.support.workspace import ADA, BO, open_fake_workspace, some_pictures

TAXA = ("nashville_warbler", "mourning_warbler", "eskimo_dog", "lowchen", "warbler")
STEPS = st.tuples(
    st.sampled_from(["label", "label", "blind", "undo", "unusable", "none", "skip", "suggestion", "adjudication"]),
    st.integers(0, 6),
    st.sampled_from(TAXA),
    st.sampled_from([ADA, BO]),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, max_size=25))
def test_following_is_folding_and_the_head_is_that_of_a_fresh_learner(tmp_path_factory, new_database, steps):
    url = new_database()
    workspace = open_fake_workspace(tmp_path_factory.mktemp("w"), url)
    workspace.take_in(some_pictures(2, 1))
    workspace.learner.catch_up()
    moments = []
    for kind, number, taxon, person in steps:
        moments.append((workspace.roster.event, [workspace.roster.standing(one) for one in workspace.roster.image_ids]))
        image = workspace.roster.image_ids[number]
        history = workspace.events.history(image)
        standing = standing_of(history, "train")
        assert standing is not None
        version = standing.version
        try:
            if kind == "undo":
                workspace.events.undo([history[-1].id or 0], person)
            else:
                named = kind in ("label", "blind", "suggestion", "adjudication")
                workspace.events.answer(
                    LabelEvent(
                        image,
                        "label" if kind == "blind" else kind,
                        person.name,
                        taxon=taxon if named else None,
                        shown_version=version,
                        blind=kind == "blind",
                    )
                )
        except FgdemoError:
            pass  # refused, so it must not show
        workspace.learner.catch_up()
    fresh = Roster(workspace.engine)
    fresh.follow()
    for image in fresh.image_ids:
        folded = standing_of(workspace.events.history(image), "train")
        assert workspace.roster.standing(image) == folded == fresh.standing(image)
    for event, standings in moments[:: max(1, len(moments) // 3)]:
        then = Roster(workspace.engine, until=event)
        then.follow()
        assert then.event == event
        assert [then.standing(image) for image in then.image_ids] == standings, "as it was, whatever came later"
    again = open_fake_workspace(tmp_path_factory.mktemp("x"), url)
    anew = learner_of(again, workspace.embeddings)
    anew.catch_up()
    ours, theirs = workspace.learner.weights_now(), anew.weights_now()
    assert set(ours[2]) == set(theirs[2])
    order = [theirs[2].index(taxon) for taxon in ours[2]]
    np.testing.assert_allclose(ours[0], theirs[0][:, order], atol=1e-4, rtol=1e-3)
    workspace.engine.dispose()
    again.engine.dispose()


@settings(max_examples=60, deadline=None)
@given(changes=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 4), st.sampled_from([0.0, 1.0, 3.0])), max_size=30))
def test_a_head_solved_elsewhere_has_what_was_learned_meanwhile(changes):
    generator = np.random.default_rng(1)
    prior = RidgeHead.fit(generator.normal(size=(30, 6)).astype(np.float32), np.arange(30) % 4, 4)
    head, phi = InstantHead(prior), generator.normal(size=(10, 7))
    state: dict[int, tuple[int, float]] = dict.fromkeys(range(10), (0, 0.0))
    head.watch()
    sums = head.sums()
    for step, (row, column, weight) in enumerate(changes):
        if step == 3:
            head.add_class()
        new = (min(column, head.classes - 1), weight)
        head.change(phi[row], state[row], new)
        state[row] = new
    assert head.adopt(solve(*sums, 2 * prior.penalty), 2 * prior.penalty)
    adopted = head.solution.copy()
    head.refit()
    np.testing.assert_allclose(adopted, head.solution, atol=1e-8)
    head.watch()
    head.change_many(phi, (np.zeros(10, int), np.zeros(10)), (np.zeros(10, int), np.ones(10)))
    assert not head.adopt(solve(*sums, prior.penalty), prior.penalty)


def learner_of(workspace, embeddings, prior=None):
    leaves = workspace.classifier.taxonomy.leaves
    nothing = RidgeHead(np.zeros(4, np.float32), 1.0, np.zeros((5, 5)), np.zeros((5, len(leaves))), np.zeros(5), 0.01)
    return LiveLearner(prior or nothing, leaves, 0.1, workspace.roster, embeddings, workspace.taxa.load)


def test_a_picture_that_is_not_there_is_one_sentence(tmp_path):
    workspace = open_fake_workspace(tmp_path)
    with pytest.raises(FgdemoError, match="not in the workspace"):
        workspace.roster.standing("0" * 64)


CHANGES = st.lists(
    st.tuples(st.integers(0, 19), st.integers(-1, 4), st.sampled_from([1.0, 3.0, 0.5])), min_size=1, max_size=60
)


@settings(max_examples=60, deadline=None)
@given(changes=CHANGES, grow=st.integers(0, 30))
def test_the_instant_head_equals_a_fresh_fit(changes, grow):
    """Label, re-label, undo (the reverse change), delete, re-weight and new classes, in any order."""
    generator = np.random.default_rng(0)
    embeddings = generator.normal(size=(20, 6)).astype(np.float32)
    prior = RidgeHead.fit(generator.normal(size=(30, 6)).astype(np.float32), np.arange(30) % 4, 4)
    head = InstantHead(prior)
    state = dict.fromkeys(range(20), (0, 0.0))
    phi = head.features(embeddings)
    for step, (row, column, weight) in enumerate(changes):
        if step == grow and head.classes == 4:
            head.add_class()
        new = (0, 0.0) if column < 0 or column >= head.classes else (column, weight)
        head.change(phi[row], state[row], new)
        state[row] = new
    weights = np.array([state[row][1] for row in range(20)])
    targets = np.eye(head.classes)[[state[row][0] for row in range(20)]] * weights[:, None]
    gram = prior.gram + phi.T @ (phi * weights[:, None]) + prior.penalty * np.eye(7)
    moment = np.pad(prior.moment, ((0, 0), (0, head.classes - 4))) + phi.T @ targets
    np.testing.assert_allclose(head.solution, np.linalg.solve(gram, moment), atol=1e-8)
    np.testing.assert_allclose(head.counts[:4], prior.counts + targets.sum(0)[:4], atol=1e-9)
    many = InstantHead(prior)
    many.add_class()
    rows = np.arange(20)
    zero = np.zeros(20, np.int64), np.zeros(20)
    many.change_many(phi[rows], zero, (np.array([state[r][0] for r in range(20)]), weights))
    many.refit()
    np.testing.assert_allclose(many.solution[:, : head.classes], head.solution, atol=1e-8)


def test_a_member_of_the_prior_is_taken_out_before_it_counts_anew(tmp_path):
    """A picture that the checkpoint was fitted to must not count twice once it is in the workspace."""
    workspace = open_fake_workspace(tmp_path)
    workspace.take_in(some_pictures(3, 0))
    workspace.learner.catch_up()
    alone = workspace.learner.weights_now()[0]
    ids = workspace.roster.image_ids
    vectors = workspace.embeddings.vectors(range(len(ids)))
    head = InstantHead(RidgeHead(np.zeros(4, np.float32), 1.0, np.zeros((5, 5)), np.zeros((5, 5)), np.zeros(5), 0.01))
    phi, columns = head.features(vectors), np.arange(len(ids)) % 5
    prior = RidgeHead(
        np.zeros(4, np.float32),
        1.0,
        phi.T @ phi,
        phi.T @ np.eye(5)[columns],
        np.bincount(columns, minlength=5) * 1.0,
        0.01,
        np.array([int(image[:16], 16) for image in ids], np.uint64),
        columns.astype(np.int16),
    )
    learner = learner_of(workspace, workspace.embeddings, prior)
    learner.catch_up()
    np.testing.assert_allclose(learner.weights_now()[0], alone, atol=1e-4, rtol=1e-3)
