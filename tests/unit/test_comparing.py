"""The same place side by side: which pictures are shown, what a place says, and what becomes of bad questions."""

from __future__ import annotations

import io
from dataclasses import replace
from functools import partial

import pytest
from PIL import Image

from fgdemo.services.classify.comparing import BLIND, COARSE, PICTURES, in_words
from fgdemo.services.classify.workbench import Workbench
from fgdemo.storage.embeddings.library import Library
from fgdemo.storage.history.label_event import LabelEvent
from fgdemo.storage.pictures.originals import image_id_of
from fgdemo.values.errors import PictureError, StorageError, TaxonomyError
from fgdemo.values.labelled import LabelledPicture
from fgdemo.values.types import CropBox
from tests.support.fakes import COLOURS, FakeClassifier
from tests.support.workspace import open_fake_workspace

A, B = "nashville_warbler", "mourning_warbler"
PLACES = [(0.7, 0.6), (0.3, 0.6), (0.5, 0.5), (0.6, 0.3)]
PAIR = {"name": "a", "box": None, "a": A, "b": B, "only_public": False}


def shade(number: int) -> int:
    """Far enough apart not to be taken for the same pixels."""
    return 20 + 12 * number


def marked(
    darker: int, taxon: str = A, at: tuple[float, float] = (0.2, 0.3), size: tuple[int, int] = (280, 210)
) -> bytes:
    """A picture of a kind's colour with something blue in it."""
    red, green, blue = COLOURS[taxon]
    picture = Image.new("RGB", size, (red - darker, green, blue))
    side = max(1, min(size) // 5)
    left, top = (int(share * side_px - side / 2) for share, side_px in zip(at, size, strict=True))
    picture.paste((10, 20, 250), (left, top, left + side, top + side))
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def workspace(tmp_path):
    opened = open_fake_workspace(tmp_path)
    opened.take_in(
        [
            LabelledPicture(f"{taxon}-{at}.png", taxon, "train", partial(marked, shade(at), taxon, place))
            for taxon in (A, B)
            for at, place in enumerate(PLACES)
        ]
    )
    yield opened
    opened.engine.dispose()


def workbench_over(workspace, classifier=None) -> Workbench:
    library = Library(workspace.roster, workspace.embeddings, workspace.images)
    return Workbench(classifier or workspace.classifier, library)


def test_the_nearest_pictures_of_both_and_the_same_place_in_each(workspace):
    comparing = workbench_over(workspace).comparing
    found = comparing.picture(marked(2), **PAIR)
    assert [len(found.pictures_a), len(found.pictures_b)] == [PICTURES, PICTURES]
    assert {one.taxon for one in found.pictures_a} == {A}
    assert found.grid == (14, 14)
    assert len(found.pictures_a[0].there) == len(found.pictures_a[0].back) == 14 * 14 * 3
    told = comparing.place(marked(2), **PAIR, x=0.2, y=0.3)
    at = {image_id_of(marked(shade(n), A, place)): place for n, place in enumerate(PLACES)}
    for one in told.a:
        assert (one.place.x, one.place.y) == pytest.approx(at[one.image_id], abs=0.1)
        assert one.is_visible
    assert told.sentence == in_words(told.says, "Nashville Warbler", "Mourning Warbler")


def test_a_ring_about_every_place_holds_what_the_answer_is_the_sum_of(workspace):
    comparing = workbench_over(workspace).comparing
    reading = workspace.classifier.read(Image.open(io.BytesIO(marked(2))))
    leaves = workspace.classifier.taxonomy.leaf_index
    contrast = reading.evidence[..., leaves[A]] - reading.evidence[..., leaves[B]]
    told = comparing.place(marked(2), **PAIR, x=6.5 / 14, y=6.5 / 14)
    assert told.says == pytest.approx(contrast[5:8, 5:8].sum())
    assert told.says_in_all == pytest.approx(contrast.sum() + reading.bias[leaves[A]] - reading.bias[leaves[B]])


def test_checked_pictures_come_before_unchecked_ones_that_are_hardly_nearer(workspace):
    comparing = workbench_over(workspace).comparing
    all_of_a = {image_id_of(marked(shade(n), A, place)) for n, place in enumerate(PLACES)}
    (last,) = all_of_a - {one.image for one in comparing.picture(marked(2), **PAIR).pictures_a}
    version = workspace.roster.standing(last).version
    workspace.events.answer(LabelEvent(image=last, kind="label", annotator="ada", taxon=A, shown_version=version))
    first = comparing.picture(marked(2), **PAIR).pictures_a[0]
    assert (first.image, first.checked) == (last, True)


def test_a_picture_of_the_workspace_is_never_beside_itself(workspace):
    image = image_id_of(marked(shade(0), A, PLACES[0]))
    found = workbench_over(workspace).comparing.known_picture(image, A, B)
    assert image not in [one.image for one in (*found.pictures_a, *found.pictures_b)]
    assert len(found.pictures_a) == 3
    with pytest.raises(StorageError):
        workbench_over(workspace).comparing.known_picture("0" * 64, A, B)


def test_a_reference_that_was_deleted_meanwhile_gives_way_to_the_next(workspace):
    comparing = workbench_over(workspace).comparing
    first = comparing.picture(marked(2), **PAIR).pictures_a[0].image
    workspace.images.remove(first)
    fresh = workbench_over(workspace).comparing.picture(marked(2), **PAIR)
    assert first not in [one.image for one in fresh.pictures_a]
    assert len(fresh.pictures_a) == 3


def test_visitors_see_only_published_pictures(workspace):
    found = workbench_over(workspace).comparing.picture(marked(2), **{**PAIR, "only_public": True})
    assert found.pictures_a == found.pictures_b == ()


@pytest.mark.parametrize("size", [(40, 40), (900, 60), (60, 900)])
@pytest.mark.parametrize("box", [None, CropBox(0.1, 0.1, 0.6, 0.9)])
def test_small_pictures_panoramas_and_boxes(workspace, size, box):
    comparing = workbench_over(workspace).comparing
    told = comparing.place(marked(2, size=size), **{**PAIR, "box": box}, x=1.0, y=0.0)
    assert len(told.a) == len(told.b) == 3
    assert all(0 <= side <= 1 for one in told.a for side in (one.place.x, one.place.y))


def test_kinds_without_pictures_and_places_without_a_workspace(workspace):
    found = workbench_over(workspace).comparing.picture(marked(2), **{**PAIR, "b": "lowchen"})
    assert (len(found.pictures_a), found.pictures_b) == (3, ())
    alone = Workbench(FakeClassifier()).comparing
    told = alone.place(marked(2), **PAIR, x=0.5, y=0.5)
    assert told.a == told.b == ()
    with pytest.raises(StorageError):
        alone.known_picture("0" * 64, A, B)


@pytest.mark.parametrize(("a", "b"), [(A, A), (A, "warbler"), (A, "no_such"), ("", B)])
def test_what_cannot_be_compared_is_refused(workspace, a, b):
    with pytest.raises(TaxonomyError):
        workbench_over(workspace).comparing.picture(marked(2), **{**PAIR, "a": a, "b": b})


def test_what_is_no_picture_is_refused(workspace):
    with pytest.raises(PictureError):
        workbench_over(workspace).comparing.picture(b"no picture", **PAIR)


class WithoutMid(FakeClassifier):
    def read(self, picture, box=None):
        return replace(super().read(picture, box), mid=None)


class WithoutTokens(FakeClassifier):
    def read(self, picture, box=None):
        return replace(super().read(picture, box), mid=None, tokens=None)


def test_a_model_without_mid_tokens_says_so_and_one_without_any_shows_no_place(workspace):
    coarse = workbench_over(workspace, WithoutMid()).comparing.picture(marked(2), **PAIR)
    assert coarse.caveat == COARSE
    assert coarse.pictures_a[0].there
    blind = workbench_over(workspace, WithoutTokens()).comparing
    assert blind.picture(marked(2), **PAIR).caveat == BLIND
    told = blind.place(marked(2), **PAIR, x=0.5, y=0.5)
    assert [one.is_visible for one in told.a] == [False] * 3


@pytest.mark.parametrize(
    ("says", "sentence"),
    [
        (0.312, "This place speaks for Crow and against Rook, by 0.31 log-odds."),
        (-1.0, "This place speaks for Rook and against Crow, by 1.00 log-odds."),
        (0.001, "This place says nothing between Crow and Rook."),
    ],
)
def test_what_a_place_says_in_words(says, sentence):
    assert in_words(says, "Crow", "Rook") == sentence
