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
OUTSIDE_EACH = 32
"""Places outside the thing that are taken of each view; there are hundreds, and they all say the same."""
AS_MANY_PARTS = 4.0
"""Background counts as much as so many parts: with less it is missed around small birds, with more ten pictures take
too much of the bird for it. On a hundred whole scenes, box by foreground (IoU) after 50 pictures, and right under a
point after 10: 0.55, 0.69 with one; 0.63, 0.67 with four; 0.66, 0.66 with eight."""
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


@dataclass(frozen=True)
class Lesson:
    """What is learned from one view.

    Attributes:
        features: (n, 2 M + d) of n places.
        parts: what is seen at each; None outside the thing.
    """

    features: Tensor
    parts: tuple[str | None, ...]


def lesson_of(view: TaughtView, mean: Tensor, projection: Tensor, seed: int) -> Lesson:
    """Its points, and some places outside the thing that `seed` draws; mean and projection as for `fit_taught`."""
    features = _features(view, mean, projection)
    seen = [point for point in view.points if point.is_seen]
    x, y = (torch.tensor([getattr(point, side) for point in seen]) for side in ("x", "y"))
    outside = _some(features[view.outside], seed)
    rows = torch.cat([at_points(features, x, y), outside]) if seen else outside
    return Lesson(rows, (*[point.part for point in seen], *[None] * len(outside)))


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
    lessons = [lesson_of(view, mean, projection, number) for number, view in enumerate(views)]
    return taught_by(lessons, group, names, mean, projection)


def taught_by(
    lessons: Sequence[Lesson], group: str, names: Sequence[str], mean: Tensor, projection: Tensor
) -> TaughtParts:
    """As `fit_taught`, from lessons at hand."""
    weight, bias = learn(lessons, names)
    m = (len(weight) - projection.shape[1]) // 2
    last = projection @ weight[2 * m :]
    return TaughtParts(group, weight[:m], weight[m : 2 * m], last, bias - mean @ last)


def learn(lessons: Sequence[Lesson], names: Sequence[str]) -> tuple[Tensor, Tensor]:
    """(F, K + 1) and (K + 1,): the log-odds of the K parts and, last, of the background are linear in the features.

    Raises:
        ValueError: no point of any of these parts.
    """
    table = torch.cat([lesson.features for lesson in lessons])
    known = [part is None or part in names for lesson in lessons for part in lesson.parts]
    labels = [
        len(names) if part is None else names.index(part)
        for one in lessons
        for part in one.parts
        if part is None or part in names
    ]
    table, classes = table[torch.tensor(known)], torch.tensor(labels)
    is_point = classes < len(names)
    if not bool(is_point.any()):
        raise ValueError(f"There is no point of any of the parts {', '.join(names)}.")
    weights = torch.ones(len(classes))
    weights[~is_point] = AS_MANY_PARTS * float(is_point.sum()) / len(names) / max(int((~is_point).sum()), 1)
    weight, bias = _regression(table, classes, weights, len(names) + 1)
    absent = torch.bincount(classes, minlength=len(names) + 1) == 0
    bias[absent] = -1e4
    return weight, bias


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
