"""Between the start weights and the trained ones: a straight line in weight space (Wortsman 2022, WiSE-FT)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

import numpy as np
import torch
from torch import Tensor

from fgdemo.learn.data.embed import embed
from fgdemo.learn.data.pictures import Pictures
from fgdemo.model.backbone import Backbone, DataConfig
from fgdemo.model.calibration import fit_temperature, softmax
from fgdemo.model.checkpoint.persistence import stored
from fgdemo.model.discriminant import LEAST_COUNT
from fgdemo.model.head import Readout, RidgeHead
from fgdemo.values.progress import Progress, no_progress


@dataclass(frozen=True)
class Blend:
    """The share that was chosen, the head that suits each that was tried, and what the chosen one sees.

    Attributes:
        embeddings: (N, D) of the pictures.
    """

    share: float
    tried: Mapping[float, Chosen]
    embeddings: np.ndarray

    def to_json(self) -> dict[str, Any]:
        """What a card says of it."""
        return {
            "trained_share": self.share,
            "val_top1": {str(share): chosen.top1 for share, chosen in self.tried.items()},
            "val_brier": {str(share): chosen.brier for share, chosen in self.tried.items()},
        }


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
    shares: Sequence[float],
    seen: Mapping[float, np.ndarray] | None = None,
    progress: Progress = no_progress,
) -> Blend:
    """Leave the trained backbone at the share whose closed-form head has the least Brier score on "val".

    Fine-tuning on few pictures gains on them and loses some of what the start weights knew; part of the way is
    often better than either end. The mean over classes keeps a large group from outvoting a small one.

    Args:
        shares: of the trained weights; these are tried.
        seen: (N, D) embeddings by share, where they are at hand.
    """
    trained = {key: value.clone() for key, value in backbone.state_dict().items()}
    train, val = pictures.where("train"), pictures.where("val")
    found: dict[float, Chosen] = {}
    best = Blend(0.0, found, np.empty((0, 0)))
    for share in shares:
        embeddings = (seen or {}).get(share)
        if embeddings is None:
            blend_weights(backbone, start, trained, share)
            embeddings = embed(backbone, pictures.pixels, config, progress=progress)
        found[share] = choose_on_val(
            RidgeHead.fit(embeddings[train], class_index[train], classes), embeddings, class_index, val
        )
        if not len(best.embeddings) or _rank(share, found) < _rank(best.share, found):
            best = Blend(share, found, embeddings)
    blend_weights(backbone, start, trained, best.share)
    return best


def _rank(share: float, found: Mapping[float, Chosen]) -> tuple[float, float]:
    """Least first; of equals the one nearest to the start."""
    return round(found[share].brier, 4), share


@dataclass(frozen=True)
class Chosen:
    """A head that was chosen on val, and how well it does there.

    Attributes:
        brier: mean over the kinds of the squared error of the probabilities (Brier 1950), at the temperature that
            suits val; in [0, 2], low is good.
        top1: mean over the kinds, in [0, 1].
    """

    head: RidgeHead
    brier: float
    top1: float


def choose_on_val(head: RidgeHead, embeddings: np.ndarray, class_index: np.ndarray, val: np.ndarray) -> Chosen:
    """The λ and the readout of the least Brier score on val. Leave-one-out cannot choose them where a trained backbone
    has already seen what would be left out. On 100 birds, frozen, it chose as well as top-1 did, the best of all for
    other pictures in 5 draws of 6 (5, 10, 20 a kind; likelihood: 1), and unlike top-1 it hears all of few pictures.

    Where a kind that the head knows has no val picture, val would choose what never says that kind. Then the readout is
    the discriminant, which leans to no kind. Birds of which 50 kinds had no pictures when 50 others were learned, top-1
    of the former and of the latter: 0.61 and 0.86 by ridge outputs, as val had it, 0.77 and 0.81 by the discriminant.

    The random brightness of frozen channels (FroFA, Bär 2024) has a closed form for this head: the gram's diagonal
    times 1 + σ². It is left out: on 100 birds top-1 went from 0.682 to 0.691 with 5 pictures a kind, from 0.761 to
    0.770 with 10, but from 0.850 to 0.847 with all, and the sums that go on learning would have to be cleaned of it.
    """
    labels = class_index[val]
    _, place, counts = np.unique(labels, return_inverse=True, return_counts=True)
    weights = 1 / (len(counts) * counts[place])
    targets = np.eye(head.moment.shape[1])[labels]
    known = np.flatnonzero(head.counts > LEAST_COUNT)
    readouts = get_args(Readout) if np.isin(known, labels).all() else ("discriminant",)
    tried = []
    for penalised in head.path():
        for readout in readouts:
            candidate = replace(penalised, readout=readout)
            weight, bias = candidate.linear()
            logits = embeddings[val] @ weight + bias
            probs = softmax(logits / fit_temperature(logits, labels))
            errors = ((probs - targets) ** 2).sum(1)
            tried.append(Chosen(candidate, float(weights @ errors), float(weights @ (logits.argmax(1) == labels))))
    return min(tried, key=lambda chosen: chosen.brier)
