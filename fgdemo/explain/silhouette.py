"""The outline of the thing on a fine grid: rough foreground and the colours of the picture, without a second network.

What GrabCut does (Rother et al. 2004), in numpy: the foreground says roughly where the thing is, histograms of its
colours and of the others say which places go with it, and neighbours of like colour go together. Instead of a cut, a
mean field of the same energy is iterated (Krähenbühl & Koltun 2011, with neighbours only):

    q ← σ( u + clip(log h_thing(c) / h_rest(c)) + Σ_neighbours w (2 q' − 1) ),      w = exp(−β ‖c − c'‖² / 2 mean)

u is the log-odds of the foreground, c a colour in CIELAB. On 100 train butterflies with masks, intersection over union
was 0.87; OpenCV's GrabCut from the same seed had 0.80. It says where evidence is drawn, never how much there is: it
loses dark legs and half of a two-coloured animal now and then.
"""

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from fgdemo.values.evidence import FINE

ROUNDS, STEPS = 3, 8
"""How often the colours are learned, and how often neighbours are asked in between."""
LIKE_COLOURS = 2.0
"""β: how unlike two colours must be for a line to run between them."""
BINS = 12
"""Of a histogram, on each axis of the colours."""
MOST_LOGIT = 4.0
"""Neither the foreground nor the colours are surer than that."""
LEAST_SHARE = 0.002
"""A silhouette of less of the picture, or of all but that, tells nothing."""
LINEAR_TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
WHITE = np.array([0.9505, 1.0, 1.089])


def silhouette(foreground: np.ndarray, picture: Image.Image) -> np.ndarray | None:
    """(FINE, FINE) share of each place that is the thing, in [0, 1]; None where the picture tells nothing of it.

    Args:
        foreground: (h, w) in [0, 1], over the whole of `picture`.
    """
    colours = lab(np.asarray(picture.convert("RGB").resize((FINE, FINE), Image.Resampling.BOX)))
    seed = _log_odds(foreground)
    weights = _weights(colours)
    all_around = _from_neighbours(np.ones_like(seed), weights)
    bins = _bins(colours)
    share = _sigmoid(seed)
    for _ in range(ROUNDS):
        alone = seed + np.clip(_colour_log_odds(bins, share), -MOST_LOGIT, MOST_LOGIT)
        for _ in range(STEPS):
            share = _sigmoid(alone + 2 * _from_neighbours(share, weights) - all_around)
    thing = float((share > 0.5).mean())
    return share if LEAST_SHARE < thing < 1 - LEAST_SHARE else None


def lab(rgb: np.ndarray) -> np.ndarray:
    """(..., 3) sRGB in [0, 255] → CIELAB (D65), divided by 100."""
    value = rgb.astype(np.float64) / 255
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    xyz = linear @ LINEAR_TO_XYZ.T / WHITE
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], -1) / 100


def _log_odds(foreground: np.ndarray) -> np.ndarray:
    least = _sigmoid(np.array(-MOST_LOGIT))
    inside = np.clip(foreground.astype(np.float64), least, 1 - least)
    grid = Image.fromarray(np.log(inside / (1 - inside)).astype(np.float32))
    return np.asarray(grid.resize((FINE, FINE), Image.Resampling.BICUBIC), np.float64)


def _sigmoid(value: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(value, -30, 30)))


def _weights(colours: np.ndarray) -> list[np.ndarray]:
    """w of each place with the one to the right, below, below right and below left."""
    apart = [((colours[here] - colours[there]) ** 2).sum(-1) for here, there in PAIRS]
    mean = max(float(np.mean(np.concatenate([one.ravel() for one in apart]))), 1e-9)
    near = (1.0, 1.0, 0.5**0.5, 0.5**0.5)
    return [one * np.exp(-LIKE_COLOURS * square / (2 * mean)) for one, square in zip(near, apart, strict=True)]


ALL, BUT_FIRST, BUT_LAST = slice(None), slice(1, None), slice(None, -1)
PAIRS = (
    ((ALL, BUT_LAST), (ALL, BUT_FIRST)),
    ((BUT_LAST, ALL), (BUT_FIRST, ALL)),
    ((BUT_LAST, BUT_LAST), (BUT_FIRST, BUT_FIRST)),
    ((BUT_LAST, BUT_FIRST), (BUT_FIRST, BUT_LAST)),
)


def _from_neighbours(share: np.ndarray, weights: list[np.ndarray]) -> np.ndarray:
    """Σ w q' over the eight neighbours of each place."""
    total = np.zeros_like(share)
    for weight, (here, there) in zip(weights, PAIRS, strict=True):
        total[here] += weight * share[there]
        total[there] += weight * share[here]
    return total


def _bins(colours: np.ndarray) -> np.ndarray:
    """Which bin of the histogram each colour is in; few colours do not fill them all."""
    low, high = colours.min((0, 1)), colours.max((0, 1))
    steps = (colours - low) / np.maximum(high - low, 0.15) * BINS
    light, reddish, yellowish = np.moveaxis(steps.astype(int).clip(0, BINS - 1), -1, 0)
    return (light * BINS + reddish) * BINS + yellowish


def _colour_log_odds(bins: np.ndarray, share: np.ndarray) -> np.ndarray:
    """log h_thing / h_rest of the colour at each place, of smoothed histograms of a thousand places each."""
    found = []
    for side in (share, 1 - share):
        counts = np.bincount(bins.ravel(), side.ravel(), BINS**3).reshape((BINS,) * 3)
        smooth = gaussian_filter(counts, 1.0, mode="constant", truncate=2.5).ravel()
        found.append(0.5 + 1000 * smooth / max(float(side.sum()), 1e-9))
    return np.log(found[0] / found[1])[bins]
