"""Which backbone, at which resolution, frozen or fine-tuned: accuracy against the time a picture takes.

The smallest is recommended that is not worse than the best: the upper 95 % limit of its paired difference to the best
reaches 0. That excludes a proven loss, not any loss: which loss is not excluded is said with it.
"""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch

from fgdemo.learn.data.augment import normalise
from fgdemo.learn.data.embed import embed
from fgdemo.learn.data.pictures import Pictures
from fgdemo.learn.measure.protocols import FeatureSplit, ridge
from fgdemo.model.backbone import Backbone, DataConfig
from fgdemo.statistics.proportions import change_interval, loss_limit, share_interval
from fgdemo.values.progress import Progress, no_progress
from fgdemo.values.training import Interval

TIMED, WARM_UP = 12, 3


@dataclass(frozen=True)
class Cell:
    """One backbone at one resolution.

    Attributes:
        training: frozen (a ridge head on it as it is) or fine-tuned.
        picture_s: seconds a picture, alone, forward pass only, on the device of this run; median.
        behind: top-1 less that of the best cell, paired.
        loss_limit: how far behind the best it may be in truth, by a one-sided 95 % limit; in [0, 1].
    """

    backbone: str
    size_px: int
    training: str
    parameters: int
    picture_s: float
    top1: Interval
    behind: Interval = (0.0, 0.0, 0.0)
    loss_limit: float = 0.0

    @property
    def name(self) -> str:
        return f"{self.backbone} at {self.size_px} px, {self.training}"

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class BackboneChoice:
    """A cell before it is compared: `right` (M,) says which test pictures it has right."""

    cell: Cell
    right: np.ndarray


def frozen(
    backbone: Backbone,
    config: DataConfig,
    pictures: Pictures,
    class_index: np.ndarray,
    classes: int,
    progress: Progress = no_progress,
) -> BackboneChoice:
    """Features as they are with a ridge head, learned from "train" and tested on the rest."""
    embeddings = embed(backbone, pictures.pixels, config, progress=progress)
    train = np.array(pictures.splits) == "train"
    split = FeatureSplit(embeddings[train], class_index[train], embeddings[~train], class_index[~train], classes)
    return candidate(backbone, config, pictures, ridge(split).argmax(1) == split.test_labels, "frozen")


def candidate(
    backbone: Backbone, config: DataConfig, pictures: Pictures, right: np.ndarray, training: str
) -> BackboneChoice:
    """A cell from what it has right, with the time it takes."""
    parameters = sum(parameter.numel() for parameter in backbone.parameters())
    seconds = picture_s(backbone, config, pictures.pixels)
    name = backbone.spec.name
    return BackboneChoice(Cell(name, config.size_px, training, parameters, seconds, share_interval(right)), right)


@torch.inference_mode()
def picture_s(backbone: Backbone, config: DataConfig, pixels: np.ndarray) -> float:
    """Median seconds of a forward pass of one picture."""
    device = next(backbone.parameters()).device
    elapsed = []
    for row in range(TIMED + WARM_UP):
        picture = normalise(torch.from_numpy(pixels[[row % len(pixels)]]).to(device), config)
        began = time.perf_counter()
        backbone(picture).sum().item()  # waits for a GPU
        elapsed.append(time.perf_counter() - began)
    return float(np.median(elapsed[WARM_UP:]))


def recommend(candidates: Sequence[BackboneChoice]) -> tuple[tuple[Cell, ...], Cell]:
    """All cells beside the best, fastest first, and the one to take. Every `right` must be of the same pictures."""
    best = max(candidates, key=lambda candidate: candidate.right.mean())
    cells = [one.cell if one is best else _beside(one, best) for one in candidates]
    cells.sort(key=lambda cell: cell.picture_s)
    return tuple(cells), next(cell for cell in cells if cell.behind[2] >= 0)


def _beside(one: BackboneChoice, best: BackboneChoice) -> Cell:
    broken, fixed = int((best.right & ~one.right).sum()), int((one.right & ~best.right).sum())
    behind = change_interval(best.right, one.right)
    return replace(one.cell, behind=behind, loss_limit=loss_limit(broken, fixed, len(best.right)))
