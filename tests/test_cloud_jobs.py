"""Trainings as Hugging Face Jobs: against a Hub over HTTP whose jobs run the real command as processes here."""

from __future__ import annotations

import argparse
import io
import json
import re
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fgdemo.annotation import Person
from fgdemo.bootstrap import open_models
from fgdemo.commands.finetune import run_finetune
from fgdemo.errors import HubError, TrainingError
from fgdemo.model.classifier import Classifier
from fgdemo.services.training import Training
from fgdemo.settings import REPOSITORY, Settings
from fgdemo.storage import cloud_jobs
from fgdemo.storage.database import open_database
from fgdemo.storage.jobs import Jobs
from tests import hub_stand_in_jobs
from tests.hub_stand_in import Hub, hub_stand_in
from tests.tiny_job import TinyTrial
from tests.trainings import MAINTAINER, make_tiny_home, open_tiny_training, settings_of

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("made")
    make_tiny_home(home)
    return home


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """The image of the Space is this machine: its `python` is ours, and fgdemo is importable."""
    python = Path(sys.executable).parent
    monkeypatch.setenv("PATH", f"{python}:/usr/bin:/bin")
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    with hub_stand_in() as hub:
        hub.add_user("mia", token="hf_mia")
        hub.add_user("bo", token="hf_bo", scopes=("openid",))
        hub.add_user("poor", token="hf_poor", can_pay=False)
        with hub.as_the_hub("hf_mia"):
            yield hub


def cloud_settings(home: Path) -> Settings:
    return replace(settings_of(home), jobs="t4-small", space="lab/birds")


def prepared(settings: Settings) -> int:
    """A training that was asked for, and has no process yet."""
    local = open_tiny_training(settings.home)
    local._device = "jobs:t4-small"
    return local.prepare(MAINTAINER, "quick").id


def finetune(settings: Settings, job: int) -> dict[str, Any]:
    return run_finetune(argparse.Namespace(job=job, preset="quick", json=True), settings, TinyTrial())


def copied(made: Path, tmp_path: Path) -> Settings:
    import shutil

    home = tmp_path / "home"
    shutil.copytree(made, home)
    return cloud_settings(home)


def test_a_job_trains_on_what_it_is_sent_and_its_candidate_is_judged_here(
    made: Path, tmp_path: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = copied(made, tmp_path)
    sent: dict[str, bytes] = {}
    privacy: list[bool] = []
    starts = hub_stand_in_jobs.subprocess.Popen

    def seen(*args: Any, **more: Any) -> Any:
        (repo,) = hub.repos.values()
        sent.update(repo.files)
        privacy.append(repo.private)
        return starts(*args, **more)

    monkeypatch.setattr(hub_stand_in_jobs.subprocess, "Popen", seen)
    job = prepared(settings)
    done = finetune(settings, job)
    assert done["state"] == "done", done
    assert re.fullmatch(rf"model-{job}@[0-9a-f]{{8}}", done["candidate"])
    assert done["sentence"] == "Tried on 6 gold pictures."
    models = open_models(settings)
    candidate = Classifier.load(models.folder(done["candidate"]))
    assert candidate.taxonomy.leaves == Classifier.load(settings.checkpoint).taxonomy.leaves
    told = Jobs(open_database(settings.database_url)).get(job)
    assert told.epochs
    assert [epoch.number for epoch in Jobs(open_database(settings.database_url)).newest()[0].epochs] == list(
        range(1, len(told.epochs) + 1)
    )
    # What went there: one private archive, without gold pictures, names of people, or anything else; and it is gone.
    assert privacy == [True]
    assert not hub.repos
    with zipfile.ZipFile(io.BytesIO(sent[cloud_jobs.ARCHIVE])) as archive:
        names = archive.namelist()
        asked = json.loads(archive.read("asked.json"))
    assert {name.split("/")[0] for name in names} == {"asked.json", "checkpoint", "pictures"}
    assert {one["split"] for one in asked["labels"]} == {"train", "val"}
    assert len([name for name in names if name.startswith("pictures/")]) == len(asked["labels"]) == 18
    assert set(asked["labels"][0]) == {"image", "taxon", "split", "checked"}
    (ran,) = hub.extra["jobs"].values()
    assert (ran.asked["spaceId"], ran.asked["flavor"], ran.asked["timeoutSeconds"]) == ("lab/birds", "t4-small", 3600)
    assert "hf_mia" not in json.dumps({**ran.asked, "secrets": None})
    assert not (settings.home / "jobs" / str(job) / cloud_jobs.ARCHIVE).exists()


@pytest.mark.parametrize(
    ("token", "sentence"), [("hf_bo", "you have no right"), ("hf_poor", "paid plan"), (None, "not signed in")]
)
def test_a_job_that_cannot_start_leaves_nothing_on_the_hub(
    made: Path, tmp_path: Path, hub: Hub, token: str | None, sentence: str
) -> None:
    settings = copied(made, tmp_path)
    job = prepared(settings)
    with hub.as_the_hub(token), pytest.raises(TrainingError, match=sentence):
        finetune(settings, job)
    assert not hub.repos
    assert not hub.extra.get("jobs")
    assert [model.version for model in open_models(settings).all()] == [open_models(settings).configured]


def test_a_job_that_fails_is_told_with_its_last_words(made: Path, tmp_path: Path, hub: Hub) -> None:
    settings = copied(made, tmp_path)
    job = prepared(settings)
    hub_python = tmp_path / "bin"
    hub_python.mkdir()
    (hub_python / "python").write_text("#!/bin/sh\necho out of memory\nexit 3\n")
    (hub_python / "python").chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{hub_python}:/usr/bin:/bin")
        with pytest.raises(TrainingError, match="ended without a model \\(error\\): out of memory"):
            finetune(settings, job)
    assert not hub.repos


def test_cancelling_cancels_the_job_and_one_that_was_begun_is_followed(made: Path, tmp_path: Path, hub: Hub) -> None:
    """The second process finds the job that the first has begun, and begins no other."""
    settings = copied(made, tmp_path)
    job = prepared(settings)
    slow = tmp_path / "bin"
    slow.mkdir()
    (slow / "python").write_text("#!/bin/sh\nexec tail -f /dev/null\n")
    (slow / "python").chmod(0o755)
    where = settings.home / "jobs" / str(job) / "cloud.json"
    archive = tmp_path / "archive"
    archive.write_bytes(b"x")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{slow}:/usr/bin:/bin")
        begun = cloud_jobs.begin(archive, "quick", "t4-small", "lab/birds", where)
    assert cloud_jobs.begun_before(where) == begun
    Jobs(open_database(settings.database_url)).ask_to_stop(job)
    # There is a stage before it: what was cancelled is told at the first of them.
    assert finetune(settings, job)["state"] == "cancelled"
    assert len(hub.extra["jobs"]) == 1


def test_nobody_trains_there_without_a_token_and_the_token_goes_to_the_process_alone(
    made: Path, tmp_path: Path, hub: Hub
) -> None:
    settings = copied(made, tmp_path)
    command = (
        sys.executable, "-c",
        "import os, pathlib, sys; pathlib.Path(sys.argv[-2]).write_text(os.environ.get('HF_TOKEN', ''))",
        str(tmp_path / "token"),
    )  # fmt: skip
    local = open_tiny_training(settings.home)
    training = Training(
        local._engine, local._roster, local._models, local._room, settings, device="jobs:t4-small", command=command
    )
    with pytest.raises(TrainingError, match="sign in with Hugging Face first"):
        training.start(MAINTAINER, "quick")
    assert training.now(MAINTAINER).jobs == ()
    offer = training.offer(MAINTAINER)
    assert offer is not None
    assert (offer.name, offer.usd_per_hour) == ("t4-small", pytest.approx(0.4, abs=0.001))
    job = training.start(MAINTAINER, "quick", "hf_of_mia")
    assert job.device == "jobs:t4-small"
    while not (tmp_path / "token").exists() or not (tmp_path / "token").read_text():
        pass
    assert (tmp_path / "token").read_text() == "hf_of_mia"
    for file in settings.home.rglob("*"):
        assert not file.is_file() or b"hf_of_mia" not in file.read_bytes(), file
    with pytest.raises(HubError, match="of which the Hub has none"):
        cloud_jobs.flavour_of("t5-huge")
    with pytest.raises(Exception, match="Maintainers may do this"):
        training.offer(Person("bo", "expert"))
