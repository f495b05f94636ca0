"""Points that experts place: kept like all that is said, they decide nothing, and the newest of a part counts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy.engine import Engine

from fgdemo.services.labelling.pointing import Pointing
from fgdemo.storage.database.database import open_database, register_taxa
from fgdemo.storage.history.events import EventLog, LabelEvent, NewPicture
from fgdemo.storage.history.points import PointLog
from fgdemo.storage.history.roster import Roster
from fgdemo.storage.pictures.originals import ImageStore, image_id_of
from fgdemo.values.errors import ForbiddenError, PictureError, StaleError, StorageError
from fgdemo.values.points import Guess, PlacedPoint
from tests.support.fakes import TAXONOMY
from tests.support.workspace import ADA, FakeTeacher, coloured, open_fake_workspace

CROWN, WING = PlacedPoint("crown", 0.4, 0.2), PlacedPoint("wing", 0.6, 0.55)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = open_database(database_url)
    register_taxa(engine, TAXONOMY)
    yield engine
    engine.dispose()


def brought(engine: Engine, folder: Path, name: str, split: str = "train") -> str:
    """A picture that was imported with a label."""
    original = name.encode()
    picture = NewPicture(original, 40, 30, "a folder", split, f"{name}.jpg")
    said = LabelEvent(image_id_of(original), "import", "import", taxon="eskimo_dog")
    EventLog(engine).append_with_picture(said, picture, ImageStore(folder))
    return said.image


def test_points_are_kept_and_the_newest_of_a_part_counts(engine: Engine, tmp_path: Path) -> None:
    log, image = PointLog(engine), brought(engine, tmp_path, "a")
    assert (log.newest(), log.all()) == (0, {})
    first = log.place(image, [CROWN, WING], "ada", "one")
    assert [(one.kind, one.point, one.annotator) for one in first] == [("point", CROWN, "ada"), ("point", WING, "ada")]
    assert log.newest() == first[-1].id
    moved = replace(CROWN, x=0.5)
    log.place(image, [moved, PlacedPoint("wing", None, None)], "bo", "two")
    assert log.all() == {image: {"crown": moved}}  # the wing is not seen after all
    assert [one.point for one in EventLog(engine).history(image)[1:]] == [
        CROWN,
        WING,
        moved,
        PlacedPoint("wing", None, None),
    ]


def test_an_answer_that_is_sent_twice_counts_once(engine: Engine, tmp_path: Path) -> None:
    log, image = PointLog(engine), brought(engine, tmp_path, "a")
    assert log.place(image, [CROWN, WING], "ada", "one") == log.place(image, [CROWN, WING], "ada", "one")
    assert len(EventLog(engine).history(image)) == 3
    with pytest.raises(StorageError, match="key of another"):
        log.place(image, [CROWN], "bo", "one")


def test_points_decide_no_label_and_make_no_answer_stale(engine: Engine, tmp_path: Path) -> None:
    events, image = EventLog(engine), brought(engine, tmp_path, "a")
    roster = Roster(engine)
    roster.follow()
    before = roster.standing(image)
    PointLog(engine).place(image, [CROWN], "bo", "one")
    roster.follow()
    assert roster.standing(image) == before
    answer = LabelEvent(image, "label", ADA.name, taxon="nashville_warbler", shown_version=before.version)
    events.answer(answer)
    with pytest.raises(StaleError):
        events.answer(answer)  # which it is now


def test_gold_strangers_and_thousands_are_refused_and_nothing_is_kept(engine: Engine, tmp_path: Path) -> None:
    log, image = PointLog(engine), brought(engine, tmp_path, "a")
    with pytest.raises(ForbiddenError, match="Gold pictures"):
        log.place(brought(engine, tmp_path, "b", "gold"), [CROWN], "ada", "one")
    with pytest.raises(StorageError, match="not in the workspace"):
        log.place("0" * 64, [CROWN], "ada", "two")
    with pytest.raises(StorageError, match="10,000"):
        log.place(image, [CROWN] * 10_000, "ada", "three")
    assert log.all() == {}


@pytest.mark.parametrize(
    ("part", "x", "y"),
    [
        ("crown", 1.01, 0.5),
        ("crown", -0.01, 0.5),
        ("crown", float("nan"), 0.5),
        ("crown", 0.5, None),
        ("", 0.5, 0.5),
        ("  ", 0.5, 0.5),
        ("two\nlines", 0.5, 0.5),
        ("x" * 41, 0.5, 0.5),
    ],
)
def test_a_point_lies_on_the_picture_and_has_a_name(part: str, x: float | None, y: float | None) -> None:
    with pytest.raises(PictureError):
        PlacedPoint(part, x, y)


def test_a_part_that_is_not_seen_is_not_guessed_there(tmp_path: Path) -> None:
    made = open_fake_workspace(tmp_path)
    made.take_in([coloured("eskimo_dog", n) for n in range(3)])
    first, second, third = made.roster.image_ids
    for image in (first, second):
        made.pointing.place(ADA, image, [CROWN, WING], f"key {image}")
    assert [one.part for one in made.pointing.open(ADA, third).guesses] == ["crown", "wing"]
    made.pointing.place(ADA, third, [PlacedPoint("wing", None, None)], "no wing")
    opened = made.pointing.open(ADA, third)
    assert ([one.part for one in opened.guesses], opened.points) == (["crown"], ())


class Taught(FakeTeacher):
    """Its checkpoint knows a part that nobody has named here."""

    def guesses(self, image: str, group: str) -> tuple[Guess, ...]:
        return (Guess("face", 0.5, 0.5), Guess("crown", 0.5, 0.1))


def test_a_part_that_nobody_named_here_is_not_guessed(tmp_path: Path) -> None:
    made = open_fake_workspace(tmp_path)
    made.take_in([coloured("eskimo_dog", n) for n in range(2)])
    first, second = made.roster.image_ids
    log = PointLog(made.engine)
    pointing = Pointing(log, made.roster, made.taxa, Taught(log, made.roster, made.taxa))
    assert pointing.open(ADA, first).guesses == ()
    pointing.place(ADA, first, [CROWN], "one")
    assert [one.part for one in pointing.open(ADA, second).guesses] == ["crown"]
