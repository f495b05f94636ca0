"""On ZeroGPU the backbone runs in a forked worker that is given pixels and gives tokens; all else is as it was."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import gradio as gr
import pytest

from fgdemo.model.checkpoint.load import save_classifier
from fgdemo.model.devices import choose_device, training_device
from fgdemo.model.lent_gpu import LENT
from fgdemo.settings import REPOSITORY, Settings
from fgdemo.web import serve as serving
from fgdemo.web.entrance.blocks import PageBlocks
from fgdemo.web.http.payloads import Asked
from fgdemo.wiring.assembly import Services
from tests.support.tiny import tiny_fit


def test_readings_are_those_of_the_cpu_and_each_model_has_its_own_worker(tmp_path: Path) -> None:
    """One model from the start, and one that goes live later in a thread; neither gets the other's weights."""
    for name, size_px in (("first", 64), ("second", 96)):
        save_classifier(tiny_fit(size_px=size_px, per_class=4).classifier, tmp_path / name)
    log = tmp_path / "log"
    env = {
        **os.environ,
        "PYTHONPATH": f"{REPOSITORY / 'tests' / 'support' / 'zero_gpu'}:{REPOSITORY}",
        "SPACES_ZERO_GPU": "true",
        "SPACES_STAND_IN_LOG": str(log),
        "OMP_NUM_THREADS": "1",
        "FGDEMO_DEVICE": "",
    }
    command = [sys.executable, "-m", "tests.support.lent_gpu_script", str(tmp_path / "first"), str(tmp_path / "second")]
    done = subprocess.run(command, env=env, cwd=REPOSITORY, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout.splitlines()[-1])
    assert answers["device"] == LENT
    assert max(*answers["first"], answers["second"], answers["first again"], answers["look"]) < 1e-4
    assert answers["distinct"] > 20e-4, "weights of the other model would not be noticed"
    lines = [line.split() for line in log.read_text(encoding="utf-8").splitlines()]
    assert [what for what, _ in lines] == ["decorated", "worker", "decorated", "worker"]
    parent, first, _, second = (pid for _, pid in lines)
    assert len({parent, first, second}) == 3


def test_what_trains_does_not_wait_for_a_lent_gpu() -> None:
    assert choose_device(LENT) == LENT
    assert training_device(LENT) == "cpu"
    assert Settings.from_env({"SPACES_ZERO_GPU": "true"}).device == LENT
    assert Settings.from_env({"SPACES_ZERO_GPU": "true", "FGDEMO_DEVICE": "cpu"}).device == "cpu"
    assert Settings.from_env({}).device == "auto"
    assert serving.LENT == LENT


@pytest.mark.parametrize(("device", "order"), [(LENT, ["load", "launch"]), ("cpu", ["launch", "load"])])
def test_zero_gpu_has_its_model_before_the_page(
    device: str, order: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ZeroGPU asks at the launch which functions need a GPU; everywhere else nobody waits for a blank screen."""
    happened: list[str] = []
    monkeypatch.setattr(PageBlocks, "launch", lambda *_, **__: happened.append("launch"))
    monkeypatch.setattr(gr.Blocks, "block_thread", lambda _: None)
    settings = Settings(
        home=tmp_path, checkpoint=tmp_path, database_url="", device=device, max_upload_mb=2, max_picture_mp=60
    )

    def load(settings: Settings, go_live: Any) -> Services:
        happened.append("load")
        return cast("Services", None)

    serving.serve(settings, load)
    assert happened == order


def test_that_no_gpu_could_be_lent_is_told_in_its_own_words() -> None:
    from fgdemo.web.pages.classify import answered

    @answered()
    def classify(asked: Asked) -> dict[str, Any]:
        raise gr.Error("You have exceeded your free ZeroGPU quota.")

    assert classify({}, None) == {"error": "You have exceeded your free ZeroGPU quota."}
