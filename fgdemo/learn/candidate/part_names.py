"""Parts that were found anew keep the ids and the names of those that lay in the same places of the same pictures."""

from collections.abc import Mapping
from dataclasses import replace

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torch.nn import functional

from fgdemo.model.parts import PartModel
from fgdemo.values.types import PART_COLOURS, Part

SAME = 0.5
"""The least overlap, a cosine in [0, 1], at which a part is still the same part."""


def carry_names(old: PartModel, new: PartModel, samples: Mapping[str, tuple[Tensor, Tensor]]) -> PartModel:
    """`new` with the ids and names of `old`, one part for one (Kuhn 1955); those that are like none get new ids.

    An id belongs to what an expert called by a name, so no part that is another may have it.

    Args:
        samples: for each group, (n, h, w, D) tokens of the same pictures by the old backbone and by the new.
    """
    parts = list(new.parts)
    ids = [part.id for part in (*old.parts, *new.parts)]
    free = max(ids, default=-1) + 1
    for group in {part.group for part in new.parts}:
        rows = [row for row, part in enumerate(new.parts) if part.group == group]
        kept = _same(old, new, group, samples) if group in samples else {}
        colours = {part.colour for part in kept.values()}
        for place, row in enumerate(rows):
            if place not in kept:
                while PART_COLOURS[free % len(PART_COLOURS)] in colours and len(colours) < len(PART_COLOURS):
                    free += 1
                kept[place] = Part(free, None, group)
                colours.add(kept[place].colour)
                free += 1
            parts[row] = kept[place]
    return replace(new, parts=tuple(parts))


def _same(old: PartModel, new: PartModel, group: str, samples: Mapping[str, tuple[Tensor, Tensor]]) -> dict[int, Part]:
    """The old part for each place among the new parts of the group that lies where an old one lay."""
    before, after = samples[group]
    known = old.of_group(group)
    if not known:
        return {}
    one = functional.normalize(old.assign(before, group)[..., :-1].flatten(0, 2), dim=0)
    other = functional.normalize(new.assign(after, group)[..., :-1].flatten(0, 2), dim=0)
    overlap = torch.einsum("nk,nl->kl", other, one).numpy()
    return {
        int(place): known[was]
        for place, was in zip(*linear_sum_assignment(-overlap), strict=True)
        if overlap[place, was] >= SAME
    }
