"""How a classifier answers when it has read a picture twice: the whole, and the frame around the thing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from fgdemo.model.calibration import prediction_set, softmax
from fgdemo.values.classification.closer import both, mean_embedding
from fgdemo.values.types import CropBox, Reading

if TYPE_CHECKING:
    from fgdemo.model.classifier import Classifier
    from fgdemo.model.unknown import UnknownScale


@dataclass(frozen=True)
class CloserCalibration:
    """What was learned of both views together, from held-out pictures for which a closer look is worth it.

    Attributes:
        temperature: the mean of both raw ridge logits is divided by it.
        set_prob, sure_prob: as in `Calibration`.
        unknown: quantiles of both scores of unknown things.
        pictures: of how many pictures.
    """

    temperature: float
    set_prob: float
    sure_prob: float
    unknown: UnknownScale
    pictures: int


@dataclass(frozen=True)
class TwoViews:
    """See `fgdemo.values.types.Closer`."""

    classifier: Classifier
    calibration: CloserCalibration

    @property
    def sure_prob(self) -> float:
        return self.calibration.sure_prob

    @property
    def weight(self) -> float:
        return self.classifier.calibration.temperature / self.calibration.temperature / 2

    def prediction_set(self, probs: np.ndarray) -> tuple[int, ...]:
        return prediction_set(probs, self.calibration.set_prob)

    def both(self, first: Reading, second: Reading, box: CropBox) -> Reading:
        """Both views as one reading, over the leaves that the head has now."""
        model, marks = self.classifier, self.calibration
        logits = self.weight * (first.logits.astype(np.float64) + second.logits)
        probs = softmax(logits)
        mean, _ = mean_embedding(first, second)
        far = model.distances(mean[None].astype(np.float32))
        score = float(marks.unknown(logits.max(keepdims=True) * marks.temperature, far)[0])
        group = model.parts.group_of(model.taxonomy.root(model.taxonomy.leaves[int(probs.argmax())]))
        return both(
            first,
            second,
            box,
            weight=self.weight,
            probs=probs,
            unknown=(score, marks.unknown.threshold),
            shares=[self._shares(view, group) for view in (first, second)],
            parts=model.parts.of_group(group),
        )

    @torch.inference_mode()
    def _shares(self, view: Reading, group: str) -> np.ndarray:
        """Of the parts of the group that both views together show, which may be another one than this alone does."""
        parts = self.classifier.parts.of_group(group)
        last = view.tokens
        if view.parts == parts or last is None:
            return view.assignment
        network = self.classifier.network
        tokens = torch.from_numpy(last).to(network.device)
        mid = None if view.mid is None else torch.from_numpy(view.mid).to(network.device)
        return network.assignment(tokens, group, mid).cpu().numpy()
