"""What lies behind a drawn bird, and the light on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter


@dataclass(frozen=True)
class Scene:
    """What lies behind the bird, and the light that falls on everything."""

    background: Image.Image
    gain: np.ndarray
    """(height, width, 3) factors: colour cast, side light, and the darker corners of a lens."""
    grain: np.ndarray

    @classmethod
    def draw(cls, rng: np.random.Generator, width: int, height: int) -> Scene:
        palette = np.array(_BACKDROPS[rng.integers(len(_BACKDROPS))], dtype=np.float64)
        mix = _clouds(rng, width, height, cells=4) * 0.75 + _clouds(rng, width, height, cells=18) * 0.25
        mix = np.clip(0.5 + 1.1 * (mix - 0.5) + np.linspace(-0.35, 0.35, height)[:, None], 0, 1)[..., None]
        colours = palette[0] * (1 - mix) + palette[1] * mix
        background = Image.fromarray(colours.astype(np.uint8))
        background = _out_of_focus(rng, background, palette)
        y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
        side = 1 + rng.uniform(-0.16, 0.16) * x + rng.uniform(-0.14, 0.06) * y
        corners = 1 - rng.uniform(0.03, 0.14) * (x**2 + y**2)
        cast = rng.uniform(0.91, 1.09, size=3) * rng.uniform(0.88, 1.08)
        grain = rng.normal(0, rng.uniform(1, 4), size=(height, width, 1))
        return cls(background, (side * corners)[..., None] * cast, grain)

    def light(self, picture: Image.Image) -> Image.Image:
        lit = np.asarray(picture, dtype=np.float64) * self.gain + self.grain
        return Image.fromarray(np.clip(lit, 0, 255).astype(np.uint8))


_BACKDROPS = (
    ((168, 190, 148), (64, 92, 58)),  # leaves
    ((206, 216, 220), (120, 142, 150)),  # water
    ((222, 206, 170), (150, 124, 88)),  # sand
    ((198, 208, 226), (150, 160, 118)),  # sky over a meadow
    ((168, 150, 140), (84, 78, 80)),  # dusk
    ((214, 196, 196), (142, 112, 104)),  # heath
)


def _clouds(rng: np.random.Generator, width: int, height: int, cells: int) -> np.ndarray:
    """(height, width) smooth noise in [0, 1]."""
    coarse = Image.fromarray(rng.uniform(0, 255, size=(cells, cells)).astype(np.uint8))
    return np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), dtype=np.float64) / 255


def _out_of_focus(rng: np.random.Generator, background: Image.Image, palette: np.ndarray) -> Image.Image:
    """Blurred leaves and lights, drawn small because they are soft anyway."""
    width, height = background.size
    small = background.resize((max(8, width // 4), max(8, height // 4)), Image.Resampling.BILINEAR)
    pen = ImageDraw.Draw(small)
    for _ in range(rng.integers(6, 16)):
        colour = palette[0] + rng.uniform(-0.4, 1.3) * (palette[1] - palette[0]) + rng.normal(0, 12, size=3)
        x, y = rng.uniform(0, small.width), rng.uniform(0, small.height)
        length, slant = rng.uniform(0.02, 0.16) * small.width, rng.uniform(0.3, 1.0)
        fill = tuple(int(channel) for channel in np.clip(colour, 0, 255))
        pen.ellipse((x - length, y - slant * length, x + length, y + slant * length), fill=fill)
    blurred = small.filter(ImageFilter.GaussianBlur(rng.uniform(1.0, 2.6)))
    return Image.blend(background, blurred.resize(background.size, Image.Resampling.BICUBIC), 0.75)
