"""The terms of the loss beside cross-entropy, the contrast of kinds and compact parts: known answers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from fgdemo.learn.candidate.candidate import lesson_of, train_candidate, what_is_known
from fgdemo.learn.candidate.fit import label_indices
from fgdemo.learn.data.corpus import Corpus
from fgdemo.learn.data.embed import embed
from fgdemo.learn.train.part_losses import (
    MIRRORED,
    PartAnchors,
    absence,
    border_foreground,
    likeness,
    part_loss,
    smoothness,
    uncertainty,
)
from fgdemo.learn.train.recipe import Recipe
from fgdemo.learn.train.techniques import contrast_loss
from fgdemo.model.classifier import Classifier
from tests.support.tiny import specimen_pictures, tiny_fit

RECIPE = Recipe(epochs=1, train_px=64, batch_size=12, lr=1e-3, head_lr=1e-2, ema_decay=0.9)


def test_the_contrast_is_least_where_kinds_lie_apart() -> None:
    labels = torch.tensor([0, 0, 1, 1])
    apart = torch.tensor([[1.0, 0], [1, 0], [0, 1], [0, 1]])
    mixed = torch.tensor([[1.0, 0], [0, 1], [1, 0], [0, 1]])
    assert contrast_loss(apart, labels) == pytest.approx(0.0, abs=1e-3)
    assert contrast_loss(mixed, labels) == pytest.approx(10 + np.log(1 + 2 * np.exp(-10)), abs=1e-3)
    alone = torch.ones(1, 2, requires_grad=True)
    contrast_loss(alone, torch.tensor([3])).backward()
    assert alone.grad is not None
    assert torch.equal(alone.grad, torch.zeros(1, 2))


def halves() -> torch.Tensor:
    """(1, 4, 4, 3) maps: one part left, one right."""
    maps = torch.zeros(1, 4, 4, 3)
    maps[:, :, :2, 0] = 1
    maps[:, :, 2:, 1] = 1
    return maps


def test_the_terms_of_the_parts_have_known_values() -> None:
    maps = halves()
    assert smoothness(maps) == pytest.approx((0 + 2 / 3) / 2)
    assert uncertainty(maps) == pytest.approx(0, abs=1e-5)
    assert uncertainty(torch.full((1, 2, 2, 3), 1 / 3)) == pytest.approx(np.log(3), rel=1e-5)
    assert absence(maps) == pytest.approx(1 - 6 / 9)
    assert absence(torch.zeros(1, 4, 4, 3)) == 1
    assert border_foreground(maps) > 10
    framed = torch.zeros(1, 4, 4, 3)
    framed[:, 0, :, 2] = 1
    assert border_foreground(framed) == pytest.approx(0)
    tokens = torch.zeros(1, 4, 4, 2)
    tokens[:, :, :2, 0], tokens[:, :, 2:, 1] = 1, 1
    assert likeness(maps, tokens) == 0  # opposite, seen from their own mean
    assert likeness(maps[..., 1:], tokens) == 0


def corpus() -> tuple[Corpus, Classifier]:
    base = tiny_fit().classifier
    pictures = replace(specimen_pictures(per_class=8), keys=np.arange(1, 49).astype(np.uint64))
    labels = label_indices(pictures.labels, base.taxonomy)
    return Corpus(pictures, labels, np.arange(48) % 5 == 0, base.taxonomy), base


def test_the_part_terms_send_gradients_to_the_tokens_and_mirrored_alike_costs_nothing() -> None:
    _, base = corpus()
    anchors = PartAnchors(base.parts, (base.parts.parts[0].group,) * 6)
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randn(8, 4, 4, base.backbone.dim, generator=generator, requires_grad=True)
    labels = torch.zeros(8, dtype=torch.int64)
    alike = part_loss(anchors, tokens, tokens[MIRRORED].flip(2), labels)
    other = part_loss(anchors, tokens, torch.randn(2, 4, 4, base.backbone.dim, generator=generator), labels)
    assert other > alike
    alike.backward()
    assert tokens.grad is not None
    assert tokens.grad.abs().sum() > 0
    assert tokens.grad.isfinite().all()


def test_every_switch_reaches_the_training(tmp_path: Path) -> None:
    given, base = corpus()
    recipe = replace(RECIPE, contrast=0.1, parts=0.2)
    known = what_is_known(base, given, embed(base.backbone, given.pictures.pixels, base.data_config))
    lesson = lesson_of(base, known, given, recipe, "cpu")
    assert lesson.terms == ["classes", "contrast", "parts"]
    candidate = train_candidate(base, given, recipe, name="m", run_file=tmp_path / "s.pt")
    (epoch,) = candidate.card["epochs"]
    assert set(epoch["losses"]) == {"classes", "contrast", "parts"}
    assert epoch["losses"]["parts"] > 0
    assert epoch["losses"]["contrast"] > 0
