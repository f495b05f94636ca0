"""How good a classifier is after a closer look, beside what it is at first sight."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from PIL import Image

from fgdemo.learn.candidate.two_views import look
from fgdemo.model.calibration import expected_calibration_error, nll, softmax
from fgdemo.model.classifier import Classifier
from fgdemo.statistics.proportions import share_interval
from fgdemo.values.classification.closeness import Closeness
from fgdemo.values.classification.closer import SURE_PROB, is_worth


def closer_scores(
    classifier: Classifier,
    logits: np.ndarray,
    labels: np.ndarray,
    distances: np.ndarray,
    opened: Callable[[int], Image.Image],
    how: Closeness,
) -> dict[str, Any] | None:
    """Scores of (N, C) calibrated logits at first sight, of which some are looked at again; None where none may be.

    Args:
        distances: (N,) as in `ClassDistances`.
        opened: the picture of a row, in full resolution.
    """
    marks = classifier.both_views
    if marks is None or how == "never":
        return None
    probs = softmax(logits.astype(np.float64))
    strange = classifier.unknown(logits.max(1) * classifier.calibration.temperature, distances)
    is_unknown = strange > classifier.unknown.threshold
    rows = np.flatnonzero(probs.max(1) < SURE_PROB) if how == "auto" else np.arange(len(probs))
    weight, bias = classifier.head.linear()
    looked = 0
    for row in rows.tolist():
        mean = _both(classifier, opened(row), float(probs[row].max()), how)
        if mean is None:
            continue
        looked += 1
        raw = (mean @ weight + bias).astype(np.float64)
        probs[row] = softmax(raw / marks.temperature)
        score = marks.unknown(raw.max(keepdims=True), classifier.distances(mean[None]))
        is_unknown[row] = float(score[0]) > marks.unknown.threshold
    return {
        "looked_closer": looked,
        "forwards": 1 + looked / max(len(probs), 1),
        "top1": list(share_interval(probs.argmax(1) == labels)),
        "ece": expected_calibration_error(probs, labels),
        "nll": nll(probs, labels),
        "false_alarms": float(is_unknown.mean()),
    }


def _both(classifier: Classifier, picture: Image.Image, prob: float, how: Closeness) -> np.ndarray | None:
    """(D,) the mean embedding of both views, or None where no second one is taken."""
    views: Sequence[tuple[Image.Image, Any]] = [(picture, None)]
    first = look(classifier, views)
    box = first.boxes[0]
    if box is None or (how == "auto" and not is_worth(prob, box)):
        return None
    return (first.embeddings[0] + look(classifier, [(picture, box)]).embeddings[0]) / 2
