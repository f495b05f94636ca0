"""PixelFlipping (Bach et al. 2015) less random, for `faithfulness.py`: an independent judge of the trust figure."""

from __future__ import annotations

import numpy as np
import torch
from scipy.stats import rankdata
from torch import Tensor

from fgdemo.explain import faithfulness as measure
from fgdemo.model.network import Network

FLIP_STEPS, FLIP_SIDE = 32, 8
"""Equal steps, and the side of the squares that are flipped, in pixels."""


def flipping(network: Network, pixels: Tensor, grid_map: np.ndarray, a: int, rng: np.random.Generator) -> float:
    """How much sooner A falls when the map says which squares of pixels go first than in a random order; high is good.

    Args:
        pixels: (3, S, S) normalised.
    """
    size = (pixels.shape[-2] // FLIP_SIDE, pixels.shape[-1] // FLIP_SIDE)
    flat = pixels.mean((-2, -1), keepdim=True).expand_as(pixels)
    orders = [measure.pixel_ranks(grid_map, size), rng.permutation(size[0] * size[1]).reshape(size)]
    pictures = [pixels, flat]
    for ranks in orders:
        fine = torch.from_numpy(np.kron(ranks, np.ones((FLIP_SIDE, FLIP_SIDE)))).to(pixels.device)
        pictures += [torch.where(fine < step * size[0] * size[1] / FLIP_STEPS, flat, pixels) for step in range(1, 32)]
    with torch.inference_mode():
        logits = torch.cat([network(torch.stack(pictures[at : at + 8]))[:, a] for at in range(0, len(pictures), 8)])
    whole, empty, curves = logits[0], logits[1], logits[2:].reshape(2, -1)
    ours, randomly = curves.mean(1)
    return float((randomly - ours) / (whole - empty).abs().clamp_min(1e-6))


def rank_correlation(first: np.ndarray, second: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Spearman's, of photographs that count as often as their (..., N) weights say."""
    x, y = (rankdata(one) - len(one) / 2 for one in (first, second))
    share = weights / weights.sum(-1, keepdims=True)
    mean_x, mean_y = share @ x, share @ y
    spread_x, spread_y = share @ x**2 - mean_x**2, share @ y**2 - mean_y**2
    return (share @ (x * y) - mean_x * mean_y) / np.sqrt(np.maximum(spread_x * spread_y, 1e-12))
