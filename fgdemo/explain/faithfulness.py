"""How faithful a map is to the pixels: deletion and insertion, pointing, relevance mass, and the effect on a pair.

Evidence is exact from tokens to logit, but a token has seen its whole neighbourhood, so what a map says about the
*pixels* under it has to be measured. The pixels are ordered by the map (up-sampled bilinearly) and

- deletion replaces the highest first by a blurred copy of the picture: a faithful map makes the answer fall at once;
- insertion shows the highest first on the blurred copy: a faithful map makes the answer rise at once.

Both after Petsiuk et al. 2018 (RISE, arXiv 1806.07421), with blur at both ends so that no black holes are classified.
What is watched is a *share*: the probability of A among all classes (class maps), or among A and B alone, i.e.
`sigmoid(logit_a − logit_b)` (contrast maps), divided by its value for the whole picture and cut at 1, so that pictures
the model is unsure of count as much as others. An AUC is the mean of that share over the fraction of pixels (trapezoid
rule), in [0, 1]; low is good for deletion, high for insertion.

The random baseline needs no sampling for its mean: showing the top f of a random map R is deleting the bottom
1 − f of it, that is deleting the top 1 − f of −R. Random maps that are as likely as their negatives therefore score
exactly 0 on average in insertion − deletion. What must be measured is how far they scatter about 0 on this picture.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torchvision.transforms.functional import gaussian_blur

from fgdemo.statistics.bootstrap import interval
from fgdemo.values.training import Interval
from fgdemo.values.types import Trust

STEPS = 8
"""Equal steps from no pixel to all pixels; both ends are the same for every map of a picture."""
BATCH = 8
"""Pictures a forward pass: small, so that other threads get their turn in between."""
RANDOM_MAPS, RANDOM_STEPS = 4, 4
"""How many random maps, and in how many steps they are walked, to see how far they scatter on one picture."""
BLUR_SHARE = 1 / 14
"""Standard deviation of the blur, as a share of the picture's side: at 224 px it leaves colours, no patterns."""


class PixelNet(Protocol):
    """What is asked of a network that maps are held against."""

    @property
    def device(self) -> torch.device: ...

    def __call__(self, pixels: Tensor) -> Tensor:
        """`(B, 3, S, S)` → `(B, C)` calibrated logits."""
        ...


class Net(PixelNet, Protocol):
    """What is asked of `fgdemo.model.network.Network`."""

    def tokens(self, pixels: Tensor) -> Tensor: ...

    def evidence(self, tokens: Tensor) -> Tensor: ...


@dataclass(frozen=True)
class Curves:
    """Logits along the two walks of one map: row t has t / (T − 1) of the pixels deleted, or inserted."""

    deletion: np.ndarray
    """(T, C); row 0 is the whole picture, the last the blurred one."""
    insertion: np.ndarray
    """(T, C); row 0 is the blurred picture, the last the whole one."""


def blurred(pixels: Tensor) -> Tensor:
    """The copy that stands for "not seen": colours stay, patterns go. (3, S, S) → (3, S, S)."""
    sigma = BLUR_SHARE * pixels.shape[-1]
    reach = min(2 * int(2 * sigma) + 1, 2 * (min(pixels.shape[-2:]) // 2) - 1)
    return gaussian_blur(pixels, [reach, reach], [sigma, sigma])


def upsampled(grid_map: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A map over the token grid, bilinearly on `size` = (rows, columns) of pixels."""
    grid = torch.from_numpy(np.ascontiguousarray(grid_map, dtype=np.float32))[None, None]
    return functional.interpolate(grid, size=size, mode="bilinear", align_corners=False)[0, 0].numpy()


def pixel_ranks(grid_map: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(rows, columns) of int: 0 for the pixel the map rates highest. No two pixels share a rank.

    Ties (a map without negative values is 0 over large areas) are broken by a smooth random map, the same for every
    map of that grid: an order by rows would favour whatever lies at the bottom of pictures.
    """
    values = upsampled(grid_map, size)
    tie_break = upsampled(random_like(np.ones(grid_map.shape), np.random.default_rng(0), 2.0), size)
    order = np.lexsort((tie_break.ravel(), -values.ravel()))
    ranks = np.empty(order.size, dtype=np.int64)
    ranks[order] = np.arange(order.size)
    return ranks.reshape(size)


def random_like(grid_map: np.ndarray, rng: np.random.Generator, falloff: float | None = None) -> np.ndarray:
    """A random map exactly as smooth as the given one: the same power spectrum, the phases of white noise.

    With `falloff` the amplitude is 1 / frequency^falloff instead, for when there is no map to be like.
    As likely as its own negative, which makes the mean of insertion − deletion 0.
    """
    noise = np.fft.rfft2(rng.standard_normal(grid_map.shape))
    rows, columns = (np.fft.fftfreq(grid_map.shape[0])[:, None], np.fft.rfftfreq(grid_map.shape[1])[None])
    if falloff is None:
        amplitude = np.abs(np.fft.rfft2(grid_map))
    else:
        amplitude = 1.0 / np.maximum(np.hypot(rows, columns), 1.0 / max(grid_map.shape)) ** falloff
    amplitude[0, 0] = 0.0
    return np.fft.irfft2(amplitude * noise / np.maximum(np.abs(noise), 1e-12), s=grid_map.shape)


@torch.inference_mode()
def walk(net: PixelNet, pixels: Tensor, grid_maps: Sequence[np.ndarray], steps: int = STEPS) -> list[Curves]:
    """Deletion and insertion curves of several maps of one picture; `2 + 2 · maps · (steps − 1)` forward passes.

    Args:
        pixels: (3, S, S) normalised.
        grid_maps: each (h, w), high where the map says "here"; any scale, only the order counts.
    """
    hidden = blurred(pixels)
    size = (pixels.shape[-2], pixels.shape[-1])
    count = size[0] * size[1]
    cuts = [round(count * step / steps) for step in range(1, steps)]
    ranks = [torch.from_numpy(pixel_ranks(grid_map, size)).to(pixels.device) for grid_map in grid_maps]

    def pictures() -> Iterable[Tensor]:
        yield pixels
        yield hidden
        for rank in ranks:
            for cut in cuts:
                yield torch.where(rank < cut, hidden, pixels)
            for cut in cuts:
                yield torch.where(rank < cut, pixels, hidden)

    logits = _logits(net, pictures())
    whole, empty, per_map = logits[:1], logits[1:2], logits[2:].reshape(len(ranks), 2, steps - 1, -1)
    return [
        Curves(np.concatenate((whole, deletion, empty)), np.concatenate((empty, insertion, whole)))
        for deletion, insertion in per_map
    ]


def _logits(net: PixelNet, pictures: Iterable[Tensor]) -> np.ndarray:
    rows, batch = [], []
    for picture in pictures:
        batch.append(picture)
        if len(batch) == BATCH:
            rows.append(net(torch.stack(batch)).float().cpu().numpy())
            batch = []
    if batch:
        rows.append(net(torch.stack(batch)).float().cpu().numpy())
    return np.concatenate(rows)


def class_prob(logits: np.ndarray, a: int) -> np.ndarray:
    """(T, C) logits → (T,) softmax probability of class `a` among all classes."""
    return np.exp(logits[:, a] - np.logaddexp.reduce(logits.astype(np.float64), axis=1))


def pair_prob(logits: np.ndarray, a: int, b: int) -> np.ndarray:
    """(T, C) logits → (T,) probability of `a` if it can only be `a` or `b`: sigmoid of the logit difference."""
    return np.exp(-np.logaddexp(0.0, logits[:, b].astype(np.float64) - logits[:, a]))


def _share(probs: np.ndarray, whole: float) -> np.ndarray:
    return np.minimum(probs / max(whole, 1e-12), 1.0)


def deletion_auc(curves: Curves, a: int, b: int | None = None) -> float:
    """Mean share left while the map's highest pixels go first, in [0, 1]; low is good. With `b`: the pair's share."""
    probs = class_prob(curves.deletion, a) if b is None else pair_prob(curves.deletion, a, b)
    return _auc(_share(probs, probs[0]))


def insertion_auc(curves: Curves, a: int, b: int | None = None) -> float:
    """Mean share reached while the map's highest pixels come first, in [0, 1]; high is good."""
    probs = class_prob(curves.insertion, a) if b is None else pair_prob(curves.insertion, a, b)
    return _auc(_share(probs, probs[-1]))


def _auc(values: np.ndarray) -> float:
    return float((values[1:] + values[:-1]).mean() / 2)


def faithfulness(curves: Curves, a: int, b: int | None = None) -> float:
    """Insertion AUC − deletion AUC, in [−1, 1]: 1 is best, 0 is what random maps average, below 0 misleads."""
    return insertion_auc(curves, a, b) - deletion_auc(curves, a, b)


def trust_of(net: PixelNet, pixels: Tensor, questions: Sequence[tuple[np.ndarray, int, int | None]]) -> list[Trust]:
    """Trust of each (h, w) map for class a, or for a against b, of one picture; random maps like these serve all.

    Args:
        pixels: (3, S, S) normalised, on the device of `net`.
        questions: (map, a, b); b is None where the map is about a among all classes.
    """
    maps = [grid_map for grid_map, _, _ in questions]
    rng = np.random.default_rng(_seed(pixels))
    randoms = [random_like(maps[place % len(maps)], rng) for place in range(max(RANDOM_MAPS, len(maps)))]
    curves, of_randoms = walk(net, pixels, maps), walk(net, pixels, randoms, RANDOM_STEPS)
    return [_trust(one, of_randoms, a, b) for one, (_, a, b) in zip(curves, questions, strict=True)]


def _trust(curves: Curves, randoms: Sequence[Curves], a: int, b: int | None) -> Trust:
    scatter = np.sqrt(np.mean([faithfulness(random, a, b) ** 2 for random in randoms]))
    deletion, insertion = deletion_auc(curves, a, b), insertion_auc(curves, a, b)
    return Trust(
        score=insertion - deletion, deletion_auc=deletion, insertion_auc=insertion, random_score=float(scatter)
    )


def _seed(pixels: Tensor) -> int:
    return int.from_bytes(hashlib.sha256(pixels.cpu().numpy().tobytes()).digest()[:8], "little")


# --- against known masks and pairs ------------------------------------------------------------------------------


def pointing_game(grid_map: np.ndarray, mask: np.ndarray) -> bool:
    """Whether the map's peak (up-sampled to the mask's size) falls on the mask. `mask`: (rows, columns) of bool."""
    values = upsampled(grid_map, (mask.shape[0], mask.shape[1]))
    return bool(mask.ravel()[int(values.argmax())])


def relevance_mass(grid_map: np.ndarray, mask: np.ndarray) -> float:
    """Share of the map's positive relevance that falls on the mask, in [0, 1]; a map without any scores 0."""
    positive = np.maximum(upsampled(grid_map, (mask.shape[0], mask.shape[1])), 0.0)
    total = float(positive.sum())
    return float(positive[mask].sum()) / total if total > 0 else 0.0


@torch.inference_mode()
def removal_drop(
    net: Net, pixels: Tensor, grid_maps: Sequence[np.ndarray], a: int, b: int, share: float = 0.1
) -> np.ndarray:
    """(maps,) how much `logit_a − logit_b` falls when the strongest `share` of each map is blurred away, in nats."""
    hidden = blurred(pixels)
    size = (pixels.shape[-2], pixels.shape[-1])
    cut = round(share * size[0] * size[1])
    masks = (torch.from_numpy(pixel_ranks(grid_map, size) < cut).to(pixels.device) for grid_map in grid_maps)
    logits = _logits(net, (pixels, *(torch.where(mask, hidden, pixels) for mask in masks)))
    difference = logits[:, a] - logits[:, b]
    return difference[0] - difference[1:]


def pair_effect(contrast_drops: np.ndarray, gradcam_drops: np.ndarray) -> Interval:
    """(ratio, low, high): mean drop by the A-versus-B map over mean drop by Grad-CAM of A, paired over pictures.

    Above 1 the contrast map finds what tells the pair apart better than the class map does.
    """
    return interval(lambda weights: (weights @ contrast_drops) / (weights @ gradcam_drops), len(contrast_drops))
