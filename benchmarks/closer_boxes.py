"""For `closer.py`: how well the frame of a closer look lies on the thing, in photographs that did not teach."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from taught_parts import NAMES, Looked, looked_at
from torch import Tensor

from fgdemo.learn.live.teaching import with_parts
from fgdemo.model.classifier import Classifier
from fgdemo.model.taught.fitting import lesson_of, taught_by
from fgdemo.statistics.bootstrap import mean_interval
from fgdemo.values.classification.closer import frames_of

GROUP = "bird"
LEFT_OUT = 3
FOLDS = 2
DESCRIBED_BY = 40


@dataclass(frozen=True)
class Photograph:
    """A whole photograph as the classifier sees it, and the true (left, top, right, bottom)."""

    path: str
    tokens: Tensor
    mid: Tensor
    true: tuple[float, float, float, float]

    @property
    def species(self) -> str:
        return self.path.split("/")[0]


def box_ious(classifier: Classifier, data: Path, teach: Path, draws: int) -> dict[str, list[float]]:
    """`today`, `ours` and `unseen` of `closer.py`. Photographs that teach are tested in folds."""
    photographs = list(seen(classifier, data))
    found = {"today": [overlap(last_tokens(classifier, one), one) for one in photographs]}
    if not (teach / "points.csv").is_file():
        found["ours"] = [overlap(where(classifier, one), one) for one in photographs]
        return {name: figure(values) for name, values in found.items()}
    lessons = looked_at(classifier, teach, GROUP)
    is_same = data.resolve() == teach.resolve()
    if is_same:
        found["ours"] = []
        for rows in np.array_split(np.random.default_rng(0).permutation(len(photographs)), FOLDS):
            tested = [photographs[row] for row in rows]
            paths = {one.path for one in tested}
            model = taught(classifier, [one for one in lessons if one.path not in paths])
            found["ours"] += [overlap(where(model, one), one) for one in tested]
    else:
        found["ours"] = [overlap(where(classifier, one), one) for one in photographs]
    found["unseen"] = []
    species = sorted({one.species for one in photographs})
    for draw in range(draws):
        left_out = set(np.random.default_rng(draw).permutation(species)[:LEFT_OUT].tolist())
        model = taught(classifier, [one for one in lessons if one.species not in left_out])
        found["unseen"] += [overlap(where(model, one), one) for one in photographs if one.species in left_out]
    return {name: figure(values) for name, values in found.items()}


def figure(values: Sequence[float]) -> list[float]:
    return [round(float(number), 4) for number in mean_interval(np.array(values), span=(0.0, 1.0))]


@torch.inference_mode()
def seen(classifier: Classifier, folder: Path) -> Iterator[Photograph]:
    """The photographs of a folder, one after the other."""
    with (folder / "boxes.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        with Image.open(folder / row["path"]) as opened:
            picture = opened.convert("RGB")
        left, top, wide, high = (float(row[side]) for side in ("x", "y", "width", "height"))
        width, height = picture.size
        true = (left / width, top / height, (left + wide) / width, (top + high) / height)
        batch = classifier.pixels(picture)[None].to(memory_format=torch.channels_last)
        tokens, mid = classifier.network.with_mid(batch)
        yield Photograph(row["path"], tokens[0].half(), mid[0].half(), true)


def taught(classifier: Classifier, lessons: Sequence[Looked]) -> Classifier:
    old = classifier.parts.to("cpu")
    views = [view for one in lessons for view in one.views]
    fitted = taught_by(
        [lesson_of(view, old.mean, old.projection, at) for at, view in enumerate(views)],
        GROUP,
        NAMES,
        old.mean,
        old.projection,
    )
    return with_parts(classifier, GROUP, NAMES, fitted, views[:: max(1, len(views) // DESCRIBED_BY)])


def where(classifier: Classifier, one: Photograph) -> np.ndarray:
    return classifier.parts.where(one.tokens.float(), one.mid.float(), GROUP).numpy()


def last_tokens(classifier: Classifier, one: Photograph) -> np.ndarray:
    return classifier.parts.foreground(one.tokens.float(), GROUP).numpy()


def overlap(foreground: np.ndarray, one: Photograph) -> float:
    """Intersection over union of the frame with the true box; 0 where there is no frame."""
    frames = frames_of(foreground)
    if frames is None:
        return 0.0
    box, (left, top, right, bottom) = frames.box, one.true
    across = max(min(box.right, right) - max(box.left, left), 0.0)
    down = max(min(box.bottom, bottom) - max(box.top, top), 0.0)
    shared = across * down
    areas = (box.right - box.left) * (box.bottom - box.top) + (right - left) * (bottom - top)
    return shared / (areas - shared)
