"""A closer look: where it goes, when it is taken, that both views are one sum, and what is said of it."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from fgdemo.services.classify.workbench import Workbench
from fgdemo.storage.pictures.images import jpeg
from fgdemo.values.classification.closer import (
    LEAST_SIDE,
    WHOLE,
    frames_of,
    in_place,
    is_worth,
    placed,
)
from fgdemo.values.errors import BackboneError, PictureError
from fgdemo.values.types import CropBox
from tests.support.fakes import COLOURS, FakeClassifier, FakeCloser

BIRD, OTHER = "nashville_warbler", "mourning_warbler"
BETWEEN = tuple((a + b) // 2 for a, b in zip(COLOURS[BIRD], COLOURS[OTHER], strict=True))


def ground(*things: tuple[int, int, int, int], size: tuple[int, int] = (14, 14)) -> np.ndarray:
    """A foreground of rectangles (top, left, bottom, right)."""
    found = np.zeros(size, np.float32)
    for top, left, bottom, right in things:
        found[top:bottom, left:right] = 1
    return found


def looking_closer() -> FakeClassifier:
    classifier = FakeClassifier()
    classifier.closer = FakeCloser()
    return classifier


def scene(*places: tuple[int, int], side: int = 50, size: tuple[int, int] = (200, 150), kind: str = BIRD) -> bytes:
    """A picture midway between two kinds, with squares in the colour of one of them."""
    picture = Image.new("RGB", size, BETWEEN)
    for left, top in places:
        picture.paste(COLOURS[kind], (left, top, left + side, top + side))
    return jpeg(picture, max(size), quality=98)


# --- where it goes ---------------------------------------------------------------------------------------------


def test_the_frame_lies_around_the_thing_a_little_wider() -> None:
    frames = frames_of(ground((4, 2, 9, 8)))
    assert frames is not None
    assert frames.others == ()
    box = frames.box
    assert box.left == pytest.approx(2 / 14, abs=0.03)
    assert box.right == pytest.approx(8 / 14, abs=0.03)
    assert box.top == pytest.approx(4 / 14, abs=0.03)
    assert box.bottom == pytest.approx(9 / 14, abs=0.03)


def test_the_frame_is_never_smaller_than_a_fifth_and_stays_in_the_picture() -> None:
    frames = frames_of(ground((0, 13, 1, 14)))
    assert frames is not None
    assert frames.box == CropBox(1 - LEAST_SIDE, 0.0, 1.0, LEAST_SIDE)


@pytest.mark.parametrize("foreground", [None, np.zeros((14, 14)), np.full((14, 14), 0.02)])
def test_where_nothing_is_seen_there_is_no_frame(foreground: np.ndarray | None) -> None:
    assert frames_of(foreground) is None


def test_of_two_things_the_larger_is_framed_and_the_other_told() -> None:
    frames = frames_of(ground((1, 1, 6, 6), (8, 9, 12, 13)))
    assert frames is not None
    assert frames.box.right < 0.55
    assert frames.box.bottom < 0.55
    assert len(frames.others) == 1
    assert frames.others[0].left > 0.5
    assert frames.others[0].top > 0.5


def test_a_crumb_is_no_other_thing_and_corners_touch() -> None:
    crumb = frames_of(ground((1, 1, 7, 7), (10, 10, 11, 11)))
    touching = frames_of(ground((1, 1, 5, 5), (5, 5, 9, 9)))
    assert crumb is not None
    assert crumb.others == ()
    assert crumb.box.right < 0.6
    assert touching is not None
    assert touching.others == ()
    assert touching.box.right > 0.6


@pytest.mark.parametrize(
    ("prob", "box", "expected"),
    [
        (0.94, CropBox(0, 0, 0.7, 0.7), True),
        (0.96, CropBox(0, 0, 0.7, 0.7), False),
        (0.2, CropBox(0, 0, 0.71, 0.71), False),
    ],
)
def test_it_is_taken_where_the_answer_is_unsure_and_the_thing_small(prob: float, box: CropBox, expected: bool) -> None:
    assert is_worth(prob, box) is expected


# --- one sum ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("box", [WHOLE, CropBox(0.31, 0.2, 0.77, 0.93), CropBox(0.8, 0.8, 1.0, 1.0)])
@pytest.mark.parametrize("grid", [(28, 28), (84, 84), (13, 9)])
def test_placing_a_view_keeps_every_sum(box: CropBox, grid: tuple[int, int]) -> None:
    values = np.random.default_rng(0).normal(size=(14, 10, 3))
    found = placed(values, box, grid)
    assert found.shape == (*grid, 3)
    np.testing.assert_allclose(found.sum((0, 1)), values.sum((0, 1)), atol=1e-9)
    outside = placed(values, CropBox(0.0, 0.0, 0.5, 0.5), (28, 28))[14:]
    assert not outside.any()


def test_shares_inside_the_frame_are_those_of_the_frame() -> None:
    inside, beside = np.full((14, 14, 2), [0.9, 0.1]), np.full((28, 28, 2), [0.2, 0.8])
    found = in_place(inside, CropBox(0.25, 0.25, 0.75, 0.75), beside)
    np.testing.assert_allclose(found.sum(-1), 1, atol=1e-12)
    np.testing.assert_allclose(found[14, 14], [0.9, 0.1])
    np.testing.assert_allclose(found[0, 0], [0.2, 0.8])


def test_both_views_sum_to_the_mean_of_their_logits() -> None:
    classifier, looks = looking_closer(), FakeCloser()
    whole = Image.new("RGB", (100, 80), BETWEEN)
    whole.paste(COLOURS[BIRD], (60, 20, 90, 50))
    box = CropBox(0.55, 0.2, 0.95, 0.7)
    first, second = classifier.read(whole), classifier.read(whole.crop(box.pixels(100, 80)))
    found = looks.both(first, second, box)
    np.testing.assert_allclose(found.evidence.sum((0, 1)) + found.bias, found.logits, rtol=1e-4, atol=1e-9)
    np.testing.assert_allclose(found.logits, 1.5 * (first.logits + second.logits) / 2)
    np.testing.assert_allclose(found.assignment.sum(-1), 1, atol=1e-9)
    assert found.evidence.shape[:2] == (28, 28)
    assert np.linalg.norm(found.embedding) == pytest.approx(1)
    assert found.tokens is None


# --- what is answered ------------------------------------------------------------------------------------------


def test_an_unsure_answer_about_a_small_thing_is_looked_at_again() -> None:
    classifier = looking_closer()
    found = Workbench(classifier).classify(scene((130, 20)), name="a")
    assert classifier.reads == 2
    closer = found.closer
    assert closer is not None
    assert closer.is_taken
    assert closer.is_worth
    assert closer.box.left > 0.5
    assert closer.box.bottom < 0.6
    assert found.answer.taxon == BIRD
    assert found.answer.prob > closer.first_prob
    assert found.grid == (28, 28)
    total = {one.taxon: sum(one.evidence) + one.bias for one in found.candidates}
    ratio = found.candidates[0].prob / found.candidates[1].prob
    assert np.log(ratio) == pytest.approx(total[found.candidates[0].taxon] - total[found.candidates[1].taxon], abs=1e-3)


def test_never_is_the_answer_of_a_model_that_looks_no_closer() -> None:
    picture = scene((130, 20))
    plain = Workbench(FakeClassifier()).classify(picture, name="a")
    never = Workbench(looking_closer()).classify(picture, name="a", closer="never")
    assert plain.closer is None
    assert never.closer is not None
    assert not never.closer.is_taken
    assert never.closer.is_worth
    assert (never.answer, never.candidates, never.grid) == (plain.answer, plain.candidates, plain.grid)


def test_a_sure_answer_is_looked_at_again_only_where_that_is_wished() -> None:
    workbench = Workbench(looking_closer())
    picture = scene((20, 0), side=150)
    by_itself = workbench.classify(picture, name="a")
    wished = workbench.classify(picture, name="a", closer="always")
    assert by_itself.closer is not None
    assert not by_itself.closer.is_taken
    assert wished.closer is not None
    assert wished.closer.is_taken
    assert wished.closer.first == by_itself.answer


def test_a_part_that_is_asked_about_is_not_looked_at_again() -> None:
    workbench = Workbench(looking_closer())
    found = workbench.classify(scene((130, 20)), name="a", box=CropBox(0.5, 0, 1, 0.7))
    assert found.closer is None
    with pytest.raises(PictureError, match="not for both"):
        workbench.classify(scene((130, 20)), name="a", box=CropBox(0.5, 0, 1, 0.7), closer="always")


def test_a_model_that_was_not_calibrated_for_it_says_so() -> None:
    with pytest.raises(BackboneError, match="no closer look"):
        Workbench(FakeClassifier()).classify(scene((130, 20)), name="a", closer="always")


def test_two_animals_are_told() -> None:
    found = Workbench(looking_closer()).classify(scene((20, 20), (140, 80), side=40), name="a")
    assert found.closer is not None
    assert len(found.closer.others) == 1


@pytest.mark.parametrize("size", [(40, 40), (1000, 100), (60, 900)])
def test_small_pictures_and_panoramas_are_looked_at_too(size: tuple[int, int]) -> None:
    side = max(min(size) // 2, 8)
    place = (size[0] // 2, size[1] // 2)
    found = Workbench(looking_closer()).classify(scene(place, side=side, size=size), name="a", closer="always")
    assert found.closer is not None
    assert found.closer.is_taken
    assert (found.width_px, found.height_px) == size


def test_a_picture_without_a_thing_keeps_its_first_answer() -> None:
    found = Workbench(looking_closer()).classify(scene(), name="a", closer="always")
    assert found.closer is None
    assert found.grid == (14, 14)
