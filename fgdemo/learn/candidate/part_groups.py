"""Parts of groups of which there are no pictures now: they stay, for features that have moved.

With u the unit-length tokens of the same pictures, u_old ≈ A u_new + a (a ridge regression whose penalty holds what the
pictures say nothing of to have stayed), so that what was asked of u_old is asked of u_new. A group has its own few
directions for that, beside those of the others: one that tells it from its background, and as many as tell its parts
apart. To the shares of one group the directions of another are the same for every prototype, and cancel.
"""

from collections.abc import Collection
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from fgdemo.model.parts import PartModel, either_side

PENALTY = 3.0
"""λ of A, as a multiple of the mean eigenvalue. A quarter of the way from the bundled network back to its ImageNet
start, with 64 birds to learn A from, 0.94 of the places of dogs kept their part (without A 0.91, with λ of 0.01 0.90);
halfway 0.88 (0.81, 0.82)."""


def keep_groups(old: PartModel, new: PartModel, groups: Collection[str], before: Tensor, after: Tensor) -> PartModel:
    """`new` with the parts that these groups have in `old`, under their ids and names.

    Args:
        groups: none of them has parts in `new`.
        before, after: (n, h, w, D) tokens of the same pictures by the old backbone and by the new, of any group.
    """
    turned, shift = _unit_map(after, before)
    for group in groups:
        new = _with_parts(old, _with_ground(old, new, group, turned, shift), group, turned)
    return new


def keep_taught(
    old: PartModel, new: PartModel, before: tuple[Tensor, Tensor], after: tuple[Tensor, Tensor]
) -> PartModel:
    """`new` with the parts that people taught `old`, in the groups that it serves, instead of what was found in them.

    Args:
        before, after: (n, h, w, D) tokens and (n, h, w, M) mid tokens of the same pictures, by the old backbone and by
            the new, of any group.
    """
    of_last, of_mid = (_unit_map(now, then) for then, now in zip(before, after, strict=True))
    for taught in old.taught:
        if taught.group in new.ground_groups:
            new = new.with_taught(taught.carried(of_mid, of_last), old.of_group(taught.group), *after)
    return new


def _unit_map(given: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """A' (D, D) and a (D,): unit-length wanted ≈ given A' + a. The identity where both are the same."""
    u = functional.normalize(given.float(), dim=-1).flatten(0, -2).double()
    moved = functional.normalize(wanted.float(), dim=-1).flatten(0, -2).double() - u
    centre, drift = u.mean(0), moved.mean(0)
    gram = (u - centre).T @ (u - centre)
    penalty = PENALTY * gram.trace() / len(gram) + 1e-12
    slope = torch.linalg.solve(gram + penalty * torch.eye(len(gram)), (u - centre).T @ (moved - drift))
    return (torch.eye(len(gram)) + slope).float(), (drift - centre @ slope).float()


def _with_ground(old: PartModel, new: PartModel, group: str, turned: Tensor, shift: Tensor) -> PartModel:
    """The line between the group and its background, along a direction of its own."""
    rows = [row for row, owner in enumerate(old.ground_groups) if owner == group]
    is_fore = [old.ground_is_fore[row] for row in rows]
    column, places = torch.zeros(len(new.mean), 1), np.zeros((len(rows), 1))
    if len(rows) == 2:
        fore, back = (old.ground[row] for row in sorted(rows, key=lambda row: not old.ground_is_fore[row]))
        asked = old.projection @ (2 * (fore - back) / old.ground_temperature)
        line = turned @ asked
        steepness = line.norm().clamp_min(1e-12)
        threshold = (fore @ fore - back @ back) / old.ground_temperature + asked @ (old.mean - shift) - line @ new.mean
        column = (line / steepness)[:, None]
        sides = either_side(np.array([float(steepness)]), float(threshold), new.ground_temperature)
        places, is_fore = np.stack(sides), [True, False]
    return replace(
        new,
        projection=torch.cat([new.projection, column], 1),
        ground=_beside(new.ground, torch.from_numpy(places).float()),
        ground_is_fore=(*new.ground_is_fore, *is_fore),
        ground_groups=(*new.ground_groups, *[group] * len(rows)),
    )


def _with_parts(old: PartModel, new: PartModel, group: str, turned: Tensor) -> PartModel:
    """The parts of the group, along the directions in which they differ."""
    rows = [row for row, part in enumerate(old.parts) if part.group == group]
    prototypes = old.prototypes[rows]
    _, lengths, directions = torch.linalg.svd(prototypes - prototypes.mean(0), full_matrices=False)
    basis = directions[lengths > 1e-6 * lengths.max().clamp_min(1e-12)].T
    scale = (new.temperature / old.temperature) ** 0.5
    return replace(
        new,
        part_projection=torch.cat([new.part_projection, scale * turned @ old.part_projection @ basis], 1),
        prototypes=_beside(new.prototypes, scale * prototypes @ basis),
        parts=(*new.parts, *old.of_group(group)),
    )


def _beside(one: Tensor, other: Tensor) -> Tensor:
    """The rows of both, each zero in the columns of the other."""
    return torch.block_diag(one, other)
