"""What an import would do, before anybody has said yes: as it then happens, and nothing is changed by it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fgdemo.storage.database.database import reading
from fgdemo.storage.database.schema import METADATA
from fgdemo.storage.exchange import foreseen
from fgdemo.storage.history.label_event import REMOVED, LabelEvent
from fgdemo.values.annotation import Person
from fgdemo.values.errors import DatasetError, FgdemoError, ForbiddenError
from tests.support.exchanging import MAINTAINER, exchange_of
from tests.support.workspace import FakeWorkspace, coloured, open_fake_workspace


@pytest.fixture
def workspace(tmp_path: Path, database_url: str) -> Iterator[FakeWorkspace]:
    opened = open_fake_workspace(tmp_path / "home", database_url)
    opened.take_in([coloured("lowchen", n) for n in range(3)])
    yield opened
    opened.engine.dispose()


def folder_of(tmp_path: Path, **kinds: list[int]) -> Path:
    for kind, numbers in kinds.items():
        (tmp_path / "in" / kind).mkdir(parents=True, exist_ok=True)
        for n in numbers:
            (tmp_path / "in" / kind / f"{n}.png").write_bytes(coloured("lowchen", n).load())
    return tmp_path / "in"


def everything_on_disk(workspace: FakeWorkspace, home: Path) -> tuple[object, ...]:
    with reading(workspace.engine) as connection:
        rows = {table.name: connection.execute(table.select()).all() for table in METADATA.sorted_tables}
    files = sorted(path for path in home.rglob("*") if path.is_file() and "sqlite" not in path.name)
    return rows, files


def test_it_says_what_then_happens_and_changes_nothing(workspace: FakeWorkspace, tmp_path: Path) -> None:
    source = folder_of(tmp_path, lowchen=[0, 1, 10, 11], Robin=[12, 13])
    (source / "Robin" / "broken.png").write_bytes(b"no picture")
    (source / "Robin" / "again.png").write_bytes(coloured("lowchen", 12).load())
    (source / "notes.txt").write_text("x")
    exchange = exchange_of(workspace, tmp_path / "home")
    before = everything_on_disk(workspace, tmp_path / "home")
    told = exchange.foresee(MAINTAINER, [source])
    assert everything_on_disk(workspace, tmp_path / "home") == before
    assert (told.pictures, told.looked_at, told.new, told.known, told.twice, told.unreadable) == (8, 8, 4, 2, 1, 1)
    assert told.kinds == (("Löwchen", 4),)
    assert told.new_kinds == (("Robin", 4),)
    assert sum(told.splits.values()) == 8
    assert {name for name, _ in told.left_out} == {"notes.txt", "Robin/broken.png"}
    assert len(told.thumbnails) == 7
    assert all(one.src.startswith("data:image/jpeg;base64,") for one in told.thumbnails)
    report = exchange.import_from(MAINTAINER, [source])
    assert (report.added, report.new_kinds) == (told.new, ("Robin",))


def test_pictures_that_were_removed_are_named(workspace: FakeWorkspace, tmp_path: Path) -> None:
    workspace.events.append(LabelEvent(workspace.roster.image_ids[0], "unusable", "mia", reason=REMOVED))
    told = exchange_of(workspace, tmp_path / "home").foresee(MAINTAINER, [folder_of(tmp_path, lowchen=[0, 1, 2])])
    assert (told.removed, told.known, told.new) == (1, 2, 0)


def test_one_folder_of_a_new_name_is_asked_about(workspace: FakeWorkspace, tmp_path: Path) -> None:
    source, exchange = folder_of(tmp_path, Holiday=[20, 21]), exchange_of(workspace, tmp_path / "home")
    assert exchange.foresee(MAINTAINER, [source]).only == "Holiday"
    bare = exchange.foresee(MAINTAINER, [source], unsorted=True)
    assert (bare.only, bare.unlabelled, bare.new_kinds) == ("", 2, ())
    report = exchange.import_from(MAINTAINER, [source], unsorted=True)
    assert (report.added, report.new_kinds) == (2, ())
    assert exchange.foresee(MAINTAINER, [folder_of(tmp_path / "b", lowchen=[30])]).only == ""


def test_of_a_large_source_some_are_opened_from_all_over(
    workspace: FakeWorkspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(foreseen, "LOOKED_AT_MOST", 4)
    source = folder_of(tmp_path, lowchen=[40, 41, 42, 43, 44], Robin=[45, 46, 47, 48, 49])
    seen: list[tuple[str, int, int]] = []
    told = exchange_of(workspace, tmp_path / "home").foresee(
        MAINTAINER, [source], lambda what, done, of: seen.append((what, done, of))
    )
    assert (told.pictures, told.looked_at, told.new) == (10, 4, 4)
    assert (told.kinds[0][1], told.new_kinds[0][1]) == (5, 5)
    assert {one.label for one in told.thumbnails} == {"lowchen", "Robin"}
    assert seen[-1] == ("looking at pictures", 4, 4)


def test_it_stops_when_it_is_told_to(workspace: FakeWorkspace, tmp_path: Path) -> None:
    class EnoughError(FgdemoError):
        pass

    def stop(what: str, done: int, of: int) -> None:
        raise EnoughError("Enough.")

    with pytest.raises(EnoughError):
        exchange_of(workspace, tmp_path / "home").foresee(MAINTAINER, [folder_of(tmp_path, lowchen=[1])], stop)


def test_who_may_not_and_what_is_nothing(workspace: FakeWorkspace, tmp_path: Path) -> None:
    exchange = exchange_of(workspace, tmp_path / "home")
    with pytest.raises(ForbiddenError):
        exchange.foresee(Person("ada", "expert"), [tmp_path])
    with pytest.raises(DatasetError):
        exchange.foresee(MAINTAINER, [tmp_path / "nowhere"])
