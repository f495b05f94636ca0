"""Between the start weights and the trained ones: a straight line in weight space (Wortsman 2022, WiSE-FT)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fgdemo.learn.embed import embed
from fgdemo.learn.pictures import Pictures, Progress, no_progress
from fgdemo.model.backbone import Backbone, DataConfig
from fgdemo.model.head import RidgeHead
from fgdemo.model.persistence import stored

SHARES = (0.4, 0.6, 0.8, 1.0)
"""Shares of the trained weights that are tried."""


@dataclass(frozen=True)
class Blend:
    """The share that was chosen, the val top-1, in [0, 1], of each that was tried, and what the chosen one sees.

    Attributes:
        embeddings: (N, D) of the pictures.
    """

    share: float
    val_top1: Mapping[float, float]
    embeddings: np.ndarray

    def to_json(self) -> dict[str, Any]:
        """What a card says of it."""
        return {"trained_share": self.share, "val_top1": {str(share): top1 for share, top1 in self.val_top1.items()}}


def half_precision(backbone: Backbone) -> None:
    """Round the weights to what a checkpoint stores, so that the head is fitted to the features it will see."""
    with torch.no_grad():
        for value in backbone.state_dict().values():
            value.copy_(stored(value))


def blend_weights(backbone: Backbone, start: Mapping[str, Tensor], trained: Mapping[str, Tensor], share: float) -> None:
    """Set the backbone to `(1 − share) · start + share · trained`, rounded as a checkpoint stores it."""
    mixed = {
        key: torch.lerp(start[key].float(), value.float(), share).to(value.dtype)
        if value.is_floating_point()
        else value
        for key, value in trained.items()
    }
    backbone.load_state_dict(mixed)
    half_precision(backbone)


def choose_blend(
    backbone: Backbone,
    start: Mapping[str, Tensor],
    pictures: Pictures,
    class_index: np.ndarray,
    config: DataConfig,
    classes: int,
    *,
    shares: Sequence[float] = SHARES,
    seen: Mapping[float, np.ndarray] | None = None,
    progress: Progress = no_progress,
) -> Blend:
    """Leave the trained backbone at the share whose closed-form head does best on "val"; mean over the classes.

    Fine-tuning on few pictures gains on them and loses some of what the start weights knew; part of the way is
    often better than either end. The mean over classes keeps a large group from outvoting a small one.

    Args:
        seen: (N, D) embeddings by share, where they are at hand.
    """
    trained = {key: value.clone() for key, value in backbone.state_dict().items()}
    train, val = pictures.where("train"), pictures.where("val")
    found: dict[float, float] = {}
    best = Blend(0.0, found, np.empty((0, 0)))
    for share in shares:
        embeddings = (seen or {}).get(share)
        if embeddings is None:
            blend_weights(backbone, start, trained, share)
            embeddings = embed(backbone, pictures.pixels, config, progress=progress)
        found[share] = fit_on_val_penalty(embeddings, class_index, train, val, classes)[1]
        if not len(best.embeddings) or _rank(share, found) > _rank(best.share, found):
            best = Blend(share, found, embeddings)
    blend_weights(backbone, start, trained, best.share)
    return best


def _rank(share: float, found: Mapping[float, float]) -> tuple[float, float]:
    """Of equals the one nearest to the start."""
    return round(found[share], 4), -share


def fit_on_val_penalty(
    embeddings: np.ndarray, class_index: np.ndarray, train: np.ndarray, val: np.ndarray, classes: int
) -> tuple[RidgeHead, float]:
    """The head of least squared error on val and its mean per-class top-1 there.

    Leave-one-out cannot choose λ here: a trained backbone has already seen what would be left out.
    """
    head = RidgeHead.fit(embeddings[train], class_index[train], classes)
    return choose_on_val(head, embeddings, class_index, val)


def choose_on_val(
    head: RidgeHead, embeddings: np.ndarray, class_index: np.ndarray, val: np.ndarray
) -> tuple[RidgeHead, float]:
    """The head with the λ of least squared error on val, and its mean per-class top-1 there.

    The random brightness of frozen channels (FroFA, Bär 2024) has a closed form for this head: the gram's diagonal
    times 1 + σ². It is left out: on 100 birds top-1 went from 0.682 to 0.691 with 5 pictures a kind, from 0.761 to
    0.770 with 10, but from 0.850 to 0.847 with all, and the sums that go on learning would have to be cleaned of it.
    """
    targets = np.eye(head.moment.shape[1])[class_index[val]]
    tried = []
    for candidate in head.path():
        weight, bias = candidate.linear()
        logits = embeddings[val] @ weight + bias
        tried.append((float(((logits - targets) ** 2).sum()), candidate, logits.argmax(1) == class_index[val]))
    _, chosen, right = min(tried, key=lambda row: row[0])
    present = np.unique(class_index[val])
    return chosen, float(np.mean([right[class_index[val] == label].mean() for label in present]))
