"""Points are learned from in the background: the parts change at once wherever they are shown, and no answer does."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fgdemo.commands.model.training_job import with_points
from fgdemo.learn.live.part_teacher import LIKELY, SURE, PartTeacher
from fgdemo.services.labelling.pointing import Pointing, sentence
from fgdemo.specimens import SPECIES, Specimen, draw_specimen
from fgdemo.storage.exchange.intake import Intake
from fgdemo.storage.history.points import PointLog
from fgdemo.storage.history.taxa import TaxonStore
from fgdemo.values.annotation import VISITOR, Person
from fgdemo.values.errors import ForbiddenError, StorageError
from fgdemo.values.labelled import LabelledPicture
from fgdemo.values.points import GroupLesson, PlacedPoint
from fgdemo.wiring.assembly import Workspace, open_workspace
from tests.support.browser_app import settings_in
from tests.support.tiny import tiny_fit

ADA = Person("ada", "expert")
GOLD = 9


@dataclass(frozen=True)
class Taught:
    workspace: Workspace
    teacher: PartTeacher
    pointing: Pointing
    images: list[str]
    specimens: list[Specimen]

    def points(self, at: int) -> list[PlacedPoint]:
        """In the middle of each part that was drawn."""
        found = []
        for part, mask in self.specimens[at].masks.items():
            rows, columns = np.nonzero(mask)
            if len(rows):
                size = mask.shape[0]
                found.append(PlacedPoint(part, (columns.mean() + 0.5) / size, (rows.mean() + 0.5) / size))
        return found

    def place(self, at: int) -> None:
        self.pointing.place(ADA, self.images[at], self.points(at), f"key {at}")
        self.teacher.refresh()


@pytest.fixture
def taught(tmp_path: Path) -> Iterator[Taught]:
    classifier = tiny_fit().classifier
    settings = settings_in(tmp_path)
    specimens = [draw_specimen(SPECIES[seed % 2], seed, 64) for seed in range(10)]
    files = [png(specimen.picture) for specimen in specimens]
    listed = [
        LabelledPicture(
            f"{at}.png", SPECIES[at % 2].id, "test" if at == GOLD else "train", lambda data=data: data, len(data)
        )
        for at, data in enumerate(files)
    ]
    workspace = open_workspace(settings, classifier)
    intake = Intake(workspace.engine, workspace.images, workspace.roster, workspace.embeddings, classifier.look)
    intake.take_in(listed, "1", has_splits=True)
    workspace.roster.follow()
    points, taxa = PointLog(workspace.engine), TaxonStore(workspace.engine)
    teacher = PartTeacher(classifier, points, workspace.roster, taxa, workspace.images)
    names = workspace.roster.names(list(workspace.roster.image_ids))
    images = sorted(names, key=lambda image: int(names[image].split(".")[0]))
    yield Taught(workspace, teacher, Pointing(points, workspace.roster, taxa, teacher), images, specimens)
    workspace.engine.dispose()


def png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def test_points_teach_parts_and_change_no_answer(taught: Taught) -> None:
    classifier = taught.teacher._classifier
    assert taught.teacher.taught(classifier) is classifier
    opened = taught.pointing.open(ADA, taught.images[0])
    assert (opened.pictures, opened.parts, opened.guesses) == (0, (), ())
    assert opened.next in taught.images[1:GOLD]  # there is one to go on with at once, and it is not gold
    for at in range(3):
        assert taught.teacher.taught(classifier) is classifier  # two pictures teach nothing yet
        taught.place(at)
    now = taught.teacher.taught(classifier)
    assert now is taught.teacher.taught(classifier)
    before, after = (one.read(taught.specimens[5].picture) for one in (classifier, now))
    assert np.array_equal(after.logits, before.logits)
    assert np.array_equal(after.evidence, before.evidence)
    assert {part.name for part in after.parts} == {point.part for at in range(3) for point in taught.points(at)}
    np.testing.assert_allclose(after.assignment.sum(-1), 1, atol=1e-5)
    opened = taught.pointing.open(ADA, taught.images[5])
    assert (opened.pictures, opened.is_learning) == (3, False)
    assert opened.next is not None
    assert opened.next not in taught.images[:3]
    assert all(part.placed for part in opened.parts)  # how well each is found is measured
    assert all(part.found <= part.placed for part in opened.parts)
    assert {part.name: part.colour for part in opened.parts} == {part.name: part.colour for part in after.parts}
    shares = now.read(taught.specimens[5].picture).assignment[..., :-1].max((0, 1))
    largest = {part.name: share for part, share in zip(after.parts, shares, strict=True)}
    assert {one.part: one.is_sure for one in opened.guesses} == {
        name: bool(share >= SURE) for name, share in largest.items() if share >= LIKELY
    }


def test_a_point_that_moves_is_learned_anew_and_one_that_goes_is_forgotten(taught: Taught) -> None:
    for at in range(3):
        taught.place(at)
    classifier = taught.teacher._classifier
    first = taught.teacher.taught(classifier)
    taught.pointing.place(ADA, taught.images[0], [PlacedPoint("spot", 0.1, 0.1)], "another")
    assert taught.pointing.open(ADA, taught.images[0]).is_learning
    taught.teacher.refresh()
    second = taught.teacher.taught(classifier)
    group = taught.teacher.group_of(taught.images[0]) or ""
    old, new = ({part.name for part in one.parts.of_group(group)} for one in (first, second))
    assert new - old == {"spot"}
    for at in range(3):
        gone = [PlacedPoint(point.part, None, None) for point in taught.pointing.open(ADA, taught.images[at]).points]
        taught.pointing.place(ADA, taught.images[at], gone, f"gone {at}")
    taught.teacher.refresh()
    assert taught.teacher.taught(classifier) is classifier


def test_it_learns_in_the_background_and_a_fresh_one_comes_to_the_same(taught: Taught) -> None:
    taught.teacher.start()
    for at in range(3):
        taught.pointing.place(ADA, taught.images[at], taught.points(at), f"key {at}")
    taught.teacher.stop()
    taught.teacher.refresh()
    log, roster = PointLog(taught.workspace.engine), taught.workspace.roster
    classifier, taxa = taught.teacher._classifier, TaxonStore(taught.workspace.engine)
    fresh = PartTeacher(classifier, log, roster, taxa, taught.workspace.images)
    fresh.refresh()
    picture = taught.specimens[6].picture
    readings = [one.taught(classifier).read(picture) for one in (taught.teacher, fresh)]
    assert np.array_equal(readings[0].assignment, readings[1].assignment)


def test_who_may_not_and_what_cannot_be(taught: Taught) -> None:
    with pytest.raises(ForbiddenError):
        taught.pointing.open(VISITOR, taught.images[0])
    with pytest.raises(ForbiddenError, match="Gold pictures"):
        taught.pointing.place(ADA, taught.images[GOLD], [PlacedPoint("head", 0.5, 0.5)], "key")
    with pytest.raises(StorageError, match="not in the workspace"):
        taught.pointing.open(ADA, "0" * 64)
    many = [PlacedPoint(f"part {number}", 0.5, 0.5) for number in range(13)]
    with pytest.raises(StorageError, match="at most 12 parts"):
        taught.pointing.place(ADA, taught.images[0], many, "key")
    assert taught.pointing.open(ADA, taught.images[0]).points == ()


def test_a_picture_that_has_gone_teaches_nothing_and_stops_nobody(taught: Taught) -> None:
    for at in range(4):
        taught.pointing.place(ADA, taught.images[at], taught.points(at), f"key {at}")
    taught.workspace.images.remove(taught.images[0])
    taught.teacher.refresh()
    group = taught.teacher.group_of(taught.images[1]) or ""
    assert taught.teacher.lesson(group).unread == 1
    assert taught.teacher.taught(taught.teacher._classifier) is not taught.teacher._classifier
    assert taught.pointing.open(ADA, taught.images[0]).guesses == ()


@pytest.mark.parametrize(
    ("lesson", "said"),
    [
        (GroupLesson("bird", 0, {}, {}), "Name a part and click"),
        (GroupLesson("bird", 1, {"wing": 1}, {}), "Points on 1 picture. From 3 on guesses are drawn"),
        (GroupLesson("bird", 4, {"wing": 4}, {"wing": (2, 4)}), "2 of 4 points are found.* 6 more"),
        (GroupLesson("bird", 12, {}, {"wing": (9, 10), "eye": (3, 10)}), "12 of 20 .* Least often the eye, 3 of 10"),
        (GroupLesson("bird", 12, {}, {"wing": (9, 10)}), "9 of 10 .* teach.$"),
        (GroupLesson("bird", 12, {}, {"wing": (9, 10)}, learned=11), "12 pictures. Of the first 11, 9 of 10 points"),
        (GroupLesson("bird", 12, {}, {}, trouble="The points name 13 parts."), "13 parts"),
        (GroupLesson("bird", 4, {"wing": 4}, {"wing": (2, 3)}, unread=1), "1 picture cannot be read"),
    ],
)
def test_how_far_it_is_is_said_in_a_sentence(lesson: GroupLesson, said: str) -> None:
    assert re.search(said, sentence(lesson))


def test_a_candidate_learns_from_the_same_points(taught: Taught) -> None:
    trained = tiny_fit(seed=5).classifier
    assert with_points(trained, taught.workspace) is trained  # there are none
    for at in range(3):
        taught.place(at)
    candidate = with_points(trained, taught.workspace)
    group = taught.teacher.group_of(taught.images[0])
    named = {point.part for at in range(3) for point in taught.points(at)}
    assert {part.name for part in candidate.parts.of_group(group or "")} == named
    picture = taught.specimens[5].picture
    assert np.array_equal(candidate.read(picture).logits, trained.read(picture).logits)
