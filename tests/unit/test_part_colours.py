"""Twelve colours of parts, as the colour-blind see them (Machado, Oliveira & Fernandes 2009, severity 1)."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import ImageColor

from fgdemo.values.points import MOST_PARTS
from fgdemo.values.types import PART_COLOURS

SIGHT = {
    "all cones": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}
TO_XYZ = [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.072175], [0.0193339, 0.119192, 0.9503041]]


def lab(linear: np.ndarray) -> np.ndarray:
    """(n, 3) linear sRGB → (n, 3) CIE L*a*b*, in which 2.3 is just noticeable."""
    xyz = np.clip(linear, 0, 1) @ np.transpose(TO_XYZ) / [0.95047, 1, 1.08883]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], 1)


@pytest.mark.parametrize("sight", SIGHT)
def test_neighbours_can_be_told_apart(sight: str) -> None:
    colours = np.array([ImageColor.getrgb(colour) for colour in PART_COLOURS]) / 255
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    seen = lab(linear @ np.transpose(SIGHT[sight]))
    for step in (1, 2):  # a group numbers its parts one after the other, round and round
        assert np.linalg.norm(seen - np.roll(seen, -step, axis=0), axis=1).min() > 15
    assert len(set(PART_COLOURS)) == MOST_PARTS
