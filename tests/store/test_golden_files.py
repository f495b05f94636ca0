"""Exports and mirrors that version 0.1 wrote still read, and what is written today is what it wrote.

`tests/support/write_golden.py` says what is in them, and how they were made.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fgdemo.storage.database.database import open_database
from fgdemo.storage.history.events import EventLog
from fgdemo.storage.people.accounts import Accounts
from fgdemo.storage.people.tokens import Tokens
from fgdemo.storage.trainings.jobs import Jobs
from fgdemo.storage.trainings.models import Models
from tests.support.exchanging import MAINTAINER, exchange_of
from tests.support.mirroring import mirror_of, restored_into
from tests.support.workspace import open_fake_workspace
from tests.support.write_golden import exchanged, plain, raised, restored

MOMENT = "2026-01-01T00:00:00+00:00"
GOLDEN = Path(__file__).parents[1] / "support" / "golden"


def expected(name: str) -> Any:
    return json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))


@pytest.fixture
def mirror(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A golden mirror, where it can be read and written."""
    with zipfile.ZipFile(GOLDEN / f"{request.param}.zip") as archive:
        archive.extractall(tmp_path / "mirror")
    return tmp_path / "mirror"


def records(folder: Path) -> Iterator[dict[str, Any]]:
    """All records of a mirror but for the first and the last of each segment."""
    for segment in sorted((folder / "log").iterdir()):
        yield from map(json.loads, segment.read_text(encoding="utf-8").splitlines()[1:-1])


def test_an_export_reads(database_url: str, tmp_path: Path) -> None:
    made = open_fake_workspace(tmp_path, database_url)
    exchange = exchange_of(made, tmp_path)
    for added in (29, 0):
        report = exchange.import_from(MAINTAINER, [GOLDEN / "workspace.zip"])
        assert (report.added, report.skipped) == (added, ())
        assert exchanged(made) == expected("workspace")
    made.engine.dispose()


def test_tasks_of_label_studio_read(tmp_path: Path) -> None:
    made = open_fake_workspace(tmp_path)
    report = exchange_of(made, tmp_path).import_from(MAINTAINER, [GOLDEN / "label_studio.zip"])
    assert (report.added, report.skipped) == (29, ())
    told = expected("workspace")
    without_sessions = {
        image: [row, history, [None for _ in history]] for image, (row, history, _) in told["pictures"].items()
    }
    assert exchanged(made) == {**told, "sessions": [], "pictures": without_sessions}
    made.engine.dispose()


@pytest.mark.parametrize("mirror", ["mirror", "shared"], indirect=True)
def test_a_mirror_reads(mirror: Path, request: pytest.FixtureRequest, database_url: str, tmp_path: Path) -> None:
    engine, told = open_database(database_url), expected(request.node.callspec.params["mirror"])
    rights = told.pop("raised")
    for _ in range(2):
        found = restored_into(tmp_path / "home", str(mirror), engine)
        assert found.faults == ()
        assert restored(engine) == told
    assert raised(tmp_path / "others", str(mirror)) == rights
    models = Models(engine, tmp_path / "home" / "models", tmp_path / "configured")
    assert (models.live_folder() / "card.json").is_file()
    assert all(job.epochs and job.stage for job in Jobs(engine).newest())
    engine.dispose()


@pytest.mark.parametrize("mirror", ["mirror"], indirect=True)
def test_the_same_lines_are_exported_today(mirror: Path, tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'home' / 'fgdemo.sqlite'}")
    restored_into(tmp_path / "home", str(mirror), engine)
    made = open_fake_workspace(tmp_path / "home")
    exchange_of(made, tmp_path / "home").export_to(MAINTAINER, tmp_path / "out", "jsonl")
    with zipfile.ZipFile(GOLDEN / "workspace.zip") as archive:
        before = archive.read("workspace.jsonl").splitlines()
        marks = [json.loads(archive.read("fgdemo-export.json"))]
    today = (tmp_path / "out" / "workspace.jsonl").read_bytes().splitlines()
    before[0] = before[0].replace(b'"pictures":30', b'"pictures":29')  # it counted one that was removed
    taxa = [[line for line in lines if line.startswith(b'{"type":"taxon"')] for lines in (before, today)]
    assert sorted(taxa[1]) == sorted(taxa[0])  # a restore puts parents first
    assert [line for line in today if line not in taxa[1]] == [line for line in before if line not in taxa[0]]
    marks.append(json.loads((tmp_path / "out" / "fgdemo-export.json").read_text(encoding="utf-8")))
    assert {**marks[1], "exported_at": ""} == {**marks[0], "exported_at": ""}
    made.engine.dispose()
    engine.dispose()


@pytest.mark.parametrize("mirror", ["mirror"], indirect=True)
def test_the_same_records_are_mirrored_today(mirror: Path, tmp_path: Path) -> None:
    """What was restored, and is sent to another mirror, is what the first one holds, as its newest lines have it."""
    engine = open_database(f"sqlite:///{tmp_path / 'home' / 'fgdemo.sqlite'}")
    restored_into(tmp_path / "home", str(mirror), engine)
    mirror_of(tmp_path / "home", str(tmp_path / "again"), engine).send()
    before = {json.dumps({**one, "origin": None}, sort_keys=True) for one in records(mirror)}
    today = [json.dumps({**one, "origin": None}, sort_keys=True) for one in records(tmp_path / "again")]
    assert [one for one in today if one not in before] == []
    kinds = {json.loads(one)["type"] for one in before}
    assert {json.loads(one)["type"] for one in today} == kinds
    events = [plain(one["identity"]) for one in records(mirror) if one["type"] == "event"]
    assert [one["identity"] for one in records(tmp_path / "again") if one["type"] == "event"] == events
    engine.dispose()


# --- changed by a stranger ---------------------------------------------------------------------------------------

HOSTILE: tuple[Any, ...] = (
    *(None, "", " ", "a\0b", "../../x", "maintainer", "0" * 64, MOMENT, -1, 1.5, 2**53, True),
    *([], ["x"], [[1]], [["x"], {}], ["0" * 32, 1], ["0" * 32, 2**53]),
    *({}, {"a": 1}, {"x": {"0" * 16: 1}}, {"9" * 5000: {}}),
)
STRAY = ("versions", "changed_at", "undoes", "shown_version", "after", "session", "box", "takes", "epochs", "job")
LONG = dict.fromkeys(("annotator", "name", "comment", "id", "version"), "x" * 100_001)


def mutations(folder: Path) -> list[dict[str, Any]]:
    """Of one record of each type each field, and some that it need not have, as it never is."""
    by_type = {one["type"]: one for one in records(folder)}.values()
    changed = [{**one, key: bad} for one in by_type for key in {*one, *STRAY} - {"type"} for bad in HOSTILE]
    return [*changed, *({**one, **LONG} for one in by_type)]


def segment(told: list[dict[str, Any]]) -> bytes:
    """Whole, by its own word, whatever is in it."""
    lines = [json.dumps(one).encode() + b"\n" for one in ({"type": "fgdemo-mirror", "format": 1}, *told)]
    digest = hashlib.sha256(b"".join(lines)).hexdigest()
    return b"".join(lines) + json.dumps({"type": "end", "records": len(told), "sha256": digest}).encode() + b"\n"


@pytest.mark.parametrize("mirror", ["mirror", "shared"], indirect=True)
def test_no_changed_record_raises_a_right_or_stops_a_restore(mirror: Path, tmp_path: Path) -> None:
    changed = mutations(mirror)
    (mirror / "log" / "20991201T000000Z-0123456789abcdef-000001.jsonl").write_bytes(segment(changed))
    engine = open_database(f"sqlite:///{tmp_path / 'home' / 'fgdemo.sqlite'}")
    Accounts(engine).add("nina", "visitor", "long enough")
    found = restored_into(tmp_path / "home", str(mirror), engine)
    named = [what for where, what in found.faults if where.startswith("log/2099")]
    assert 0.3 < len(named) / len(changed) < 1
    assert (found.accepted, {one.role for one in Accounts(engine).all() if not one.disabled}) == (False, {"visitor"})
    assert {one.role for one in Tokens(engine).all()} <= {"visitor"}
    told = {json.dumps(one["identity"]) for one in records(mirror) if one["type"] == "event" and one not in changed}
    assert len(EventLog(engine).since(0)) >= len(told) // 2
    assert mirror_of(tmp_path / "home", str(tmp_path / "again"), engine).send() is not None
    engine.dispose()
