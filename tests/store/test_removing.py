"""Imports that are taken back, and pictures that are removed: events first, then files; what was said stays."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from fgdemo.storage.database.database import reading
from fgdemo.storage.embeddings.embeddings import Embeddings, LooksShape
from fgdemo.storage.exchange.export import export_workspace
from fgdemo.storage.history.events import EventLog, LabelEvent, NewPicture
from fgdemo.storage.history.label_event import REMOVED
from fgdemo.storage.history.points import PointLog
from fgdemo.storage.history.removing import clear_removed, removed_among
from fgdemo.storage.people.audit import Audit
from fgdemo.storage.pictures.originals import image_id_of
from fgdemo.storage.records.inventory import Inventory
from fgdemo.values.annotation import Person
from fgdemo.values.errors import FgdemoError, ForbiddenError, StaleError, StorageError
from fgdemo.values.points import PlacedPoint
from tests.support.exchanging import MAINTAINER, exchange_of
from tests.support.mirroring import mirror_of, restored_into
from tests.support.workspace import ADA, FakeWorkspace, coloured, open_fake_workspace, removals_of, some_pictures


@pytest.fixture
def workspace(tmp_path: Path, database_url: str) -> Iterator[FakeWorkspace]:
    opened = open_fake_workspace(tmp_path / "home", database_url)
    opened.take_in(some_pictures(2, 0), run="2026-01-01T00:00:00+00:00")
    yield opened
    opened.engine.dispose()


@pytest.fixture
def lite(tmp_path: Path) -> Iterator[FakeWorkspace]:
    opened = open_fake_workspace(tmp_path / "home")
    opened.take_in(some_pictures(2, 0), run="2026-01-01T00:00:00+00:00")
    yield opened
    opened.engine.dispose()


SECOND = "2026-02-02T10:00:00+00:00"


def bring(workspace: FakeWorkspace, *numbers: int, run: str = SECOND, label: str = "100CANON") -> list[str]:
    """Some more pictures, as an import of their own."""
    listed = [coloured("lowchen", 5000 + n, label) for n in numbers]
    workspace.take_in(listed, run=run)
    return [image_id_of(one.load()) for one in listed]


def answer(workspace: FakeWorkspace, image: str, taxon: str = "lowchen") -> LabelEvent:
    version = workspace.roster.standing(image).version
    said = workspace.events.answer(LabelEvent(image, "label", ADA.name, taxon=taxon, shown_version=version))
    workspace.roster.follow()
    return said


def shown(workspace: FakeWorkspace) -> set[str]:
    from fgdemo.services.review.grid import Filter

    return {tile.image for tile in workspace.review.grid(MAINTAINER, Filter()).tiles}


def test_an_import_is_taken_back_whole(workspace: FakeWorkspace, tmp_path: Path) -> None:
    before = shown(workspace)
    images = bring(workspace, 1, 2, 3)
    removals = removals_of(workspace, tmp_path / "home")
    newest, oldest = removals.imports(MAINTAINER)
    assert (newest.run, newest.pictures, newest.there) == (SECOND, 3, 3)
    assert (oldest.pictures, oldest.there) == (6, 6)
    would = removals.about(MAINTAINER, SECOND)
    assert (would.pictures, would.labelled, would.relabelled) == (3, 0, 0)
    assert removals.take_back(MAINTAINER, SECOND) == would
    assert not any(workspace.images.holds(image) for image in images)
    assert shown(workspace) == before
    assert workspace.review.overview(MAINTAINER).pictures == 6
    assert [event.reason for event in workspace.events.history(images[0])] == [None, REMOVED]
    assert [one.there for one in removals.imports(MAINTAINER)] == [0, 6]
    with pytest.raises(StorageError, match="nothing of this import"):
        removals.take_back(MAINTAINER, SECOND)
    assert Audit(workspace.engine).newest(1)[0].action == "import taken back"


def test_what_was_labelled_meanwhile_is_asked_and_stays_as_history(workspace: FakeWorkspace, tmp_path: Path) -> None:
    images, removals = bring(workspace, 1, 2, 3), removals_of(workspace, tmp_path / "home")
    said = answer(workspace, images[1])
    PointLog(workspace.engine).place(images[2], [PlacedPoint("crown", 0.5, 0.5)], "bo", "k")
    would = removals.about(MAINTAINER, SECOND)
    assert (would.labelled, would.people) == (2, ("ada", "bo"))
    for told in (0, 1):
        with pytest.raises(StaleError, match="2 pictures of this import were labelled since"):
            removals.take_back(MAINTAINER, SECOND, told)
    assert all(image in workspace.images for image in images)
    assert len(workspace.events.history(images[0])) == 1
    removals.take_back(MAINTAINER, SECOND, 2)
    assert said in workspace.events.history(images[1])
    assert PointLog(workspace.engine).all() == {}
    workspace.roster.follow()
    assert workspace.roster.standing(images[1]).taxon is None


def test_an_answer_that_was_taken_back_does_not_count_as_labelled(lite: FakeWorkspace, tmp_path: Path) -> None:
    images = bring(lite, 1)
    said = answer(lite, images[0])
    lite.events.undo([said.id or 0], ADA)
    assert removals_of(lite, tmp_path / "home").about(MAINTAINER, SECOND).labelled == 0


def test_pictures_that_were_here_before_stay_with_their_label(workspace: FakeWorkspace, tmp_path: Path) -> None:
    old = bring(workspace, 1, run="2026-02-01T00:00:00+00:00", label="lowchen")
    again = bring(workspace, 1, 2, label="eskimo_dog")
    assert again[0] == old[0]
    assert workspace.roster.standing(old[0]).taxon == "eskimo_dog"
    removals = removals_of(workspace, tmp_path / "home")
    would = removals.about(MAINTAINER, SECOND)
    assert (would.pictures, would.relabelled) == (1, 1)
    removals.take_back(MAINTAINER, SECOND)
    workspace.roster.follow()
    assert workspace.roster.standing(old[0]).taxon == "lowchen"
    assert [workspace.images.holds(image) for image in again] == [True, False]


def test_what_another_import_brought_since_stays(workspace: FakeWorkspace, tmp_path: Path) -> None:
    images = bring(workspace, 1, 2)
    bring(workspace, 1, run="2026-03-03T00:00:00+00:00", label="lowchen")
    removals_of(workspace, tmp_path / "home").take_back(MAINTAINER, SECOND)
    workspace.roster.follow()
    assert [workspace.images.holds(image) for image in images] == [True, False]
    assert workspace.roster.standing(images[0]).taxon == "lowchen"


def test_a_visitors_picture_is_a_visitors_again(workspace: FakeWorkspace, tmp_path: Path) -> None:
    picture = coloured("lowchen", 5001, "lowchen")
    image = image_id_of(picture.load())
    workspace.events.append_with_picture(
        LabelEvent(image, "suggestion", "visitor", taxon="lowchen"),
        NewPicture(picture.load(), 160, 120, "visitor", None, "v.png"),
        workspace.images,
    )
    bring(workspace, 1, label="lowchen")
    removals_of(workspace, tmp_path / "home").take_back(MAINTAINER, SECOND)
    workspace.roster.follow()
    standing = workspace.roster.standing(image)
    assert (standing.taxon, standing.suggested, image in workspace.images) == (None, True, True)
    held = next(held for held in Inventory(workspace.engine) if held.image == image)
    assert (held.source, held.split, held.imported_in) == ("visitor", None, None)


def test_brought_in_again_it_begins_anew(workspace: FakeWorkspace, tmp_path: Path) -> None:
    images, removals = bring(workspace, 1, 2), removals_of(workspace, tmp_path / "home")
    answer(workspace, images[0])
    removals.take_back(MAINTAINER, SECOND, 1)
    removals.sweep()
    removals.sweep()
    later = "2026-03-03T00:00:00+00:00"
    assert bring(workspace, 1, 2, run=later, label="lowchen") == images
    standing = workspace.roster.standing(images[0])
    assert (standing.kind, standing.taxon, standing.checked) == ("import", "lowchen", False)
    assert all(image in workspace.images and image in workspace.embeddings.rows for image in images)
    assert shown(workspace) >= set(images)
    assert workspace.roster.names(images)[images[0]] == "lowchen-5001.png"
    assert [one.there for one in removals.imports(MAINTAINER)] == [2, 0, 6]
    removals.take_back(MAINTAINER, later)
    assert not any(workspace.images.holds(image) for image in images)


def test_an_import_of_an_older_fgdemo_is_taken_back_by_its_pictures(workspace: FakeWorkspace, tmp_path: Path) -> None:
    picture = coloured("lowchen", 7000)
    image = image_id_of(picture.load())
    row = NewPicture(picture.load(), 160, 120, "import", "train", "old.png", imported_in="2025-05-05T00:00:00+00:00")
    workspace.events.append_with_picture(LabelEvent(image, "import", "import"), row, workspace.images)
    removals = removals_of(workspace, tmp_path / "home")
    old = removals.imports(MAINTAINER)[-1]
    assert (old.run, old.pictures, old.there) == ("2025-05-05T00:00:00+00:00", 1, 1)
    assert removals.take_back(MAINTAINER, old.run).pictures == 1
    assert not workspace.images.holds(image)
    assert removals.imports(MAINTAINER)[-1].there == 0


def test_nothing_is_taken_back_while_pictures_come_in(lite: FakeWorkspace) -> None:
    from fgdemo.services.exchange.removals import Removals

    bring(lite, 1)
    busy = Removals(lite.engine, lite.images, importing=lambda: True)
    with pytest.raises(StorageError, match="brought in just now"):
        busy.take_back(MAINTAINER, SECOND)


# --- single pictures ---------------------------------------------------------------------------------------------


def test_a_picture_is_removed_and_its_history_stays(workspace: FakeWorkspace, tmp_path: Path) -> None:
    image = workspace.roster.image_ids[0]
    answer(workspace, image)
    workspace.images.thumbnail(image)
    removals = removals_of(workspace, tmp_path / "home")
    assert removals.remove(MAINTAINER, [image], "The owner\n asked for it") == [image]
    assert removals.remove(MAINTAINER, [image]) == []
    assert not list(workspace.images._root.rglob(image))
    *said, last = workspace.events.history(image)
    assert [one.kind for one in said] == ["import", "label"]
    assert (last.kind, last.reason, last.annotator, last.comment) == (
        "unusable",
        REMOVED,
        "mia",
        "The owner asked for it",
    )
    assert image not in shown(workspace)
    assert image not in {held.image for held in Inventory(workspace.engine)}
    assert Audit(workspace.engine).newest(1)[0].about == "1 picture: The owner asked for it"


def test_nothing_can_be_said_of_it_any_more(workspace: FakeWorkspace, tmp_path: Path) -> None:
    image = workspace.roster.image_ids[0]
    removals_of(workspace, tmp_path / "home").remove(MAINTAINER, [image])
    workspace.roster.follow()
    gone = workspace.events.history(image)[-1]
    with pytest.raises(StaleError, match="removed meanwhile"):
        answer(workspace, image)
    with pytest.raises(StorageError, match="not there any more"):
        workspace.events.undo([gone.id or 0], MAINTAINER)


@pytest.mark.parametrize("wanted", [[], ["0" * 64], ["nonsense"], ["' OR 1=1"]])
def test_what_is_no_picture_removes_nothing(lite: FakeWorkspace, tmp_path: Path, wanted: list[str]) -> None:
    first = lite.roster.image_ids[0]
    with pytest.raises(FgdemoError):
        removals_of(lite, tmp_path / "home").remove(MAINTAINER, [first, *wanted] if wanted else [])
    assert first in lite.images


def test_only_maintainers(lite: FakeWorkspace, tmp_path: Path) -> None:
    removals, image = removals_of(lite, tmp_path / "home"), lite.roster.image_ids[0]
    for asked in (
        lambda: removals.imports(ADA),
        lambda: removals.about(ADA, SECOND),
        lambda: removals.take_back(ADA, SECOND),
        lambda: removals.remove(ADA, [image]),
        lambda: removals.find(Person("v", "visitor"), [image]),
    ):
        with pytest.raises(ForbiddenError):
            asked()


def test_a_crash_between_the_event_and_the_files_is_made_good(workspace: FakeWorkspace, tmp_path: Path) -> None:
    image = workspace.roster.image_ids[0]
    workspace.events.append(LabelEvent(image, "unusable", "mia", reason=REMOVED))
    assert image in workspace.images
    removals_of(workspace, tmp_path / "home").sweep()
    assert not workspace.images.holds(image)
    with reading(workspace.engine) as connection:
        assert removed_among(connection, list(workspace.roster.image_ids)) == {image}


def test_the_sweep_leaves_what_was_brought_again(lite: FakeWorkspace) -> None:
    image = lite.roster.image_ids[0]
    lite.events.append(LabelEvent(image, "unusable", "mia", reason=REMOVED))
    lite.events.append(LabelEvent(image, "import", "import"))
    assert clear_removed(lite.engine, lite.images) == []
    assert image in lite.images


def test_what_models_saw_in_it_goes_when_every_head_has_learned(workspace: FakeWorkspace, tmp_path: Path) -> None:
    removals, images = removals_of(workspace, tmp_path / "home"), list(workspace.roster.image_ids)
    workspace.learner.catch_up()
    other = Embeddings(tmp_path / "home" / "embeddings", "an/older@1", LooksShape(4, (14, 14), 3, 2))
    rows = [workspace.embeddings.rows[image] for image in images]
    stored = workspace.embeddings.stored(0, len(images))
    from fgdemo.storage.embeddings.embeddings import Looks

    other.append(images, Looks(stored[1], stored[2], stored[3] / 255))
    removals.remove(MAINTAINER, [images[0]])
    before = workspace.embeddings.vectors(rows)
    removals.sweep()
    assert np.array_equal(workspace.embeddings.vectors(rows), before)
    removals.sweep()
    after = workspace.embeddings.vectors(rows)
    assert not after[0].any()
    assert np.array_equal(after[1:], before[1:])
    fresh = Embeddings(tmp_path / "home" / "embeddings", "an/older@1", LooksShape(4, (14, 14), 3, 2))
    assert images[0] not in workspace.embeddings.rows
    assert images[0] not in fresh.rows
    assert images[1] in fresh.rows


def test_the_head_is_as_if_it_had_never_been_there(tmp_path: Path) -> None:
    """Removed, erased, and brought in again: each time equal to a head that knew no better."""
    with_it, without = open_fake_workspace(tmp_path / "a"), open_fake_workspace(tmp_path / "b")
    extra = coloured("lowchen", 5001, "eskimo_dog")
    image, removals = image_id_of(extra.load()), removals_of(with_it, tmp_path / "a")
    for made in (with_it, without):
        made.take_in(some_pictures(4, 0))
    probe = without.roster.image_ids[0]
    with_it.take_in([extra], run=SECOND)
    with_it.learner.catch_up()
    removals.take_back(MAINTAINER, SECOND)
    for _ in range(2):
        with_it.learner.catch_up()
        removals.sweep()
    without.learner.catch_up()
    mine, theirs = with_it.learner._head.probs(probe), without.learner._head.probs(probe)
    assert mine is not None
    assert theirs is not None
    assert np.abs(mine[0] - theirs[0]).max() <= 1e-9
    for made in (with_it, without):
        made.take_in([extra], run="2026-03-03T00:00:00+00:00")
        made.learner.catch_up()
    mine, theirs = with_it.learner._head.probs(probe), without.learner._head.probs(probe)
    assert mine is not None
    assert theirs is not None
    assert np.abs(mine[0] - theirs[0]).max() <= 1e-9
    assert with_it.learner.chances(image) is not None
    for made in (with_it, without):
        made.engine.dispose()


# --- mirrors and exports -------------------------------------------------------------------------------------------


def test_mirrors_and_what_is_restored_follow(lite: FakeWorkspace, tmp_path: Path) -> None:
    url, images = str(tmp_path / "mirror"), bring(lite, 1, 2)
    mirror_of(tmp_path / "home", url).send()
    there = [tmp_path / "mirror" / "pictures" / image[:2] / image for image in images]
    assert all(path.is_file() for path in there)
    removals_of(lite, tmp_path / "home").take_back(MAINTAINER, SECOND)
    sent = mirror_of(tmp_path / "home", url).send()
    assert sent is not None
    assert sent.missing == []
    assert not any(path.exists() for path in there)
    fresh = tmp_path / "fresh"
    assert restored_into(fresh, url).faults == ()
    restored = open_fake_workspace(fresh)
    assert not any(restored.images.holds(image) for image in images)
    newest = removals_of(restored, fresh).imports(MAINTAINER)[0]
    assert (newest.run, newest.there) == (SECOND, 0)
    restored.engine.dispose()


def test_the_mirror_follows_though_a_crash_left_the_file_here(lite: FakeWorkspace, tmp_path: Path) -> None:
    url, image = str(tmp_path / "mirror"), lite.roster.image_ids[0]
    mirror_of(tmp_path / "home", url).send()
    lite.events.append(LabelEvent(image, "unusable", "mia", reason=REMOVED))
    mirror_of(tmp_path / "home", url).send()
    assert image in lite.images
    assert not (tmp_path / "mirror" / "pictures" / image[:2] / image).exists()


@pytest.mark.parametrize("format", ["imagefolder", "csv", "jsonl", "label-studio"])
def test_exports_hold_no_removed_picture(lite: FakeWorkspace, tmp_path: Path, format: str) -> None:
    image = lite.roster.image_ids[0]
    removals_of(lite, tmp_path / "home").remove(MAINTAINER, [image])
    done = export_workspace(lite.engine, lite.images, tmp_path / "out", format)  # type: ignore[arg-type]
    assert (done.pictures, done.skipped) == (5, ())


def test_the_batch_of_an_import_is_its_own_in_each_workspace(lite: FakeWorkspace, tmp_path: Path) -> None:
    answer(lite, lite.roster.image_ids[0])
    other = open_fake_workspace(tmp_path / "other")
    report = exchange_of(other, tmp_path / "other").import_from(MAINTAINER, [tmp_path / "home"])
    removals = removals_of(other, tmp_path / "other")
    (only,) = removals.imports(MAINTAINER)
    assert (only.run, only.pictures, only.person, only.about) == (report.run, 6, "mia", "home")
    assert removals.take_back(MAINTAINER, report.run).labelled == 0
    assert Inventory(other.engine).pictures == 0
    assert EventLog(other.engine).tally()[1]["label"] == 1
    other.engine.dispose()
