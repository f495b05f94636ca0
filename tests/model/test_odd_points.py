"""Points on odd pictures and in odd models, and by two people at once: parts stay shares, and every sum stays."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from fgdemo.learn.live.part_teacher import PartTeacher
from fgdemo.learn.live.teaching import TaughtPicture, teach
from fgdemo.model.classifier import Classifier
from fgdemo.services.labelling.pointing import Pointing
from fgdemo.specimens import SPECIES, draw_specimen
from fgdemo.storage.history.points import PointLog
from fgdemo.storage.history.taxa import TaxonStore
from fgdemo.values.annotation import Person
from fgdemo.values.points import PlacedPoint
from fgdemo.wiring.assembly import Workspace, open_workspace
from tests.support.browser_app import settings_in
from tests.support.tiny import tiny_fit
from tests.support.trainings import bird, take_in

ADA, BO = Person("ada", "expert"), Person("bo", "expert")
POINTS = (PlacedPoint("cap", 0.4, 0.2), PlacedPoint("rump", 0.7, 0.6), PlacedPoint("tail", 0.9, 0.7))


@pytest.fixture(scope="module")
def base() -> Classifier:
    return tiny_fit().classifier


@pytest.fixture
def workspace(base: Classifier, tmp_path: Path) -> Iterator[Workspace]:
    opened = open_workspace(settings_in(tmp_path), base)
    take_in(opened, base, [bird(row, 0) for row in range(4)])
    yield opened
    opened.engine.dispose()


def pointing_of(workspace: Workspace, classifier: Classifier) -> tuple[PartTeacher, Pointing]:
    points, taxa = PointLog(workspace.engine), TaxonStore(workspace.engine)
    teacher = PartTeacher(classifier, points, workspace.roster, taxa, workspace.images)
    return teacher, Pointing(points, workspace.roster, taxa, teacher)


def is_exact(classifier: Classifier, picture: Image.Image) -> None:
    reading = classifier.read(picture)
    assert np.isfinite(reading.assignment).all()
    np.testing.assert_allclose(reading.assignment.sum(-1), 1, atol=1e-5)
    of_parts = np.einsum("hwk,hwc->kc", reading.assignment, reading.evidence).sum(0)
    np.testing.assert_allclose(of_parts + reading.bias, reading.logits, atol=1e-4)
    assert reading.foreground is not None
    assert 0 <= reading.foreground.min() <= reading.foreground.max() <= 1


ODD = {
    "of one colour, with nothing before a background": Image.new("RGB", (64, 64), (128, 128, 128)),
    "of forty pixels": draw_specimen(SPECIES[0], 3, 64).picture.resize((40, 40)),
    "of one pixel": Image.new("RGB", (1, 1), (9, 200, 9)),
    "a panorama": draw_specimen(SPECIES[0], 4, 64).picture.resize((3000, 30)),
    "a tower": draw_specimen(SPECIES[0], 5, 64).picture.resize((30, 3000)),
}


@pytest.mark.parametrize("what", ODD)
def test_a_picture_teaches_and_is_read_that_is(base: Classifier, what: str) -> None:
    drawn = [TaughtPicture(draw_specimen(SPECIES[0], seed, 64).picture, POINTS) for seed in range(3)]
    for pictures in ([TaughtPicture(ODD[what], POINTS)], [*drawn, TaughtPicture(ODD[what], POINTS)]):
        taught = teach(base, base.parts.ground_groups[0], pictures)
        is_exact(taught, ODD[what])
        is_exact(taught, drawn[0].picture)


def test_all_points_in_one_corner_and_one_over_another(base: Classifier) -> None:
    corner = tuple(PlacedPoint(name, x, x) for name in ("cap", "rump") for x in (0.0,))
    pictures = [TaughtPicture(draw_specimen(SPECIES[0], seed, 64).picture, corner) for seed in range(3)]
    is_exact(teach(base, base.parts.ground_groups[0], pictures), pictures[0].picture)


def test_pictures_of_one_kind_teach_the_others_of_the_group(base: Classifier) -> None:
    pictures = [TaughtPicture(draw_specimen(SPECIES[0], seed, 64).picture, POINTS) for seed in range(4)]
    taught = teach(base, base.parts.ground_groups[0], pictures)
    for species in SPECIES[:4]:
        is_exact(taught, draw_specimen(species, 77, 64).picture)


def test_a_model_without_parts_keeps_points_and_learns_none(base: Classifier, workspace: Workspace) -> None:
    bare = replace(
        base.parts,
        parts=(),
        prototypes=torch.zeros(0, base.parts.part_projection.shape[1]),
        ground=base.parts.ground[:0],
        ground_is_fore=(),
        ground_groups=(),
        mid_ground=None,
        mid_groups=(),
    )
    classifier = base.with_parts(bare)
    teacher, pointing = pointing_of(workspace, classifier)
    for at, image in enumerate(list(workspace.roster.image_ids)):
        opened = pointing.place(ADA, image, POINTS, f"key {at}")
        assert opened.guesses == ()
    teacher.refresh()
    assert teacher.taught(classifier) is classifier
    assert not teacher.is_learning()
    assert {one.part for one in pointing.open(BO, workspace.roster.image_ids[0]).points} == {"cap", "rump", "tail"}
    reading = classifier.read(draw_specimen(SPECIES[0], 1, 64).picture)
    assert reading.assignment.shape[-1] == 1
    np.testing.assert_allclose(reading.assignment, 1)


def test_two_people_point_at_once_while_it_learns(base: Classifier, workspace: Workspace) -> None:
    teacher, pointing = pointing_of(workspace, base)
    teacher.start()
    images = list(workspace.roster.image_ids)

    def points(person: Person) -> None:
        for turn in range(5):
            for at, image in enumerate(images):
                x = 0.1 + 0.1 * turn
                placed = [PlacedPoint("cap", x, 0.2), PlacedPoint(f"of {person.name}", 0.5, x)]
                pointing.place(person, image, placed, f"{person.name} {turn} {at}")

    try:
        with ThreadPoolExecutor(2) as both:
            list(both.map(points, (ADA, BO)))
    finally:
        teacher.stop()
    teacher.refresh()
    assert not teacher.is_learning()
    for image in images:
        said = {one.part: (one.x, one.y) for one in pointing.open(ADA, image).points}
        assert said["of ada"] == said["of bo"] == (0.5, pytest.approx(0.5))
        assert said["cap"] == (pytest.approx(0.5), 0.2)  # of whoever was last: both end there
    taught = teacher.taught(base)
    assert {"cap", "of ada", "of bo"} in [
        {part.name for part in taught.parts.of_group(g)} for g in taught.parts.ground_groups
    ]
    is_exact(taught, draw_specimen(SPECIES[0], 1, 64).picture)
