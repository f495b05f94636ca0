"""Small real models: a tiny network without pretrained weights over drawn or plain pictures. A second to make."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from fgdemo.learn.candidate.fit import Fitted, fit_classifier, label_indices
from fgdemo.learn.data.pictures import Pictures
from fgdemo.model.backbone import Backbone, BackboneSpec, DataConfig, start_backbone
from fgdemo.specimens import SPECIES, draw_specimen
from fgdemo.specimens import taxonomy as specimen_taxonomy

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
"""Real photographs and weights, beside the repository; not part of it."""


def specimen_pictures(per_class: int = 8, size_px: int = 64, val_each: int = 4) -> Pictures:
    """Drawn birds; every `val_each`-th of a species is held out."""
    rows = [(species, column) for species in SPECIES for column in range(per_class)]
    pixels = [
        np.asarray(draw_specimen(species, 1000 * SPECIES.index(species) + column, size_px).picture)
        for species, column in rows
    ]
    return Pictures(
        pixels=np.stack(pixels),
        names=tuple(f"{species.id}/{column}" for species, column in rows),
        labels=tuple(species.id for species, _ in rows),
        splits=tuple("val" if column % val_each == val_each - 1 else "train" for _, column in rows),
        skipped=(),
    )


def tiny_backbone(
    name: str = "test_resnet", size_px: int = 64, seed: int = 0, **options: Any
) -> tuple[Backbone, DataConfig]:
    """The same untrained network for the same seed."""
    torch.manual_seed(seed)
    return start_backbone(name, weights="none", size_px=size_px, options=options)


class Pixel(nn.Module):
    """One token: the mean of each colour. What it learns tells how a batch was weighed."""

    def __init__(self, gain: Sequence[float]) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(gain, dtype=torch.float32))

    def forward_features(self, pixels: torch.Tensor) -> torch.Tensor:
        return nn.functional.adaptive_avg_pool2d(pixels, 1) * self.gain[:, None, None]


def pixel_backbone(gain: Sequence[float] = (1, 1, 1)) -> Backbone:
    """A backbone of three weights: how much it sees of red, green and blue."""
    return Backbone(BackboneSpec("pixel", 64), Pixel(gain))


def tiny_fit(name: str = "test_resnet", size_px: int = 64, per_class: int = 8, **options: Any) -> Fitted:
    """A whole classifier of drawn birds."""
    backbone, config = tiny_backbone(name, size_px, **options)
    pictures = specimen_pictures(per_class, size_px)
    taxonomy = specimen_taxonomy()
    labels = label_indices(pictures.labels, taxonomy)
    return fit_classifier(backbone, config, pictures, labels, taxonomy, name="tiny", trained=False, parts_per_group=3)
