"""What the button really starts: the command, the recipe and the gate as they are, on a workspace that is tiny."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from fgdemo.model.checkpoint.load import load_classifier
from fgdemo.values.training import LENGTHS, Preset
from fgdemo.wiring.assembly import open_training
from tests.support.trainings import MAINTAINER, job_now, make_tiny_home, settings_of

WAIT_S = 280


@pytest.mark.timeout(300)
@pytest.mark.parametrize("preset", ["quick", "head"])
def test_the_button_leaves_a_candidate_with_a_verdict(tmp_path: Path, preset: Preset) -> None:
    make_tiny_home(tmp_path)
    training = open_training(settings_of(tmp_path))
    job = training.start(MAINTAINER, preset).id
    end_s = time.monotonic() + WAIT_S
    while job_now(training, job).state in ("waiting", "running") and time.monotonic() < end_s:
        time.sleep(0.1)
    done, log = job_now(training, job), training.log_tail(MAINTAINER, job, 400)
    assert done.state == "done", log
    assert [epoch.number for epoch in done.epochs] == list(range(1, LENGTHS[preset].epochs + 1))
    candidate, live = training.now(MAINTAINER).models
    assert (candidate.version, candidate.state, candidate.job) == (done.candidate, "candidate", job)
    assert (candidate.parent, candidate.preset) == (live.version, preset)
    verdict = candidate.verdict
    assert verdict is not None
    assert verdict.n == 6
    assert verdict.sentence == done.sentence
    assert "is not excluded by 6 gold pictures" in verdict.sentence
    assert [check.name for check in verdict.checks] == ["accuracy", "kinds", "forgetting", "calibration", "maps"]
    assert verdict.maps is not None
    card = training.card(MAINTAINER, candidate.version)
    assert card["data"] == {"train": 12, "val": 6, "checked": 0, "kinds": 6}
    assert card["recipe"]["train_px"] == 64
    assert card["recipe"]["epochs"] == LENGTHS[preset].epochs
    assert ("pictures of 64 px, the network's own size, and not of 160 px" in log) == (preset == "quick")
    assert load_classifier(tmp_path / "models" / f"model-{job}").version == candidate.version
