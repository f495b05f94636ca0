"""`finetune`: what the button on the Train page starts. `models`: the models of the workspace, and which is live."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from typer import Argument, Option

from fgdemo.commands.console import RECIPE_HELP, Say, bar, quiet, settled
from fgdemo.values.annotation import OWNER
from fgdemo.values.errors import SettingsError, TrainingError
from fgdemo.values.training import Preset, gold_has_changed

if TYPE_CHECKING:
    from fgdemo.learn.candidate.trial import Trial
    from fgdemo.services.training.run import GpuUse, Left, Run
    from fgdemo.services.training.trainings import Trainings
    from fgdemo.settings import Settings


def finetune(
    *,
    preset: Annotated[Preset, Option(help="how thorough")] = "quick",
    recipe: Annotated[Path | None, Option(metavar="FILE", help=RECIPE_HELP)] = None,
    job: Annotated[int | None, Option(metavar="ID", help="run, or go on with, a training that was asked for")] = None,
    snapshot: Annotated[
        str | None, Option(metavar="OWNER/NAME", help="what a Hugging Face Job runs: train on a data set")
    ] = None,
    settings: Settings | None = None,
    say: Say = quiet,
) -> dict[str, Any]:
    """Train the live model on the labels of the workspace, and judge it.

    It leaves a candidate with its verdict.
    """
    settings = settled(settings)
    if snapshot:
        from fgdemo.commands.model.cloud import train_snapshot
        from fgdemo.model.devices import training_device

        return train_snapshot(snapshot, training_device(settings.device), say)
    return run_finetune(settings, preset=preset, recipe=recipe, job=job, say=say)


def run_finetune(
    settings: Settings,
    *,
    preset: Preset = "quick",
    recipe: Path | None = None,
    job: int | None = None,
    say: Say = quiet,
    trial: Trial | None = None,
) -> dict[str, Any]:
    """`finetune`, with other heavy steps where a test brings them.

    Raises:
        TrainingError: it failed, or was interrupted; the sentence says why. It is in the database, too.
    """
    from fgdemo.services.training.run import run_job
    from fgdemo.storage.database.database import open_database
    from fgdemo.storage.disk.durable import write_durably
    from fgdemo.storage.trainings.job_files import JobFiles
    from fgdemo.storage.trainings.jobs import Jobs
    from fgdemo.storage.trainings.models import Models

    engine = open_database(settings.database_url)
    jobs, files = Jobs(engine), JobFiles(settings.home)
    models = Models(engine, settings.home / "models", settings.checkpoint)
    number = job
    if number is None:
        changes = checked_changes(recipe, preset)
        number = _training(settings).prepare(OWNER, preset).id
        if changes:
            write_durably(files.recipe(number), json.dumps(changes).encode())
        say(f"Training {number}, on the labels as they are now. Ctrl-C stops it; finetune --job {number} goes on.")

    def work(run: Run) -> Left:
        # torch and timm are imported while the job is known to live already
        from fgdemo.commands.model.training_job import make_candidate
        from fgdemo.learn.candidate.trial import Trial

        return make_candidate(run, settings, models, files, trial or Trial())

    with bar() as progress:
        done = run_job(jobs, files, number, work, say, listen=progress, gpu=gpu_use)
    if done.state == "failed":
        raise TrainingError(done.sentence)
    if done.state == "interrupted":
        raise TrainingError(f"{done.sentence} Nothing is lost: finetune --job {number} goes on.")
    return {"job": done.id, "state": done.state, "candidate": done.candidate, "sentence": done.sentence}


def checked_changes(file: Path | None, preset: Preset) -> dict[str, Any]:
    """What --recipe changes, found to fit the preset. Raises TrainingError."""
    from fgdemo.learn.train.recipe import PRESETS, read_changes

    if file is None:
        return {}
    changes, recipe = read_changes(file), PRESETS[preset]
    if bool(recipe.changed(changes).epochs) != bool(recipe.epochs):
        raise TrainingError("Whether the network is trained is for --preset to say: head has no epochs, the others do.")
    return changes


def gpu_use() -> GpuUse:
    """What this process holds of the GPU, and how busy that is; empty before torch was imported, or without one."""
    import sys

    from fgdemo.services.training.run import GpuUse

    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return GpuUse()
    memory_gib = round(torch.cuda.memory_reserved() / 2**30, 2)
    try:
        return GpuUse(memory_gib, torch.cuda.utilization() / 100)
    except (ImportError, RuntimeError):  # NVIDIA's library is not there
        return GpuUse(memory_gib)


def models(
    action: Annotated[Literal["list", "compare", "promote", "rollback", "delete"], Argument(metavar="ACTION")] = "list",
    version: Annotated[str | None, Argument(metavar="VERSION")] = None,
    *,
    accept_loss: Annotated[
        float | None,
        Option(
            metavar="POINTS",
            help="promote: your word for a model that is not proven to be no worse, if at most this loss is open",
        ),
    ] = None,
    settings: Settings | None = None,
    say: Say = quiet,
) -> dict[str, Any]:
    """List the models of the workspace; judge one anew, let one go live, or go back."""
    training = _training(settled(settings))
    if action in ("compare", "promote", "delete") and not version:
        raise SettingsError(f"Which model? python -m fgdemo models {action} VERSION")
    version = version or ""
    if action == "promote":
        training.promote(OWNER, version, None if accept_loss is None else accept_loss / 100)
    elif action == "compare":
        training.judge(OWNER, version)
    elif action == "rollback":
        training.roll_back(OWNER)
    elif action == "delete":
        training.delete(OWNER, version)
    training.wait()
    now = training.now(OWNER)
    if now.trouble:
        raise TrainingError(now.trouble)
    for model in now.models:
        told = f": {model.verdict.sentence}" if model.verdict else ""
        changed = now.gold_changed.get(model.version) if model.state != "live" else None
        if changed:
            told += f" {gold_has_changed(changed)} Compare again: python -m fgdemo models compare {model.version}"
        say(f"{model.state:9s} {model.version}{told}")
    if action in ("promote", "rollback"):
        say(f"{now.live} is live. A server that runs takes it by itself in a moment.")
    listed = [
        {
            "version": one.version,
            "state": one.state,
            "outcome": one.verdict.outcome if one.verdict else None,
            "gold_changed": now.gold_changed.get(one.version),
        }
        for one in now.models
    ]
    return {"live": now.live, "models": listed}


def _training(settings: Settings) -> Trainings:
    """The Trainings service without a page: what goes live is served by whoever starts next."""
    from fgdemo.wiring.assembly import open_training

    return open_training(settings)
