"""A training whose process was killed goes on: nothing is learned twice, and what comes out is the same."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from fgdemo.commands.model.training_job import make_candidate
from fgdemo.model.checkpoint.load import load_classifier
from fgdemo.model.classifier import Classifier
from fgdemo.services.training.run import run_job
from fgdemo.storage.database.database import open_database
from fgdemo.storage.trainings.job_files import JobFiles
from fgdemo.storage.trainings.jobs import Jobs
from fgdemo.values.progress import Progress, no_progress
from fgdemo.wiring.assembly import open_models
from tests.support.tiny_job import EPOCHS, TinyTrial
from tests.support.trainings import MAINTAINER, make_tiny_home, open_tiny_training, settings_of


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """No pool of threads is in a forked child, and sums of several threads are not always the same."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def train(home: Path, job: int, listen: Progress = no_progress) -> tuple[list[str], Classifier]:
    """What the job says in this process, and its candidate as it lies on the disk."""
    settings = settings_of(home)
    engine, files = open_database(settings.database_url), JobFiles(home)
    models, said = open_models(settings, engine), list[str]()
    done = run_job(
        Jobs(engine),
        files,
        job,
        lambda run: make_candidate(run, settings, models, files, TinyTrial()),
        said.append,
        listen=listen,
    )
    assert done.state == "done"
    return said, load_classifier(models.folder(str(done.candidate)))


def kill_in_epoch_two(what: str, done: int, of: int) -> None:
    if what == f"epoch 2 of {EPOCHS}":
        os.kill(os.getpid(), signal.SIGKILL)


def begun(said: list[str]) -> list[int]:
    """The epochs that were trained, as the log has them."""
    return [number for number in range(1, EPOCHS + 1) if f"epoch {number} of {EPOCHS}" in said]


def test_a_killed_training_goes_on_from_its_last_epoch_to_the_same_candidate(tmp_path: Path) -> None:
    home, undisturbed = tmp_path / "home", tmp_path / "undisturbed"
    home.mkdir()
    make_tiny_home(home)
    shutil.copytree(home, undisturbed)
    jobs = [open_tiny_training(place).prepare(MAINTAINER, "quick").id for place in (home, undisturbed)]
    child = os.fork()
    if not child:
        try:
            train(home, jobs[0], kill_in_epoch_two)
        finally:
            os._exit(1)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    assert JobFiles(home).run_file(jobs[0]).exists()
    (said, resumed), (all_said, wanted) = train(home, jobs[0]), train(undisturbed, jobs[1])
    assert (begun(said), begun(all_said)) == ([2, 3], [1, 2, 3])
    told = [[line for line in lines if "(network): loss" in line] for lines in (said, all_said)]
    assert told[0] == told[1]  # the first is told again
    assert len(told[1]) == EPOCHS
    weights, start = resumed.backbone.state_dict(), load_classifier(home / "tiny").backbone.state_dict()
    for key, value in wanted.backbone.state_dict().items():
        torch.testing.assert_close(weights[key], value, rtol=0, atol=1e-6, msg=key)
    assert any(not torch.equal(value, start[key]) for key, value in weights.items())
    torch.testing.assert_close(*(torch.from_numpy(one.head.linear()[0]) for one in (resumed, wanted)))
    assert not JobFiles(home).run_file(jobs[0]).exists()
