"""Small real models: a tiny network without pretrained weights over drawn or plain pictures. A second to make."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from fgdemo.learn.fit import Fitted, fit_classifier, label_indices
from fgdemo.learn.pictures import Pictures
from fgdemo.model.backbone import Backbone, DataConfig, start_backbone
from fgdemo.specimens import SPECIES, draw_specimen
from fgdemo.specimens import taxonomy as specimen_taxonomy

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
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


def tiny_backbone(name: str = "test_resnet", size_px: int = 64, seed: int = 0) -> tuple[Backbone, DataConfig]:
    """The same untrained network for the same seed."""
    torch.manual_seed(seed)
    return start_backbone(name, weights="none", size_px=size_px)


def tiny_fit(name: str = "test_resnet", size_px: int = 64, per_class: int = 8) -> Fitted:
    """A whole classifier of drawn birds."""
    backbone, config = tiny_backbone(name, size_px)
    pictures = specimen_pictures(per_class, size_px)
    taxonomy = specimen_taxonomy()
    labels = label_indices(pictures.labels, taxonomy)
    return fit_classifier(backbone, config, pictures, labels, taxonomy, name="tiny", trained=False, parts_per_group=3)
