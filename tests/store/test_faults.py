"""What goes wrong in practice: a full disk, a database that is away, files that vanish, clocks, and hostile text."""

from __future__ import annotations

import contextlib
import csv
import io
import os
import resource
import subprocess
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fgdemo.services.labelling.labelling import Labelling
from fgdemo.storage.database.database import reading
from fgdemo.storage.history.events import LabelEvent
from fgdemo.storage.people.accounts import Accounts
from fgdemo.values.annotation import Person
from fgdemo.values.errors import UnavailableError
from fgdemo.web.http.identity import COOKIE
from fgdemo.web.pages import label, review
from tests.support.workspace import ADA, BO, FakeWorkspace, coloured, open_fake_workspace, some_pictures

PASSWORD = "long enough"


class Page:
    """Asks the handlers of the page, as Gradio does, in one person's name."""

    def __init__(self, workspace: FakeWorkspace, name: str = "ada") -> None:
        self.accounts = Accounts(workspace.engine)
        self.accounts.add(name, "expert", PASSWORD)
        self.request = SimpleNamespace(cookies={COOKIE: self.accounts.sign_in(name, PASSWORD)})
        asked = (
            *label.sessions(workspace.labelling, self.accounts),
            *label.items(workspace.labelling, self.accounts),
            *label.explanations(workspace.labelling, workspace.review, self.accounts),
            *review.pictures(workspace.review, self.accounts),
            *review.answers(workspace.review, self.accounts),
            *review.tables(workspace.review, workspace.labelling, self.accounts),
        )
        self.questions = {question.__name__: question for question in asked}

    def __call__(self, question: str, /, **asked: Any) -> dict[str, Any]:
        return self.questions[question](asked, self.request)

    def begin(self, order: str = "suspicion") -> tuple[int, dict[str, Any]]:
        """A session and its first item."""
        session = self("label_start", order=order)["session"]["id"]
        return session, self("label_next", session=session, count=1)["items"][0]


def answer_to(session: int, item: dict[str, Any], kind: str = "unusable", **more: Any) -> dict[str, Any]:
    said = {"session": session, "image": item["image"], "kind": kind, "shown_version": item["version"]}
    return {**said, "reason": item["reason"], "key": str(uuid.uuid4()), **more}


# --- a full disk --------------------------------------------------------------------------------------------------


class SmallDisk:
    """A file system of a few megabytes; or, where it may not be mounted, a limit on what this process may write."""

    def __init__(self, folder: Path, mounted: bool) -> None:
        folder.mkdir()
        self.folder, self.filler = folder, folder / "filler"
        mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)]
        self.mounted = mounted and subprocess.run(mount, stderr=subprocess.DEVNULL).returncode == 0

    def fill(self) -> None:
        if not self.mounted:
            return self._limit((self.folder / "fgdemo.sqlite-wal").stat().st_size)
        with contextlib.suppress(OSError), self.filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))

    def free(self) -> None:
        self.filler.unlink(missing_ok=True)
        self._limit(None)

    def remove(self) -> None:
        self._limit(None)
        if self.mounted:
            subprocess.run(["umount", "--lazy", str(self.folder)], check=True)

    def _limit(self, size: int | None) -> None:
        most = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        resource.setrlimit(resource.RLIMIT_FSIZE, (most if size is None else size, most))


@pytest.fixture(params=["file system", "limit"])
def small_disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SmallDisk]:
    disk = SmallDisk(tmp_path / "small", request.param == "file system" and os.geteuid() == 0)
    yield disk
    disk.remove()


def test_a_full_disk_is_told_and_works_again_when_there_is_room(small_disk: SmallDisk) -> None:
    workspace = open_fake_workspace(small_disk.folder)
    workspace.take_in(some_pictures(6, 2))
    workspace.learner.refresh()
    page = Page(workspace)
    session, item = page.begin()
    said = answer_to(session, item)
    before, files = workspace.events.since(0), sorted((small_disk.folder / "pictures").rglob("*"))
    small_disk.fill()
    refused = page("label_answer", **said)
    assert refused["code"] == "failed"  # the page keeps it and sends it again
    assert "disk of the workspace" in refused["error"]
    with pytest.raises(UnavailableError, match="disk of the workspace"):
        workspace.take_in([coloured("lowchen", 77)])
    small_disk.free()
    assert workspace.events.since(0) == before
    assert [path for path in sorted((small_disk.folder / "pictures").rglob("*")) if path.is_file()] == [
        path for path in files if path.is_file()
    ]
    assert page("label_answer", **said)["saved"] == page("label_answer", **said)["saved"] == before[-1].id + 1  # type: ignore[operator]
    assert workspace.take_in([coloured("lowchen", 77)], "2").added == 1
    with reading(workspace.engine) as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
    workspace.engine.dispose()


# --- a database that is away --------------------------------------------------------------------------------------


def test_an_answer_while_the_database_server_is_away_is_kept_by_the_page_and_saved_later(postgres, tmp_path) -> None:
    workspace = open_fake_workspace(tmp_path, postgres.new_database())
    workspace.take_in(some_pictures(6, 2))
    workspace.learner.refresh()
    page = Page(workspace)
    session, item = page.begin()
    said = answer_to(session, item)
    postgres.stop()
    try:
        for name in ("label_answer", "label_next", "label_report", "label_undo"):
            reply = page(name, **said)
            assert (reply["code"], "does not answer" in reply["error"]) == ("failed", True), name
    finally:
        postgres.start()
    assert page("label_answer", **said)["saved"] == page("label_answer", **said)["saved"]
    assert page("label_report", session=session)["session"]["done"] == 1
    assert workspace.roster.standing(item["image"]).kind == "unusable"
    workspace.engine.dispose()


# --- files and clocks ---------------------------------------------------------------------------------------------


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[FakeWorkspace]:
    opened = open_fake_workspace(tmp_path)
    opened.take_in(some_pictures(8, 3))
    opened.learner.refresh()
    yield opened
    opened.engine.dispose()


def test_a_picture_file_that_vanished_disturbs_only_itself(workspace: FakeWorkspace) -> None:
    page = Page(workspace)
    session, item = page.begin()
    image = item["image"]
    workspace.images.remove(image)
    assert page("label_explain", image=image)["code"] == "bad"
    assert "not in the workspace" in page("label_explain", image=image)["error"]
    pair = {"a": "nashville_warbler", "b": "mourning_warbler"}
    assert "error" not in page("label_references", image=workspace.roster.image_ids[-1], **pair)
    assert image in {tile["image"] for tile in page("review_grid")["tiles"]}
    assert "error" not in page("review_grid", sort="similarity")
    assert "error" not in page("review_pair", **pair)
    assert page("review_explain", image=image)["code"] == "bad"
    for question in ("label_spread", "review_spread"):
        assert "not in the workspace" in page(question, image=image, **pair)["error"]
    assert image in b"".join(workspace.review.table(ADA)).decode()
    assert page("label_answer", **answer_to(session, item))["saved"]
    assert page("label_undo", session=session)["item"]["image"] == image
    workspace.take_in([coloured("lowchen", 5)], "2")  # and what comes later is looked at
    assert len(workspace.embeddings.rows) == len(workspace.roster)


def test_a_session_goes_on_when_the_clock_jumps_back(workspace: FakeWorkspace) -> None:
    now = datetime(2026, 5, 1, 12, tzinfo=timezone.utc)
    labelling = Labelling(
        workspace.engine, workspace.roster, workspace.learner, workspace.taxa, workspace.classifier, clock=lambda: now
    )
    session = labelling.start(ADA, "suspicion", None, None, 0.0).id
    for jump in (timedelta(seconds=2), -timedelta(days=30), timedelta(seconds=1), timedelta(days=60)):
        (item,) = labelling.next_items(ADA, session, [], 1)
        labelling.answer(
            ADA,
            session,
            LabelEvent(item.image, "unusable", "ada", shown_version=item.version, session=session, reason=item.reason),
        )
        now += jump
    report = labelling.report(ADA, session)
    assert report.done == 4
    assert report.per_minute is not None
    assert report.per_minute > 0
    undone = labelling.undo(ADA, session)
    assert undone is not None
    assert undone[0].image == item.image
    assert labelling.report(ADA, session).done == 3


# --- hostile text -------------------------------------------------------------------------------------------------

HOSTILE = (
    "<img src=x onerror=pwned()>",
    "'; DROP TABLE label_event; --",
    '=HYPERLINK("http://x")',
    "{{7*7}} ${7*7} {0} %s",
    "</script><script>pwned()</script>",
    "../../etc/passwd",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_text_is_only_text_from_the_store_to_the_page(workspace: FakeWorkspace, text: str) -> None:
    hacker, table = Person(text[:40], "expert"), coloured("lowchen", 8)
    workspace.take_in([table.__class__(text, text, "train", table.load, table.size_bytes)], "2")
    workspace.learner.refresh()
    page = Page(workspace, hacker.name)
    image = workspace.roster.image_ids[-1]
    taxon = workspace.roster.standing(image).taxon
    made = page("label_new_taxon", name=f"new {text}", latin=text)["taxon"]
    workspace.events.append(LabelEvent(image, "suggestion", "visitor", new_name=text, comment=text))
    session, _ = page.begin("suggestion")
    item = workspace.labelling.item(hacker, image)
    assert item.suggestions == ((text, text),)
    said = answer_to(session, {"image": image, "version": item.version, "reason": "new"}, "label", taxon=made["taxon"])
    page("label_answer", **said, comment=text)
    shown = page("label_history", image=image)["events"][-1]
    assert (shown["comment"], shown["annotator"], shown["name"]) == (text, hacker.name, f"new {text}")
    assert made["latin"] == text
    assert [hit["name"] for hit in page("label_search", query=f"new {text}")["taxa"]][:1] == [f"new {text}"]
    assert page("label_search", query=text)["taxa"] is not None
    (tile,) = page("review_grid", given=made["taxon"])["tiles"]
    assert tile["given_name"] == f"new {text}"
    rows = list(csv.DictReader(io.StringIO(b"".join(workspace.review.table(ADA)).decode())))
    (row,) = [row for row in rows if row["image"] == image]
    assert row["name"] in (text, f"'{text}")
    assert row["annotator"] in (hacker.name, f"'{hacker.name}")
    assert not any(cell.startswith(("=", "+", "-", "@")) for one in rows for cell in one.values())
    for question in ("label_history", "label_explain", "review_history", "review_explain", "review_kind"):
        assert page(question, image=text, taxon=text).get("events", []) == []
    assert taxon is not None
    assert len(workspace.events.since(0)) > 20
    assert BO.name not in {account.name for account in page.accounts.all()}
