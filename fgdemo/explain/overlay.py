"""Maps over pictures with Pillow and numpy, in the colours of the page's viewer: what is zero is clear.

Grids are (h, w) and cover the picture exactly; sizes are (width, height) in pixels, as Pillow counts them. The value
that gets full colour is given by the caller, so that two maps can share one scale.
"""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageColor

from fgdemo.values.classification.answers import PartView

SCALES = {
    "evidence": ("#5C2A9D", "#B5309B", "#F4567F", "#FF8F5E", "#FFDF5A"),
    "against": ("#1D4A54", "#2C7D86", "#57B5B4", "#B9ECE2"),
    "a": ("#8DB9F2", "#4F95EF", "#1F6FE0", "#0F57C4"),
    "b": ("#FFC794", "#FF9A45", "#F07410", "#D95F00"),
}
"""Colour stops from weak to strong: the lightness of each changes evenly, so equal steps look equal."""
TINT = 0.34
LINE = 0.95
FAINTEST = 1e-3
"""Shares come with three digits."""


def scale_colours(name: str, strength: np.ndarray) -> np.ndarray:
    """(...) in [0, 1] → (..., 3) RGB in [0, 255]."""
    stops = np.array([ImageColor.getrgb(stop) for stop in SCALES[name]], dtype=np.float64)
    place = np.clip(strength, 0, 1) * (len(stops) - 1)
    return np.stack([np.interp(place, np.arange(len(stops)), stops[:, channel]) for channel in range(3)], -1)


def opacity(strength: np.ndarray) -> np.ndarray:
    """(...) in [0, 1] → [0, 0.78]: zero is clear, weak stays faint, and even the peak lets the photograph through."""
    return 0.78 * strength**2 * (3 - 2 * strength)


def resized(grid_map: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A (h, w) map at (height, width) points, smooth (bicubic) through the middles of its places."""
    grid = Image.fromarray(np.ascontiguousarray(grid_map, dtype=np.float32))
    return np.asarray(grid.resize(size, Image.Resampling.BICUBIC))


def signed_layer(
    grid_map: np.ndarray, size: tuple[int, int], full: float, positive: str = "evidence", negative: str = "against"
) -> Image.Image:
    """RGBA layer of a signed map; ±`full` and beyond get the top of the two scales, 0 is clear."""
    values = np.clip(resized(grid_map, size) / max(full, 1e-12), -1.0, 1.0)
    strength = np.abs(values)
    colours = np.where(values[..., None] < 0, scale_colours(negative, strength), scale_colours(positive, strength))
    return _layer(colours, opacity(strength))


def parts_layer(parts: Sequence[PartView], grid: tuple[int, int], size: tuple[int, int]) -> Image.Image:
    """RGBA layer: each part tinted, with a line around it, where it holds more of a place than anything else does.

    Between places the logarithms of the shares are smoothed, which is what parts that were taught are linear in.
    """
    if not parts:
        return Image.new("RGBA", size)
    shares = np.stack([np.reshape(part.share, grid) for part in parts])
    every = np.concatenate([shares, 1.0 - shares.sum(0, keepdims=True)])
    owner = np.stack([resized(one, size) for one in np.log(np.maximum(every, FAINTEST))]).argmax(0)
    is_part = owner < len(parts)
    inner = is_part.copy()
    line_px = max(1, round(max(size) / 240))
    for shift in range(1, line_px + 1):
        for axis in (0, 1):
            inner &= (np.roll(owner, shift, axis) == owner) & (np.roll(owner, -shift, axis) == owner)
    colours = np.array([ImageColor.getrgb(part.colour) for part in parts] + [(0, 0, 0)], dtype=np.float64)
    return _layer(colours[owner], np.where(inner, TINT, LINE) * is_part)


def over(picture: Image.Image, layer: Image.Image, opaque: float = 0.85) -> Image.Image:
    """The layer over the picture, which is taken to the layer's size. `opaque`: as the page's slider, in [0, 1]."""
    base = picture.convert("RGBA").resize(layer.size, Image.Resampling.LANCZOS)
    covered = Image.alpha_composite(base, layer)
    return Image.blend(base, covered, opaque).convert("RGB")


def scale_strip(size: tuple[int, int], positive: str, negative: str | None = None) -> Image.Image:
    """RGBA strip of the scale from strong negative over clear zero to strong positive (or from zero on)."""
    value = np.linspace(-1.0 if negative else 0.0, 1.0, size[0])
    strength = np.abs(value)
    colours = scale_colours(positive, strength)
    if negative:
        colours = np.where(value[:, None] < 0, scale_colours(negative, strength), colours)
    return _layer(np.tile(colours, (size[1], 1, 1)), np.tile(opacity(strength), (size[1], 1)))


def _layer(colours: np.ndarray, alpha: np.ndarray) -> Image.Image:
    rgba = np.concatenate([colours, 255.0 * alpha[..., None]], -1)
    return Image.fromarray(np.clip(np.rint(rgba), 0, 255).astype(np.uint8))
