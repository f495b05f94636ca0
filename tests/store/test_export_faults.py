"""An export that is cut in the middle, by a kill or a full disk, leaves what stood there as it was."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from fgdemo.services.exchange.exchange import Exchange, ExportFormat
from fgdemo.storage.database.database import open_database
from fgdemo.storage.disk import outputs
from fgdemo.storage.pictures.originals import ImageStore
from fgdemo.values.annotation import Person
from fgdemo.values.errors import StorageError
from tests.support.exchanging import MAINTAINER, fill
from tests.support.workspace import coloured, open_fake_workspace

FORMATS: tuple[ExportFormat, ...] = ("imagefolder", "csv", "jsonl", "datasets", "label-studio")


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """The home of a filled workspace; only read."""
    home = tmp_path_factory.mktemp("faults") / "home"
    workspace = open_fake_workspace(home)
    fill(workspace, [(0, "label", 0), (1, "unusable", 1)])
    workspace.engine.dispose()
    return home


def export(home: Path, out: Path, format: ExportFormat, progress: Callable[[str, int, int], None]) -> None:
    engine = open_database(f"sqlite:///{home / 'fgdemo.sqlite'}")
    Exchange(home, engine, ImageStore(home / "pictures")).export_to(MAINTAINER, out, format, progress=progress)
    engine.dispose()


def in_a_child(work: Callable[[], None]) -> int:
    """Run it in a process of its own; the signal that ended it as a negative number, or its exit code."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException:  # noqa: BLE001 a child of the test run must not go on running tests
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def content(path: Path) -> dict[str, bytes]:
    if path.is_file():
        return {"": path.read_bytes()}
    return {file.relative_to(path).as_posix(): file.read_bytes() for file in path.rglob("*") if file.is_file()}


def beside(out: Path) -> list[str]:
    return sorted(path.name for path in out.parent.iterdir() if path != out)


def quiet(what: str, done: int, of: int) -> None:
    pass


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("name", ["out", "out.zip"])
def test_a_killed_export_leaves_the_old_one(home, tmp_path, format: ExportFormat, name):
    out = tmp_path / name
    export(home, out, format, quiet)
    before = content(out)
    for moment in (1, 6, 11):

        def kill(what, done, of, moment=moment):
            if done == moment:
                os.kill(os.getpid(), signal.SIGKILL)

        assert in_a_child(lambda kill=kill: export(home, out, format, kill)) == -signal.SIGKILL
        assert content(out) == before
    assert beside(out) != []
    export(home, out, format, quiet)
    assert beside(out) == [], "what the killed ones left is cleared away"
    assert set(content(out)) == set(before)


@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_kill_between_the_renames_loses_nothing(home, tmp_path, monkeypatch, at):
    out = tmp_path / "out"
    export(home, out, "csv", quiet)
    before = content(out)
    replace, calls = Path.replace, []

    def dying(self, target):
        calls.append(target)
        if len(calls) == at:
            os.kill(os.getpid(), signal.SIGKILL)
        return replace(self, target)

    def work():
        monkeypatch.setattr(Path, "replace", dying)
        export(home, out, "csv", quiet)
        os.kill(os.getpid(), signal.SIGKILL)

    assert in_a_child(work) == -signal.SIGKILL
    outputs.require_replaceable(out)  # the next export, or import, begins with this
    assert set(content(out)) == set(before)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("name", ["out", "out.zip"])
def test_a_full_disk_leaves_the_old_one_and_one_sentence(home, tmp_path, format: ExportFormat, name):
    out, said = tmp_path / name, tmp_path / "said"
    export(home, out, format, quiet)
    before = content(out)
    largest = max(map(len, before.values()))

    def fill_disk(what, done, of):
        """From now on no file grows beyond half of the largest one: the system refuses as a full disk does."""
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest // 2, resource.RLIM_INFINITY))

    def work():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        try:
            export(home, out, format, fill_disk)
        except StorageError as error:
            said.write_text(str(error))

    assert in_a_child(work) == 0
    assert said.read_text() == "The disk is full, so nothing was exported; what was there is unchanged."
    said.unlink()
    assert content(out) == before
    assert beside(out) == []


def test_a_single_table_is_replaced_whole(home, tmp_path):
    out = tmp_path / "t.csv"
    out.write_text("old")

    def stop(what, done, of):
        if done == 3:
            raise InterruptedError

    with pytest.raises((InterruptedError, StorageError)):
        export(home, out, "csv", stop)
    assert out.read_text() == "old"
    export(home, out, "csv", quiet)
    assert out.read_text().startswith("path,label")
    assert beside(out) == []


class Stopped(Exception):  # noqa: N818 not an error
    """What a page would raise."""


def test_progress_may_stop_an_export(home, tmp_path):
    seen = []

    def stop(what, done, of):
        seen.append((done, of))
        if done == 4:
            raise Stopped

    with pytest.raises(Stopped):
        export(home, tmp_path / "out", "jsonl", stop)
    assert seen == [(n, 11) for n in range(1, 5)]
    assert list(tmp_path.iterdir()) == []


def test_an_export_while_another_writes_the_same_place(home, tmp_path):
    """The one that is still writing is not taken for the leavings of a dead one."""

    def meanwhile(what, done, of):
        if done == 5:
            export(home, tmp_path / "out", "csv", quiet)

    export(home, tmp_path / "out", "jsonl", meanwhile)
    assert (tmp_path / "out" / "workspace.jsonl").is_file()
    assert beside(tmp_path / "out") == []


def test_what_is_said_meanwhile_is_in_the_next_export(home, tmp_path):
    workspace = open_fake_workspace(tmp_path / "home")
    workspace.take_in([coloured("lowchen", n) for n in range(3)])

    def meanwhile(what, done, of):
        if done == 1:
            workspace.take_in([coloured("lowchen", 9)], "2")

    exchange = Exchange(tmp_path / "home", workspace.engine, workspace.images)
    assert exchange.export_to(Person("m", "maintainer"), tmp_path / "out", "jsonl", progress=meanwhile).pictures == 3
    assert exchange.export_to(Person("m", "maintainer"), tmp_path / "out", "jsonl").pictures == 4
    workspace.engine.dispose()
