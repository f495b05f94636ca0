"""Trainings as Hugging Face Jobs: against a Hub over HTTP whose jobs run the real command as processes here."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import signal
import sys
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest

from fgdemo.commands.model.finetune import run_finetune
from fgdemo.model.checkpoint.load import load_classifier
from fgdemo.services.training import run as training_run
from fgdemo.services.training.run import NOT_KEPT_THERE
from fgdemo.services.training.trainings import Trainings
from fgdemo.settings import REPOSITORY, Settings
from fgdemo.storage.database.database import open_database, utc_now
from fgdemo.storage.history.points import PointLog
from fgdemo.storage.trainings import cloud_jobs
from fgdemo.storage.trainings.job_files import JobFiles
from fgdemo.storage.trainings.jobs import Jobs
from fgdemo.values.annotation import Person
from fgdemo.values.errors import HubError, TrainingError, UnavailableError
from fgdemo.values.points import PlacedPoint
from fgdemo.wiring.assembly import open_models
from tests.support import hub_stand_in_jobs
from tests.support.hub_stand_in import Hub, hub_stand_in
from tests.support.tiny_job import TinyTrial
from tests.support.trainings import MAINTAINER, TINY_JOB, job_now, make_tiny_home, open_tiny_training, settings_of

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
    return settings_of(home).model_copy(update={"jobs": "t4-small", "space": "lab/birds"})


def prepared(settings: Settings) -> int:
    """A training that was asked for, and has no process yet."""
    local = open_tiny_training(settings.home)
    local._device = "jobs:t4-small"
    return local.prepare(MAINTAINER, "quick").id


def finetune(settings: Settings, job: int, trial: TinyTrial | None = None) -> dict[str, Any]:
    return run_finetune(settings, job=job, trial=trial or TinyTrial())


def copied(made: Path, tmp_path: Path) -> Settings:
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
    JobFiles(settings.home).recipe(job).write_text('{"replay": 0.5}')
    done = finetune(settings, job)
    assert done["state"] == "done", done
    assert re.fullmatch(rf"model-{job}@[0-9a-f]{{8}}", done["candidate"])
    assert done["sentence"] == "Tried on 6 gold pictures."
    models = open_models(settings)
    candidate = load_classifier(models.folder(done["candidate"]))
    assert candidate.taxonomy.leaves == load_classifier(settings.checkpoint).taxonomy.leaves
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
    assert asked["recipe"] == {"replay": 0.5}
    assert {name.split("/")[0] for name in names} == {"asked.json", "checkpoint", "pictures"}
    assert {one["split"] for one in asked["labels"]} == {"train", "val"}
    assert len([name for name in names if name.startswith("pictures/")]) == len(asked["labels"]) == 18
    assert set(asked["labels"][0]) == {"image", "taxon", "split", "checked"}
    (ran,) = hub.extra["jobs"].values()
    assert (ran.asked["spaceId"], ran.asked["flavor"], ran.asked["timeoutSeconds"]) == ("lab/birds", "t4-small", 3600)
    assert "hf_mia" not in json.dumps({**ran.asked, "secrets": None})
    assert not (settings.home / "jobs" / str(job) / cloud_jobs.ARCHIVE).exists()


def test_parts_are_taught_by_the_points_of_the_workspace_which_never_leave_it(
    made: Path, tmp_path: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = copied(made, tmp_path)
    engine = open_database(settings.database_url)
    job = prepared(settings)
    taught = [one.image for one in JobFiles(settings.home).read_labels(job) if one.split == "train"][:4]
    for at, image in enumerate(taught):
        points = [PlacedPoint("cap", 0.4, 0.2 + at / 50), PlacedPoint("rump", 0.6, 0.7)]
        PointLog(engine).place(image, points, "mia", f"key {at}")
    sent: dict[str, bytes] = {}
    starts = hub_stand_in_jobs.subprocess.Popen

    def seen(*args: Any, **more: Any) -> Any:
        (repo,) = hub.repos.values()
        sent.update(repo.files)
        return starts(*args, **more)

    monkeypatch.setattr(hub_stand_in_jobs.subprocess, "Popen", seen)
    done = finetune(settings, job)
    assert done["state"] == "done", done
    candidate = load_classifier(open_models(settings).folder(done["candidate"]))
    named = [{part.name for part in candidate.parts.of_group(group)} for group in candidate.parts.ground_groups]
    assert {"cap", "rump"} in named
    assert b"rump" not in b"".join(sent.values())
    assert not JobFiles(settings.home).fetched(job).exists()
    engine.dispose()


def test_what_was_fetched_is_not_trained_again_after_a_kill(made: Path, tmp_path: Path, hub: Hub) -> None:
    settings = copied(made, tmp_path)
    job = prepared(settings)
    shutil.copytree(settings.checkpoint, JobFiles(settings.home).fetched(job))
    assert JobFiles(settings.home).can_go_on(job)
    assert finetune(settings, job)["state"] == "done"
    assert not hub.extra.get("jobs")


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
    with (
        jobs_run("#!/bin/sh\necho out of memory\nexit 3\n", tmp_path),
        pytest.raises(TrainingError, match="ended without a model \\(error\\): out of memory"),
    ):
        finetune(settings, job)
    assert Jobs(open_database(settings.database_url)).get(job).state == "failed"
    assert not hub.repos


SLOW = "#!/bin/sh\nexec tail -f /dev/null\n"
TALKS = f"#!/bin/sh\necho '{cloud_jobs.stage_message('decoding pictures', 1, 9)}'\nexec tail -f /dev/null\n"


@contextmanager
def jobs_run(script: str, tmp_path: Path) -> Iterator[None]:
    """While the block runs, `python` in jobs that begin is this script."""
    folder = tmp_path / "bin"
    folder.mkdir(exist_ok=True)
    (folder / "python").write_text(script)
    (folder / "python").chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{folder}:/usr/bin:/bin")
        yield


def begun(settings: Settings, job: int, tmp_path: Path, script: str = SLOW) -> Path:
    """A process was killed while this job ran there; gives where it is written down."""
    where = JobFiles(settings.home).cloud_job(job)
    archive = tmp_path / "archive"
    archive.write_bytes(b"x")
    with jobs_run(script, tmp_path):
        begun = cloud_jobs.begin(archive, "quick", "t4-small", "lab/birds", where)
    assert cloud_jobs.begun_before(where) == begun
    return where


def ask_to_stop(settings: Settings, job: int) -> None:
    Jobs(open_database(settings.database_url)).ask_to_stop(job)


def assert_nothing_is_left(hub: Hub, settings: Settings, job: int, jobs: int = 1) -> None:
    assert [one.stage for one in hub.extra["jobs"].values()] == ["CANCELED"] * jobs
    assert not hub.repos
    assert not JobFiles(settings.home).can_go_on(job)


def test_cancelling_ends_the_job_that_a_process_before_has_begun(made: Path, tmp_path: Path, hub: Hub) -> None:
    settings = copied(made, tmp_path)
    job = prepared(settings)
    begun(settings, job, tmp_path)
    ask_to_stop(settings, job)
    cancelled = finetune(settings, job)
    assert (cancelled["state"], cancelled["sentence"]) == ("cancelled", NOT_KEPT_THERE)
    assert_nothing_is_left(hub, settings, job)


def test_cancelling_while_the_pictures_are_sent(
    made: Path, tmp_path: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = copied(made, tmp_path)
    job = prepared(settings)
    begins = cloud_jobs.begin

    def sent(*arguments: Any) -> cloud_jobs.CloudJob:
        ask_to_stop(settings, job)
        return begins(*arguments)

    monkeypatch.setattr(cloud_jobs, "begin", sent)
    monkeypatch.setattr(training_run, "TELL_S", 0.0)
    with jobs_run(SLOW, tmp_path):
        assert finetune(settings, job)["state"] == "cancelled"
    assert_nothing_is_left(hub, settings, job)


def test_cancelling_when_a_message_comes(made: Path, tmp_path: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = copied(made, tmp_path)
    job = prepared(settings)
    begun(settings, job, tmp_path, TALKS)
    reads = cloud_jobs.message_of

    def read(line: str) -> dict[str, Any] | None:
        ask_to_stop(settings, job)
        return reads(line)

    monkeypatch.setattr(cloud_jobs, "message_of", read)
    monkeypatch.setattr(training_run, "TELL_S", 0.0)
    assert finetune(settings, job)["state"] == "cancelled"
    assert_nothing_is_left(hub, settings, job)


def test_cancelling_in_line_ends_what_was_begun(made: Path, tmp_path: Path, hub: Hub) -> None:
    settings = copied(made, tmp_path)
    files, first, job = JobFiles(settings.home), prepared(settings), prepared(settings)
    begun(settings, job, tmp_path)
    with files.living(first), files.device_lock("jobs:t4-small"), ThreadPoolExecutor(1) as threads:
        waits = threads.submit(finetune, settings, job)
        while Jobs(open_database(settings.database_url)).get(job).sentence != f"waits for training {first}":
            time.sleep(0.05)
        ask_to_stop(settings, job)
        assert waits.result()["sentence"] == "Cancelled while it waited in line."
    assert_nothing_is_left(hub, settings, job)


def test_a_maintainer_cancels_what_was_interrupted(
    made: Path, tmp_path: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process is started for that, with the person's token."""
    settings = copied(made, tmp_path)
    job = prepared(settings)
    begun(settings, job, tmp_path)
    for name, value in hub.environment().items():
        monkeypatch.setenv(name, value)
    local = open_tiny_training(settings.home)
    training = Trainings(
        local._engine,
        local._roster,
        local._models,
        local._room,
        settings,
        device="jobs:t4-small",
        command=TINY_JOB,
        clock=lambda: utc_now() + timedelta(minutes=5),
    )
    assert job_now(training, job).state == "interrupted"
    with pytest.raises(TrainingError, match="sign in with Hugging Face first"):
        training.cancel(MAINTAINER, job)
    training.cancel(MAINTAINER, job, "hf_mia")
    while job_now(training, job).state in ("waiting", "running", "interrupted"):
        time.sleep(0.1)
    told = job_now(training, job)
    assert (told.state, told.sentence) == ("cancelled", NOT_KEPT_THERE), training.log_tail(MAINTAINER, job)
    assert_nothing_is_left(hub, settings, job)


def test_what_cannot_be_removed_is_told(made: Path, tmp_path: Path, hub: Hub) -> None:
    settings = copied(made, tmp_path)
    job = prepared(settings)
    begun(settings, job, tmp_path)
    ask_to_stop(settings, job)
    hub.is_down = True
    cancelled = finetune(settings, job)
    ((_, repo),), (there,) = hub.repos, hub.extra["jobs"]
    assert cancelled["state"] == "cancelled"
    assert f"Cancel the job {there} on Hugging Face yourself: " in cancelled["sentence"]
    assert f"Remove the private data set {repo} yourself, it holds the pictures: " in cancelled["sentence"]


def test_a_hub_that_is_away_interrupts_and_the_next_process_follows(
    made: Path, tmp_path: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It finds the job that is there, and begins no other."""
    settings = copied(made, tmp_path)
    job = prepared(settings)
    where = begun(settings, job, tmp_path)
    monkeypatch.setattr(cloud_jobs, "PATIENCE", 0)
    hub.is_down = True
    with pytest.raises(TrainingError, match=rf"The job cannot be followed.* finetune --job {job} goes on"):
        finetune(settings, job)
    assert where.exists()
    assert hub.repos
    hub.is_down = False
    (there,) = hub.extra["jobs"].values()
    assert there.stage == "RUNNING"
    os.killpg(there.process.pid, signal.SIGKILL)
    with pytest.raises(TrainingError, match="ended without a model"):
        finetune(settings, job)
    assert Jobs(open_database(settings.database_url)).get(job).state == "failed"
    assert len(hub.extra["jobs"]) == 1
    assert not hub.repos


def test_one_that_was_killed_after_the_fetch_is_not_paid_twice(made: Path, tmp_path: Path, hub: Hub) -> None:
    class Killed(TinyTrial):
        def judge(self, *arguments: Any, **more: Any) -> Any:
            raise KeyboardInterrupt

    settings = copied(made, tmp_path)
    job = prepared(settings)
    with pytest.raises(KeyboardInterrupt):
        finetune(settings, job, Killed())
    assert not hub.repos
    assert finetune(settings, job)["state"] == "done"
    assert len(hub.extra["jobs"]) == 1


def test_one_that_was_killed_while_it_sent_the_pictures_leaves_none(
    made: Path, tmp_path: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it has made there is written down before."""

    def killed(*arguments: Any, **more: Any) -> Any:
        raise KeyboardInterrupt

    settings = copied(made, tmp_path)
    job = prepared(settings)
    with monkeypatch.context() as patch:
        patch.setattr(cloud_jobs, "end", lambda job, where: "")  # as a process that is killed does
        patch.setattr(huggingface_hub.HfApi, "run_job", killed)
        with pytest.raises(KeyboardInterrupt):
            finetune(settings, job)
    (left,) = hub.repos
    with jobs_run("#!/bin/sh\nexit 3\n", tmp_path), pytest.raises(TrainingError, match="ended without a model"):
        finetune(settings, job)
    assert left not in hub.repos
    assert not hub.repos


def test_a_job_that_cannot_be_written_down_is_cancelled(
    made: Path, tmp_path: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = copied(made, tmp_path)
    job = prepared(settings)
    writes = cloud_jobs.write_durably

    def write(path: Path, data: bytes) -> None:
        if json.loads(data)["job"]:
            raise UnavailableError("The disk is full.")
        writes(path, data)

    monkeypatch.setattr(cloud_jobs, "write_durably", write)
    with jobs_run(SLOW, tmp_path), pytest.raises(TrainingError, match=r"The disk is full\."):
        finetune(settings, job)
    assert_nothing_is_left(hub, settings, job)


def test_nobody_trains_there_without_a_token_and_the_token_goes_to_the_process_alone(
    made: Path, tmp_path: Path, hub: Hub
) -> None:
    settings = copied(made, tmp_path)
    command = (
        sys.executable,
        "-c",
        "import os, pathlib, sys; pathlib.Path(sys.argv[-2]).write_text(os.environ.get('HF_TOKEN', ''))",
        str(tmp_path / "token"),
    )
    local = open_tiny_training(settings.home)
    training = Trainings(
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
