"""A closer look: where it goes, when it is worth one, and how both views of a picture become one sum.

The first view is the whole picture, the second the frame around the thing, of the original pixels. Their embeddings are
averaged, so that every logit is the mean of both, and its evidence half of each view's, that of the frame where the
frame lies:

    e[p, c] = ½ e_whole(p)[c] + ½ e_frame(p)[c],      Σ_p e[p, c] + bias_c = logit_c

on a grid that is finer than that of one view, because a token of the frame is smaller than one of the whole picture. A
token that lies in several cells is shared out among them by area, which leaves every sum as it is.

Why one look, and when: measured for whole photographs, reduced birds and plain pictures, see docs/results.md. A second
frame in the frame and fusing by entropy do not help (docs/log.md).
"""

# scipy comes without types:
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage

from fgdemo.values.types import CropBox, Part, Reading

SURE_PROB = 0.95
"""A first answer of at least this probability needs no second look."""
LARGE = 0.5
"""A frame of at least so much of the picture shows hardly more than the whole."""
LOW, HIGH = 0.05, 0.95
"""Quantiles of the foreground, across and down, between which the thing lies."""
WIDER = 0.15
"""By so much of itself each side of the frame is longer than that."""
LEAST_SIDE = 0.2
"""Of the side of the picture: a smaller frame shows pixels and no animal."""
FAINTEST = 0.005
"""Mean of f² below which a picture shows no thing to look at: one place of 14 × 14."""
THING = 0.5
"""Places with more foreground than this that touch are one thing."""
ANOTHER = 0.35
"""Another thing has at least so much of the foreground of the largest."""
FINER = 2
"""The grid of both views has so many times the rows and columns of one."""
TOUCHING = np.ones((3, 3), bool)
"""A place and the eight around it."""
WHOLE = CropBox(0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True)
class Frames:
    """Where to look closer: the frame around the largest thing, and those around others that are nearly as large."""

    box: CropBox
    others: tuple[CropBox, ...]


def frames_of(foreground: np.ndarray | None) -> Frames | None:
    """Where the things of a picture are, by its (h, w) foreground in [0, 1]; None where there is nothing to look at."""
    if foreground is None:
        return None
    weight = foreground.astype(np.float64) ** 2
    if weight.mean() < FAINTEST:
        return None
    things = sorted(_things(foreground > THING), key=lambda one: -float(weight[one].sum()))
    if len(things) < 2:
        return Frames(_around(weight), ())
    least = ANOTHER * float(weight[things[0]].sum())
    others = [_around(weight * one) for one in things[1:] if float(weight[one].sum()) >= least]
    if others:  # what lies between them is of neither
        near: Any = ndimage.binary_dilation(things[0], TOUCHING)
        return Frames(_around(weight * near), tuple(others))
    return Frames(_around(np.where(np.any(things[1:], axis=0), 0, weight)), ())


def _things(is_thing: np.ndarray) -> list[np.ndarray]:
    """(h, w) masks of things, which touch at corners too."""
    labelled: Any = ndimage.label(is_thing, TOUCHING)
    number, count = labelled
    return [number == one for one in range(1, count + 1)]


def is_worth(prob: float, box: CropBox) -> bool:
    """Whether a closer look is taken unasked: the first answer is unsure, and the thing is small."""
    return prob < SURE_PROB and area_of(box) < LARGE


def area_of(box: CropBox) -> float:
    """Share of the picture, in (0, 1]."""
    return (box.right - box.left) * (box.bottom - box.top)


def _around(weight: np.ndarray) -> CropBox:
    """The frame around an (h, w) weight, in digits that a page can send back."""
    left, right = _side(weight.sum(0))
    top, bottom = _side(weight.sum(1))
    return CropBox(left, top, right, bottom)


def _side(line: np.ndarray) -> tuple[float, float]:
    until = np.concatenate([[0.0], np.cumsum(line)]) / line.sum()
    low, high = np.interp([LOW, HIGH], until, np.linspace(0, 1, len(until)))
    half = max((high - low) * (1 + WIDER), LEAST_SIDE) / 2
    middle = float(np.clip((low + high) / 2, LEAST_SIDE / 2, 1 - LEAST_SIDE / 2))
    return round(float(max(middle - half, 0.0)), 4), round(float(min(middle + half, 1.0)), 4)


# --- both views as one ---------------------------------------------------------------------------------------


def placed(values: np.ndarray, box: CropBox, grid: tuple[int, int]) -> np.ndarray:
    """(h, w, ...) amounts over `box` → (H, W, ...) over the whole picture with the same sums."""
    down, across = (
        _overlaps(values.shape[0], box.top, box.bottom, grid[0]),
        _overlaps(values.shape[1], box.left, box.right, grid[1]),
    )
    return np.moveaxis(np.tensordot(across / across.sum(0), np.tensordot(down / down.sum(0), values, 1), (1, 1)), 0, 1)


def in_place(values: np.ndarray, box: CropBox, beside: np.ndarray) -> np.ndarray:
    """(h, w, ...) shares over `box` → (H, W, ...) over the picture: their mean by area, and `beside` around the box."""
    down, across = (
        _overlaps(values.shape[0], box.top, box.bottom, beside.shape[0]),
        _overlaps(values.shape[1], box.left, box.right, beside.shape[1]),
    )
    inside = np.moveaxis(np.tensordot(across, np.tensordot(down, values, 1), (1, 1)), 0, 1)
    covered = down.sum(1)[:, None] * across.sum(1)
    covered = covered.reshape(covered.shape + (1,) * (values.ndim - 2))
    return inside + (1 - covered) * beside


def _overlaps(tokens: int, low: float, high: float, cells: int) -> np.ndarray:
    """(cells, tokens): how much of each cell of [0, 1] lies in each token of [low, high], in cells."""
    cell, token = np.arange(cells + 1.0), np.linspace(low, high, tokens + 1) * cells
    shared = np.minimum(cell[1:, None], token[1:]) - np.maximum(cell[:-1, None], token[:-1])
    return np.maximum(shared, 0)


def both(
    first: Reading,
    second: Reading,
    box: CropBox,
    *,
    weight: float,
    probs: np.ndarray,
    unknown: tuple[float, float],
    shares: Sequence[np.ndarray],
    parts: tuple[Part, ...],
) -> Reading:
    """One reading of the whole picture and of the frame `box` in it, whose evidence sums to the mean of both logits.

    Args:
        weight: what calibrated logits of either view are multiplied by: a half, and how much surer two views are.
        probs: (C,) softmax of the fused logits.
        unknown: score and threshold of both views together.
        shares: (h, w, K + 1) of `parts`, of either view.
    """
    rows, columns = first.evidence.shape[:2]
    grid = (rows * FINER, columns * FINER)
    evidence = weight * (placed(first.evidence, WHOLE, grid) + placed(second.evidence, box, grid))
    around = in_place(shares[0], WHOLE, np.zeros((*grid, shares[0].shape[-1])))
    return Reading(
        logits=weight * (first.logits + second.logits),
        probs=probs,
        evidence=evidence,
        bias=2 * weight * first.bias,
        assignment=in_place(shares[1], box, around),
        parts=parts,
        embedding=mean_embedding(first, second)[1],
        unknown_score=unknown[0],
        unknown_threshold=unknown[1],
        foreground=_foreground(first, second, box, grid),
    )


def mean_embedding(first: Reading, second: Reading) -> tuple[np.ndarray, np.ndarray]:
    """(D,) the mean of both pooled tokens, and the same of unit length."""
    if first.tokens is None or second.tokens is None:
        mean = (first.embedding + second.embedding) / 2
    else:
        mean = (first.tokens.mean((0, 1)) + second.tokens.mean((0, 1))) / 2
    return mean, mean / max(float(np.linalg.norm(mean)), 1e-9)


def _foreground(first: Reading, second: Reading, box: CropBox, grid: tuple[int, int]) -> np.ndarray | None:
    if first.foreground is None or second.foreground is None:
        return None
    return in_place(second.foreground, box, in_place(first.foreground, WHOLE, np.zeros(grid)))
