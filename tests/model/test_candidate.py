"""A candidate from a live classifier: new kinds join, old ones without pictures stay, gold is never touched."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fgdemo.learn.candidate.candidate import train_candidate
from fgdemo.learn.candidate.fit import fit_classifier, label_indices
from fgdemo.learn.data.corpus import Corpus
from fgdemo.learn.data.embed import embed, token_batches
from fgdemo.learn.data.pictures import Pictures
from fgdemo.learn.train.recipe import PRESETS, REMOVED, Recipe
from fgdemo.model.checkpoint.load import load_classifier, save_classifier
from fgdemo.model.classifier import Classifier
from fgdemo.model.head import RidgeHead
from fgdemo.specimens import taxonomy as specimen_taxonomy
from fgdemo.values.errors import DatasetError, TrainingError
from fgdemo.values.taxonomy import Taxon, Taxonomy
from fgdemo.values.training import Epoch
from tests.support.tiny import specimen_pictures, tiny_backbone, tiny_fit

RECIPE = Recipe(epochs=2, train_px=64, lr=1e-3, head_lr=1e-2, ema_decay=0.9)
PICTURES = replace(specimen_pictures(per_class=8), keys=np.arange(1, 49).astype(np.uint64))


@pytest.fixture(scope="module")
def base() -> Classifier:
    return tiny_fit().classifier


def chosen(rows: np.ndarray, labels: tuple[str, ...] = PICTURES.labels) -> Pictures:
    pick = rows.tolist()
    return replace(
        PICTURES,
        pixels=PICTURES.pixels[pick],
        names=tuple(PICTURES.names[i] for i in pick),
        labels=tuple(labels[i] for i in pick),
        splits=tuple(PICTURES.splits[i] for i in pick),
        keys=PICTURES.keys[pick],
    )


def corpus_of(pictures: Pictures, taxonomy: Taxonomy) -> Corpus:
    labels = label_indices(pictures.labels, taxonomy)
    return Corpus(pictures, labels, np.zeros(len(labels), bool), taxonomy)


def test_the_head_alone_learns_new_kinds_and_network_and_parts_stay(tmp_path: Path) -> None:
    """Of two that the base never saw one belongs to its group, the other stands alone."""
    leaves = specimen_taxonomy().leaves
    old = specimen_taxonomy().restrict(leaves[:4])
    taxonomy = Taxonomy((*old.taxa, specimen_taxonomy()[leaves[4]], Taxon(leaves[5], "Alone")))
    known = chosen(np.array([i for i, label in enumerate(PICTURES.labels) if label in old.leaf_index]))
    base = fit_classifier(
        *tiny_backbone(), known, label_indices(known.labels, old), old, name="base", trained=False, parts_per_group=3
    ).classifier
    group, (first, *others) = base.parts.parts[0].group, base.parts.parts
    named = replace(base.parts, parts=(replace(first, name="crown"), *others))
    base = replace(base, parts=named, least_sureness=0.271)

    def with_head(corpus: Corpus) -> Classifier:
        return train_candidate(
            base,
            corpus,
            replace(RECIPE, epochs=0),
            name="model",
            run_file=tmp_path / "s.pt",
            on_epoch=lambda epoch: pytest.fail("it was trained"),
        )

    candidate = with_head(corpus_of(PICTURES, taxonomy))
    assert not (tmp_path / "s.pt").exists()
    state = base.backbone.state_dict()
    assert all(torch.equal(value, state[key]) for key, value in candidate.backbone.state_dict().items())
    weight, bias = candidate.head.linear()
    said = (embed(candidate.backbone, PICTURES.pixels, candidate.data_config) @ weight + bias).argmax(1)
    assert (said == label_indices(PICTURES.labels, taxonomy)).mean() > 0.8
    assert candidate.least_sureness == 0.271, "places look alike by the network, which is the same"
    ours = [part for part in candidate.parts.parts if part.group == group]
    alone = [part for part in candidate.parts.parts if part.group == ""]
    assert ours == list(base.parts.parts)
    assert alone
    assert not {part.id for part in alone} & {part.id for part in ours}
    tokens = next(token_batches(base.backbone, PICTURES.pixels[:8], base.data_config))
    torch.testing.assert_close(
        candidate.parts.assign(tokens, group), base.parts.assign(tokens, group), atol=1e-3, rtol=0
    )
    again = with_head(corpus_of(known, old))
    assert again.parts.parts == base.parts.parts
    np.testing.assert_array_equal(again.origin, base.origin)


def test_a_new_kind_joins_and_kinds_without_pictures_stay(base: Classifier, tmp_path: Path) -> None:
    leaves = base.taxonomy.leaves
    # No picture of the first kind; the second has one training picture and none held out; the third becomes a new kind.
    labels = tuple("new_kind" if label == leaves[2] else label for label in PICTURES.labels)
    second = np.array([i for i, label in enumerate(labels) if label == leaves[1]])
    first = [i for i, label in enumerate(labels) if label == leaves[0]]
    rows = np.setdiff1d(np.arange(48), [*first, *second[1:]])
    taxonomy = Taxonomy((*base.taxonomy.taxa, Taxon("new_kind", "New kind", parent=base.taxonomy[leaves[2]].parent)))
    before = {key: value.clone() for key, value in base.backbone.state_dict().items()}
    epochs: list[Epoch] = []
    candidate = train_candidate(
        base,
        corpus_of(chosen(rows, labels), taxonomy),
        RECIPE,
        name="model-1",
        run_file=tmp_path / "s.pt",
        on_epoch=epochs.append,
    )
    assert all(torch.equal(value, base.backbone.state_dict()[key]) for key, value in before.items())
    assert candidate.taxonomy.leaves == taxonomy.leaves
    at = taxonomy.leaf_index
    assert candidate.head.counts[at[leaves[0]]] == base.head.counts[base.taxonomy.leaf_index[leaves[0]]]
    assert np.abs(candidate.head.linear()[0][:, at[leaves[0]]]).max() > 0
    assert candidate.head.counts[at["new_kind"]] == 6
    # Val never shows the first kind, so it must not choose how likely that is, nor how far the network may go.
    assert candidate.head.readout == "discriminant"
    assert list(candidate.card["blend"]["val_top1"]) == ["0.0", "0.25", "0.5"]
    train = [i for i in rows.tolist() if PICTURES.splits[i] == "train"]
    assert sorted(candidate.head.members.tolist()) == sorted(PICTURES.keys[train].tolist())
    assert [(epoch.phase, epoch.number, epoch.of) for epoch in epochs] == [("network", 1, 2), ("network", 2, 2)]
    assert candidate.card["parent"] == base.version
    assert Recipe.from_json(candidate.card["recipe"]).train_px == 64
    save_classifier(candidate, tmp_path / "model-1")
    again = load_classifier(tmp_path / "model-1")
    assert again.taxonomy.leaves == taxonomy.leaves
    assert again.card["blend"] == candidate.card["blend"]


def test_it_starts_from_and_is_judged_by_what_is_seen_at_the_size_of_the_training(tmp_path: Path) -> None:
    pictures = replace(specimen_pictures(per_class=24), keys=np.arange(1, 145).astype(np.uint64))
    corpus, epochs = corpus_of(pictures, specimen_taxonomy()), list[Epoch]()
    base = fit_classifier(
        *tiny_backbone(), pictures, corpus.class_index, corpus.taxonomy, name="base", trained=False
    ).classifier
    still = replace(RECIPE, epochs=1, train_px=40, lr=1e-12, head_lr=1e-12)
    train_candidate(base, corpus, still, name="m", run_file=tmp_path / "s.pt", on_epoch=epochs.append)
    train, val = pictures.where("train"), pictures.where("val")
    seen = {px: embed(base.backbone, pictures.pixels, base.data_config, size_px=px) for px in (40, 64)}

    def top1(fitted_px: int, judged_px: int) -> float:
        head = RidgeHead.fit(seen[fitted_px][train], corpus.class_index[train], 6)
        weight, bias = head.with_penalty_share(base.head.penalty_share).linear()
        return float(((seen[judged_px][val] @ weight + bias).argmax(1) == corpus.class_index[val]).mean())

    assert epochs[0].val_top1 == top1(40, 40)
    assert top1(40, 40) not in (top1(64, 64), top1(64, 40), top1(40, 64))  # else this would show nothing


def test_where_every_kind_has_pictures_the_network_may_go_all_the_way(base: Classifier, tmp_path: Path) -> None:
    corpus = corpus_of(PICTURES, base.taxonomy)
    candidate = train_candidate(base, corpus, RECIPE, name="model-1", run_file=tmp_path / "s.pt")
    assert list(candidate.card["blend"]["val_top1"]) == ["0.0", "0.25", "0.5", "0.75", "1.0"]


def test_a_picture_that_comes_back_is_counted_once(tmp_path: Path) -> None:
    taxonomy = specimen_taxonomy()
    whole = corpus_of(PICTURES, taxonomy)
    base = fit_classifier(
        *tiny_backbone(), PICTURES, whole.class_index, taxonomy, name="base", trained=False
    ).classifier
    rows = np.arange(16, 48)  # the first two kinds are carried
    still = replace(RECIPE, epochs=1, lr=1e-12, head_lr=1e-12)
    once = train_candidate(base, corpus_of(chosen(rows), taxonomy), still, name="m1", run_file=tmp_path / "1.pt")
    np.testing.assert_array_equal(once.head.counts, [6] * 6)
    assert once.head.member_columns() == base.head.member_columns()
    twice = train_candidate(once, whole, still, name="m2", run_file=tmp_path / "2.pt")
    np.testing.assert_array_equal(twice.head.counts, [6] * 6)
    np.testing.assert_allclose(twice.head.gram, base.head.gram, rtol=1e-3, atol=0.05)


def test_a_stop_at_once_still_gives_a_candidate(base: Classifier, tmp_path: Path) -> None:
    corpus = corpus_of(PICTURES, base.taxonomy)
    candidate = train_candidate(base, corpus, RECIPE, name="m", run_file=tmp_path / "s.pt", stop=lambda: True)
    assert 0 < candidate.card["epochs_done"] <= 1
    assert np.isfinite(candidate.head.linear()[0]).all()


def test_what_cannot_be_trained_is_refused(base: Classifier, tmp_path: Path) -> None:
    def train(pictures: Pictures, taxonomy: Taxonomy = base.taxonomy) -> None:
        train_candidate(base, corpus_of(pictures, taxonomy), RECIPE, name="m", run_file=tmp_path / "s.pt")

    with pytest.raises(DatasetError, match="not those of gold"):
        train(replace(PICTURES, splits=("gold", *PICTURES.splits[1:])))
    with pytest.raises(DatasetError, match="none of the labelled ones is held out"):
        train(replace(PICTURES, splits=("train",) * 48))
    with pytest.raises(DatasetError, match="at least two kinds"):
        train(chosen(np.arange(8)))
    assert not (tmp_path / "s.pt").exists()


def test_a_kind_that_was_retired_is_left_out_and_the_others_stay(base: Classifier, tmp_path: Path) -> None:
    lost, absent = base.taxonomy.leaves[0], base.taxonomy.leaves[1]
    rows = np.array([i for i, label in enumerate(PICTURES.labels) if label not in (lost, absent)])
    taxonomy = Taxonomy(tuple(taxon for taxon in base.taxonomy.taxa if taxon.id != lost))
    recipe = replace(RECIPE, retention=0.5)
    candidate = train_candidate(base, corpus_of(chosen(rows), taxonomy), recipe, name="m", run_file=tmp_path / "s.pt")
    assert candidate.taxonomy.leaves == tuple(leaf for leaf in base.taxonomy.leaves if leaf != lost)
    assert candidate.head.counts[taxonomy.leaf_index[absent]] == base.head.counts[1]
    assert len(candidate.head.counts) == 5
    assert all(0 <= column < 5 for column in candidate.head.member_classes)


@pytest.mark.parametrize("recipe", PRESETS.values(), ids=PRESETS)
def test_a_recipe_comes_back_from_its_json(recipe: Recipe) -> None:
    assert Recipe.from_json(recipe.to_json()) == recipe
    with pytest.raises(TrainingError, match="no recipe"):
        Recipe.from_json({**recipe.to_json(), "colour": 1})


def test_a_recipe_of_before_reads_where_it_left_what_is_no_more_off() -> None:
    stored = {**PRESETS["quick"].to_json(), **REMOVED}
    assert Recipe.from_json(stored) == PRESETS["quick"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"colour": 1}, "no recipe"),
        ({"replay": "half"}, "“replay” is 'half'"),
        ({"replay": -0.5}, "“replay” is -0.5"),
        ({"replay": True}, "“replay” is True"),
        ({"memory": 1.5}, "“memory” is 1.5"),
        ({"compiled": 1}, "“compiled” is 1"),
        ({"pair_batches": True}, "asks for “pair_batches”, which is no more"),
        ({"lr": float("nan")}, "“lr” is nan"),
        ({"framing": 1}, "group of fields"),
        ({"framing": {"light": "a lot"}}, "framing “light”"),
    ],
)
def test_a_recipe_that_makes_no_sense_is_refused_by_its_field(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(TrainingError, match=told):
        PRESETS["quick"].changed(changes)


def test_what_is_not_changed_stays() -> None:
    changed = PRESETS["standard"].changed({"replay": 1, "framing": {"light": 0.1}})
    assert changed == replace(PRESETS["standard"], replay=1, framing=replace(PRESETS["standard"].framing, light=0.1))
