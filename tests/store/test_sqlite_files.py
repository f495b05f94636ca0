"""The one file of an SQLite database: whole when we leave, and read where nothing can be written."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from fgdemo.cli import main
from fgdemo.storage.database.database import open_database, schema_version, writing
from fgdemo.storage.database.migrations import MIGRATIONS
from fgdemo.storage.people.accounts import Accounts
from fgdemo.storage.people.tokens import Tokens
from fgdemo.values.errors import StorageError
from tests.support.workspace import open_fake_workspace, some_pictures


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FGDEMO_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    return tmp_path / "home"


def database_in(home: Path) -> str:
    return f"sqlite:///{home / 'fgdemo.sqlite'}"


def test_a_copy_of_the_one_file_has_what_a_verb_wrote(home: Path, tmp_path: Path) -> None:
    assert main(["token", "add", "robot"]) == 0
    copy = tmp_path / "copy"
    copy.mkdir()
    shutil.copy(home / "fgdemo.sqlite", copy)
    assert [one.name for one in Tokens(open_database(database_in(copy))).all()] == ["robot"]


@pytest.fixture
def read_only(home: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A workspace on a disk that cannot be written; by its parameter the newest rows lie beside the database."""
    made = open_fake_workspace(home)
    made.take_in(some_pictures(2, 0))
    Accounts(made.engine).add("ada", "expert", "long enough words")
    if not getattr(request, "param", False):
        made.engine.dispose()
    mounts = [["mount", "--bind", str(home), str(home)], ["mount", "-o", "remount,ro,bind", str(home)]]
    if os.geteuid() or any(subprocess.run(mount, stderr=subprocess.DEVNULL).returncode for mount in mounts):
        pytest.skip("no disk can be mounted read-only here")
    yield home
    subprocess.run(["umount", "--lazy", str(home)], check=True)
    made.engine.dispose()


@pytest.mark.parametrize("read_only", [False, True], indirect=True)
def test_a_workspace_that_cannot_be_written_is_read(
    read_only: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.zip"
    assert main(["user", "list"]) == 0
    assert "ada" in capsys.readouterr().out
    assert main(["models"]) == 0
    assert main(["export", str(out), "--format", "jsonl"]) == 0
    assert out.is_file()
    for verb in (["user", "disable", "ada"], ["token", "add", "robot"], ["restore", str(tmp_path)]):
        capsys.readouterr()
        assert main(verb) == 1
        told = capsys.readouterr().err
        assert told.startswith("fgdemo: ")
        assert told.count("\n") == 1


def test_an_older_database_that_cannot_be_written_is_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_database(database_in(home)).dispose()
    monkeypatch.setattr("fgdemo.storage.database.dialects.is_read_only", lambda file: True)
    engine = open_database(database_in(home))
    with engine.connect() as connection:
        assert schema_version(connection) == MIGRATIONS[-1].version
    with pytest.raises(StorageError, match="where nothing can be written"), writing(engine):
        pass


def test_rows_beside_a_database_without_their_index_are_read(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a copy of the folder of a running server, on a disk that cannot be written."""
    made = open_fake_workspace(home)
    Accounts(made.engine).add("ada", "expert", "long enough words")
    copy = tmp_path / "copy"
    copy.mkdir()
    for end in ("", "-wal"):
        shutil.copy(f"{home / 'fgdemo.sqlite'}{end}", copy)
    made.engine.dispose()
    monkeypatch.setattr("fgdemo.storage.database.dialects.is_read_only", lambda file: True)
    engine = open_database(database_in(copy))
    assert [account.name for account in Accounts(engine).all()] == ["ada"]
    with pytest.raises(StorageError, match="where nothing can be written"), writing(engine):
        pass
    assert sorted(path.name for path in copy.iterdir()) == ["fgdemo.sqlite", "fgdemo.sqlite-wal"]
