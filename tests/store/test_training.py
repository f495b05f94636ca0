"""Trainings in processes of their own: seen through to the end, cancelled, killed, resumed; and models that go live."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
import torch

from fgdemo.cli import main
from fgdemo.commands.console import load_live
from fgdemo.commands.model.finetune import run_finetune
from fgdemo.model.checkpoint.load import load_classifier
from fgdemo.model.classifier import Classifier
from fgdemo.services.exchange.transfers import Transfer
from fgdemo.services.training.now import HEAD_LOOKS, LOOKS, MAPS
from fgdemo.services.training.trainings import Trainings
from fgdemo.specimens import SPECIES, draw_specimen
from fgdemo.storage.database.database import open_database, reading, utc_now, writing
from fgdemo.storage.database.schema import image_table, promotion_table
from fgdemo.storage.database.schema import model_version_table as table
from fgdemo.storage.history.events import EventLog
from fgdemo.storage.history.label_event import LabelEvent
from fgdemo.storage.history.roster import SPLITS, Roster
from fgdemo.storage.history.taxa import TaxonStore
from fgdemo.storage.people.audit import Audit
from fgdemo.storage.pictures.images import decode_reduced
from fgdemo.storage.pictures.originals import ImageStore
from fgdemo.storage.trainings.job_files import JobFiles
from fgdemo.storage.trainings.jobs import Jobs
from fgdemo.storage.trainings.models import Models
from fgdemo.values.annotation import Kind, Person
from fgdemo.values.errors import CheckpointError, FgdemoError, ForbiddenError, StorageError, TrainingError
from fgdemo.values.training import Check, Job, ModelVersion, Preset, Stage, Verdict
from fgdemo.web.pages.train import model_as_json
from fgdemo.web.serve import Serving, _AwaitedServices
from fgdemo.wiring.assembly import build_services, open_models
from fgdemo.wiring.model_room import ModelRoom
from tests.support.tiny_job import TinyTrial
from tests.support.trainings import MAINTAINER, job_now, make_tiny_home, open_tiny_training, settings_of

WAIT_S = 120


@pytest.fixture(scope="module")
def tiny_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("tiny") / "home"
    home.mkdir()
    make_tiny_home(home)
    return home


@pytest.fixture
def home(tiny_home: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_home, tmp_path / "home"))


@pytest.fixture(scope="module")
def trained_home(tiny_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with two candidates, made in this process."""
    home = Path(shutil.copytree(tiny_home, tmp_path_factory.mktemp("trained") / "home"))
    for _ in range(2):
        assert run_here(home).state == "done"
    return home


@pytest.fixture
def two_models(trained_home: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained_home, tmp_path / "home"))


def run_here(home: Path, job: int | None = None, trial: TinyTrial | None = None) -> Job:
    """`finetune` in this process."""
    from fgdemo.commands.model.training_job import make_candidate
    from fgdemo.services.training.run import run_job

    settings = settings_of(home)
    engine = open_database(settings.database_url)
    job = job or open_tiny_training(home).prepare(MAINTAINER, "quick").id
    models, files = open_models(settings, engine), JobFiles(home)
    return run_job(
        Jobs(engine),
        files,
        job,
        lambda run: make_candidate(run, settings, models, files, trial or TinyTrial()),
        lambda text: None,
    )


def until(found: Callable[[], object], what: str) -> None:
    end_s = time.monotonic() + WAIT_S
    while not found():
        assert time.monotonic() < end_s, f"{what} never happened"
        time.sleep(0.05)


def ended(training: Trainings, job: int) -> Job:
    until(lambda: job_now(training, job).state not in ("waiting", "running"), "the end of the job")
    return job_now(training, job)


def hold(home: Path, job: int, epoch: int) -> Path:
    file = JobFiles(home).folder(job) / f"hold-{epoch}"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    return file


def begin_held(training: Trainings, home: Path) -> tuple[int, Path]:
    """A job in a process of its own that stays after its first epoch."""
    held = hold(home, 1, 1)
    job = training.start(MAINTAINER, "quick")
    assert job.id == 1
    until(lambda: job_now(training, 1).epochs, "the first epoch")
    return job.id, held


def relabel(home: Path) -> tuple[str, str, str]:
    """An expert says that a training picture is another kind; gives it, and both labels."""
    engine = open_database(settings_of(home).database_url)
    roster = Roster(engine)
    roster.follow()
    row = next(row for row in range(len(roster)) if roster.standing(roster.image_ids[row]).split == "train")
    image, old = roster.image_ids[row], roster.taxa[int(roster.taxon[row])]
    new = next(taxon for taxon in roster.taxa if taxon != old)
    EventLog(engine).append(LabelEvent(image, "label", "ada", new, shown_version=int(roster.version[row])))
    engine.dispose()
    return image, old, new


# --- the process ------------------------------------------------------------------------------------------


def test_a_training_leaves_a_candidate_of_the_labels_as_they_were(home: Path) -> None:
    training = open_tiny_training(home)
    job, held = begin_held(training, home)
    now = training.now(MAINTAINER)
    assert (now.counts.train, now.counts.val, now.counts.gold, now.counts.newer) == (12, 6, 6, 18)
    assert now.live == open_models(settings_of(home)).configured
    running = job_now(training, job)
    assert running.state == "running"
    assert running.started_at is not None
    assert running.stage.memory_gib > 0
    assert running.epochs[0].of == 3
    with pytest.raises(TrainingError, match="not over yet"):
        training.start(MAINTAINER, "quick")
    image, old, _ = relabel(home)
    again = open_tiny_training(home)  # the app was started anew: it finds the job
    assert job_now(again, job).state == "running"
    held.unlink()
    done = ended(again, job)
    assert done.state == "done", again.log_tail(MAINTAINER, job)
    assert done.sentence == "Tried on 6 gold pictures."
    (model, _) = again.now(MAINTAINER).models
    assert (model.version, model.state, model.job, model.parent) == (done.candidate, "candidate", job, done.parent)
    assert model.verdict is not None
    assert (model.verdict.n, model.verdict.beside) == (6, now.live)
    assert model.metrics == {"epochs": 3.0}
    card = again.card(MAINTAINER, model.version)
    assert card["seen"][image] == old, "what was said meanwhile does not count"
    assert len(card["seen"]) == 18
    assert card["checked"] == 0
    classifier = load_classifier(open_models(settings_of(home)).folder(model.version))
    assert classifier.version == model.version
    assert "epoch 3 of 3" in again.log_tail(MAINTAINER, job)
    speed = median(epoch.images_per_s for epoch in done.epochs)
    passes = {"quick": 6, "standard": 15 * 1.44, "thorough": 30 * 1.96}
    expected = {preset: (12 * epochs + 24 * LOOKS + MAPS) / speed for preset, epochs in passes.items()}
    expected["head"] = (24 * HEAD_LOOKS + MAPS) / speed
    assert again.now(MAINTAINER).estimates == pytest.approx(expected, abs=0.05)


def test_a_cancelled_training_keeps_the_best_so_far(home: Path) -> None:
    training = open_tiny_training(home)
    job, _ = begin_held(training, home)
    training.cancel(MAINTAINER, job)
    done = ended(training, job)
    assert done.state == "cancelled"
    assert done.candidate == training.now(MAINTAINER).models[0].version
    assert training.card(MAINTAINER, str(done.candidate))["epochs_done"] < 3
    with pytest.raises(TrainingError, match="over already"):
        training.cancel(MAINTAINER, job)


def test_a_killed_training_is_noticed_and_goes_on(home: Path) -> None:
    training = open_tiny_training(home)
    job, held = begin_held(training, home)
    pid = JobFiles(home).folder(job) / "pid"
    until(lambda: pid.exists() and pid.read_text(), "its number")
    os.kill(int(pid.read_text()), signal.SIGKILL)
    until(lambda: job_now(training, job).state == "interrupted", "the death of the process")
    assert len(training.now(MAINTAINER).models) == 1, "only that of the settings"
    epochs = len(job_now(training, job).epochs)
    held.unlink()
    assert training.resume(MAINTAINER, job).state == "waiting"
    with pytest.raises(TrainingError, match="Only a training that was interrupted"):
        training.resume(MAINTAINER, job)
    done = ended(training, job)
    assert done.state == "done", training.log_tail(MAINTAINER, job)
    assert (epochs, [epoch.number for epoch in done.epochs]) == (1, [1, 2, 3])
    assert training.card(MAINTAINER, str(done.candidate))["epochs_done"] == 3


def test_a_job_without_a_process_can_be_cancelled(home: Path) -> None:
    training = open_tiny_training(home, command=("true",))
    job = training.start(MAINTAINER, "quick")
    later = replace_clock(training)
    assert job_now(later, job.id).state == "interrupted"
    later.cancel(MAINTAINER, job.id)
    assert job_now(later, job.id).state == "cancelled"


def replace_clock(training: Trainings) -> Trainings:
    """The same service when the process had time enough to begin."""
    training._processes._clock = lambda: utc_now() + timedelta(minutes=5)
    return training


def test_two_maintainers_press_at_once(home: Path) -> None:
    services = [open_tiny_training(home, command=("true",)) for _ in range(4)]

    def press(service: Trainings) -> object:
        try:
            return service.start(MAINTAINER, "quick").id
        except TrainingError as error:
            return str(error)

    with ThreadPoolExecutor(4) as threads:
        said = list(threads.map(press, services))
    assert [one for one in said if isinstance(one, int)] == [1]
    assert {one for one in said if not isinstance(one, int)} == {
        "Training 1, started by mo, is not over yet: wait for it, or cancel it."
    }
    assert len(services[0].now(MAINTAINER).jobs) == 1


def test_one_job_a_device_the_others_wait_in_line(home: Path) -> None:
    training = open_tiny_training(home)
    files = JobFiles(home)
    first, second = (training.prepare(MAINTAINER, "quick").id for _ in range(2))
    with files.living(first), files.device_lock("cpu"), ThreadPoolExecutor(1) as threads:
        later = threads.submit(run_here, home, second)
        until(lambda: job_now(training, second).sentence == "waits for training 1", "its place in line")
        training.cancel(MAINTAINER, second)
        assert later.result(WAIT_S).sentence == "Cancelled while it waited in line."


@pytest.mark.parametrize("picture", ["gone", "damaged"])
def test_a_picture_that_cannot_be_read_is_left_out(home: Path, picture: str) -> None:
    training = open_tiny_training(home)
    job = training.prepare(MAINTAINER, "quick").id
    image = next(one.image for one in JobFiles(home).read_labels(job) if one.split == "train")
    original = home / "pictures" / "originals" / image[:2] / image
    original.unlink() if picture == "gone" else original.write_bytes(b"no picture")
    done = run_here(home, job)
    assert done.state == "done"
    assert image not in training.card(MAINTAINER, str(done.candidate))["seen"]


def test_a_workspace_without_labels_is_told_so(home: Path) -> None:
    training = open_tiny_training(home)
    job = training.prepare(MAINTAINER, "quick").id
    (JobFiles(home).folder(job) / "labels.jsonl").write_text("")
    assert "at least two kinds" in run_here(home, job).sentence
    (JobFiles(home).folder(2)).mkdir(parents=True)
    job = training.prepare(MAINTAINER, "quick").id
    (JobFiles(home).folder(job) / "labels.jsonl").unlink()
    assert run_here(home, job).sentence == f"The labels of training {job} cannot be read: begin a new one."
    assert job_now(training, job).state == "failed"


def test_a_workspace_without_val_pictures_is_told_so_at_once(home: Path) -> None:
    """Labelling makes none, so a job would only fail after it has decoded everything."""
    with writing(open_database(settings_of(home).database_url)) as connection:
        connection.execute(image_table.update().where(image_table.c.split == "val").values(split="train"))
    training = open_tiny_training(home)
    with pytest.raises(TrainingError, match="bring in labelled pictures with a “val” folder"):
        training.start(MAINTAINER, "quick")
    assert training.now(MAINTAINER).jobs == ()


def test_a_full_disk_while_the_checkpoint_is_written(two_models: Path) -> None:
    """The candidate is not listed, what was there stays, and the reason is told."""
    training = open_tiny_training(two_models)
    before = training.now(MAINTAINER).models
    job = training.prepare(MAINTAINER, "quick").id
    weights = min(file.stat().st_size for file in (two_models / "models").glob("*/model.safetensors"))
    child = os.fork()
    if not child:
        from fgdemo.commands.model import training_job as candidate

        torch.set_num_threads(1)  # the pool of threads is not in the child
        real = candidate.save_classifier

        def save(classifier: Classifier, folder: Path) -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (weights // 2, resource.RLIM_INFINITY))
            try:
                real(classifier, folder)
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        candidate.save_classifier = save
        run_here(two_models, job)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    training = open_tiny_training(two_models)
    interrupted = job_now(training, job)
    assert interrupted.state == "interrupted"
    assert "could not be written" in interrupted.sentence
    assert training.now(MAINTAINER).models == before
    assert not (two_models / "models" / f"model-{job}").exists()
    assert training.resume(MAINTAINER, job).sentence == ""  # there is room again
    done = ended(training, job)
    assert done.state == "done", training.log_tail(MAINTAINER, job)
    assert training.log_tail(MAINTAINER, job).count("epoch 3 of 3 (") == 1, "it was learned before"
    assert "epoch 3 of 3\n" not in training.log_tail(MAINTAINER, job)
    assert not JobFiles(two_models).run_file(job).exists()


def test_a_process_that_cannot_be_started_ends_no_job_that_can_go_on(home: Path) -> None:
    training = open_tiny_training(home, command=("/nowhere/python",))
    with pytest.raises(TrainingError, match="could not be started"):
        training.start(MAINTAINER, "quick")
    assert job_now(training, 1).state == "failed"
    job = training.prepare(MAINTAINER, "quick").id
    JobFiles(home).run_file(job).touch()
    replace_clock(training)
    with pytest.raises(TrainingError, match="could not be started"):
        training.resume(MAINTAINER, job)
    now = job_now(training, job)
    assert (now.state, now.sentence) == ("interrupted", "Its process could not be started (No such file or directory).")


class Killed(TinyTrial):
    """The process ends while the candidate is judged."""

    def judge(self, *arguments: Any, **more: Any) -> Any:
        raise KeyboardInterrupt


class TrainsNoMore(TinyTrial):
    def train(self, *arguments: Any, **more: Any) -> Any:
        raise AssertionError("it was trained already")


def test_one_that_was_killed_while_it_was_judged_is_not_trained_again(home: Path) -> None:
    training = open_tiny_training(home)
    job = training.prepare(MAINTAINER, "quick").id
    with pytest.raises(KeyboardInterrupt):
        run_here(home, job, Killed())
    assert job_now(training, job).state == "interrupted"
    open_tiny_training(home).clear_leftovers()
    card = home / "models" / f"model-{job}" / "card.json"
    whole = card.read_bytes()
    card.write_bytes(whole[:100])  # a power cut
    with pytest.raises(AssertionError, match="trained already"):
        run_here(home, job, TrainsNoMore())
    card.write_bytes(whole)
    done = run_here(home, job, TrainsNoMore())
    assert (done.state, done.candidate) == ("done", training.now(MAINTAINER).models[0].version)


class Judges(TinyTrial):
    """Keeps the model that a candidate is put beside."""

    def judge(self, before: Classifier, *arguments: Any, **more: Any) -> Any:
        self.before = before
        return super().judge(before, *arguments, **more)


@pytest.mark.parametrize(("preset", "taught"), [("quick", True), ("head", False)])
def test_a_training_stands_beside_all_that_was_taught_the_head_alone_beside_what_visitors_have(
    home: Path, preset: Preset, taught: bool
) -> None:
    relabel(home)
    trial, training = Judges(), open_tiny_training(home)
    done = run_here(home, training.prepare(MAINTAINER, preset).id, trial)
    assert done.state == "done", done.sentence
    live = load_classifier(settings_of(home).checkpoint)
    picture = draw_specimen(SPECIES[0], 1, 64).picture
    assert (trial.before.read(picture).probs != live.read(picture).probs).any() == taught


def test_nothing_to_go_on_from_is_kept_for_ever(home: Path) -> None:
    files, training = JobFiles(home), open_tiny_training(home)
    over, cancelled, waiting = (training.prepare(MAINTAINER, "quick").id for _ in range(3))
    for job in (over, cancelled, waiting):
        files.run_file(job).touch()
        (home / "models" / f"model-{job}").mkdir(parents=True)
    Jobs(training._engine).end(over, "failed", "")
    replace_clock(training)
    training.cancel(MAINTAINER, cancelled)
    assert [files.can_go_on(job) for job in (over, cancelled, waiting)] == [True, False, True]
    training.clear_leftovers()
    assert [files.can_go_on(job) for job in (over, cancelled, waiting)] == [False, False, True]


def test_a_training_takes_nothing_over_from_one_of_the_same_number(home: Path) -> None:
    """Of a database that was thrown away."""
    files = JobFiles(home)
    files.folder(1).mkdir(parents=True)
    files.run_file(1).touch()
    files.cloud_job(1).touch()
    shutil.copytree(home / "tiny", home / "models" / "model-1")
    assert open_tiny_training(home).prepare(MAINTAINER, "quick").id == 1
    assert not files.can_go_on(1)


@pytest.mark.timeout(300)
def test_kill_9_at_any_moment_leaves_no_half_model_and_can_go_on(two_models: Path) -> None:
    training = open_tiny_training(two_models)
    before = training.now(MAINTAINER).models
    job = training.prepare(MAINTAINER, "quick").id
    for delay_s in (0.05, 0.2, 0.3, 0.4, 0.5, 0.6):
        child = os.fork()
        if not child:
            torch.set_num_threads(1)
            run_here(two_models, job)
            os._exit(0)
        time.sleep(delay_s)  # anywhere in it
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        now = open_tiny_training(two_models).now(MAINTAINER)
        for model in now.models[: len(now.models) - len(before)]:
            assert load_classifier(two_models / "models" / f"model-{job}").version == model.version
        if now.jobs[0].state not in ("waiting", "running", "interrupted"):
            break
    else:
        assert now.models == before
        run_here(two_models, job)
    done = job_now(open_tiny_training(two_models), job)
    assert (done.state, [epoch.number for epoch in done.epochs]) == ("done", [1, 2, 3])
    assert training.now(MAINTAINER).models[0].version == done.candidate


def test_leftovers_of_a_killed_job_are_cleared_away_and_never_listed(two_models: Path) -> None:
    for name in ("model-9", ".model-9-x7y"):
        shutil.copytree(two_models / "models" / "model-1", two_models / "models" / name)
    training = open_tiny_training(two_models)
    waiting = training.prepare(MAINTAINER, "quick").id
    (two_models / "models" / f"model-{waiting}").mkdir()
    assert len(training.now(MAINTAINER).models) == 3
    training.clear_leftovers()
    assert sorted(path.name for path in (two_models / "models").iterdir()) == ["model-1", "model-2", "model-3"]


def test_finetune_typed_by_a_person(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = run_finetune(settings_of(home), say=print, trial=TinyTrial())
    assert (told["job"], told["state"], told["sentence"]) == (1, "done", "Tried on 6 gold pictures.")
    said = capsys.readouterr().out
    assert said.startswith("Training 1, on the labels as they are now.")
    assert "epoch 3 of 3" in said
    with pytest.raises(TrainingError, match="Training 1 is over"):
        run_finetune(settings_of(home), job=1, trial=TinyTrial())
    assert open_models(settings_of(home)).all()[0].version == told["candidate"]


def test_what_a_person_changes_in_the_recipe_reaches_the_training(home: Path, tmp_path: Path) -> None:
    class Witness(TinyTrial):
        def train(self, *args: Any, changes: Mapping[str, Any], **options: Any) -> Classifier:
            self.changes = dict(changes)
            return super().train(*args, changes=changes, **options)

    trial, recipe = Witness(), tmp_path / "recipe.json"
    recipe.write_text('{"replay": 0.5}')
    run_finetune(settings_of(home), recipe=recipe, trial=trial)
    assert trial.changes == {"replay": 0.5}
    for text, told in (
        ('{"replay": "much"}', "“replay” is 'much'"),
        ("[1]", "JSON object"),
        ("{", "is not valid JSON"),
        ('{"epochs": 0}', "for --preset to say"),
    ):
        recipe.write_text(text)
        with pytest.raises(TrainingError, match=told):
            run_finetune(settings_of(home), recipe=recipe, trial=trial)
    assert [job.id for job in open_tiny_training(home).now(MAINTAINER).jobs] == [1], "nothing was begun"
    assert not JobFiles(home).recipe(1).exists(), "a training of another database with this number would take it"


# --- models -----------------------------------------------------------------------------------------------


def swap(training: Trainings, version: str | None = None, accept_loss: float | None = None) -> None:
    training.promote(MAINTAINER, version, accept_loss) if version else training.roll_back(MAINTAINER)
    training.wait()
    assert training.now(MAINTAINER).trouble == ""


def test_a_model_that_another_process_let_go_live_is_served(two_models: Path) -> None:
    served: list[str] = []
    models = open_models(settings_of(two_models))
    training = open_tiny_training(two_models, lambda: served.append(models.live))
    training.follow()
    training.wait()
    assert served == []
    elsewhere = open_tiny_training(two_models)
    second = elsewhere.now(MAINTAINER).models[0].version
    elsewhere.promote(MAINTAINER, second)
    elsewhere.wait()
    for _ in range(2):
        training.follow()
        training.wait()
        assert served == [second]
    training.roll_back(MAINTAINER)
    training.wait()
    training.follow()
    training.wait()
    assert len(served) == 2
    elsewhere.follow()
    elsewhere.wait()
    assert elsewhere.now(MAINTAINER).promoting is None


@pytest.mark.parametrize("deeds", [("back", "back"), ("back", "first"), ("first", "first"), ("first", "back")])
def test_of_two_servers_that_change_the_model_at_once_one_does_and_the_other_is_told(
    two_models: Path, monkeypatch: pytest.MonkeyPatch, deeds: tuple[str, str]
) -> None:
    servers = [open_tiny_training(two_models) for _ in deeds]
    models = open_models(settings_of(two_models))
    second, first, start = (model.version for model in servers[0].now(MAINTAINER).models)
    for version in (first, start, first, second):
        models.promote(version, "mo")
    before, both = promotions(two_models), threading.Barrier(2)
    monkeypatch.setattr(ModelRoom, "look_at_all", lambda room, version, progress: both.wait(60))
    for server, deed in zip(servers, deeds, strict=True):
        server.roll_back(MAINTAINER) if deed == "back" else server.promote(MAINTAINER, first)
    for server in servers:
        server.wait()
    assert (models.live, promotions(two_models)) == (first, before + 1)
    (told,) = [server.now(MAINTAINER).trouble for server in servers if server.now(MAINTAINER).trouble]
    assert first in told


def test_promote_and_roll_back(two_models: Path) -> None:
    served = []
    models = open_models(settings_of(two_models))
    training = open_tiny_training(two_models, lambda: served.append(models.live))
    second, first, start = (model.version for model in training.now(MAINTAINER).models)
    assert models.live == start
    with pytest.raises(TrainingError, match="nothing to go back to"):
        training.roll_back(MAINTAINER)
    swap(training, first)
    swap(training, second)
    with pytest.raises(TrainingError, match="live already"):
        training.promote(MAINTAINER, second)
    states = {model.version: model.state for model in training.now(MAINTAINER).models}
    assert states == {second: "live", first: "retired", start: "retired"}
    assert next(m for m in training.now(MAINTAINER).models if m.version == second).promoted_by == "mo"
    for version in (second, first):
        with pytest.raises(TrainingError, match="are kept"):
            training.delete(MAINTAINER, version)
    swap(training)
    assert models.live == first
    training.delete(MAINTAINER, second)
    assert not (two_models / "models" / "model-2").exists()
    assert not list((two_models / "embeddings").glob("model-2*"))
    swap(training)
    assert models.live == start
    assert served == [first, second, first, start]
    told = [entry.about for entry in Audit(open_database(settings_of(two_models).database_url)).newest()]
    for words in (f"{first}: live in place of {start}", f"{second}: rolled back to {first}"):
        assert words in told
    with pytest.raises(TrainingError, match="There is no model"):
        training.promote(MAINTAINER, second)


def test_a_candidate_that_is_worse_cannot_go_live(two_models: Path) -> None:
    training = open_tiny_training(two_models)
    model = training.now(MAINTAINER).models[0]
    assert model.verdict is not None
    worse = replace(model, verdict=replace(model.verdict, outcome="worse", sentence="It is worse by 3 points."))
    training._models.get = lambda version: worse  # type: ignore[method-assign]
    with pytest.raises(TrainingError, match=r"cannot go live in place of tiny@.*: It is worse by 3 points"):
        training.promote(MAINTAINER, model.version)


def unproven(verdict: Verdict, loss_limit: float = 0.0722, **changes: Any) -> Verdict:
    """As 40 gold pictures leave it of which none changed."""
    checks = (Check("accuracy", False, "Nothing changed.", open=True), *verdict.checks[1:])
    return replace(verdict, **{"outcome": "unproven", "checks": checks, "n": 40, "loss_limit": loss_limit, **changes})


@pytest.mark.parametrize(
    ("changes", "accepted", "refused"),
    [
        ({}, None, "a loss of up to 7.2 points is not excluded by 40 gold pictures"),
        ({}, 0.05, "You accept a loss of up to 5 points, but a loss of up to 7.2 points is not excluded"),
        ({}, 1.5, "lies between 0 and 100 points"),
        ({"outcome": "worse"}, 1.0, "cannot go live in place of"),
        ({"checks": (Check("kinds", False, "Pug lost 12 of 100."),)}, 1.0, "cannot go live in place of"),
        ({}, 0.0722, None),
        ({}, 0.1, None),
    ],
)
def test_what_is_not_proven_goes_live_on_the_word_of_a_maintainer_alone(
    two_models: Path, changes: dict[str, Any], accepted: float | None, refused: str | None
) -> None:
    training, models = open_tiny_training(two_models), open_models(settings_of(two_models))
    model, *_, start = training.now(MAINTAINER).models
    assert model.verdict
    models.rejudge(model.version, unproven(model.verdict, **changes))
    if refused:
        with pytest.raises(TrainingError, match=refused):
            training.promote(MAINTAINER, model.version, accepted)
        assert models.live == start.version
        return
    training.promote(MAINTAINER, model.version, accepted)
    training.wait()
    assert models.live == model.version
    entry = Audit(open_database(settings_of(two_models).database_url)).newest()[-1]
    assert (entry.person, entry.action) == ("mo", "model")
    assert f"in place of {start.version}, accepting a loss of up to" in entry.about
    assert "a loss of up to 7.2 points is not excluded by 40 gold pictures; not proven: accuracy" in entry.about


def test_a_verdict_by_limits_that_no_longer_count_is_made_anew(
    two_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was "not worse" by a bootstrap of identical answers, and is not proven by exact limits."""
    training, models = open_tiny_training(two_models), open_models(settings_of(two_models))
    model, *_, start = training.now(MAINTAINER).models
    assert model.verdict
    models.rejudge(model.version, replace(model.verdict, loss_limit=None))
    compare = ModelRoom.compare
    monkeypatch.setattr(ModelRoom, "compare", lambda room, a, b: unproven(compare(room, a, b)))
    training.promote(MAINTAINER, model.version)
    training.wait()
    now = training.now(MAINTAINER)
    assert now.live == start.version
    assert "It may on the word of a maintainer who knows that a loss of up to 7.2 points" in now.trouble
    judged = now.models[0].verdict
    assert judged
    assert judged.may_go_live_on_word, "the page shows what was found, and asks for the word"
    training.promote(MAINTAINER, model.version, judged.loss_limit)
    training.wait()
    assert models.live == model.version


def test_a_model_is_as_good_as_the_verdict_says_that_is_beside_it() -> None:
    """Whatever the judged one was trained from."""
    start, live = ModelVersion("start@1", "retired", ""), ModelVersion("model-1@1", "live", "")
    verdict = Verdict("better", "", (), 9, (0.8, 0.7, 0.9), (0.9, 0.8, 1.0), (0.1, 0.0, 0.2), 0.01, beside="model-1@1")
    judged = ModelVersion("model-2@1", "candidate", "", parent="start@1", verdict=verdict)
    models = [judged, live, start]
    found = [model_as_json(model, models, [])["accuracy"] for model in models]
    assert [one and one["interval"] for one in found] == [verdict.after, verdict.before, None]


@pytest.mark.parametrize("known", [True, False], ids=["beside another", "of an earlier version"])
def test_a_candidate_is_compared_with_the_model_that_has_gone_live_since(
    two_models: Path, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    training, compared = open_tiny_training(two_models), []
    second, first, start = training.now(MAINTAINER).models
    assert first.verdict
    assert second.verdict
    assert {first.verdict.beside, second.verdict.beside} == {start.version}
    swap(training, first.version)
    if not known:
        forget_beside(two_models)
    compare = ModelRoom.compare

    def worse(room: ModelRoom, a: str, b: str) -> Verdict:
        return replace(compare(room, a, b), outcome="worse", sentence="It is worse.")

    def as_it_is(room: ModelRoom, a: str, b: str) -> Verdict:
        compared.append((a, b))
        return compare(room, a, b)

    monkeypatch.setattr(ModelRoom, "compare", worse)
    training.promote(MAINTAINER, second.version)
    training.wait()
    now = training.now(MAINTAINER)
    assert now.live == first.version
    assert now.trouble == f"{second.version} cannot go live in place of {first.version}: It is worse."
    monkeypatch.setattr(ModelRoom, "compare", as_it_is)
    training = open_tiny_training(two_models)
    with pytest.raises(TrainingError, match="It is worse"):
        training.promote(MAINTAINER, second.version)
    training.judge(MAINTAINER, second.version)
    training.wait()
    swap(training, second.version)
    assert training.now(MAINTAINER).live == second.version
    assert compared == [(first.version, second.version)], "once, by whoever asked first"
    swap(training, first.version)
    assert compared[1:] == [(second.version, first.version)], "what was live before is compared, too"
    swap(training)
    assert len(compared) == 2, "but a roll-back needs no verdict"


def gold_pictures(home: Path) -> list[str]:
    roster = Roster(open_database(settings_of(home).database_url))
    roster.follow()
    return [roster.image_ids[row] for row in (roster.split == SPLITS.index("gold")).nonzero()[0].tolist()]


def say_of(home: Path, image: str, kind: Kind, taxon: str | None = None, **more: Any) -> LabelEvent:
    """What a maintainer says last."""
    engine = open_database(settings_of(home).database_url)
    return EventLog(engine).append(LabelEvent(image, kind, "mo", taxon, **more))


def changed_of(training: Trainings, version: str) -> int | None:
    return training.now(MAINTAINER).gold_changed[version]


def test_a_verdict_is_stale_once_gold_labels_have_changed_and_only_then(two_models: Path) -> None:
    training = open_tiny_training(two_models)
    version = training.now(MAINTAINER).models[0].version
    relabel(two_models)
    assert changed_of(training, version) == 0, "no gold label"
    wrong, out, disputed, *_ = gold_pictures(two_models)
    was = training._roster.standing(wrong).taxon
    other = next(kind.id for kind in SPECIES if kind.id != was)
    said = say_of(two_models, wrong, "adjudication", other)
    assert changed_of(training, version) == 1
    log = EventLog(open_database(settings_of(two_models).database_url))
    log.undo([said.id or 0], MAINTAINER)
    assert changed_of(training, version) == 0, "it is as it was"
    say_of(two_models, out, "unusable", reason="adjudication")
    say_of(two_models, disputed, "label", other, blind=True, reason="second")
    say_of(two_models, wrong, "skip")
    assert changed_of(training, version) == 2, (
        "one that left gold, and one that nobody is judged by while it is disputed"
    )


def test_promotion_judges_by_the_gold_labels_of_now_and_never_by_an_old_verdict(
    two_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training, compared = open_tiny_training(two_models), []
    model, *_, start = training.now(MAINTAINER).models
    version, compare = model.version, ModelRoom.compare
    say_of(two_models, gold_pictures(two_models)[0], "unusable", reason="adjudication")

    def worse(room: ModelRoom, a: str, b: str) -> Verdict:
        compared.append((a, b))
        return replace(compare(room, a, b), outcome="worse", sentence="It is worse by what gold says now.")

    monkeypatch.setattr(ModelRoom, "compare", worse)
    training.promote(MAINTAINER, version)
    training.wait()
    now = training.now(MAINTAINER)
    assert (now.live, compared) == (start.version, [(start.version, version)])
    assert "It is worse by what gold says now." in now.trouble
    assert now.models[0].verdict
    assert model.verdict
    assert now.models[0].verdict.n == model.verdict.n - 1, "the page shows the new verdict"
    assert now.gold_changed[version] == 0
    with pytest.raises(TrainingError, match="worse by what gold says now"):
        training.promote(MAINTAINER, version)
    assert len(compared) == 1


def test_gold_that_changes_after_the_verdict_and_before_the_swap_is_judged_by_too(
    two_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training, compared = open_tiny_training(two_models), []
    version = training.now(MAINTAINER).models[0].version
    gold, compare = gold_pictures(two_models), ModelRoom.compare

    def changes_gold(*_: object) -> None:
        say_of(two_models, gold.pop(), "unusable", reason="adjudication")

    def counted(room: ModelRoom, a: str, b: str) -> Verdict:
        compared.append(b)
        return compare(room, a, b)

    monkeypatch.setattr(ModelRoom, "look_at_all", changes_gold)
    monkeypatch.setattr(ModelRoom, "compare", counted)
    training.promote(MAINTAINER, version)
    training.wait()
    assert compared == [version]
    now = training.now(MAINTAINER)
    assert (now.live, now.gold_changed[version], now.trouble) == (version, 0, "")


def test_gold_that_changes_while_models_are_compared_makes_nothing_live(
    two_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = open_tiny_training(two_models)
    *_, start = training.now(MAINTAINER).models
    version = training.now(MAINTAINER).models[0].version
    gold, compare = gold_pictures(two_models), ModelRoom.compare
    say_of(two_models, gold.pop(), "unusable", reason="adjudication")

    def changes_gold(room: ModelRoom, a: str, b: str) -> Verdict:
        found = compare(room, a, b)
        say_of(two_models, gold.pop(), "unusable", reason="adjudication")
        return found

    monkeypatch.setattr(ModelRoom, "compare", changes_gold)
    training.promote(MAINTAINER, version)
    training.wait()
    now = training.now(MAINTAINER)
    assert now.live == start.version
    assert "Gold labels were changed while" in now.trouble
    assert now.gold_changed[version] == 1
    models = open_models(settings_of(two_models))
    with pytest.raises(TrainingError, match="changed just now"):
        models.promote(version, "mo", judged_until=0)


def test_a_verdict_is_made_anew_on_demand_and_no_gold_is_checked_meanwhile(
    two_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training, judging = open_tiny_training(two_models), []
    model, *_, start = training.now(MAINTAINER).models
    say_of(two_models, gold_pictures(two_models)[0], "unusable", reason="adjudication")
    compare = ModelRoom.compare

    def seen(room: ModelRoom, a: str, b: str) -> Verdict:
        now = training.now(MAINTAINER)
        judging.append((training.is_judging(), now.is_comparing))
        return compare(room, a, b)

    monkeypatch.setattr(ModelRoom, "compare", seen)
    training.judge(MAINTAINER, model.version)
    training.wait()
    now = training.now(MAINTAINER)
    assert (now.live, now.gold_changed[model.version], now.promoting) == (start.version, 0, None)
    assert judging == [(True, True)]
    assert not training.is_judging()
    with pytest.raises(TrainingError, match="live already"):
        training.judge(MAINTAINER, start.version)


@pytest.mark.parametrize("which", ["trained here", "of the settings"])
def test_one_that_was_live_before_needs_the_word_that_any_unproven_model_needs(
    two_models: Path, monkeypatch: pytest.MonkeyPatch, which: str
) -> None:
    training, models = open_tiny_training(two_models), open_models(settings_of(two_models))
    second, first, start = (model.version for model in training.now(MAINTAINER).models)
    models.promote(first, "mo")
    models.promote(second, "mo")
    retired, compare = first if which == "trained here" else start, ModelRoom.compare
    monkeypatch.setattr(ModelRoom, "compare", lambda room, a, b: unproven(compare(room, a, b)))
    training.promote(MAINTAINER, retired)
    training.wait()
    now = training.now(MAINTAINER)
    assert now.live == second
    assert "It may on the word of a maintainer" in now.trouble
    shown = next(model for model in now.models if model.version == retired).verdict
    assert shown
    assert shown.may_go_live_on_word, "the page shows what there is to be read"
    swap(training, retired, 0.0722)
    assert models.live == retired
    entry = Audit(open_database(settings_of(two_models).database_url)).newest()[-1]
    assert f"in place of {second}, accepting a loss of up to 7.2 points" in entry.about


def forget_beside(home: Path) -> None:
    """Verdicts as they were stored before they said beside which model."""
    with writing(open_database(settings_of(home).database_url)) as connection:
        for version, verdict in connection.execute(sa.select(table.c.version, table.c.verdict)).all():
            old = {name: value for name, value in json.loads(verdict).items() if name != "beside"}
            connection.execute(table.update().where(table.c.version == version).values(verdict=json.dumps(old)))


def test_the_page_answers_by_the_model_that_has_gone_live(two_models: Path) -> None:
    given = []
    services = build_services(settings_of(two_models), given.append)
    candidate = services.training.now(MAINTAINER).models[0].version
    assert services.workbench.about().model_version.startswith("tiny@")
    services.training.promote(MAINTAINER, candidate)
    services.training.wait()
    services.stop()
    (renewed,) = given
    assert renewed.workbench.about().model_version == candidate
    assert renewed.training is services.training
    assert renewed.training.now(MAINTAINER).live == candidate
    renewed.stop()


def test_nothing_is_imported_while_a_model_goes_live_and_the_other_way_round(two_models: Path) -> None:
    services = build_services(settings_of(two_models))
    training, transfers = services.training, services.transfers
    version = training.now(MAINTAINER).models[0].version
    training._swap.stage = Stage("looking at pictures", 1, 9)
    for refused in (lambda: training.roll_back(MAINTAINER), lambda: training.promote(MAINTAINER, version)):
        with pytest.raises(TrainingError):
            refused()
    with pytest.raises(StorageError, match="Another model is going live"):
        transfers.begin_import(MAINTAINER, ["nowhere"], "nothing")
    training._swap.stage = None
    transfers._now = Transfer("import", "something")
    with pytest.raises(TrainingError, match="An import runs"):
        training.promote(MAINTAINER, version)
    services.stop()


def test_a_damaged_live_model_gives_way_to_the_one_before(two_models: Path) -> None:
    training = open_tiny_training(two_models)
    version = training.now(MAINTAINER).models[0].version
    swap(training, version)
    weights = two_models / "models" / "model-2" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    services = build_services(settings_of(two_models))
    now = services.training.now(MAINTAINER)
    assert now.live.startswith("tiny@")
    assert now.trouble.startswith(f"{version} could not be loaded, so tiny@")
    services.stop()


@pytest.mark.timeout(60)
def test_a_start_gives_up_where_no_roll_back_helps(two_models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the database says: it once said for ever that the damaged model was live before itself."""
    settings, backs = settings_of(two_models), []
    for model in open_models(settings).all()[:2]:
        open_models(settings).promote(model.version, "mo")
    (two_models / "models" / "model-1" / "model.safetensors").unlink()
    monkeypatch.setattr(Models, "roll_back", lambda models, by, live: backs.append(by) or models.live)
    with pytest.raises(CheckpointError):
        build_services(settings)
    assert len(backs) == 2


def test_any_two_models_are_compared_once(two_models: Path) -> None:
    training = open_tiny_training(two_models)
    second, first, _ = (model.version for model in training.now(MAINTAINER).models)
    verdict = training.compare(MAINTAINER, first, second)
    assert (verdict.n, verdict.beside) == (6, first)
    assert training.compare(MAINTAINER, first, second) is verdict
    with pytest.raises(TrainingError, match="There is no model nothing"):
        training.compare(MAINTAINER, first, "nothing")


def test_known_kinds_of_a_comparison_are_those_of_the_model_without_what_it_was_taught(
    two_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = open_database(settings_of(two_models).database_url)
    roster = Roster(engine)
    roster.follow()
    image = next(roster.image_ids[row] for row in range(len(roster)) if roster.split[row] == SPLITS.index("train"))
    new = TaxonStore(engine).add("A new kind", None, None)
    shown = roster.standing(image).version
    EventLog(engine).answer(LabelEvent(image, "label", "ada", taxon=new.id, shown_version=shown))
    asked, judge = [], TinyTrial.judge
    monkeypatch.setattr(TinyTrial, "judge", lambda *given: asked.append(given) or judge(*given))
    training = open_tiny_training(two_models)
    second, first, _ = (model.version for model in training.now(MAINTAINER).models)
    training.compare(MAINTAINER, first, second)
    ((_, before, _, _, taxonomy, old_kinds, _),) = asked
    assert new.id in before.taxonomy.leaf_index
    assert new.id in taxonomy.leaf_index
    assert new.id not in old_kinds


def test_maps_of_any_model(two_models: Path) -> None:
    training = open_tiny_training(two_models)
    image = JobFiles(two_models).read_labels(1)[0]
    for model in training.now(MAINTAINER).models:
        maps = training.maps(MAINTAINER, image.image, model.version, model.version)
        assert image.taxon in {candidate["taxon"] for candidate in maps["candidates"]}
        rows, columns = maps["grid"]
        assert {len(candidate["evidence"]) for candidate in maps["candidates"]} == {rows * columns}


def test_maps_follow_the_labels_and_what_goes_live(two_models: Path) -> None:
    training = open_tiny_training(two_models)
    candidate, _, start = (model.version for model in training.now(MAINTAINER).models)
    image, *_ = relabel(two_models)

    def maps(service: Trainings, version: str) -> list[dict[str, Any]]:
        return service.maps(MAINTAINER, image, version, version)["candidates"]

    as_it_is, before = maps(training, candidate), maps(training, start)
    assert maps(training, start) == before, "while nothing is said, nothing changes"
    relabel(two_models)
    assert maps(training, start) == maps(open_tiny_training(two_models), start) != before
    swap(training, candidate)
    assert maps(training, candidate) == maps(open_tiny_training(two_models), candidate) != as_it_is
    assert len(training._room._opened) <= 2  # type: ignore[attr-defined]


def test_beside_a_head_alone_the_live_model_is_shown_as_visitors_have_it(two_models: Path) -> None:
    training = open_tiny_training(two_models)
    candidate, other, start = (model.version for model in training.now(MAINTAINER).models)
    image, *_ = relabel(two_models)
    with writing(training._engine) as connection:
        connection.execute(sa.update(table).where(table.c.version == candidate).values(preset="head"))
    as_it_is, taught = (training.maps(MAINTAINER, image, start, beside) for beside in (candidate, other))
    assert as_it_is["candidates"] != taught["candidates"]
    picture, _ = decode_reduced(ImageStore(two_models / "pictures").read(image), 224, name="", max_picture_mp=60)
    probs = load_classifier(settings_of(two_models).checkpoint).read(picture).probs
    assert max(one["prob"] for one in as_it_is["candidates"]) == pytest.approx(float(probs.max()))


@pytest.mark.timeout(300)
def test_kill_9_while_models_are_swapped_leaves_one_live_that_loads(two_models: Path) -> None:
    second, first, start = (model.version for model in open_tiny_training(two_models).now(MAINTAINER).models)
    began_s, child = time.monotonic(), os.fork()  # forked, because a process that has used torch cannot be
    if not child:
        torch.set_num_threads(1)
        training = open_tiny_training(two_models)
        swap(training, first)
        swap(training, second)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    swap_s = (time.monotonic() - began_s) / 2  # on this machine, as busy as it is
    before = promotions(two_models)
    for delay in (0.0, 0.1, 0.3, 0.7, 1.2, 1.9, 3.4, 5.3):
        heard, told = os.pipe()
        child = os.fork()
        if not child:
            torch.set_num_threads(1)
            training = open_tiny_training(two_models)
            os.write(told, b"x")
            for version in (first, second, None, None) * 100:
                if version is not None and training.now(MAINTAINER).live == version:
                    continue
                swap(training, version if version or training.now(MAINTAINER).previous else first)
        os.read(heard, 1)
        os.close(heard)
        os.close(told)
        time.sleep(delay * swap_s)  # anywhere in a swap
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        now = open_tiny_training(two_models).now(MAINTAINER)
        assert [model.state for model in now.models].count("live") == 1
        assert now.live in (first, second, start)
        assert load_classifier(open_models(settings_of(two_models)).live_folder()).version == now.live
    assert promotions(two_models) > before, "the killed ones did swap"


def promotions(home: Path) -> int:
    with reading(open_database(settings_of(home).database_url)) as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(promotion_table)).scalar_one()


def test_models_by_the_command_line(
    two_models: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in settings_of(two_models).variables({}).items():
        monkeypatch.setenv(name, value)

    def told(*arguments: str) -> dict:
        capsys.readouterr()
        assert main(["models", *arguments, "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    listed = told()
    second = listed["models"][0]["version"]
    assert [model["state"] for model in listed["models"]] == ["candidate", "candidate", "live"]
    assert told("promote", second)["live"] == second
    assert load_live(None, settings_of(two_models)).version == second, "what import looks with"
    assert told("rollback")["live"] == listed["live"]
    assert main(["models", "promote", listed["models"][1]["version"]]) == 0
    assert "is live. A server that runs takes it by itself" in capsys.readouterr().out
    assert len(told("delete", second)["models"]) == 2
    for arguments in (["promote"], ["promote", "nothing"], ["delete", listed["live"]]):
        assert main(["models", *arguments]) == 1
    said = capsys.readouterr().err
    assert "Which model? python -m fgdemo models promote VERSION" in said
    assert "There is no model nothing" in said
    assert "are kept" in said


def test_the_command_line_tells_that_gold_has_changed_and_compares_again(
    two_models: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in settings_of(two_models).variables({}).items():
        monkeypatch.setenv(name, value)
    second, *_, start = (model.version for model in open_tiny_training(two_models).now(MAINTAINER).models)
    say_of(two_models, gold_pictures(two_models)[0], "unusable", reason="adjudication")
    assert main(["models"]) == 0
    assert f"Gold has changed since: 1 label. Compare again: python -m fgdemo models compare {second}" in (
        capsys.readouterr().out
    )
    assert main(["models", "promote", second]) == 1, "by the real gate so few gold pictures prove nothing"
    assert f"{second} cannot go live in place of {start}: Unproven" in capsys.readouterr().err
    assert main(["models", "compare", second, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["live"], told["models"][0]["outcome"], told["models"][0]["gold_changed"]) == (start, "unproven", 0)


def test_a_model_of_the_workspace_is_converted_and_compared_on_its_held_out_pictures(
    two_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in settings_of(two_models).variables().items():
        monkeypatch.setenv(name, value)
    version = open_models(settings_of(two_models)).all()[0].version
    assert main(["convert", version, str(tmp_path / "timm"), "--format", "timm", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert (printed["checkpoint"], printed["pictures"]) == (version, 12)
    assert main(["convert", "model-9@01234567", str(tmp_path / "other"), "--format", "timm"]) == 1
    assert "There is no model model-9@01234567" in capsys.readouterr().err


def test_questions_are_answered_by_the_services_that_were_there_when_they_came() -> None:
    """And those who wait before there are any get the first."""
    stopped: list[str] = []

    def services(name: str) -> Any:
        return SimpleNamespace(workbench=SimpleNamespace(about=lambda: name), stop=lambda: stopped.append(name))

    serving = Serving()
    page: Any = _AwaitedServices(serving, settings_of(Path()))
    workbench = page.workbench
    with ThreadPoolExecutor(1) as threads:
        early = threads.submit(lambda: workbench.about())
        serving.give(services("one"))
        assert early.result(WAIT_S) == "one"
    about = workbench.about
    serving.give(services("two"))
    assert (about(), workbench.about(), stopped) == ("one", "two", ["one"])


@pytest.mark.parametrize("person", [Person("vi", "visitor"), Person("ada", "expert")])
def test_others_than_maintainers_may_do_nothing(two_models: Path, person: Person) -> None:
    training = open_tiny_training(two_models, command=("true",))
    version = training.now(MAINTAINER).models[0].version
    before = training.now(MAINTAINER)
    questions: list[Callable[[], object]] = [
        lambda: training.now(person),
        lambda: training.start(person, "quick"),
        lambda: training.prepare(person, "quick"),
        lambda: training.cancel(person, 1),
        lambda: training.resume(person, 1),
        lambda: training.log_tail(person, 1),
        lambda: training.promote(person, version),
        lambda: training.roll_back(person),
        lambda: training.delete(person, version),
        lambda: training.compare(person, version, version),
        lambda: training.maps(person, "0" * 64, version, version),
        lambda: training.card(person, version),
    ]
    for question in questions:
        with pytest.raises(ForbiddenError):
            question()
    assert training.now(MAINTAINER) == before
    with pytest.raises(FgdemoError, match="no preset"):
        training.start(MAINTAINER, "fast")  # type: ignore[arg-type]
