"""Fit parts to the points that people placed: multinomial logistic regression, in seconds.

The features are read bilinearly at the point itself and not at the token it lies in: tokens are as large as a head, and
crown, eye and bill then differ. Of the last tokens only the main directions are used, or ten pictures would be learned
by heart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from fgdemo.model.taught.shares import TaughtParts, at_points, mean_around
from fgdemo.values.points import PlacedPoint

PENALTY = 1e-4
"""λ of λ‖W‖² beside the mean loss of a point. Chosen on half of ten species (`benchmarks/taught_parts.py`); three times
less or more cost at most a point."""
OUTSIDE_EACH = 16
"""Places outside the thing that are taken of each view; there are hundreds, and they all say the same."""
ITERATIONS = 80


@dataclass(frozen=True)
class TaughtView:
    """One look at a picture with points.

    Attributes:
        tokens, mid: (h, w, D) and (h, w, M) of one pass.
        points: where parts are seen in this view.
        outside: (h, w) bool, places that are surely not the thing.
    """

    tokens: Tensor
    mid: Tensor
    points: Sequence[PlacedPoint]
    outside: Tensor


def fit_taught(
    views: Sequence[TaughtView], group: str, names: Sequence[str], mean: Tensor, projection: Tensor
) -> TaughtParts:
    """Parts of `group` from pictures of it.

    Args:
        names: of the K parts, in their order; points on others are passed over. One that has no point is never found.
        mean, projection: (D,) and (D, d), the main directions of unit-length last tokens, as in `PartModel`.

    Raises:
        ValueError: no point of any of these parts.
    """
    rows, labels = [], []
    for number, view in enumerate(views):
        features = _features(view, mean, projection)
        seen = [point for point in view.points if point.is_seen and point.part in names]
        if seen:
            x, y = (torch.tensor([getattr(point, side) for point in seen]) for side in ("x", "y"))
            rows.append(at_points(features, x, y))
            labels += [names.index(point.part) for point in seen]
        rows.append(_some(features[view.outside], number))
        labels += [len(names)] * len(rows[-1])
    table, classes = torch.cat(rows), torch.tensor(labels)
    is_point = classes < len(names)
    if not bool(is_point.any()):
        raise ValueError(f"There is no point of any of the parts {', '.join(names)}.")
    weights = torch.ones(len(classes))
    weights[~is_point] = float(is_point.sum()) / len(names) / max(int((~is_point).sum()), 1)  # as much as a part
    weight, bias = _regression(table, classes, weights, len(names) + 1)
    absent = torch.bincount(classes, minlength=len(names) + 1) == 0
    bias[absent] = -1e4
    m = views[0].mid.shape[-1]
    last = projection @ weight[2 * m :]
    return TaughtParts(group, weight[:m], weight[m : 2 * m], last, bias - mean @ last)


def _features(view: TaughtView, mean: Tensor, projection: Tensor) -> Tensor:
    """(h, w, 2 M + d): see `TaughtParts`, with the last tokens in their main directions."""
    u, v = (functional.normalize(one.float(), dim=-1) for one in (view.mid, view.tokens))
    return torch.cat([u, mean_around(u), mean_around((v - mean) @ projection)], -1)


def _some(places: Tensor, seed: int) -> Tensor:
    return places[np.random.default_rng(seed).permutation(len(places))[:OUTSIDE_EACH]]


@torch.inference_mode(False)
@torch.enable_grad()
def _regression(table: Tensor, classes: Tensor, weights: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """(F, count) and (count,) of least weighted mean cross-entropy + `PENALTY` ‖W‖²."""
    centre = table.mean(0)
    centred, share = (table - centre).clone(), weights / weights.sum()
    weight = torch.zeros(table.shape[1], count, requires_grad=True)
    bias = torch.zeros(count, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=ITERATIONS, line_search_fn="strong_wolfe")

    def loss() -> float:
        optimizer.zero_grad()
        losses = functional.cross_entropy(centred @ weight + bias, classes, reduction="none")
        total = (share * losses).sum() + PENALTY * weight.square().sum()
        total.backward()
        return float(total.detach())

    optimizer.step(loss)
    found = weight.detach()
    return found, bias.detach() - centre @ found
