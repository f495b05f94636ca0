"""Which pictures count more and which are seen together, and the terms that make parts compact: known answers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fgdemo.learn.candidate.candidate import lesson_of, train_candidate, what_is_known
from fgdemo.learn.candidate.fit import label_indices
from fgdemo.learn.data.augment import Framing, reframe
from fgdemo.learn.data.corpus import Corpus
from fgdemo.learn.data.embed import embed
from fgdemo.learn.train.emphasis import beside_rivals, contrast_loss, rivals_of, sample_weights
from fgdemo.learn.train.part_losses import (
    MIRRORED,
    PartAnchors,
    absence,
    border_foreground,
    likeness,
    part_loss,
    part_places,
    smoothness,
    uncertainty,
)
from fgdemo.learn.train.recipe import Recipe
from fgdemo.model.classifier import Classifier
from tests.support.tiny import specimen_pictures, tiny_fit

RECIPE = Recipe(epochs=1, train_px=64, batch_size=12, lr=1e-3, head_lr=1e-2, ema_decay=0.9)


def test_checked_labels_and_rare_kinds_count_more() -> None:
    labels = np.array([0, 0, 0, 0, 1, 1])
    train = np.arange(6)
    checked = np.array([True, False, False, False, False, False])
    even = sample_weights(labels, train, np.zeros(6, bool), RECIPE)
    np.testing.assert_array_equal(even, np.ones(6))
    three = sample_weights(labels, train, checked, replace(RECIPE, checked_weight=3.0))
    np.testing.assert_allclose(three, np.array([3, 1, 1, 1, 1, 1]) * 6 / 8)
    balanced = sample_weights(labels, train, checked, replace(RECIPE, class_balance=1.0))
    assert balanced[:4].sum() == pytest.approx(balanced[4:].sum())
    few = sample_weights(labels, np.array([0, 4]), checked, replace(RECIPE, class_balance=1.0))
    assert few[[0, 4]].mean() == pytest.approx(1)


def test_the_rival_is_the_kind_that_most_probability_is_shared_with() -> None:
    probs = np.array([[0.6, 0.3, 0.1, 0], [0.5, 0.4, 0.1, 0], [0, 0.1, 0.9, 0]])
    assert rivals_of(probs, np.array([0, 1, 2])) == (1, 0, 1, 3)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=60), st.integers(0, 1000))
def test_look_alikes_lie_side_by_side_and_no_picture_is_lost(labels: list[int], seed: int) -> None:
    class_index = np.array(labels)
    order = np.random.default_rng(seed).permutation(len(labels))
    arranged = beside_rivals(order, class_index, (1, 0, 3, 2, 4))
    assert sorted(arranged.tolist()) == list(range(len(labels)))
    if {0, 1} <= set(labels):
        at = [place for place, row in enumerate(arranged) if class_index[row] in (0, 1)]
        pairs = [set(class_index[arranged[place : place + 4]]) for place in at]
        assert {0, 1} in [pair & {0, 1} for pair in pairs]


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


class Drawn:
    """Part maps that are known beforehand."""

    most_parts = 2

    def __init__(self, maps: torch.Tensor) -> None:
        self._maps = maps

    def of_group(self, group: str) -> tuple[str, ...]:
        return ("left", "right")

    def assign(self, tokens: torch.Tensor, group: str) -> torch.Tensor:
        return self._maps.expand(len(tokens), -1, -1, -1)


def test_the_middle_of_a_part_and_a_window_that_looks_at_it() -> None:
    maps = torch.zeros(1, 4, 4, 3)
    maps[0, 0, 3, 0] = maps[0, 1, 3, 0] = 1.0  # high at the right
    anchors = PartAnchors(Drawn(maps), ("",))  # pyright: ignore[reportArgumentType]
    places = part_places(anchors, [torch.zeros(2, 4, 4, 1)] * 2, np.zeros(4, np.int64))
    np.testing.assert_allclose(places[:, 0], [[0.75, -0.5]] * 4)
    assert np.isnan(places[:, 1]).all()
    ramp = torch.linspace(-1, 1, 64)
    picture = torch.stack([ramp.expand(64, 64), ramp[:, None].expand(64, 64), torch.zeros(64, 64)])
    still = Framing(max_aspect=1.0, max_turn_deg=0.0, light=0.0)
    wanted = torch.tensor([[0.3, -0.3]]).repeat(40, 1)
    wanted[20:] = torch.nan
    generator = torch.Generator().manual_seed(0)
    framed = reframe(picture.expand(40, 3, 64, 64), 32, still, generator, wanted)
    middle = framed.mean((2, 3))[:, :2]
    torch.testing.assert_close(middle[:20], torch.tensor([[0.3, -0.3]]).repeat(20, 1), atol=0.03, rtol=0)
    spread = framed[:, 0].amax((1, 2)) - framed[:, 0].amin((1, 2))
    assert spread[:20].max() < 1.5
    assert not torch.allclose(middle[20:], middle[20:21], atol=0.01)


def test_every_switch_reaches_the_training(tmp_path: Path) -> None:
    given, base = corpus()
    recipe = replace(
        RECIPE, checked_weight=3.0, class_balance=0.5, pair_batches=True, contrast=0.1, parts=0.2, part_crops=0.5
    )
    known = what_is_known(base, given, embed(base.backbone, given.pictures.pixels, base.data_config))
    lesson = lesson_of(base, known, given, recipe, "cpu")
    assert lesson.weights is not None
    assert lesson.weights[0] == pytest.approx(3 * lesson.weights[1])
    assert lesson.rivals is not None
    assert lesson.places is not None
    assert lesson.places.shape[0] == 48
    assert lesson.terms == ["classes", "contrast", "parts"]
    candidate = train_candidate(base, given, recipe, name="m", run_file=tmp_path / "s.pt")
    (epoch,) = candidate.card["epochs"]
    assert set(epoch["losses"]) == {"classes", "contrast", "parts"}
    assert epoch["losses"]["parts"] > 0
    assert epoch["losses"]["contrast"] > 0
