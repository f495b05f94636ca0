"""What writers leave that are killed is cleared, what somebody writes just now is not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fgdemo.model.checkpoint.folder import write_checkpoint
from fgdemo.storage.disk.unfinished import BEING_WRITTEN, clear_unfinished, held_file, held_folder
from tests.model.test_checkpoint import SMALL
from tests.support.mirroring import mirror_of, restored_into
from tests.support.workspace import open_fake_workspace, some_pictures

pytestmark = pytest.mark.skipif(os.name == "nt", reason="kill -9 is of Unix")
ROOT = Path(__file__).parents[2]
HELD = """
import sys, time
from pathlib import Path
from fgdemo.storage.disk.unfinished import held_file, held_folder
held_file(Path(sys.argv[1]))
with held_folder(Path(sys.argv[1])) as folder:
    (folder / "half").write_text("x")
    print("ready", flush=True)
    time.sleep(600)
"""
KILLED_IN_RESTORE = """
import os, signal, sys
from pathlib import Path
from fgdemo.storage.disk import durable
from tests.support.mirroring import restored_into
durable.os.fsync = lambda handle: os.kill(os.getpid(), signal.SIGKILL)
restored_into(Path(sys.argv[1]), sys.argv[2])
"""


def left_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.name.startswith(BEING_WRITTEN)]


def test_only_what_nobody_writes_any_more_is_cleared(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", HELD, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    handle, mine = held_file(tmp_path)
    assert clear_unfinished(tmp_path) == 0
    assert len([path for path in left_in(tmp_path) if path.parent == tmp_path]) == 3
    process.kill()
    process.wait()
    process.stdout.close()
    (tmp_path / f"{BEING_WRITTEN}link").symlink_to(ROOT)
    assert clear_unfinished(tmp_path) == 3
    assert left_in(tmp_path) == [Path(mine)]
    assert (ROOT / "README.md").is_file()
    os.close(handle)


def test_a_restore_that_was_killed_leaves_nothing_after_the_next_one(tmp_path: Path) -> None:
    url, home = str(tmp_path / "mirror"), tmp_path / "fresh"
    made = open_fake_workspace(tmp_path / "home")
    made.take_in(some_pictures(2, 0))
    mirror_of(tmp_path / "home", url).send()
    command = [sys.executable, "-c", KILLED_IN_RESTORE, str(home), url]
    assert subprocess.run(command, cwd=ROOT).returncode == -signal.SIGKILL
    assert left_in(home)
    assert restored_into(home, url).faults == ()
    assert left_in(home) == []


def test_a_checkpoint_that_was_half_written_is_cleared_by_the_next_one(tmp_path: Path) -> None:
    (tmp_path / ".mine-abcd1234").mkdir()
    (tmp_path / ".mine-other-abcd1234").mkdir()
    (tmp_path / ".mine-is-kept").mkdir()
    with held_folder(tmp_path, ".mine-") as held:
        write_checkpoint(tmp_path / "mine", SMALL)
        assert held.is_dir()
    assert sorted(path.name for path in tmp_path.iterdir()) == [".mine-is-kept", ".mine-other-abcd1234", "mine"]
