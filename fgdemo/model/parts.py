"""Part maps: which part of the thing each token belongs to (prototypes after PDiscoFormer, Aniraj et al. 2024).

    q_n = P (z_n / ‖z_n‖ − m)                       where the token lies among all tokens
    f_n = Σ_fore softmax( −‖q_n − g‖² / T_g )       how much of it is the thing, not the background: a logistic of q_n
    r_n = R (z_n / ‖z_n‖ − m̄)                       how it differs from the rest of the same thing
    A[n, k] = f_n · softmax_k( −‖r_n − p_k‖² / T )   and what is left, 1 − f_n, is background

m̄ is the mean of the picture's own foreground. Without taking it away, clusters of tokens are kinds and colours (all of
a yellow bird is one part); with it they are heads, bodies and legs. Every group (bird, dog, …) has parts of its own.
Each row of A sums to 1, so that the evidence splits exactly over the parts and the background.
Where people placed points, the parts they named take the place of the clusters (`fgdemo.model.taught`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.cluster.vq import kmeans2
from torch import Tensor
from torch.nn import functional

from fgdemo.model.taught.ground import beyond, either_side, foreground_line, loudness
from fgdemo.model.taught.shares import TaughtParts
from fgdemo.values.types import Part

SUREST = 4.0
"""Log-odds beyond which neither of two is believed that tell where the thing is."""


@dataclass(frozen=True)
class PartModel:
    """
    Attributes:
        mean: (D,) mean of unit-length tokens, m.
        projection: (D, d), P.
        ground: (G, d) prototypes of foreground and background, one of each where both are to be told.
        ground_is_fore: G of bool.
        ground_groups: G group names.
        ground_temperature: T_g; high is softer.
        part_projection: (D, e), R.
        prototypes: (Q, e), one for each of `parts`.
        temperature: T.
        parts: all Q parts, ids unique.
        taught: of the groups whose parts were taught; their prototypes say what the same parts look like where no mid
            tokens are at hand.
        mid_ground: (G', M + 1), for each of the G' groups in `mid_groups` what tells the thing from its background by
            unit-length mid tokens: weights and, last, the bias of its log-odds. None in older checkpoints.
    """

    mean: Tensor
    projection: Tensor
    ground: Tensor
    ground_is_fore: tuple[bool, ...]
    ground_groups: tuple[str, ...]
    ground_temperature: float
    part_projection: Tensor
    prototypes: Tensor
    temperature: float
    parts: tuple[Part, ...]
    taught: tuple[TaughtParts, ...] = ()
    mid_ground: Tensor | None = None
    mid_groups: tuple[str, ...] = ()

    def of_group(self, group: str) -> tuple[Part, ...]:
        return tuple(part for part in self.parts if part.group == group)

    def group_of(self, root: str) -> str:
        """The group that serves pictures of this root taxon: its own, or "", that of taxa that stand alone."""
        return root if root in self.ground_groups else ""

    def to(self, device: str) -> PartModel:
        tensors = {name: value.to(device) for name, value in vars(self).items() if isinstance(value, Tensor)}
        return replace(self, **tensors, taught=tuple(taught.to(device) for taught in self.taught))

    def taught_of(self, group: str) -> TaughtParts | None:
        return next((taught for taught in self.taught if taught.group == group), None)

    def with_taught(self, taught: TaughtParts, parts: tuple[Part, ...], tokens: Tensor, mid: Tensor) -> PartModel:
        """The same with these parts for a group that it knows, instead of those it had.

        Args:
            parts: as many as were taught, ids that no other group uses.
            tokens, mid: (..., h, w, D) and (..., h, w, M) of some pictures of the group.
        """
        shares = taught.shares(tokens, mid)
        residuals = (own_residuals(tokens, 1 - shares[..., -1]) @ self.part_projection).flatten(0, -2)
        share = shares[..., :-1].flatten(0, -2)
        others = [row for row, part in enumerate(self.parts) if part.group != taught.group]
        prototypes = share.T @ residuals / share.sum(0).clamp_min(1e-6)[:, None]
        return replace(
            self,
            prototypes=torch.cat([self.prototypes[others], prototypes]),
            parts=(*[self.parts[row] for row in others], *parts),
            taught=(*[known for known in self.taught if known.group != taught.group], taught),
        )

    def foreground(self, tokens: Tensor, group: str) -> Tensor:
        """(..., h, w, D) tokens → (..., h, w) share of each that is the thing, in [0, 1]."""
        rows = [row for row, owner in enumerate(self.ground_groups) if owner == group]
        places = (functional.normalize(tokens.float(), dim=-1) - self.mean) @ self.projection
        distance = torch.cdist(places, self.ground[rows]) ** 2
        shares = torch.softmax(-distance / self.ground_temperature, -1)
        return shares[..., [self.ground_is_fore[row] for row in rows]].sum(-1).clamp(0, 1)

    def where(self, tokens: Tensor, mid: Tensor | None, group: str) -> Tensor:
        """`foreground` as well as it is known: by (..., h, w, M) mid tokens, and by the parts that were taught.

        Of both, the mean of their log-odds: taught parts miss little, and take what is around a small thing for it;
        what tells it by mid tokens alone misses more, and takes nothing else (`benchmarks/outlines.py`).
        """
        taught = self.taught_of(group)
        if mid is None:
            return self.foreground(tokens, group)
        found = []
        if self.mid_ground is not None and group in self.mid_groups:
            line = self.mid_ground[self.mid_groups.index(group)]
            found.append(functional.normalize(mid.float(), dim=-1) @ line[:-1] + line[-1])
        if taught is not None:
            found.append(torch.logit(1 - taught.shares(tokens, mid)[..., -1], eps=1e-4))
        if not found:
            return self.foreground(tokens, group)
        return torch.stack(found).clamp(-SUREST, SUREST).mean(0).sigmoid()

    def assign(self, tokens: Tensor, group: str, mid: Tensor | None = None) -> Tensor:
        """(..., h, w, D) tokens → (..., h, w, K + 1) shares of the K parts of `group`, background last; sum 1.

        Args:
            mid: (..., h, w, M) of the same pass; without them the prototypes stand in for parts that were taught.
        """
        rows = [row for row, part in enumerate(self.parts) if part.group == group]
        if not rows:
            return torch.ones(*tokens.shape[:-1], 1, device=tokens.device)
        return self._assign(tokens, group, mid, rows)[0]

    def describe(self, tokens: Tensor, group: str, mid: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(h, w, D) tokens of one picture → (h, w, K) shares of the parts of `group`, and what each part looks like.

        The latter is (K, e): the mean of the part's places, each less the mean of the picture's own foreground, so
        that a wing is compared with wings and not with the colour of the whole bird.
        """
        rows = [row for row, part in enumerate(self.parts) if part.group == group]
        if not rows:
            empty = torch.zeros(*tokens.shape[:-1], 0, device=tokens.device)
            return empty, torch.zeros(0, self.part_projection.shape[1], device=tokens.device)
        shares, residuals = self._assign(tokens, group, mid, rows)
        parts = shares[..., :-1]
        weight = parts.sum((0, 1)).clamp_min(1e-6)[:, None]
        return parts, torch.einsum("hwk,hwe->ke", parts, residuals) / weight

    @property
    def most_parts(self) -> int:
        """The largest number of parts that any group has."""
        groups = [part.group for part in self.parts]
        return max((groups.count(group) for group in set(groups)), default=0)

    def _assign(self, tokens: Tensor, group: str, mid: Tensor | None, rows: list[int]) -> tuple[Tensor, Tensor]:
        taught = self.taught_of(group)
        if taught is not None and mid is not None:
            shares = taught.shares(tokens, mid)
            return shares, own_residuals(tokens, 1 - shares[..., -1]) @ self.part_projection
        fore = self.foreground(tokens, group)
        residuals = own_residuals(tokens, fore) @ self.part_projection
        distance = torch.cdist(residuals, self.prototypes[rows]) ** 2
        shares = torch.softmax(-distance / self.temperature, -1) * fore[..., None]
        return torch.cat([shares, 1 - fore[..., None]], -1), residuals


def own_residuals(tokens: Tensor, fore: Tensor) -> Tensor:
    """Unit-length (..., h, w, D) tokens less the mean of the picture's own foreground, (..., h, w) shares."""
    unit, weight = functional.normalize(tokens.float(), dim=-1), fore[..., None]
    own = (unit * weight).sum((-3, -2), keepdim=True) / weight.sum((-3, -2), keepdim=True).clamp_min(1e-6)
    return unit - own


def fit_parts(
    samples: dict[str, Tensor], weight: Tensor, *, parts_per_group: int = 5, dims: int = 64, seed: int = 0
) -> PartModel:
    """Cold start without training: k-means, group by group.

    What is foreground is learned from what the classifier hears: a linear discriminant tells the tokens that say the
    most about the kinds from those along the border of the pictures, see `foreground_line`.

    Args:
        samples: for each group, (n, h, w, D) tokens of some of its pictures.
        weight: (D, C) of the classifier.
    """
    flat = torch.cat([functional.normalize(t.float(), dim=-1).reshape(-1, t.shape[-1]) for t in samples.values()])
    mean = flat.mean(0)
    projection = _principal(flat - mean, dims)
    places = {
        group: ((functional.normalize(t.float(), dim=-1) - mean) @ projection).numpy() for group, t in samples.items()
    }
    lines = {group: foreground_line(places[group], loudness(tokens, weight)) for group, tokens in samples.items()}
    masks = {group: beyond(line, places[group]) for group, line in lines.items()}
    steepest = max((float(np.linalg.norm(line[0])) for line in lines.values() if line), default=0.0)
    ground_temperature = 4 / steepest if steepest else 1.0
    grounds: list[np.ndarray] = []
    is_fore: list[bool] = []
    groups: list[str] = []
    for group, line in lines.items():
        sides = [places[group].mean((0, 1, 2))] if line is None else either_side(*line, ground_temperature)
        grounds += sides
        is_fore += [True, False][: len(sides)]
        groups += [group] * len(sides)
    residuals = {
        group: own_residuals(tokens, torch.from_numpy(masks[group]).float())[torch.from_numpy(masks[group])]
        for group, tokens in samples.items()
    }
    part_projection = _principal(torch.cat(list(residuals.values())), dims // 2)
    parts: list[Part] = []
    prototypes: list[np.ndarray] = []
    spread: list[float] = []
    for group, rows in residuals.items():
        points = (rows @ part_projection).numpy()
        centres = _k_means(points, parts_per_group, seed)
        parts += [Part(len(parts) + k, None, group) for k in range(len(centres))]
        prototypes.append(centres)
        spread.append(_nearest_distance(points, centres))
    return PartModel(
        mean=mean,
        projection=projection,
        ground=torch.from_numpy(np.stack(grounds)).float(),
        ground_is_fore=tuple(is_fore),
        ground_groups=tuple(groups),
        ground_temperature=ground_temperature,
        part_projection=part_projection,
        prototypes=torch.from_numpy(np.concatenate(prototypes)).float(),
        temperature=float(np.mean(spread)) / 8 or 1.0,
        parts=tuple(parts),
    )


def _principal(centred: Tensor, dims: int) -> Tensor:
    """(n, D) → (D, min(dims, D)) main directions.

    In double precision: of a matrix of low rank, as flat drawings give one, LAPACK makes NaN in single precision, or
    does not converge.
    """
    dims = max(1, min(dims, centred.shape[1]))
    moments = (centred.T @ centred / max(len(centred), 1)).double()
    return torch.linalg.eigh(moments)[1][:, -dims:].to(centred.dtype).contiguous()


def _nearest_distance(points: np.ndarray, centres: np.ndarray) -> float:
    """Median squared distance of points to their nearest centre."""
    some = points[:: max(1, len(points) // 4000)]
    return float(np.median(((some[:, None] - centres[None]) ** 2).sum(-1).min(1))) if len(some) else 0.0


def _k_means(points: np.ndarray, k: int, seed: int) -> np.ndarray:
    if len(points) <= k:
        return points if len(points) else np.zeros((1, points.shape[-1]), np.float32)
    unlike = np.unique(points[:: max(1, len(points) // 4000)].round(6), axis=0)
    if len(unlike) <= k:  # flat pictures: k-means++ finds no second centre to draw
        return unlike.astype(np.float32)
    generator = np.random.default_rng(seed)
    chosen = points[generator.permutation(len(points))[:20_000]].astype(np.float64)
    centres, _ = kmeans2(chosen, k, minit="++", iter=30, rng=generator, missing="warn")
    return centres.astype(np.float32)
