"""Part maps: which part of the thing each token belongs to (prototypes after PDiscoFormer, Aniraj et al. 2024).

    A[n, k] = softmax_k( −‖q_n − p_k‖² / T ),   q_n = P (z_n / ‖z_n‖ − m)

Every group (bird, dog, …) has its own parts and several background prototypes whose shares are summed into one
background, so that each row of A sums to 1 and the evidence splits exactly over the parts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.cluster.vq import kmeans2
from torch import Tensor
from torch.nn import functional

from fgdemo.types import Part

BACKGROUND = -1


@dataclass(frozen=True)
class PartModel:
    """
    Attributes:
        mean: (D,) mean of unit-length tokens.
        projection: (D, d).
        prototypes: (P, d).
        part_ids: (P,) id of the part each prototype stands for, or `BACKGROUND`.
        groups: P group names.
        temperature: T; high is softer.
        parts: all parts, ids unique.
    """

    mean: Tensor
    projection: Tensor
    prototypes: Tensor
    part_ids: tuple[int, ...]
    groups: tuple[str, ...]
    temperature: float
    parts: tuple[Part, ...]

    def of_group(self, group: str) -> tuple[Part, ...]:
        return tuple(part for part in self.parts if part.group == group)

    def group_of(self, root: str) -> str:
        """The group that serves pictures of this root taxon: its own, or "" where all taxa share one set of parts."""
        return root if root in self.groups else ""

    def assign(self, tokens: Tensor, group: str) -> Tensor:
        """(..., D) tokens → (..., K + 1) shares of the K parts of `group` and the background; they sum to 1."""
        parts = self.of_group(group)
        rows = [row for row, owner in enumerate(self.groups) if owner == group]
        if not rows:
            return torch.ones(*tokens.shape[:-1], 1, device=tokens.device)
        places = functional.normalize(tokens.float(), dim=-1) - self.mean
        distance = torch.cdist(places @ self.projection, self.prototypes[rows]) ** 2
        shares = torch.softmax(-distance / self.temperature, -1)
        columns = {part.id: column for column, part in enumerate(parts)}
        column_of = torch.tensor([columns.get(self.part_ids[row], len(parts)) for row in rows], device=tokens.device)
        summed = torch.zeros(*tokens.shape[:-1], len(parts) + 1, device=tokens.device)
        return summed.index_add(-1, column_of, shares)


def fit_parts(samples: dict[str, Tensor], *, parts_per_group: int = 6, dims: int = 64, seed: int = 0) -> PartModel:
    """Cold start without training: k-means on foreground tokens, group by group.

    What is foreground is learned from where things usually lie: a linear classifier tells the tokens of the middle
    of the pictures from those along the border, and a token is foreground where its score passes Otsu's threshold.

    Args:
        samples: for each group, (n, h, w, D) tokens of some of its pictures.
    """
    flat = torch.cat([functional.normalize(t.float(), dim=-1).reshape(-1, t.shape[-1]) for t in samples.values()])
    mean = flat.mean(0)
    covariance = (flat - mean).T @ (flat - mean) / len(flat)
    projection = torch.linalg.eigh(covariance)[1][:, -min(dims, flat.shape[1]) :].contiguous()
    prototypes: list[np.ndarray] = []
    ids: list[int] = []
    groups: list[str] = []
    parts: list[Part] = []
    nearest: list[float] = []
    for group, tokens in samples.items():
        places = ((functional.normalize(tokens.float(), dim=-1) - mean) @ projection).numpy()
        foreground = foreground_mask(places)
        fore = _k_means(places[foreground], parts_per_group, seed)
        back = _k_means(places[~foreground], parts_per_group, seed)
        first = len(parts)
        parts += [Part(first + k, None, group) for k in range(len(fore))]
        prototypes += [fore, back]
        ids += [*range(first, first + len(fore)), *[BACKGROUND] * len(back)]
        groups += [group] * (len(fore) + len(back))
        both = np.concatenate([fore, back])
        some = places.reshape(-1, places.shape[-1])[:: max(1, places.size // places.shape[-1] // 4000)]
        nearest.append(float(np.median(((some[:, None] - both[None]) ** 2).sum(-1).min(1))))
    return PartModel(
        mean=mean,
        projection=projection,
        prototypes=torch.from_numpy(np.concatenate(prototypes)).float(),
        part_ids=tuple(ids),
        groups=tuple(groups),
        temperature=float(np.mean(nearest)) / 4 or 1.0,
        parts=tuple(parts),
    )


def foreground_mask(places: np.ndarray) -> np.ndarray:
    """(n, h, w, d) tokens → (n, h, w) bool."""
    n, rows, columns, dims = places.shape
    y = np.abs((np.arange(rows) + 0.5) / rows - 0.5)[:, None]
    x = np.abs((np.arange(columns) + 0.5) / columns - 0.5)[None]
    middle = np.broadcast_to((y < 0.2) & (x < 0.2), (n, rows, columns)).ravel()
    edge = np.broadcast_to(np.maximum(y, x) > 0.5 - 1 / min(rows, columns), (n, rows, columns)).ravel()
    tokens = places.reshape(-1, dims)
    inside, outside = tokens[middle], tokens[edge]
    if min(rows, columns) < 3 or len(inside) < 2:
        return np.ones((n, rows, columns), dtype=bool)
    spread = np.cov(inside, rowvar=False) + np.cov(outside, rowvar=False)
    spread = np.atleast_2d(spread) + (1e-6 * np.trace(np.atleast_2d(spread)) / dims + 1e-12) * np.eye(dims)
    score = tokens @ np.linalg.solve(spread, inside.mean(0) - outside.mean(0))
    return (score > otsu(score)).reshape(n, rows, columns)


def otsu(values: np.ndarray) -> float:
    """The threshold that parts values into two classes of least inner variance (Otsu 1979)."""
    counts, edges = np.histogram(values, 128)
    centres = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)
    above = below[-1] - below
    sums = np.cumsum(counts * centres)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    return float(centres[int(np.nanargmax(between))]) if np.isfinite(between).any() else float(values.mean())


def _k_means(points: np.ndarray, k: int, seed: int) -> np.ndarray:
    if len(points) <= k:
        return points if len(points) else np.zeros((1, points.shape[-1]), np.float32)
    generator = np.random.default_rng(seed)
    chosen = points[generator.permutation(len(points))[:20_000]].astype(np.float64)
    centres, _ = kmeans2(chosen, k, minit="++", iter=30, rng=generator, missing="warn")
    return centres.astype(np.float32)
