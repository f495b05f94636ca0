"""Imports and exports in the background: one at a time, followed, stopped, offered again after a crash."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from fgdemo.services.exchange.exchange import Exported, ImportReport
from fgdemo.services.exchange.transfers import Transfers
from fgdemo.storage.exchange.foreseen import Foreseen
from fgdemo.values.annotation import Person
from fgdemo.values.errors import DatasetError, ForbiddenError, StorageError

MAY = Person("mia", "maintainer")
ADA = Person("ada", "expert")


class FakeExchange:
    """Does `work` with the progress it is given."""

    def __init__(self, work: Callable[[Callable[[str, int, int], None]], None] = lambda _: None) -> None:
        self.work, self.seen = work, []

    def foresee(self, person: Person, locations: Sequence[str], progress) -> Foreseen:
        self.work(progress)
        return Foreseen(3, 3, 3)

    def import_from(self, person: Person, locations: Sequence[str], progress, unsorted: bool = False) -> ImportReport:
        self.seen.append(list(locations))
        self.unsorted = unsorted
        self.work(progress)
        return ImportReport("now", 3, 1, 3, 0, {"train": 2, "gold": 1}, ("Owl",), (("a.jpg", "is no picture"),), None)

    def export_to(self, person: Person, out: Path, format: str, progress) -> object:
        self.work(progress)
        out.write_bytes(b"zip")
        return Exported(out, "csv", 3, {}, {}, 0, (), None)


def transfers(home: Path, exchange: FakeExchange, clock_s: Callable[[], float] = lambda: 0.0) -> Transfers:
    return Transfers(exchange, home, clock_s)  # type: ignore[arg-type]


def test_an_import_runs_to_its_end_and_clears_away(tmp_path: Path) -> None:
    exchange, cleared = FakeExchange(), []
    moving = transfers(tmp_path, exchange)
    assert moving.now(MAY) is None
    moving.begin_import(MAY, ["birds"], "birds", lambda: cleared.append(1))
    moving.wait()
    ended = moving.now(MAY)
    assert ended is not None
    assert (ended.state, ended.left_out_count, cleared, exchange.seen) == ("done", 1, [1], [["birds"]])
    assert "3 pictures came in (1 gold, 2 train)" in ended.sentence
    assert "Owl" in ended.sentence
    assert list(tmp_path.iterdir()) == []


def test_one_picture_is_told_as_one(tmp_path: Path) -> None:
    exchange = FakeExchange()
    exchange.import_from = lambda *_: ImportReport("now", 1, 1, 1, 1, {"val": 1}, (), (), None)  # type: ignore[method-assign]
    moving = transfers(tmp_path, exchange)
    moving.begin_import(MAY, ["owl.jpg"], "owl.jpg")
    moving.wait()
    ended = moving.now(MAY)
    assert ended is not None
    assert ended.sentence == (
        "1 picture came in (1 val); 1 was here already; 1 is a near-duplicate and lies in the split of its twin."
    )


def test_only_maintainers(tmp_path: Path) -> None:
    moving = transfers(tmp_path, FakeExchange())
    for asked in (
        lambda: moving.now(ADA),
        lambda: moving.begin_import(ADA, ["x"], "x"),
        lambda: moving.begin_look(ADA, ["x"], "x"),
        lambda: moving.accept(ADA, "x"),
        lambda: moving.decline(ADA, "x"),
        lambda: moving.begin_export(ADA, "csv"),
        lambda: moving.cancel(ADA),
        lambda: moving.go_on(ADA),
    ):
        with pytest.raises(ForbiddenError):
            asked()


def test_progress_has_an_estimate_and_a_second_one_is_refused(tmp_path: Path) -> None:
    time_s, reached, go = [0.0], threading.Event(), threading.Event()

    def work(progress: Callable[[str, int, int], None]) -> None:
        progress("taking in pictures", 0, 100)
        time_s[0] = 10.0
        progress("taking in pictures", 25, 100)
        reached.set()
        go.wait(10)

    moving = transfers(tmp_path, FakeExchange(work), lambda: time_s[0])
    moving.begin_import(MAY, ["x"], "x")
    assert reached.wait(10)
    running = moving.now(MAY)
    assert running is not None
    assert (running.done, running.of, running.left_s) == (25, 100, 30.0)
    with pytest.raises(StorageError, match="Another import runs"):
        moving.begin_export(MAY, "csv")
    go.set()
    moving.wait()


def test_cancelled_where_it_is(tmp_path: Path) -> None:
    begun, go = threading.Event(), threading.Event()

    def work(progress: Callable[[str, int, int], None]) -> None:
        begun.set()
        go.wait(10)
        progress("taking in pictures", 1, 2)

    moving = transfers(tmp_path, FakeExchange(work))
    moving.begin_import(MAY, ["x"], "x")
    assert begun.wait(10)
    moving.cancel(MAY)
    go.set()
    moving.wait()
    ended = moving.now(MAY)
    assert ended is not None
    assert ended.state == "cancelled"
    assert "goes on from there" in ended.sentence


def test_a_refusal_is_a_sentence_and_the_next_one_may_begin(tmp_path: Path) -> None:
    def refuse(progress: object) -> None:
        raise DatasetError("There is nothing at “x”.")

    exchange = FakeExchange(refuse)
    moving = transfers(tmp_path, exchange)
    moving.begin_import(MAY, ["x"], "x")
    moving.wait()
    ended = moving.now(MAY)
    assert ended is not None
    assert (ended.state, ended.sentence) == ("failed", "There is nothing at “x”.")
    exchange.work = lambda _: None
    moving.begin_export(MAY, "imagefolder")
    moving.wait()
    ended = moving.now(MAY)
    assert ended is not None
    assert ended.state == "done"
    assert ended.file is not None
    assert ended.file.read_bytes() == b"zip"


def test_an_import_cut_off_by_a_crash_is_offered_again(tmp_path: Path) -> None:
    begun, never = threading.Event(), threading.Event()
    crashing = transfers(tmp_path, FakeExchange(lambda _: (begun.set(), never.wait(30))[0]))
    crashing.begin_import(MAY, ["birds", "more"], "birds and more")
    assert begun.wait(10)

    exchange = FakeExchange()
    after = transfers(tmp_path, exchange)  # what a new server finds on the disk
    offered = after.now(MAY)
    assert offered is not None
    assert (offered.state, offered.about) == ("interrupted", "birds and more")
    cleared: list[Sequence[str]] = []
    after.go_on(MAY, cleared.append)
    after.wait()
    assert exchange.seen == [["birds", "more"]]
    assert cleared == [["birds", "more"]]
    never.set()
    crashing.wait()


# --- what an import would do -------------------------------------------------------------------------------------


def asking(moving: Transfers) -> str:
    moving.begin_look(MAY, ["birds"], "birds")
    moving.wait()
    found = moving.now(MAY)
    assert found is not None
    assert (found.state, found.foreseen) == ("asking", Foreseen(3, 3, 3))
    return found.asked


def test_an_import_waits_for_a_yes(tmp_path: Path) -> None:
    exchange, cleared = FakeExchange(), list[Sequence[str]]()
    moving = transfers(tmp_path, exchange)
    asked = asking(moving)
    assert exchange.seen == []
    for begin in (lambda: moving.begin_export(MAY, "csv"), lambda: moving.begin_look(MAY, ["other"], "other")):
        with pytest.raises(StorageError, match="waits for an answer"):
            begin()
    with pytest.raises(StorageError, match="does not wait"):
        moving.accept(MAY, "of another page")
    moving.accept(MAY, asked, True, cleared.append)
    moving.wait()
    assert (exchange.seen, exchange.unsorted, cleared) == ([["birds"]], True, [["birds"]])
    with pytest.raises(StorageError, match="does not wait"):
        moving.accept(MAY, asked)
    assert list(tmp_path.iterdir()) == []


def test_a_no_changes_nothing_and_clears_away(tmp_path: Path) -> None:
    exchange, cleared = FakeExchange(), list[Sequence[str]]()
    moving = transfers(tmp_path, exchange)
    ended = moving.decline(MAY, asking(moving), cleared.append)
    assert (ended.state, ended.sentence, ended.foreseen) == ("cancelled", "Nothing was brought in.", None)
    assert (exchange.seen, cleared) == ([], [["birds"]])
    assert list(tmp_path.iterdir()) == []
    moving.begin_export(MAY, "csv")
    moving.wait()


def test_after_a_crash_it_is_asked_again_and_not_brought_in(tmp_path: Path) -> None:
    asking(transfers(tmp_path, FakeExchange()))
    exchange = FakeExchange()
    after = transfers(tmp_path, exchange)
    offered = after.now(MAY)
    assert offered is not None
    assert offered.state == "interrupted"
    after.go_on(MAY)
    after.wait()
    now = after.now(MAY)
    assert now is not None
    assert (now.state, exchange.seen) == ("asking", [])
