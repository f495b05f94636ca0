"""What was learned stays: soft labels of the model before, and a memory whose size and contents are exact."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fgdemo.learn.candidate.candidate import Known, memory_of, soft_labels_of, train_candidate, what_is_known
from fgdemo.learn.candidate.fit import fit_classifier, label_indices
from fgdemo.learn.data.corpus import Corpus
from fgdemo.learn.data.embed import embed
from fgdemo.learn.train.distillation import retention_loss, soft_labels
from fgdemo.learn.train.recipe import Recipe
from fgdemo.learn.train.rehearsal import Memory, batches_of, choose_memory, shares
from fgdemo.model.classifier import Classifier
from fgdemo.specimens import taxonomy as specimen_taxonomy
from tests.support.tiny import specimen_pictures, tiny_backbone

PICTURES = replace(specimen_pictures(per_class=8), keys=np.arange(1, 49).astype(np.uint64))
TAXONOMY = specimen_taxonomy()
RECIPE = Recipe(epochs=1, train_px=64, lr=1e-3, head_lr=1e-2, ema_decay=0.9, retention=1.0, replay=0.5, memory=7)


# --- soft labels --------------------------------------------------------------------------------------------------


def test_the_loss_is_least_where_both_models_agree_and_knows_nothing_of_new_kinds() -> None:
    before = torch.tensor([[2.0, 0.0, -1.0]])
    probs, columns = torch.softmax(before / 2, 1), torch.tensor([3, 0, 1])
    logits = torch.zeros(1, 4)
    logits[:, columns] = before
    logits.requires_grad_(True)
    retention_loss(logits, probs, columns).backward()
    torch.testing.assert_close(logits.grad, torch.zeros(1, 4))
    known = float(retention_loss(logits.detach(), probs, columns))
    assert known == pytest.approx(-4 * float((probs * probs.log()).sum()))  # T² times the entropy
    moved = logits.detach().clone()
    moved[0, 2] += 50  # the kind that the model before does not know
    assert float(retention_loss(moved, probs, columns)) == pytest.approx(known)
    moved[0, 3] -= 1
    assert float(retention_loss(moved, probs, columns)) > known
    assert float(retention_loss(moved, torch.zeros(1, 3), columns)) == 0


def test_the_model_before_is_not_believed_where_an_expert_says_otherwise() -> None:
    logits = np.array([[3.0, 0.0], [3.0, 0.0], [3.0, 0.0], [3.0, 0.0]])
    soft = soft_labels(logits, np.array([1, 2]), np.array([1, 2, 2, 0]), np.array([True, True, False, True]))
    assert soft.probs.any(1).tolist() == [True, False, True, False]
    np.testing.assert_allclose(soft.probs[0], [1 / (1 + np.exp(-1.5)), 1 / (1 + np.exp(1.5))], rtol=1e-6)


# --- memory -------------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 30), min_size=1, max_size=8), st.integers(0, 120))
def test_places_add_up_to_the_budget_and_are_as_even_as_can_be(have: list[int], budget: int) -> None:
    places = shares(np.array(have), budget)
    assert places.sum() == min(budget, sum(have))
    assert (places <= have).all()
    unfilled = places[places < have]
    if len(unfilled):
        assert places.max() - unfilled.min() <= 1


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 60), st.integers(0, 1000))
def test_the_budget_is_exact_and_nothing_else_is_kept(budget: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, 50)
    pool = np.flatnonzero(rng.random(50) < 0.6)
    rows = choose_memory(rng.normal(size=(50, 5)), labels, rng.normal(size=(50, 4)), pool, budget)
    assert len(rows) == len(set(rows.tolist())) == min(budget, len(pool))
    assert set(rows.tolist()) <= set(pool.tolist())


def test_a_wrong_label_and_a_near_duplicate_are_left_and_the_unsure_picture_is_kept() -> None:
    embeddings = np.array([[1.0, 0.0], [1.0, 0.01], [0.0, 1.0], [0.7, 0.7], [0.0, -1.0]])
    sure, unsure, wrong = [6.0, 0.0], [0.4, 0.0], [-6.0, 0.0]
    labels, pool = np.array([0, 0, 0, 0, 1]), np.arange(4)
    left_out = np.array([unsure, sure, wrong, sure, sure])
    assert choose_memory(embeddings, labels, left_out, pool, 2).tolist() == [0, 3]
    left_out[2] = sure  # the label is right after all, and the picture the farthest
    assert choose_memory(embeddings, labels, left_out, pool, 2).tolist() == [0, 2]


def test_every_batch_has_its_share_of_the_memory_and_without_one_all_are_seen_once() -> None:
    train, memory = np.arange(100), np.arange(10)
    generator = torch.Generator().manual_seed(0)
    batches = batches_of(train, 16, Memory(memory, 0.4), generator)
    assert batches.shape == (6, 16)
    kept = np.isin(batches, memory)
    assert (kept.sum(1) == 7).all()
    assert len(set(batches[~kept].tolist())) == (~kept).sum()  # the others at most once
    counts = np.bincount(batches[kept], minlength=10)
    assert counts.max() - counts.min() <= 1
    for plain in (None, Memory(memory, 0.1), Memory(memory[:0], 0.4)):
        rows = batches_of(train, 16, plain, generator)
        assert len(set(rows.ravel().tolist())) == 96


# --- in a candidate -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def base() -> Classifier:
    """It has learned the first four kinds."""
    leaves = TAXONOMY.leaves[:4]
    rows = [row for row, label in enumerate(PICTURES.labels) if label in leaves]
    some = replace(
        PICTURES,
        pixels=PICTURES.pixels[rows],
        names=tuple(PICTURES.names[i] for i in rows),
        labels=tuple(PICTURES.labels[i] for i in rows),
        splits=tuple(PICTURES.splits[i] for i in rows),
        keys=PICTURES.keys[rows],
    )
    taxonomy = TAXONOMY.restrict(leaves)
    backbone, config = tiny_backbone()
    labels = label_indices(some.labels, taxonomy)
    return fit_classifier(
        backbone, config, some, labels, taxonomy, name="before", trained=False, parts_per_group=3
    ).classifier


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    labels = label_indices(PICTURES.labels, TAXONOMY)
    return Corpus(PICTURES, labels, np.ones(len(labels), bool), TAXONOMY)


@pytest.fixture(scope="module")
def known(base: Classifier, corpus: Corpus) -> Known:
    return what_is_known(base, corpus, embed(base.backbone, PICTURES.pixels, base.data_config))


def test_the_memory_is_of_learned_training_pictures_alone(base: Classifier, corpus: Corpus, known: Known) -> None:
    memory = memory_of(base, known, corpus, RECIPE)
    assert memory is not None
    assert len(memory.rows) == 7
    assert {PICTURES.splits[row] for row in memory.rows} == {"train"}
    assert np.isin(PICTURES.keys[memory.rows], base.head.members).all()
    assert memory_of(base, known, corpus, replace(RECIPE, replay=0.0)) is None
    nothing = replace(base, head=replace(base.head, members=base.head.members[:0]))
    assert memory_of(nothing, known, corpus, RECIPE) is None


def test_soft_labels_are_what_the_base_says(base: Classifier, corpus: Corpus, known: Known) -> None:
    soft = soft_labels_of(base, known, corpus)
    assert [TAXONOMY.leaves[column] for column in soft.columns] == list(base.taxonomy.leaves)
    weight, bias = base.head.linear()
    right = base.taxonomy.leaves
    says = [right[i] for i in (known.embeddings @ weight + bias).argmax(1)]
    agrees = np.array([said == label for said, label in zip(says, PICTURES.labels, strict=True)])
    np.testing.assert_array_equal(soft.probs.any(1), agrees)
    assert 0 < agrees.sum() < len(agrees)


def test_a_candidate_is_trained_with_both(base: Classifier, corpus: Corpus, tmp_path: Path) -> None:
    candidate = train_candidate(base, corpus, RECIPE, name="m", run_file=tmp_path / "s.pt")
    plain = replace(RECIPE, retention=0.0, replay=0.0)
    other = train_candidate(base, corpus, plain, name="m", run_file=tmp_path / "t.pt")
    assert candidate.card["recipe"]["retention"] == 1.0
    assert candidate.card["epochs"][0]["loss"] != other.card["epochs"][0]["loss"]
