"""The outline of the thing: a rough foreground and the colours of the picture are enough, and nothing is made up."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from fgdemo.explain.silhouette import lab, silhouette
from fgdemo.values.evidence import FINE


def pictured(size: tuple[int, int] = (240, 240)) -> tuple[Image.Image, np.ndarray]:
    """A two-coloured thing on noisy green, and its mask on the fine grid."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 40, (size[1], size[0], 3))
    picture = Image.fromarray((np.array([60, 130, 60]) + noise).astype(np.uint8))
    mask = Image.new("L", size)
    box = (0.3 * size[0], 0.25 * size[1], 0.75 * size[0], 0.8 * size[1])
    ImageDraw.Draw(picture).ellipse(box, fill="#C03028")
    ImageDraw.Draw(picture).ellipse((box[0], box[1], box[2], 0.5 * size[1]), fill="#181818")
    ImageDraw.Draw(mask).ellipse(box, fill=255)
    return picture, np.asarray(mask.resize((FINE, FINE), Image.Resampling.BOX)) > 127


def rough(mask: np.ndarray) -> np.ndarray:
    """A 14 × 14 foreground that is blurred and too wide."""
    small = Image.fromarray((255 * mask).astype(np.uint8)).resize((7, 7), Image.Resampling.BOX)
    return np.clip(np.asarray(small.resize((14, 14), Image.Resampling.BILINEAR), np.float64) / 255 * 2.5, 0, 1)


def overlap(found: np.ndarray | None, mask: np.ndarray) -> float:
    assert found is not None
    return float(((found > 0.5) & mask).sum() / ((found > 0.5) | mask).sum())


@pytest.mark.parametrize("size", [(240, 240), (40, 30), (1200, 90), (60, 900)])
def test_the_outline_follows_the_colours(size: tuple[int, int]) -> None:
    picture, mask = pictured(size)
    foreground = rough(mask)
    found = silhouette(foreground, picture)
    seed = np.asarray(Image.fromarray(foreground.astype(np.float32)).resize((FINE, FINE), Image.Resampling.BICUBIC))
    assert overlap(found, mask) > max(0.8, overlap(seed, mask) + 0.1)
    assert found is not None
    assert 0 <= found.min() <= found.max() <= 1


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_where_nothing_or_all_is_the_thing_nothing_is_told(share: float) -> None:
    assert silhouette(np.full((14, 14), share), pictured()[0]) is None


@pytest.mark.parametrize("colour", ["black", "white", "#808080"])
def test_a_flat_picture_leaves_the_foreground_as_it_is(colour: str) -> None:
    foreground = np.zeros((14, 14))
    foreground[4:10, 5:9] = 1
    mask = np.kron(foreground, np.ones((4, 4))) > 0
    assert overlap(silhouette(foreground, Image.new("RGB", (50, 50), colour)), mask) > 0.8


def test_colours_are_those_of_cielab() -> None:
    known = {(255, 255, 255): (100, 0, 0), (255, 0, 0): (53.2, 80.1, 67.2), (0, 0, 255): (32.3, 79.2, -107.9)}
    for rgb, expected in known.items():
        assert 100 * lab(np.array(rgb)) == pytest.approx(expected, abs=0.2)
