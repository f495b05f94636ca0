"""Painting in bird coordinates, with a second canvas that remembers which part each pixel belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from fgdemo.specimens.species import PARTS

Colour = tuple[int, int, int]
Points = Sequence[tuple[float, float]]
"""Bird coordinates: the bird looks to the right, y points down, rump to breast is about 1.4."""

_OVERSAMPLING = 3
_REACH = np.array([1.88, 1.20])
"""How far the largest bird reaches sideways and up or down in any pose, with a little room to breathe."""
_JOINTS = {"tail": "tail", "head": "head", "beak": "head"}
"""What each movable part turns with."""


@dataclass(frozen=True)
class Pose:
    """From bird coordinates to pixels of the finished picture."""

    centre: tuple[float, float]
    scale: float
    flip: float
    angle: float
    joints: dict[str, float]
    """How far each movable part is turned, in radians."""

    @classmethod
    def draw(cls, rng: np.random.Generator, width: int, height: int) -> Pose:
        room = np.array([width, height]) / 2
        scale = (room / _REACH).min() * rng.uniform(0.72, 1.0)
        x, y = room + rng.uniform(-1, 1, size=2) * (room - _REACH * scale)
        flip = rng.choice((-1.0, 1.0))
        joints = {"tail": rng.uniform(-0.30, 0.30), "head": rng.uniform(-0.22, 0.16)}
        return cls((float(x), float(y)), float(scale), flip, rng.uniform(-0.21, 0.21), joints)


def _turn(points: np.ndarray, angle: float, about: tuple[float, float]) -> np.ndarray:
    cos, sin = np.cos(angle), np.sin(angle)
    return (points - about) @ np.array([[cos, sin], [-sin, cos]]) + about


def _smooth(points: np.ndarray, steps: int = 8) -> np.ndarray:
    """A closed Catmull–Rom curve through the points."""
    before, after, beyond = np.roll(points, 1, 0), np.roll(points, -1, 0), np.roll(points, -2, 0)
    t = np.linspace(0, 1, steps, endpoint=False)[None, :, None]
    p0, p1, p2, p3 = (p[:, None, :] for p in (before, points, after, beyond))
    curve = 2 * p1 + (p2 - p0) * t + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t**2 + (3 * p1 - p0 - 3 * p2 + p3) * t**3
    return curve.reshape(-1, 2) / 2


class Canvas:
    """Paints colours and part numbers side by side, at three times the size, and shrinks both at the end."""

    def __init__(self, background: Image.Image, pose: Pose, pivots: dict[str, tuple[float, float]]) -> None:
        size = background.width * _OVERSAMPLING, background.height * _OVERSAMPLING
        self._picture = background.resize(size, Image.Resampling.BILINEAR)
        self._labels = Image.new("L", size)
        self._colours, self._numbers = ImageDraw.Draw(self._picture), ImageDraw.Draw(self._labels)
        self._pose, self._pivots = pose, pivots

    def _pixels(self, points: np.ndarray, part: str | None = None) -> list[tuple[float, float]]:
        pose = self._pose
        joint = _JOINTS.get(part or "")
        if joint:
            points = _turn(points, pose.joints[joint], self._pivots[joint])
        points = _turn(points, pose.angle, (0.0, 0.0)) * pose.scale * np.array([pose.flip, 1.0]) + pose.centre
        return [(float(x), float(y)) for x, y in points * _OVERSAMPLING]

    def _width(self, units: float) -> int:
        return max(1, round(units * self._pose.scale * _OVERSAMPLING))

    def shape(
        self, part: str, points: Points, colour: Colour, outline: Colour | None = None, smooth: bool = True
    ) -> None:
        corners = np.array(points)
        pixels = self._pixels(_smooth(corners) if smooth else corners, part)
        self._colours.polygon(pixels, fill=colour, outline=outline, width=self._width(0.018))
        self._numbers.polygon(pixels, fill=PARTS.index(part) + 1)

    def disc(self, part: str, centre: tuple[float, float], radius: float, colour: Colour) -> None:
        angles = np.linspace(0, 2 * np.pi, 25)[:-1]
        circle = np.array(centre) + radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        self.shape(part, [(float(x), float(y)) for x, y in circle], colour, smooth=False)

    def stroke(self, part: str, points: Points, colour: Colour) -> None:
        pixels = self._pixels(np.array(points), part)
        self._colours.line(pixels, fill=colour, width=self._width(0.016))

    def perch(self, legs: Sequence[tuple[float, float]], ground: float) -> None:
        """A branch across the picture, and the legs that stand on it."""
        branch = self._pixels(np.array([(-9.0, ground + 0.05), (9.0, ground + 0.05)]))
        self._colours.line(branch, fill=(74, 58, 46), width=self._width(0.17))
        light = self._pixels(np.array([(-9.0, ground + 0.01), (9.0, ground + 0.01)]))
        self._colours.line(light, fill=(112, 92, 74), width=self._width(0.045))
        for x, y in legs:
            leg = self._pixels(np.array([(x, y - 0.1), (x + 0.05, ground), (x + 0.17, ground + 0.02)]))
            self._colours.line(leg, fill=(92, 70, 58), width=self._width(0.045), joint="curve")

    def finish(self) -> tuple[Image.Image, np.ndarray]:
        middle = _OVERSAMPLING // 2
        labels = np.asarray(self._labels)[middle::_OVERSAMPLING, middle::_OVERSAMPLING].copy()
        return self._picture.reduce(_OVERSAMPLING), labels
