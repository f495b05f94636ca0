"""The tables of trainings and models, and what the process of a training does around its work."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from fgdemo.services.training.run import WENT_WRONG, CancelledError, GpuUse, Left, Run, run_job
from fgdemo.storage.database.database import open_database, writing
from fgdemo.storage.database.json_columns import read_column
from fgdemo.storage.database.schema import (
    job_epoch_table,
    job_table,
    model_version_table,
    promotion_table,
    session_table,
    taxon_table,
)
from fgdemo.storage.history.sessions import Sessions
from fgdemo.storage.history.taxa import TaxonStore
from fgdemo.storage.trainings.job_files import JobFiles
from fgdemo.storage.trainings.jobs import Jobs
from fgdemo.storage.trainings.models import NOT_JUDGED, Models
from fgdemo.values.annotation import Accuracy
from fgdemo.values.errors import CheckpointError, StorageError, TrainingError, UnavailableError
from fgdemo.values.training import Check, Epoch, Job, KindChange, PairChange, Stage, Verdict

VERDICT = Verdict(
    "better",
    "Better by 2 points.",
    (Check("accuracy", True, "So it is."),),
    40,
    (0.8, 0.7, 0.9),
    (0.82, 0.72, 0.92),
    (0.02, 0.0, 0.04),
    0.04,
    ("a" * 64,),
    (),
    (KindChange("owl", 4, 1, 3),),
    (PairChange("owl", "lowchen", 8, 3, 1),),
    (0.05, 0.04),
    (0.5, 0.6),
)


@pytest.fixture
def engine(database_url: str) -> Engine:
    return open_database(database_url)


def epoch(number: int) -> Epoch:
    return Epoch("network", number, 4, 0.5, 0.75, 10.0, {"ce": 0.5}, 1e-4, 20.0)


def add(jobs: Jobs, hinders: Callable[[Job], bool] = lambda job: False) -> int:
    return jobs.add("quick", "mo", "tiny@1", "cpu", hinders).id


# --- jobs -------------------------------------------------------------------------------------------------


def test_a_job_from_its_beginning_to_its_end(engine: Engine) -> None:
    jobs = Jobs(engine)
    job = add(jobs)
    assert jobs.get(job).state == "waiting"
    jobs.wait_for(job, 7)
    assert jobs.get(job).sentence == "waits for training 7"
    jobs.begin(job)
    stage = Stage("epoch 1 of 4", 3, 9, 12.5, 0.4, 2.0, 0.9)
    jobs.tell(job, stage)
    for number in (1, 2, 3, 2):  # it died after the third, and goes on from the first
        jobs.add_epoch(job, epoch(number))
    found = jobs.get(job)
    assert (found.state, found.sentence, found.stage) == ("running", "", stage)
    assert found.epochs == (epoch(1), epoch(2))
    assert jobs.open() == (found,)
    jobs.end(job, "done", "It is better.", "model-1@12345678")
    jobs.end(job, "failed", "too late")
    jobs.interrupt(job, "too late")
    done = jobs.get(job)
    assert (done.state, done.sentence, done.candidate) == ("done", "It is better.", "model-1@12345678")
    assert done.started_at is not None
    assert done.ended_at is not None
    assert jobs.open() == ()
    later = add(jobs)
    assert [one.id for one in jobs.newest()] == [later, job]
    with pytest.raises(TrainingError, match="no training 99"):
        jobs.get(99)
    engine.dispose()


def test_what_hinders_a_job_is_asked_of_open_jobs_only(engine: Engine) -> None:
    jobs = Jobs(engine)
    over, waits = add(jobs), add(jobs)
    jobs.end(over, "failed", "")
    asked = []
    with pytest.raises(TrainingError, match=f"Training {waits}, started by mo"):
        add(jobs, lambda job: asked.append(job.id) or True)
    assert asked == [waits]
    assert len(jobs.newest()) == 2
    engine.dispose()


def test_only_what_may_is_launched_again(engine: Engine) -> None:
    jobs = Jobs(engine)
    job = add(jobs)
    jobs.begin(job)
    jobs.ask_to_stop(job)
    with pytest.raises(TrainingError):
        jobs.relaunch(job, lambda one: one.state == "waiting")
    assert jobs.cancel_requested(job)
    assert jobs.relaunch(job, lambda one: one.state == "running").state == "waiting"
    assert not jobs.cancel_requested(job)
    engine.dispose()


# --- models -----------------------------------------------------------------------------------------------


@pytest.fixture
def models(engine: Engine, tmp_path: Path) -> Models:
    """Three models below one folder, and the settings' own."""
    start = tmp_path / "start"
    start.mkdir()
    (start / "card.json").write_text('{"weights_sha256": "0123456789"}')
    models, job = Models(engine, tmp_path / "models", start), add(Jobs(engine))
    for number in (1, 2, 3):
        folder = tmp_path / "models" / f"model-{number}"
        folder.mkdir(parents=True)
        (folder / "card.json").write_text("{}")
        models.register(
            f"model-{number}@x",
            folder.name,
            parent="start@01234567",
            event=number,
            job=job,
            preset="quick",
            verdict=VERDICT,
            metrics={"top1": 0.9},
        )
    return models


def test_what_is_kept_of_a_model(models: Models) -> None:
    model = models.get("model-2@x")
    assert model.verdict == VERDICT
    assert (model.state, model.metrics, model.size_bytes) == ("candidate", {"top1": 0.9}, 2)
    assert models.get("start@01234567").state == "live"
    assert [one.version for one in models.all()] == ["model-3@x", "model-2@x", "model-1@x", "start@01234567"]
    assert models.live_folder().name == "start"


def test_going_back_goes_further_back_each_time(models: Models) -> None:
    assert models.previous is None
    with pytest.raises(TrainingError):
        models.roll_back("mo")
    for number in (1, 2, 3):
        models.promote(f"model-{number}@x", "mo")
    assert models.roll_back("mo") == models.live == "model-2@x"
    assert models.previous == "model-1@x"
    models.promote("model-3@x", "mo")
    assert models.previous == "model-2@x"
    assert [models.roll_back("mo") for _ in range(3)] == ["model-2@x", "model-1@x", "start@01234567"]
    assert models.previous is None
    assert models.get("start@01234567").promoted_by == "mo"


def test_a_deleted_model_is_passed_over(models: Models) -> None:
    for number in (1, 2, 3):
        models.promote(f"model-{number}@x", "mo")
    for kept in ("model-3@x", "model-2@x", "start@01234567"):
        with pytest.raises(TrainingError, match="are kept"):
            models.delete(kept)
    models.delete("model-1@x")
    assert not (models.root / "model-1").exists()
    assert [models.roll_back("mo") for _ in range(2)] == ["model-2@x", "start@01234567"]
    for ask in (models.get, models.folder, models.delete, lambda version: models.promote(version, "mo")):
        with pytest.raises(TrainingError, match="no model model-1@x"):
            ask("model-1@x")


def test_each_roll_back_changes_something_where_one_between_was_deleted(models: Models) -> None:
    for number in (1, 2, 1, 3):
        models.promote(f"model-{number}@x", "mo")
    models.delete("model-2@x")
    assert models.roll_backs == 2
    assert [models.roll_back("mo") for _ in range(2)] == ["model-1@x", "start@01234567"]
    with pytest.raises(TrainingError, match="nothing to go back to"):
        models.roll_back("mo")


def test_a_candidate_takes_the_place_of_the_model_that_it_was_compared_with(models: Models) -> None:
    models.promote("model-1@x", "mo", instead_of="start@01234567")
    with pytest.raises(TrainingError, match="model-1@x has gone live meanwhile"):
        models.promote("model-2@x", "mo", instead_of="start@01234567")
    assert models.live == "model-1@x"
    models.promote("model-2@x", "mo", instead_of="model-1@x")
    assert models.live == "model-2@x"


def test_a_verdict_of_an_earlier_version_does_not_say_beside_what() -> None:
    values = json.loads(json.dumps(asdict(replace(VERDICT, beside="start@01234567"))))
    assert read_column(Verdict, json.dumps(values)) == replace(VERDICT, beside="start@01234567")
    del values["beside"]
    assert read_column(Verdict, json.dumps(values)) == VERDICT
    assert VERDICT.beside == ""


@pytest.mark.parametrize(
    "told",
    [
        "{}",
        "[]",
        "null",
        "no json",
        json.dumps({**asdict(VERDICT), "checks": [{"passed": 1}]}),
        json.dumps({**asdict(VERDICT), "before": 5}),
        json.dumps({**asdict(VERDICT), "p_value": float("nan")}),
        json.dumps({**asdict(VERDICT), "outcome": "splendid"}),
        json.dumps({**asdict(VERDICT), "kinds": None}),
        json.dumps({"deep": json.loads("[" * 60 + "]" * 60)}),
    ],
)
def test_a_verdict_that_cannot_be_read_is_none_and_breaks_nothing(models: Models, engine: Engine, told: str) -> None:
    with writing(engine) as connection:
        mine = model_version_table.c.version == "model-2@x"
        connection.execute(model_version_table.update().where(mine).values(verdict=told, metrics="[1]"))
    model = models.get("model-2@x")
    assert (model.verdict, model.metrics) == (NOT_JUDGED, {})
    assert "Not judged" in NOT_JUDGED.sentence
    assert not NOT_JUDGED.may_go_live
    assert not NOT_JUDGED.may_go_live_on_word
    assert not NOT_JUDGED.is_beside("")
    assert {one.version for one in models.all()} >= {"model-1@x", "model-2@x"}


def test_a_field_that_a_later_version_has_does_not_spoil_a_verdict() -> None:
    assert read_column(Verdict, json.dumps({**asdict(VERDICT), "of_tomorrow": 1})) == VERDICT


@pytest.mark.parametrize("told", ["[]", "{}", '{"of": "many"}', '{"phase": "dream", "number": 1}', "no json"])
def test_a_job_that_tells_nonsense_of_its_way_is_shown_without_it(engine: Engine, told: str) -> None:
    jobs = Jobs(engine)
    job = add(jobs)
    jobs.add_epoch(job, epoch(1))
    with writing(engine) as connection:
        connection.execute(job_table.update().values(stage=told))
        connection.execute(job_epoch_table.insert().values(job=job, number=2, epoch=told))
    assert (jobs.get(job).stage, jobs.get(job).epochs) == (Stage(), (epoch(1),))


@pytest.mark.parametrize("told", ["[[]]", "{}", "5", "[null]", "no json"])
def test_a_roll_back_that_tells_nonsense_takes_nothing_away(models: Models, engine: Engine, told: str) -> None:
    models.promote("model-1@x", "mo")
    row = {
        "ident": "x" * 32,
        "depth": 2,
        "version": None,
        "kind": "rollback",
        "promoted_by": "mo",
        "promoted_at": "2026",
    }
    with writing(engine) as connection:
        connection.execute(promotion_table.insert().values(row | {"takes": told}))
    assert models.live == "model-1@x"


@pytest.mark.parametrize("told", ["[[]]", "{}", "[5]", "no json"])
def test_a_kind_and_a_session_that_tell_nonsense_are_read_without_it(engine: Engine, told: str) -> None:
    kinds, sessions = TaxonStore(engine), Sessions(engine)
    kinds.add("Owl")
    sessions.open("ada", "uncertain", None, 10, 0.0, Accuracy(0.5, 0.4, 0.6, 10, "val"))
    with writing(engine) as connection:
        connection.execute(taxon_table.update().values(aliases=told))
        connection.execute(session_table.update().values(accuracy_before=told))
    assert kinds.load()["owl"].aliases == ()
    assert (current := sessions.current("ada")) is not None
    assert current.accuracy_before is None


def test_no_promotion_is_ever_changed(models: Models, engine: Engine) -> None:
    models.promote("model-1@x", "mo")
    for change in (promotion_table.update().values(version=None), promotion_table.delete()):
        with pytest.raises(StorageError), writing(engine) as connection:
            connection.execute(change)
    with pytest.raises(StorageError), writing(engine) as connection:
        connection.execute(
            sa.text(
                "INSERT INTO promotion (version, kind, promoted_by, promoted_at) VALUES "
                "('nothing', 'promote', 'mo', '')"
            )
        )
    assert models.live == "model-1@x"


# --- around the work --------------------------------------------------------------------------------------


class Times:
    """A clock that goes on by a second whenever it is asked."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        self.now_s += 1.0
        return self.now_s


@pytest.fixture
def jobs(tmp_path: Path) -> Jobs:
    return Jobs(open_database(f"sqlite:///{tmp_path / 'fgdemo.sqlite'}"))


def test_the_work_tells_how_far_it_is(jobs: Jobs) -> None:
    said: list[str] = []
    run = Run(jobs, jobs.get(add(jobs)), said.append, gpu=lambda: GpuUse(1.5, 0.9), clock_s=Times())
    run.progress("decoding pictures", 1, 5)
    first = jobs.get(1).stage
    assert (first.name, first.done, first.of, first.left_s) == ("decoding pictures", 1, 5, None)
    assert first.memory_gib > 0
    assert (first.gpu_memory_gib, first.gpu_busy) == (1.5, 0.9)

    def left_s() -> float:
        left = jobs.get(1).stage.left_s
        assert left is not None
        return left

    run.expect(200, 100)
    run.progress("epoch 1 of 4", 1, 5)
    assert 156 < left_s() < 163, "six passes over 200, looks at 300 and maps, at 20 a second, less what has gone"
    run.on_epoch(epoch(1))
    run.progress("epoch 2 of 4", 1, 5)
    assert 126 < left_s() < 133, "three epochs of ten seconds and the looks after them, less what has gone since"
    run.on_epoch(epoch(4))
    run.progress("looking at pictures", 1, 5)
    assert 96 < left_s() < 103, "the looks and the maps"
    for _ in range(120):
        run.progress("judging", 1, 5)
    assert jobs.get(1).stage.left_s is None, "longer than was thought"
    assert said[:3] == ["decoding pictures", "epoch 1 of 4", "epoch 1 of 4 (network): loss 0.500, val top-1 75.0%"]


def test_a_cancelled_job_stops_at_once_until_there_is_something_to_keep(jobs: Jobs) -> None:
    run = Run(jobs, jobs.get(add(jobs)), lambda text: None, clock_s=Times())
    assert not run.stop()
    jobs.ask_to_stop(1)
    assert run.stop()
    with pytest.raises(CancelledError, match="left no model"):
        run.progress("epoch 1 of 4", 1, 5)
    run.on_epoch(epoch(1))
    run.progress("looking at pictures", 1, 5)
    assert run.was_cancelled


@pytest.mark.parametrize(
    ("fault", "state", "sentence"),
    [
        (TrainingError("The loss is not finite."), "failed", "The loss is not finite."),
        (CancelledError("Cancelled."), "cancelled", "Cancelled."),
        (ZeroDivisionError(), "failed", "Something went wrong, which is in the log of this training."),
        (KeyboardInterrupt(), "running", ""),
    ],
)
def test_how_a_job_ends(jobs: Jobs, tmp_path: Path, fault: BaseException, state: str, sentence: str) -> None:
    def work(run: Run) -> Left:
        assert JobFiles(tmp_path).lives(1)
        raise fault

    add(jobs)
    is_for_the_log = not isinstance(fault, TrainingError)
    with pytest.raises(type(fault)) if is_for_the_log else nullcontext():
        run_job(jobs, JobFiles(tmp_path), 1, work, lambda text: None)
    assert (jobs.get(1).state, jobs.get(1).sentence) == (state, sentence)
    assert not JobFiles(tmp_path).lives(1)


FULL = CheckpointError("The disk is full.")
BUSY = UnavailableError("The database is busy.")


@pytest.mark.parametrize("left", ["jobs/1/training.pt", "jobs/1/cloud.json", "models/model-1/card.json"])
@pytest.mark.parametrize("fault", [FULL, BUSY, TrainingError("The GPU is full."), ZeroDivisionError()])
def test_a_job_that_has_something_to_go_on_from_does_not_end_by_a_fault(
    jobs: Jobs, tmp_path: Path, fault: Exception, left: str
) -> None:
    def work(run: Run) -> Left:
        (tmp_path / left).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / left).write_text("")
        raise fault

    files, job, said = JobFiles(tmp_path), add(jobs), []
    sentence = str(fault) or WENT_WRONG
    with pytest.raises(type(fault)) if isinstance(fault, ZeroDivisionError) else nullcontext():
        assert run_job(jobs, files, job, work, said.append).state == "interrupted"
    assert (jobs.get(job).state, jobs.get(job).sentence, said) == ("running", sentence, [sentence])
    assert (tmp_path / left).exists()
    done = run_job(jobs, files, job, lambda run: Left("model-1@x", "Fine."), said.append)
    assert (done.state, done.sentence) == ("done", "Fine.")
    assert not (tmp_path / "jobs/1/training.pt").exists()
    assert not (tmp_path / "jobs/1/cloud.json").exists()


def test_what_may_work_later_ends_no_job(jobs: Jobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(job: int) -> None:
        raise BUSY

    files, job = JobFiles(tmp_path), add(jobs)
    with monkeypatch.context() as patch:
        patch.setattr(jobs, "begin", busy)
        interrupted = run_job(jobs, files, job, lambda run: Left("", ""), lambda text: None)
    assert (interrupted.state, interrupted.sentence) == ("interrupted", "The database is busy.")
    assert run_job(jobs, files, job, lambda run: Left("model-1@x", "Fine."), lambda text: None).state == "done"


def test_a_cancelled_job_leaves_nothing_to_go_on_from(jobs: Jobs, tmp_path: Path) -> None:
    files, job = JobFiles(tmp_path), add(jobs)

    def work(run: Run) -> Left:
        files.run_file(job).touch()
        files.run_file(job).with_suffix(".part").touch()
        (files.start_checkpoint(job)).mkdir()
        raise CancelledError("Cancelled.")

    assert run_job(jobs, files, job, work, lambda text: None).state == "cancelled"
    assert [path.name for path in files.folder(job).iterdir() if path.name != "lock"] == []


def test_a_job_runs_once(jobs: Jobs, tmp_path: Path) -> None:
    files, job = JobFiles(tmp_path), add(jobs)

    def work(run: Run) -> Left:
        with pytest.raises(TrainingError, match="runs in another process already"):
            run_job(jobs, impatient(files), job, work, lambda text: None)
        return Left("model-1@x", "Fine.")

    done = run_job(jobs, files, job, work, lambda text: None)
    assert (done.state, done.candidate, done.sentence) == ("done", "model-1@x", "Fine.")
    with pytest.raises(TrainingError, match="is over: Fine"):
        run_job(jobs, files, job, work, lambda text: None)


def impatient(files: JobFiles) -> JobFiles:
    return replace(files, grab_s=0.1)
