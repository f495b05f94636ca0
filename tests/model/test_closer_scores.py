"""What `evaluate` says of a closer look beside the first one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from fgdemo.learn.candidate import closer_scores as closer
from fgdemo.learn.candidate.closer_scores import closer_scores
from fgdemo.learn.candidate.two_views import FEWEST, fitted
from fgdemo.model.classifier import Classifier
from fgdemo.values.types import CropBox
from tests.support.tiny import specimen_pictures, tiny_fit


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    model = tiny_fit().classifier
    leaves = len(model.taxonomy.leaves)
    labels = np.arange(FEWEST) % leaves
    return replace(model, both_views=fitted(model, 3 * np.eye(leaves)[labels], labels))


def asked(model: Classifier, count: int = 6) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[Image.Image]]:
    pictures = [Image.fromarray(one) for one in specimen_pictures(2).pixels[:count]]
    logits = np.stack([model.read(picture).logits for picture in pictures])
    return logits, logits.argmax(1), np.zeros(count), pictures


def test_without_a_calibration_or_a_wish_there_is_none(classifier: Classifier) -> None:
    logits, labels, distances, pictures = asked(classifier)
    told = (logits, labels, distances, pictures.__getitem__)
    assert closer_scores(replace(classifier, both_views=None), *told, "auto") is None
    assert closer_scores(classifier, *told, "never") is None


def test_always_looks_at_all_in_which_something_is_seen(
    classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    logits, labels, distances, pictures = asked(classifier)
    whole, look = CropBox(0.0, 0.0, 1.0, 1.0), closer.look
    boxes = iter([whole, None, whole, whole, whole, whole])

    def seen(model: Classifier, views: list[tuple[Image.Image, CropBox | None]]) -> object:
        found = look(model, views)
        return found if views[0][1] else replace(found, boxes=[next(boxes)])

    monkeypatch.setattr(closer, "look", seen)
    found = closer_scores(classifier, logits, labels, distances, pictures.__getitem__, "always")
    assert found is not None
    assert found["looked_closer"] == 5
    assert found["forwards"] == pytest.approx(1 + 5 / 6)
    assert found["top1"][0] == 1.0, "the frame is the whole picture, so nothing changes"
