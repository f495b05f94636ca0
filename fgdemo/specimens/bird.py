"""What a drawn bird is made of. Shapes are closed smooth curves through a few points."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

import numpy as np

from fgdemo.specimens.canvas import Canvas, Colour, Points
from fgdemo.specimens.species import Species


@dataclass(frozen=True)
class Build:
    """The outlines that a group shares."""

    body: Points
    belly: Points
    head: Points
    cap: Points
    eye: tuple[float, float]
    beak: Points
    long_beak: Points
    wing: Points
    spot: tuple[float, float]
    tail: Points
    """Four corners: upper root, upper tip, lower tip, lower root."""
    legs: tuple[tuple[float, float], tuple[float, float]]
    ground: float
    hue: float
    saturation: float
    value: float

    @property
    def pivots(self) -> dict[str, tuple[float, float]]:
        """What each movable part turns about."""
        (x0, y0), *_, (x3, y3) = self.tail
        return {"tail": ((x0 + x3) / 2, (y0 + y3) / 2), "head": self.body[0]}


BUILDS = {
    "marshling": Build(
        body=(
            (0.55, -0.30),
            (0.10, -0.44),
            (-0.42, -0.26),
            (-0.76, 0.02),
            (-0.58, 0.33),
            (-0.05, 0.54),
            (0.45, 0.44),
            (0.74, 0.06),
        ),
        belly=((0.66, -0.02), (0.30, 0.10), (-0.10, 0.26), (-0.50, 0.30), (-0.05, 0.51), (0.43, 0.41)),
        head=((0.30, -0.52), (0.44, -0.76), (0.70, -0.80), (0.92, -0.62), (0.92, -0.40), (0.76, -0.16), (0.46, -0.18)),
        cap=(
            (0.31, -0.50),
            (0.34, -0.84),
            (0.18, -1.00),
            (0.52, -0.88),
            (0.72, -0.80),
            (0.90, -0.62),
            (0.68, -0.60),
            (0.46, -0.48),
        ),
        eye=(0.72, -0.54),
        beak=((0.88, -0.60), (1.06, -0.56), (1.22, -0.44), (1.04, -0.40), (0.88, -0.36)),
        long_beak=(
            (0.88, -0.60),
            (1.20, -0.58),
            (1.50, -0.40),
            (1.62, -0.14),
            (1.44, -0.28),
            (1.16, -0.40),
            (0.88, -0.36),
        ),
        wing=((0.36, -0.22), (0.00, -0.34), (-0.46, -0.18), (-1.00, 0.14), (-0.56, 0.26), (-0.08, 0.28), (0.30, 0.08)),
        spot=(-0.06, -0.02),
        tail=((-0.58, -0.10), (-1.44, -0.44), (-1.54, -0.06), (-0.62, 0.20)),
        legs=((-0.10, 0.48), (0.16, 0.50)),
        ground=0.84,
        hue=0.105,
        saturation=0.52,
        value=0.56,
    ),
    "duneling": Build(
        body=(
            (0.60, -0.40),
            (0.24, -0.34),
            (-0.34, -0.20),
            (-0.84, 0.06),
            (-0.60, 0.24),
            (-0.06, 0.36),
            (0.42, 0.26),
            (0.70, -0.08),
        ),
        belly=((0.64, -0.12), (0.28, 0.04), (-0.14, 0.16), (-0.58, 0.22), (-0.06, 0.34), (0.40, 0.23)),
        head=((0.46, -0.50), (0.54, -0.72), (0.76, -0.78), (0.96, -0.66), (0.94, -0.48), (0.78, -0.28), (0.56, -0.28)),
        cap=((0.50, -0.58), (0.66, -0.62), (0.90, -0.60), (0.95, -0.55), (0.86, -0.51), (0.66, -0.52)),
        eye=(0.76, -0.60),
        beak=((0.92, -0.65), (1.10, -0.60), (1.28, -0.52), (1.10, -0.50), (0.92, -0.47)),
        long_beak=(
            (0.92, -0.65),
            (1.26, -0.64),
            (1.58, -0.48),
            (1.74, -0.22),
            (1.54, -0.36),
            (1.24, -0.48),
            (0.92, -0.47),
        ),
        wing=((0.40, -0.22), (0.06, -0.26), (-0.44, -0.12), (-1.10, 0.16), (-0.60, 0.18), (-0.10, 0.18), (0.28, 0.06)),
        spot=(-0.04, -0.02),
        tail=((-0.66, -0.06), (-1.66, 0.06), (-1.62, 0.34), (-0.66, 0.18)),
        legs=((-0.06, 0.30), (0.14, 0.30)),
        ground=0.98,
        hue=0.575,
        saturation=0.30,
        value=0.58,
    ),
}


@dataclass(frozen=True)
class Plumage:
    """The colours of one bird."""

    back: Colour
    wing: Colour
    tail: Colour
    belly: Colour
    cap: Colour
    beak: Colour
    mark: Colour
    dark: Colour

    @classmethod
    def draw(cls, rng: np.random.Generator, build: Build) -> Plumage:
        turn, faded, brightness = rng.uniform(-0.035, 0.035), rng.uniform(0.75, 1.2), rng.uniform(0.85, 1.15)

        def colour(hue: float, saturation: float, value: float) -> Colour:
            rgb = colorsys.hsv_to_rgb((hue + turn) % 1, min(1, saturation * faded), min(1, value * brightness))
            return tuple(round(255 * channel) for channel in rgb)  # type: ignore[return-value]

        hue, saturation, value = build.hue, build.saturation, build.value
        return cls(
            back=colour(hue, saturation, value),
            wing=colour(hue, saturation * 1.15, value * 0.72),
            tail=colour(hue, saturation * 1.1, value * 0.62),
            belly=colour(0.11, 0.18, 0.88),
            cap=colour(hue, saturation * 0.9, value * 0.36),
            beak=colour(0.09, 0.55, 0.46),
            mark=colour(0.125, 0.62, 0.98),
            dark=colour(hue, 0.35, 0.14),
        )


def draw_bird(canvas: Canvas, build: Build, species: Species, plumage: Plumage) -> None:
    canvas.perch(build.legs, build.ground)
    canvas.shape("tail", build.tail, plumage.tail, outline=plumage.dark, smooth=False)
    for share in (0.3, 0.5, 0.7):
        canvas.stroke(
            "tail",
            [_between(build.tail[0], build.tail[3], share), _between(build.tail[1], build.tail[2], share)],
            plumage.dark,
        )
    if species.tail_band:
        corners = [
            _between(build.tail[i], build.tail[j], share)
            for i, j, share in ((0, 1, 0.5), (0, 1, 0.8), (3, 2, 0.8), (3, 2, 0.5))
        ]
        canvas.shape("tail", corners, plumage.mark, smooth=False)
    canvas.shape("body", build.body, plumage.back, outline=plumage.dark)
    canvas.shape("body", build.belly, plumage.belly)
    canvas.shape("beak", build.long_beak if species.long_beak else build.beak, plumage.beak, outline=plumage.dark)
    canvas.shape("head", build.head, plumage.back)
    canvas.shape("head", build.cap, plumage.cap)
    canvas.disc("head", build.eye, 0.075, plumage.belly)
    canvas.disc("head", build.eye, 0.055, (18, 16, 16))
    canvas.disc("head", (build.eye[0] + 0.02, build.eye[1] - 0.02), 0.018, (245, 245, 245))
    canvas.shape("wing", build.wing, plumage.wing, outline=plumage.dark)
    for share in (0.25, 0.5, 0.75):
        canvas.stroke(
            "wing",
            [
                _between(build.wing[0], build.wing[6], share),
                _between(build.wing[2], build.wing[4], share),
                build.wing[3],
            ],
            plumage.dark,
        )
    if species.wing_spot:
        canvas.disc("wing", build.spot, 0.165, plumage.dark)
        canvas.disc("wing", build.spot, 0.14, plumage.mark)
        canvas.disc("wing", build.spot, 0.05, plumage.dark)


def _between(a: tuple[float, float], b: tuple[float, float], share: float) -> tuple[float, float]:
    return a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1])
