"""kill -9, the disk wiped, started again: all that was reported as backed up is there."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fgdemo.storage.history.events import EventLog
from fgdemo.storage.pictures.originals import ImageStore
from fgdemo.storage.trainings.models import Models
from tests.store.test_mirror import promoted_model
from tests.support.mirroring import database_in, restored_into

pytestmark = pytest.mark.skipif(os.name == "nt", reason="kill -9 is of Unix")
ROOT = Path(__file__).parents[2]
LIVES = 4


class Life:
    """One process on one folder."""

    def __init__(self, home: Path, mirror: Path, name: str) -> None:
        command = [sys.executable, "-m", "tests.support.mirror_process", str(home), str(mirror), name]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
        assert self.hear() == "ready"

    def hear(self) -> Any:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())

    def kill(self) -> None:
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.mark.timeout(300)
def test_what_was_reported_as_backed_up_survives_kill_9_and_a_wiped_disk(tmp_path: Path) -> None:
    mirror, chance, backed = tmp_path / "mirror", np.random.default_rng(5), set()
    homes = [tmp_path / "one", tmp_path / "two"]
    version = None
    for _ in range(LIVES):
        lives = [Life(home, mirror, home.name) for home in homes]  # two servers on one mirror
        if version is None:
            version = promoted_model(homes[0])
        for life in lives:
            for _ in range(int(chance.integers(1, 5))):
                told = life.hear()
            backed.update(told)
        for life, home in zip(lives, homes, strict=True):
            life.kill()
            shutil.rmtree(home)
    found = restored_into(tmp_path / "last", str(mirror))
    engine = database_in(tmp_path / "last")
    log = EventLog(engine).since(0, 100_000)
    assert backed <= {said.answer_key for said in log}
    images = ImageStore(tmp_path / "last" / "pictures")
    assert all(said.image in images for said in log)
    assert [what for _, what in found.faults if "cut off" not in what and "torn" not in what] == []
    models = Models(engine, tmp_path / "last" / "models", tmp_path / "configured")
    assert models.live == version
    assert (models.live_folder() / "model.safetensors").is_file()
    for name in ("one", "two"):  # each one's own answers are in their order
        moments = [said.created_at or "" for said in log if said.annotator == name]
        assert moments == sorted(moments)
