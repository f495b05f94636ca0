"""Parts of groups without pictures stay what they were, also where the features have moved."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from fgdemo.learn.candidate.candidate import train_candidate
from fgdemo.learn.candidate.fit import fit_classifier, label_indices
from fgdemo.learn.candidate.part_groups import keep_groups
from fgdemo.learn.data.corpus import Corpus
from fgdemo.learn.train.recipe import Recipe
from fgdemo.model.checkpoint.load import load_classifier, save_classifier
from fgdemo.model.parts import PartModel, fit_parts
from fgdemo.values.taxonomy import Taxon, Taxonomy
from tests.support.tiny import specimen_pictures, tiny_backbone

DIMS, WEIGHT = 24, torch.randn(24, 5, generator=torch.Generator().manual_seed(9))


def tokens(seed: int, n: int = 12) -> Tensor:
    """Things of a few sorts before a background, on 6 × 6 places."""
    generator = torch.Generator().manual_seed(seed)
    directions = torch.randn(4, DIMS, generator=torch.Generator().manual_seed(0))  # the same for birds and dogs
    sorts = 2 * torch.randn(4, 4, generator=generator) @ directions
    which = torch.randint(0, 3, (n, 6, 6), generator=generator)
    which[:, [0, -1]] = which[:, :, [0, -1]] = 3
    return sorts[which] + 0.3 * torch.randn(n, 6, 6, DIMS, generator=generator)


BIRDS, DOGS = tokens(1), tokens(2)


@pytest.fixture(scope="module")
def both() -> PartModel:
    found = fit_parts({"bird": BIRDS, "dog": DOGS}, WEIGHT, parts_per_group=3, dims=16)
    return replace(found, parts=tuple(replace(part, name=f"part {part.id}") for part in found.parts))


@pytest.fixture(scope="module")
def birds() -> PartModel:
    return fit_parts({"bird": BIRDS}, WEIGHT, parts_per_group=3, dims=16)


def test_with_the_same_features_they_are_exactly_as_before(both: PartModel, birds: PartModel) -> None:
    kept = keep_groups(both, birds, ["dog"], BIRDS, BIRDS)
    assert kept.of_group("dog") == both.of_group("dog")
    assert both.assign(DOGS, "dog")[..., 0].std() > 0.1, "there is something to see"
    torch.testing.assert_close(kept.assign(DOGS, "dog"), both.assign(DOGS, "dog"), atol=1e-4, rtol=0)


def test_the_groups_that_have_pictures_do_not_notice(both: PartModel, birds: PartModel) -> None:
    kept = keep_groups(both, birds, ["dog"], BIRDS, BIRDS)
    torch.testing.assert_close(kept.assign(BIRDS, "bird"), birds.assign(BIRDS, "bird"), atol=1e-5, rtol=0)
    assert kept.of_group("bird") == birds.of_group("bird")


def test_they_follow_features_that_were_turned(both: PartModel) -> None:
    skew = 2 * torch.randn(DIMS, DIMS, generator=torch.Generator().manual_seed(3)) / DIMS**0.5
    turn = torch.matrix_exp(skew - skew.T)
    after = BIRDS @ turn
    new = fit_parts({"bird": after}, turn.T @ WEIGHT, parts_per_group=3, dims=16)
    before = both.assign(DOGS, "dog")
    followed = keep_groups(both, new, ["dog"], BIRDS, after).assign(DOGS @ turn, "dog")
    stayed = keep_groups(both, new, ["dog"], BIRDS, BIRDS).assign(DOGS @ turn, "dog")
    assert (stayed - before).abs().mean() > 0.1
    assert (followed - before).abs().mean() < 0.02


def test_kept_twice_they_need_no_more_room(both: PartModel, birds: PartModel) -> None:
    once = keep_groups(both, birds, ["dog"], BIRDS, BIRDS)
    twice = keep_groups(once, birds, ["dog"], BIRDS, BIRDS)
    assert twice.part_projection.shape == once.part_projection.shape
    assert twice.projection.shape == once.projection.shape
    torch.testing.assert_close(twice.assign(DOGS, "dog"), both.assign(DOGS, "dog"), atol=1e-4, rtol=0)


def test_a_training_on_birds_alone_leaves_dogs_their_named_parts(tmp_path: Path) -> None:
    pictures = replace(specimen_pictures(per_class=8), keys=np.arange(1, 49).astype(np.uint64))
    species = list(dict.fromkeys(pictures.labels))
    groups = (Taxon("bird", "Birds"), Taxon("dog", "Dogs"))
    taxonomy = Taxonomy(groups + tuple(Taxon(s, s, "bird" if i < 3 else "dog") for i, s in enumerate(species)))
    backbone, config = tiny_backbone()
    base = fit_classifier(
        backbone,
        config,
        pictures,
        label_indices(pictures.labels, taxonomy),
        taxonomy,
        name="tiny",
        trained=False,
        parts_per_group=3,
    ).classifier
    named = tuple(replace(part, name=f"part {part.id}") for part in base.parts.parts)
    base = replace(base, parts=replace(base.parts, parts=named))
    rows = [row for row, label in enumerate(pictures.labels) if taxonomy.root(label) == "bird"]
    only = replace(
        pictures,
        pixels=pictures.pixels[rows],
        keys=pictures.keys[rows],
        names=tuple(pictures.names[row] for row in rows),
        labels=tuple(pictures.labels[row] for row in rows),
        splits=tuple(pictures.splits[row] for row in rows),
    )
    corpus = Corpus(only, label_indices(only.labels, taxonomy), np.zeros(len(rows), bool), taxonomy)
    candidate = train_candidate(
        base, corpus, Recipe(epochs=1, train_px=64), name="birds", run_file=tmp_path / "training.pt"
    )
    assert candidate.parts.of_group("dog") == base.parts.of_group("dog")
    save_classifier(candidate, tmp_path / "candidate")  # and it is a whole checkpoint
    assert load_classifier(tmp_path / "candidate").parts.of_group("dog") == base.parts.of_group("dog")
