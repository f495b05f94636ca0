"""Parts that were found anew keep the names of those that lay in the same places."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from fgdemo.learn.candidate.candidate import train_candidate
from fgdemo.learn.candidate.fit import label_indices
from fgdemo.learn.candidate.part_names import carry_names
from fgdemo.learn.data.corpus import Corpus
from fgdemo.learn.train.recipe import Recipe
from fgdemo.model.parts import PartModel, fit_parts
from fgdemo.values.types import Part
from tests.support.tiny import specimen_pictures, tiny_fit


def striped(turned: torch.Tensor | None = None) -> torch.Tensor:
    """(12, 6, 6, 8) tokens: background round a middle of four quarters, each unlike the others."""
    generator = torch.Generator().manual_seed(0)
    tokens = torch.zeros(12, 6, 6, 8)
    tokens[..., 0] = 1.0
    for place, (row, column) in enumerate(((1, 1), (1, 3), (3, 1), (3, 3))):
        tokens[:, row : row + 2, column : column + 2, 0] = 0.0
        tokens[:, row : row + 2, column : column + 2, 1] = 1.0
        tokens[:, row : row + 2, column : column + 2, 2 + place] = 1.0
    tokens += torch.randn(tokens.shape, generator=generator) * 0.02
    return tokens if turned is None else tokens @ turned


def named(parts: PartModel) -> PartModel:
    return replace(parts, parts=tuple(Part(p.id + 10, f"part {p.id}", p.group) for p in parts.parts))


def test_parts_found_anew_in_other_features_keep_their_names() -> None:
    turn = torch.linalg.qr(torch.randn(8, 8, generator=torch.Generator().manual_seed(1)))[0]
    before, after = striped(), striped(turn)
    old = named(fit_parts({"": before}, torch.eye(8), parts_per_group=4))
    new = fit_parts({"": after}, torch.eye(8), parts_per_group=4, seed=3)
    carried = carry_names(old, new, {"": (before, after)})
    assert sorted(part.id for part in carried.parts) == [10, 11, 12, 13]
    where = {part.name: int(old.assign(before, "")[..., k].argmax()) for k, part in enumerate(old.parts)}
    for k, part in enumerate(carried.parts):
        assert carried.assign(after, "")[..., k].flatten()[where[part.name]] > 0.5


def test_a_part_that_is_like_none_gets_a_new_id_and_no_name() -> None:
    tokens = striped()
    old = named(fit_parts({"": tokens}, torch.eye(8), parts_per_group=4))
    old = replace(old, parts=old.parts[:2], prototypes=old.prototypes[:2])
    new = fit_parts({"": tokens}, torch.eye(8), parts_per_group=4)
    carried = carry_names(old, new, {"": (tokens, tokens)})
    assert len({part.id for part in carried.parts}) == len({part.colour for part in carried.parts}) == 4
    unknown = [part for part in carried.parts if part.id not in (10, 11)]
    assert len(unknown) >= 2
    assert all(part.name is None and part.id > 11 for part in unknown)
    assert [part.id for part in carry_names(old, new, {}).parts] == [12, 13, 14, 15]


def test_a_training_leaves_the_names_that_an_expert_gave(tmp_path: Path) -> None:
    base = tiny_fit().classifier
    base = replace(base, parts=named(base.parts))
    pictures = replace(specimen_pictures(per_class=8), keys=np.arange(1, 49).astype(np.uint64))
    labels = label_indices(pictures.labels, base.taxonomy)
    corpus = Corpus(pictures, labels, np.zeros(len(labels), bool), base.taxonomy)
    still = Recipe(epochs=1, train_px=64, lr=1e-9, head_lr=1e-9)
    candidate = train_candidate(base, corpus, still, name="m", run_file=tmp_path / "s.pt")
    kept = {part.id: part.name for part in candidate.parts.parts}
    shared = set(kept) & {part.id for part in base.parts.parts}
    assert len(shared) >= len(kept) // 2
    assert all(kept[part.id] == part.name for part in base.parts.parts if part.id in shared)
