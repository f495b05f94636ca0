"""Kinds that are known from one or two pictures say nothing about how sure the model may be of the others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fgdemo.commands.console import report_scores
from fgdemo.learn.candidate.fit import calibrate
from fgdemo.learn.data.held_out import HeldOut, held_out_of
from fgdemo.learn.data.pictures import Pictures
from fgdemo.learn.measure.evaluate import Scores
from fgdemo.model.calibration import expected_calibration_error, prediction_set, softmax, telling
from fgdemo.model.checkpoint.persistence import from_checkpoint, to_checkpoint
from fgdemo.model.classifier import Calibration
from fgdemo.model.exporting.readme import card_markdown
from fgdemo.model.head import RidgeHead
from fgdemo.values.taxonomy import Taxonomy
from tests.support.tiny import tiny_fit

DIM, MANY, NOISE = 48, 30, 2.6
RNG = np.random.default_rng(0)
MIDDLES = RNG.normal(size=(2 * MANY, DIM)) * 1.6


def pictures_of(sizes: list[int], seed: int = 1) -> tuple[Pictures, np.ndarray, np.ndarray]:
    """So many pictures of each kind in turn: noise around the middle of the kind, and pixels that are all different."""
    generator = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(sizes)), sizes)
    embeddings = (MIDDLES[labels] + NOISE * generator.normal(size=(len(labels), DIM)) + 5).astype(np.float32)
    pixels = generator.integers(0, 256, (len(labels), 9, 9, 3), dtype=np.uint8)
    names = tuple(map(str, labels.tolist()))
    return Pictures(pixels, names, names, ("train",) * len(labels), ()), embeddings, labels


def fitted(sizes: list[int]) -> tuple[RidgeHead, HeldOut, Calibration]:
    pictures, embeddings, labels = pictures_of(sizes)
    head = RidgeHead.fit(embeddings, labels, len(sizes))
    held_out = held_out_of(head, pictures, embeddings, labels, trained=False)
    return head, held_out, calibrate(held_out, Taxonomy.flat([f"kind{kind:02}" for kind in range(len(sizes))]))


def on_the_others(head: RidgeHead, found: Calibration) -> tuple[float, float]:
    """(calibration error, kinds in a set) on other pictures of the first kinds."""
    _, embeddings, labels = pictures_of([20] * MANY, seed=2)
    weight, bias = head.linear()
    probs = softmax((embeddings @ weight + bias) / found.temperature)
    sizes = [len(prediction_set(row, found.set_prob)) for row in probs]
    return expected_calibration_error(probs, labels), float(np.mean(sizes))


@pytest.mark.parametrize("few", [1, 2])
def test_the_others_are_calibrated_as_if_they_were_alone(few: int) -> None:
    by_itself, _, calibrated = fitted([8] * MANY)
    alone = on_the_others(by_itself, calibrated)
    head, held_out, found = fitted([8] * MANY + [few] * MANY)
    error, kinds = on_the_others(head, found)
    assert error < alone[0] + 0.03
    assert kinds < 1.5 * alone[1]
    spoilt = calibrate(replace(held_out, tells=np.ones_like(held_out.tells)), Taxonomy.flat(list(map(str, range(60)))))
    assert on_the_others(head, spoilt)[1] > 1.15 * kinds, "with all of them, as it was"
    assert found.few == {f"kind{kind:02}": few for kind in range(MANY, 2 * MANY)}


def test_near_duplicates_are_one_picture() -> None:
    pictures, embeddings, labels = pictures_of([8] * MANY)
    same = np.flatnonzero(labels == 3)
    pictures.pixels[same], embeddings[same] = pictures.pixels[same[0]], embeddings[same[0]]
    two = np.flatnonzero(labels == 4)
    pictures.pixels[two[1:]], embeddings[two[1:]] = pictures.pixels[two[1]], embeddings[two[1]]
    head = RidgeHead.fit(embeddings, labels, MANY)
    found = held_out_of(head, pictures, embeddings, labels, trained=False)
    assert found.few == {3: 1, 4: 2}
    assert len(found.telling.labels) == 8 * (MANY - 2)


def test_a_kind_of_which_the_head_was_given_more_is_not_known_from_one() -> None:
    pictures, embeddings, labels = pictures_of([8] * 4 + [1])
    head = RidgeHead.fit(embeddings, labels, 5).with_pictures(embeddings[-1:] + 1, labels[-1:])
    head = head.with_pictures(embeddings[-1:] - 1, labels[-1:])
    assert held_out_of(head, pictures, embeddings, labels, trained=False).few == {}


@pytest.mark.parametrize(
    ("different", "tells"),
    [
        ([8, 8, 1], [True, True, False]),
        ([8, 8, 2, 1], [True, True, False, False]),
        ([8, 2, 2, 1], [True, True, True, False]),  # those of two are most of what is left
        ([2, 2], [True, True]),
        ([1, 1], [True, True]),
        ([3, 3], [True, True]),
    ],
)
def test_who_tells(different: list[float], tells: list[bool]) -> None:
    np.testing.assert_array_equal(telling(np.array(different, float)), tells)


def test_it_is_told_in_the_card_and_stays_in_the_checkpoint() -> None:
    classifier = tiny_fit().classifier
    first, second = classifier.taxonomy.leaves[:2]
    few = replace(classifier, calibration=replace(classifier.calibration, few={first: 1, second: 2}))
    stored = to_checkpoint(few)
    again = from_checkpoint("few", replace(stored, card={**stored.card, "weights_sha256": "0" * 64}), "cpu")
    assert (again.few(first), again.few(second), again.few(classifier.taxonomy.leaves[2])) == (1, 2, None)
    text = card_markdown(stored.card)
    assert "Known from one picture, or near-duplicates of one: " in text
    assert "Known from two pictures: " in text
    assert "Known from" not in card_markdown(to_checkpoint(classifier).card)


def test_never_sure_is_not_never_right() -> None:
    said: list[str] = []
    one = (0.5, 0.4, 0.6)
    scores = Scores(9, one, one, {}, 0.1, 1.0, 0.95, 40.0, None, 0.0, 0.05, ())
    report_scores(scores, Taxonomy.flat(["a", "b"]), said.append)
    assert not any("0.0% right" in line for line in said)
    assert any("never sure enough" in line for line in said)
