"""Two views of one picture: one sum, a calibration of their own, kept in the checkpoint."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fgdemo.learn.candidate.two_views import FEWEST, calibrated, fitted, pasted, zoomed_out
from fgdemo.model.checkpoint.load import load_classifier, save_classifier
from fgdemo.model.checkpoint.persistence import from_checkpoint, to_checkpoint
from fgdemo.model.classifier import Classifier
from fgdemo.specimens import SPECIES, draw_specimen
from fgdemo.values.errors import CheckpointError
from fgdemo.values.evidence import completeness_error
from fgdemo.values.types import CropBox
from tests.support.tiny import tiny_fit

BOX = CropBox(0.2, 0.3, 0.7, 0.8)


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    """With the calibration of two views that one temperature for all would have."""
    model = tiny_fit().classifier
    rng = np.random.default_rng(0)
    leaves = len(model.taxonomy.leaves)
    labels = rng.integers(leaves, size=FEWEST)
    marks = fitted(model, rng.normal(size=(FEWEST, leaves)) + 3 * np.eye(leaves)[labels], labels)
    return replace(model, both_views=replace(marks, temperature=model.calibration.temperature * 0.8))


@pytest.fixture(scope="module")
def picture() -> Image.Image:
    return draw_specimen(SPECIES[1], 5, (160, 120)).picture


def test_two_views_sum_to_the_mean_of_their_raw_logits(classifier: Classifier, picture: Image.Image) -> None:
    first, second = classifier.read(picture), classifier.read(picture, BOX)
    closer = classifier.closer
    assert closer is not None
    found = closer.both(first, second, BOX)
    assert completeness_error(found) < 1e-4
    raw = (first.logits + second.logits) / 2 * classifier.calibration.temperature
    np.testing.assert_allclose(found.logits, raw / closer.calibration.temperature, rtol=1e-5)
    np.testing.assert_allclose(found.assignment.sum(-1), 1, atol=1e-5)
    assert found.evidence.shape[:2] == (2 * first.evidence.shape[0], 2 * first.evidence.shape[1])
    assert 0 <= (found.unknown_score or 0) <= 1
    means = (first.tokens.mean((0, 1)) + second.tokens.mean((0, 1))) / 2  # pyright: ignore[reportOptionalMemberAccess]
    np.testing.assert_allclose(found.embedding, means / np.linalg.norm(means), rtol=1e-5)


def test_the_head_that_has_learned_since_answers_for_both_views(classifier: Classifier, picture: Image.Image) -> None:
    weight, bias = (value.cpu().numpy() for value in (classifier.network.weight, classifier.network.bias))
    shifted = classifier.relearned(weight.copy(), bias + np.eye(len(bias), dtype=np.float32)[0], classifier.taxonomy)
    assert classifier.closer is not None
    assert shifted.closer is not None
    before, after = (
        model.closer.both(model.read(picture), model.read(picture, BOX), BOX)  # pyright: ignore[reportOptionalMemberAccess]
        for model in (classifier, shifted)
    )
    assert completeness_error(after) < 1e-4
    np.testing.assert_allclose(after.logits - before.logits, np.eye(len(bias))[0] / 0.8, atol=1e-3)


def test_it_is_kept_in_the_checkpoint(classifier: Classifier, picture: Image.Image, tmp_path: Path) -> None:
    save_classifier(classifier, tmp_path / "model")
    again = load_classifier(tmp_path / "model")
    assert again.both_views is not None
    assert classifier.both_views is not None
    assert again.both_views.temperature == classifier.both_views.temperature
    np.testing.assert_array_equal(again.both_views.unknown.distance, classifier.both_views.unknown.distance)


def test_a_checkpoint_without_it_answers_as_before(classifier: Classifier, picture: Image.Image) -> None:
    found = to_checkpoint(replace(classifier, both_views=None))
    assert "closer" not in found.card
    card = {**found.card, "weights_sha256": "0" * 64}
    old = from_checkpoint("old", replace(found, card=card), "cpu")
    new = from_checkpoint(
        "new", replace(found, card={**card, "closer": to_checkpoint(classifier).card["closer"]}), "cpu"
    )
    assert old.closer is None
    assert new.closer is not None
    np.testing.assert_array_equal(old.read(picture).logits, new.read(picture).logits)


@pytest.mark.parametrize(
    "closer",
    [
        {"temperature": 0.0},
        {"temperature": 1e300},
        {"unknown": {"logit": [1.0], "distance": [1.0], "average": [1.0]}},
        {"set_prob": 2.0},
        {"pictures": "many"},
    ],
)
def test_a_damaged_one_is_refused(classifier: Classifier, tmp_path: Path, closer: dict[str, object]) -> None:
    found = to_checkpoint(classifier)
    card = {**found.card, "weights_sha256": "0" * 64, "closer": {**found.card["closer"], **closer}}
    with pytest.raises((ValueError, CheckpointError)):
        from_checkpoint("bad", replace(found, card=card), "cpu")


def test_few_held_out_pictures_calibrate_nothing(classifier: Classifier) -> None:
    pixels = np.zeros((FEWEST - 1, 64, 64, 3), np.uint8)
    assert calibrated(classifier, pixels, np.zeros(FEWEST - 1, np.int64)) is None


def test_pictures_in_which_nothing_is_small_calibrate_nothing(classifier: Classifier) -> None:
    flat = np.full((FEWEST + 2, 64, 64, 3), 128, np.uint8)
    assert calibrated(classifier, flat, np.zeros(FEWEST + 2, np.int64)) is None


def test_a_picture_is_pasted_where_it_is_said_to_be() -> None:
    picture, canvas = Image.new("RGB", (60, 40), (255, 0, 0)), Image.new("RGB", (200, 200))
    whole, box = pasted(picture, canvas, np.random.default_rng(3))
    pixels = np.asarray(whole)
    left, top, right, bottom = (round(200 * side) for side in (box.left, box.top, box.right, box.bottom))
    assert (right - left, bottom - top) == (60, 40)
    assert pixels[(top + bottom) // 2, (left + right) // 2].tolist() == [255, 0, 0]
    outside = pixels.copy()
    outside[top:bottom, left:right] = 0
    assert not outside.any()


def test_zooming_out_leaves_the_picture_its_pixels() -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 255, (64, 64, 3), dtype=np.uint8)
    whole = np.asarray(zoomed_out(pixels, np.zeros_like(pixels), rng))
    assert 128 <= len(whole) <= 192
    middle = pixels[30:34, 30:34]
    found = [
        (row, column)
        for row in range(len(whole) - 4)
        for column in range(len(whole) - 4)
        if (whole[row, column] == middle[0, 0]).all() and (whole[row : row + 4, column : column + 4] == middle).all()
    ]
    assert len(found) == 1
