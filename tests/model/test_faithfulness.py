"""Faithfulness figures: exact symmetries, planted answers, and drawn birds that differ in one known part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor, nn

from fgdemo.explain.drawn import trust
from fgdemo.explain.faithfulness import (
    BATCH,
    Curves,
    blurred,
    deletion_auc,
    faithfulness,
    insertion_auc,
    pair_effect,
    pixel_ranks,
    pointing_game,
    random_like,
    relevance_mass,
    removal_drop,
    upsampled,
    walk,
)
from fgdemo.values.errors import TaxonomyError
from fgdemo.values.taxonomy import Taxonomy
from fgdemo.values.types import CropBox, Reading, Trust
from tests.support.readings import reading_of

SIDE, GRID, SQUARE = 64, 16, 20


class RedOrBlue(nn.Module):
    """Counts striped red and striped blue places, exactly: a model whose right explanation is known.

    Stripes, because a blurred stripe is grey: what is blurred away is gone.
    """

    device = torch.device("cpu")

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[int] = []

    def tokens(self, pixels: Tensor) -> Tensor:
        stripes = (pixels[..., ::2, :] - pixels[..., 1::2, :]).abs()
        return nn.functional.avg_pool2d(stripes, (SIDE // GRID // 2, SIDE // GRID)).permute(0, 2, 3, 1)[..., [0, 2]]

    def evidence(self, tokens: Tensor) -> Tensor:
        return 30 * nn.functional.pad(tokens, (0, 1)) / GRID**2

    def forward(self, pixels: Tensor) -> Tensor:
        self.batches.append(len(pixels))
        return self.evidence(self.tokens(pixels)).sum((1, 2)) + torch.tensor([0.0, 0.0, 1.0])


@dataclass
class StripeClassifier:
    network: RedOrBlue
    taxonomy: Taxonomy = field(default_factory=lambda: Taxonomy.flat(["red", "blue", "nothing"]))

    def pixels(self, picture: Image.Image, box: CropBox | None = None) -> Tensor:
        corners = box.pixels(*picture.size) if box else None
        small = np.asarray(picture.resize((SIDE, SIDE), Image.Resampling.NEAREST, corners), np.float32)
        return torch.from_numpy(small / 127.5 - 1).permute(2, 0, 1)

    def read(self, picture: Image.Image, box: CropBox | None = None) -> Reading:
        tokens = self.network.tokens(self.pixels(picture, box)[None])
        shares = np.ones((GRID, GRID, 1), np.float32)
        return reading_of(self.network.evidence(tokens)[0].numpy(), shares, np.zeros(3, np.float32))

    def maps(self, reading: Reading, columns: Sequence[int]) -> np.ndarray:
        return reading.evidence[..., columns]


def striped(red: tuple[int, int] | None, blue: tuple[int, int] | None) -> Image.Image:
    """A grey picture with striped squares at (top, left)."""
    picture = np.full((SIDE, SIDE, 3), 128, np.uint8)
    for corner, channel in ((red, 0), (blue, 2)):
        if corner:
            top, left = corner
            picture[top : top + SQUARE : 2, left : left + SQUARE, channel] = 255
            picture[top + 1 : top + SQUARE : 2, left : left + SQUARE, channel] = 0
    return Image.fromarray(picture)


@pytest.fixture
def classifier() -> StripeClassifier:
    return StripeClassifier(RedOrBlue())


RED_AT, BLUE_AT = (8, 4), (36, 40)


def test_a_right_map_is_trusted_its_negative_misleads(classifier: StripeClassifier) -> None:
    pixels = classifier.pixels(striped(RED_AT, BLUE_AT), None)
    evidence = classifier.network.evidence(classifier.network.tokens(pixels[None]))[0].numpy()
    contrast = evidence[..., 0] - evidence[..., 1]
    maps = [evidence[..., 0], -evidence[..., 0], contrast, -contrast]
    right, wrong, pair, opposite = walk(classifier.network, pixels, maps)
    assert faithfulness(right, 0) > 0.5
    assert faithfulness(wrong, 0) < -0.4
    assert faithfulness(pair, 0, 1) > 0.25
    assert faithfulness(opposite, 0, 1) < -0.25


def test_the_contrast_map_beats_the_class_map_at_its_own_question(classifier: StripeClassifier) -> None:
    pixels = classifier.pixels(striped(RED_AT, BLUE_AT), None)
    evidence = classifier.network.evidence(classifier.network.tokens(pixels[None]))[0].numpy()
    of_class, of_pair = walk(classifier.network, pixels, [evidence[..., 0], evidence[..., 0] - evidence[..., 1]])
    assert faithfulness(of_pair, 0, 1) > faithfulness(of_class, 0, 1)


def test_a_random_map_and_its_negative_average_exactly_zero(classifier: StripeClassifier) -> None:
    pixels = classifier.pixels(striped(RED_AT, BLUE_AT), None)
    random = random_like(np.random.default_rng(1).normal(size=(GRID, GRID)), np.random.default_rng(2))
    there, back = walk(classifier.network, pixels, [random, -random])
    assert faithfulness(there, 0) + faithfulness(back, 0) == pytest.approx(0.0, abs=1e-4)
    assert faithfulness(there, 0, 1) + faithfulness(back, 0, 1) == pytest.approx(0.0, abs=1e-4)


def test_trust_of_both_maps(classifier: StripeClassifier) -> None:
    found = trust(classifier, striped(RED_AT, BLUE_AT), None, "red", "blue")
    assert set(found) == {"class", "contrast"}
    for value in found.values():
        assert isinstance(value, Trust)
        assert value.score == pytest.approx(value.insertion_auc - value.deletion_auc)
        assert 0 <= value.deletion_auc <= 1
        assert 0 <= value.insertion_auc <= 1
        assert 0 < value.random_score < 1
    assert found["class"].score > 0.5
    assert found["contrast"].score > 0.25


def test_trust_is_deterministic_frugal_and_leaves_gaps_for_others(classifier: StripeClassifier) -> None:
    picture = striped(RED_AT, BLUE_AT)
    first = trust(classifier, picture, None, "red", "blue")
    passes = classifier.network.batches
    assert sum(passes) <= 60
    assert max(passes) <= BATCH
    assert trust(classifier, picture, None, "red", "blue") == first


def test_trust_of_what_is_not_there_is_not_high(classifier: StripeClassifier) -> None:
    found = trust(classifier, striped(None, BLUE_AT), None, "red", "nothing")
    assert abs(found["class"].score) < 0.2


def test_trust_looks_at_the_crop_box_only(classifier: StripeClassifier) -> None:
    picture = striped(RED_AT, BLUE_AT)
    left_top = picture.crop((0, 0, 32, 32))
    assert trust(classifier, picture, CropBox(0, 0, 0.5, 0.5), "red", "blue") == trust(
        classifier, left_top, None, "red", "blue"
    )


def test_trust_of_an_unknown_taxon_is_refused(classifier: StripeClassifier) -> None:
    with pytest.raises(TaxonomyError, match="green"):
        trust(classifier, striped(RED_AT, None), None, "red", "green")


# --- walking ----------------------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**32))
def test_ranks_are_a_permutation_in_the_order_of_the_map(rows: int, columns: int, seed: int) -> None:
    grid_map = np.maximum(np.random.default_rng(seed).normal(size=(rows, columns)), 0)
    ranks = pixel_ranks(grid_map, (31, 17))
    assert sorted(ranks.ravel()) == list(range(31 * 17))
    assert (np.diff(upsampled(grid_map, (31, 17)).ravel()[np.argsort(ranks.ravel())]) <= 0).all()


def test_ties_favour_no_side_of_the_picture() -> None:
    first_tenth = pixel_ranks(np.zeros((14, 14)), (140, 140)) < 1960
    rows, columns = np.nonzero(first_tenth)
    assert rows.max() - rows.min() > 30
    assert columns.max() - columns.min() > 30
    assert rows.min() > 0 or columns.min() > 0
    assert not first_tenth[:14].all()


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 15), st.integers(2, 15), st.integers(0, 2**32))
def test_random_maps_have_the_power_spectrum_of_the_map(rows: int, columns: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    grid_map = rng.normal(size=(rows, columns))
    random = random_like(grid_map, rng)
    wanted = np.abs(np.fft.rfft2(grid_map))
    wanted[0, 0] = 0
    np.testing.assert_allclose(np.abs(np.fft.rfft2(random)), wanted, atol=1e-8)


def test_both_walks_share_their_ends(classifier: StripeClassifier) -> None:
    pixels = classifier.pixels(striped(RED_AT, None), None)
    (curves,) = walk(classifier.network, pixels, [np.ones((4, 4))], steps=5)
    assert curves.deletion.shape == curves.insertion.shape == (6, 3)
    np.testing.assert_array_equal(curves.deletion[0], curves.insertion[-1])
    np.testing.assert_array_equal(curves.deletion[-1], curves.insertion[0])
    assert curves.deletion[0, 0] > curves.deletion[-1, 0] + 2
    assert sum(classifier.network.batches) == 2 + 2 * 4


def test_aucs_of_known_curves() -> None:
    sure, never = [20.0, 0.0], [-20.0, 0.0]
    at_once = Curves(deletion=np.array([sure, never, never, never, never]), insertion=np.array([never] + 4 * [sure]))
    assert deletion_auc(at_once, 0) == pytest.approx(1 / 8, abs=1e-6)
    assert insertion_auc(at_once, 0) == pytest.approx(7 / 8, abs=1e-6)
    assert faithfulness(at_once, 0, 1) == pytest.approx(6 / 8, abs=1e-6)
    # A class with little probability counts by its share of that, and a rise above the start is no extra merit.
    rare = Curves(deletion=np.array([[-3.0, 0.0], [2.0, 0.0], [-20.0, 0.0]]), insertion=np.zeros((3, 2)))
    assert deletion_auc(rare, 0) == pytest.approx((1 + 1 + 0) / 2 - 0.25, abs=1e-6)


def test_blur_keeps_the_mean_colour_and_takes_the_pattern() -> None:
    pixels = torch.zeros(3, 64, 64)
    pixels[0, ::2] = 1.0
    hidden = blurred(pixels)
    assert hidden.shape == pixels.shape
    torch.testing.assert_close(hidden[0], torch.full((64, 64), 0.5), atol=0.05, rtol=0)
    assert hidden[1:].abs().max() == 0
    assert blurred(torch.ones(3, 8, 8)).shape == (3, 8, 8)


# --- masks and pairs --------------------------------------------------------------------------------------------


def test_pointing_and_mass_of_a_wide_map() -> None:
    grid_map = np.full((3, 6), -1.0)
    grid_map[0, 5] = 2.0
    mask = np.zeros((30, 60), dtype=bool)
    mask[:10, 50:] = True
    assert pointing_game(grid_map, mask)
    assert not pointing_game(grid_map, ~mask)
    assert relevance_mass(grid_map, mask) > 0.85
    assert relevance_mass(grid_map, mask) + relevance_mass(grid_map, ~mask) == pytest.approx(1.0)
    assert relevance_mass(np.full((3, 6), -1.0), mask) == 0.0
    assert relevance_mass(np.ones((3, 6)), mask) == pytest.approx(mask.mean(), abs=1e-6)


def test_removing_what_speaks_for_a_costs_a_and_removing_what_speaks_for_b_helps_it(
    classifier: StripeClassifier,
) -> None:
    pixels = classifier.pixels(striped(RED_AT, BLUE_AT), None)
    red, blue = np.zeros((2, GRID, GRID))
    red[2:7, 1:6] = 1
    blue[9:14, 10:15] = 1
    for_a, for_b = removal_drop(classifier.network, pixels, [red, blue], 0, 1)
    assert for_a > 1
    assert for_b < -1


def test_pair_effect_is_the_ratio_of_mean_drops_with_a_paired_interval() -> None:
    gradcam_drops = np.random.default_rng(0).uniform(0.5, 1.5, 200)
    ratio, low, high = pair_effect(2 * gradcam_drops, gradcam_drops)
    assert (ratio, low, high) == pytest.approx((2, 2, 2))
    ratio, low, high = pair_effect(2 * np.random.default_rng(1).permutation(gradcam_drops), gradcam_drops)
    assert low < ratio < high
