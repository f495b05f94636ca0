"""A visitor's picture is kept by consent, without what it says about its owner, for a while; and deleted when asked."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from fgdemo.services.classify.suggestions import Suggested
from fgdemo.storage.database.database import open_database
from fgdemo.storage.database.dialects import turn_to_write
from fgdemo.storage.database.schema import label_event_table
from fgdemo.storage.history.events import EventLog, LabelEvent
from fgdemo.storage.history.label_event import REMOVED
from fgdemo.storage.pictures.originals import image_id_of
from fgdemo.storage.visitors.pictures import VisitorPictures, key_of
from fgdemo.storage.visitors.remarks import Remark, Remarks
from fgdemo.values.errors import PictureError, StorageError
from tests.support.exchanging import MAINTAINER, exchange_of
from tests.support.workspace import ADA, FakeWorkspace, open_fake_workspace, some_pictures
from tests.unit.test_metadata import SECRETS, photograph


@pytest.fixture
def workspace(tmp_path: Path):
    opened = open_fake_workspace(tmp_path / "home")
    opened.take_in(some_pictures(4, 0))
    opened.learner.refresh()
    yield opened
    opened.engine.dispose()


def leave(workspace: FakeWorkspace, data: bytes, **changes) -> Suggested:
    said = {"name": "Ada's garden.jpg", "taxon": "lowchen", "new_name": None, "comment": "curly", "model_version": "m"}
    return workspace.suggestions().add(data, **{**said, "keep_picture": True, **changes})


def image_of(workspace: FakeWorkspace, saved: Suggested) -> str:
    return next(said.image for said in workspace.events.suggestions() if str(said.id) == saved.id)


def later(workspace: FakeWorkspace, days: float) -> VisitorPictures:
    return VisitorPictures(
        workspace.engine, workspace.images, 90, clock=lambda: datetime.now(timezone.utc) + timedelta(days=days)
    )


def test_place_and_camera_are_not_kept(workspace: FakeWorkspace) -> None:
    image = image_of(workspace, leave(workspace, photograph("JPEG", 6)))
    kept = workspace.images.read(image)
    assert image == image_id_of(kept)
    assert not [secret for secret in SECRETS if secret in kept]


def test_the_receipt_deletes_the_picture_and_the_words_stay(workspace: FakeWorkspace) -> None:
    saved = leave(workspace, photograph("JPEG"))
    image, suggestions = image_of(workspace, saved), workspace.suggestions()
    workspace.images.thumbnail(image)
    assert saved.receipt is not None
    assert suggestions.look(saved.receipt).state == "kept"
    assert suggestions.forget(saved.receipt).state == "removed"
    assert suggestions.forget(saved.receipt).state == "removed"
    assert not list((workspace.images._root).rglob(image))
    said, removed = workspace.events.history(image)
    assert (said.comment, said.taxon) == ("curly", "lowchen")
    assert (removed.kind, removed.reason, removed.annotator) == ("unusable", REMOVED, "fgdemo")
    workspace.roster.follow()
    assert not workspace.roster.standing(image).suggested
    assert workspace.roster.names([image]) == {image: ""}
    told = str(workspace.events.since(0))
    assert saved.receipt not in told


def test_one_that_was_accepted_leaves_the_labelled_pictures(workspace: FakeWorkspace) -> None:
    saved = leave(workspace, photograph("JPEG"))
    image, suggestions = image_of(workspace, saved), workspace.suggestions()
    workspace.events.answer(LabelEvent(image, "label", ADA.name, taxon="lowchen", shown_version=0))
    assert suggestions.look(saved.receipt or "").state == "used"
    assert later(workspace, 1000).expire() == 0
    assert suggestions.forget(saved.receipt or "").state == "removed"
    workspace.roster.follow()
    standing = workspace.roster.standing(image)
    assert (standing.kind, standing.taxon) == ("unusable", None)


def test_what_a_maintainer_brought_too_stays(workspace: FakeWorkspace, tmp_path: Path) -> None:
    saved = leave(workspace, photograph("JPEG"))
    image = image_of(workspace, saved)
    (tmp_path / "in" / "lowchen").mkdir(parents=True)
    (tmp_path / "in" / "lowchen" / "a.jpg").write_bytes(photograph("JPEG"))
    report = exchange_of(workspace, tmp_path / "home").import_from(MAINTAINER, [tmp_path / "in"])
    assert report.skipped == ()
    assert workspace.suggestions().forget(saved.receipt or "").state == "elsewhere"
    assert image in workspace.images


def test_time_removes_what_nobody_accepted(workspace: FakeWorkspace) -> None:
    pictures = [leave(workspace, photograph(format)) for format in ("JPEG", "PNG", "WEBP")]
    images = [image_of(workspace, saved) for saved in pictures]
    workspace.events.answer(LabelEvent(images[0], "label", ADA.name, taxon="lowchen", shown_version=0))
    workspace.events.answer(LabelEvent(images[1], "none", ADA.name, shown_version=0))
    assert later(workspace, 89).expire() == 0
    assert later(workspace, 91).expire() == 2
    assert later(workspace, 91).expire() == 0
    assert [image in workspace.images for image in images] == [True, False, False]
    assert all(image in workspace.images for image in workspace.roster.image_ids if image not in images)


def test_a_crash_between_the_event_and_the_file_is_made_good(workspace: FakeWorkspace) -> None:
    image = image_of(workspace, leave(workspace, photograph("JPEG")))
    workspace.events.append(LabelEvent(image, "unusable", "fgdemo", reason=REMOVED))
    assert later(workspace, 0).expire() == 0
    assert image not in workspace.images


def test_the_same_picture_may_be_left_again(workspace: FakeWorkspace) -> None:
    first = leave(workspace, photograph("JPEG"))
    workspace.suggestions().forget(first.receipt or "")
    second = leave(workspace, photograph("JPEG"))
    image = image_of(workspace, second)
    assert image in workspace.images
    assert later(workspace, 1).expire() == 0
    workspace.roster.follow()
    assert workspace.roster.standing(image).suggested


@pytest.mark.parametrize("receipt", ["", "x", "\ud800", "receipt:" + "0" * 64, "é" * 200])
def test_only_a_receipt_is_a_receipt(workspace: FakeWorkspace, receipt: str) -> None:
    leave(workspace, photograph("JPEG"))
    before = workspace.events.since(0)
    with pytest.raises(PictureError, match="no picture with this receipt"):
        workspace.suggestions().forget(receipt)
    assert workspace.events.since(0) == before


def forged_export(workspace: FakeWorkspace, folder: Path, kind: str) -> Path:
    """All that was ever said here, and one thing more, by somebody who has a receipt in hand for it."""
    exchange_of(workspace, folder).export_to(MAINTAINER, folder / "all", "jsonl")
    table = folder / "all" / "workspace.jsonl"
    lines = [json.loads(line) for line in table.read_text("utf-8").splitlines()]
    at, said = next((n, line) for n, line in enumerate(lines) if line.get("kind") == "suggestion")
    forged = {**said, "id": 10_000, "kind": kind, "answer_key": key_of("forged"), "comment": "x"}
    lines.insert(at + 1, forged)
    table.write_text("".join(f"{json.dumps(line)}\n" for line in lines), "utf-8")
    return folder / "all"


def test_nothing_but_a_suggestion_carries_a_receipt(workspace: FakeWorkspace, tmp_path: Path) -> None:
    image = image_of(workspace, leave(workspace, photograph("JPEG")))
    session = workspace.labelling.start(ADA, "new", None, None, 0.0).id
    said = LabelEvent(image, "label", "ada", taxon="lowchen", session=session, answer_key=key_of("forged"))
    with pytest.raises(StorageError, match="visitor's suggestion"):
        workspace.labelling.answer(ADA, session, said)
    with pytest.raises(StorageError, match="visitor's suggestion"):
        workspace.events.append(said)
    with turn_to_write(workspace.engine, True) as connection:  # as former releases took it in
        row = {"image": image, "kind": "label", "annotator": "ada", "taxon": "lowchen", "created_at": "2026-01-01"}
        connection.execute(label_event_table.insert().values(**row, answer_key=key_of("forged"), blind=False))
    with pytest.raises(PictureError, match="no picture with this receipt"):
        workspace.suggestions().forget("forged")
    assert image in workspace.images


@pytest.mark.parametrize("kind", ["label", "suggestion"])
def test_an_import_brings_no_receipt_for_a_picture_that_was_left_here(
    workspace: FakeWorkspace, tmp_path: Path, kind: str
) -> None:
    saved = leave(workspace, photograph("JPEG"))
    found = exchange_of(workspace, tmp_path / "home").import_from(
        MAINTAINER, [forged_export(workspace, tmp_path / "home", kind)]
    )
    assert ("receipt" in str(found)) == (kind == "label")
    with pytest.raises(PictureError, match="no picture with this receipt"):
        workspace.suggestions().forget("forged")
    assert workspace.suggestions().look(saved.receipt or "").state == "kept"


def test_without_consent_nothing_of_the_picture_is_kept(workspace: FakeWorkspace) -> None:
    before, files = workspace.events.since(0), sorted(workspace.images._root.rglob("*"))
    saved = leave(workspace, photograph("JPEG"), keep_picture=False, answered="eskimo_dog", comment="=1+1")
    assert (saved.receipt, saved.kept_until) == (None, None)
    assert (workspace.events.since(0), sorted(workspace.images._root.rglob("*"))) == (before, files)
    table = b"".join(workspace.suggestions().remarks(ADA)).decode()
    assert "eskimo_dog,lowchen,,'=1+1,m" in table
    assert "garden" not in table


def test_remarks_on_both_databases(database_url: str) -> None:
    engine = open_database(database_url)
    remarks = Remarks(engine)
    assert remarks.add(Remark(None, None, "Barbet", "ü", "m")) < remarks.add(Remark(None, None, "Owl", None, "m"))
    assert b"".join(remarks.table()).decode().count("\n") == 3
    with pytest.raises(StorageError):
        remarks.add(Remark(None, "no such taxon", None, None, None))
    engine.dispose()


def test_the_receipt_goes_where_the_log_goes(workspace: FakeWorkspace, tmp_path: Path) -> None:
    saved = leave(workspace, photograph("JPEG"))
    exchange_of(workspace, tmp_path / "home").export_to(MAINTAINER, tmp_path / "all.zip", "jsonl")
    (tmp_path / "other").mkdir()
    other = open_fake_workspace(tmp_path / "other")
    exchange_of(other, tmp_path / "other").import_from(MAINTAINER, [tmp_path / "all.zip"])
    assert other.suggestions().look(saved.receipt or "").state == "kept"
    assert other.suggestions().forget(saved.receipt or "").state == "removed"
    assert image_of(workspace, saved) not in other.images
    assert EventLog(other.engine).by_answer_key("nothing") is None
    other.engine.dispose()
