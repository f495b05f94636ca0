"""`finetune`: what the button on the Train page starts. `models`: the models of the workspace, and which is live."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from fgdemo.commands.console import bar, speaker
from fgdemo.settings import Settings
from fgdemo.values.annotation import OWNER
from fgdemo.values.errors import SettingsError, TrainingError
from fgdemo.values.training import gold_has_changed

if TYPE_CHECKING:
    from fgdemo.learn.candidate.trial import Trial
    from fgdemo.services.training.run import GpuUse, Left, Run
    from fgdemo.services.training.trainings import Trainings


def finetune(arguments: argparse.Namespace, settings: Settings) -> dict[str, Any]:
    """Train the live model on the labels of the workspace, and leave a candidate with its verdict."""
    if arguments.snapshot:
        from fgdemo.commands.model.cloud import train_snapshot
        from fgdemo.model.devices import training_device

        return train_snapshot(arguments.snapshot, training_device(settings.device), speaker(arguments))
    return run_finetune(arguments, settings)


def run_finetune(arguments: argparse.Namespace, settings: Settings, trial: Trial | None = None) -> dict[str, Any]:
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

    say = speaker(arguments)
    engine = open_database(settings.database_url)
    jobs, files = Jobs(engine), JobFiles(settings.home)
    models = Models(engine, settings.home / "models", settings.checkpoint)
    number = arguments.job
    if number is None:
        changes = checked_changes(arguments)
        number = _training(settings).prepare(OWNER, arguments.preset).id
        if changes:
            write_durably(files.recipe(number), json.dumps(changes).encode())
        say(f"Trainings {number}, on the labels as they are now. Ctrl-C stops it; finetune --job {number} goes on.")

    def work(run: Run) -> Left:
        # torch and timm are imported while the job is known to live already
        from fgdemo.commands.model.candidate import make_candidate
        from fgdemo.learn.candidate.trial import Trial

        return make_candidate(run, settings, models, files, trial or Trial())

    with bar() as progress:
        job = run_job(jobs, files, number, work, say, listen=progress, gpu=gpu_use)
    if job.state == "failed":
        raise TrainingError(job.sentence)
    if job.state == "interrupted":
        raise TrainingError(f"{job.sentence} Nothing is lost: finetune --job {number} goes on.")
    return {"job": job.id, "state": job.state, "candidate": job.candidate, "sentence": job.sentence}


def checked_changes(arguments: argparse.Namespace) -> dict[str, Any]:
    """What --recipe changes, found to fit the preset. Raises TrainingError."""
    from fgdemo.learn.train.recipe import PRESETS, read_changes

    if arguments.recipe is None:
        return {}
    changes, preset = read_changes(arguments.recipe), PRESETS[arguments.preset]
    if bool(preset.changed(changes).epochs) != bool(preset.epochs):
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


def models(arguments: argparse.Namespace, settings: Settings) -> dict[str, Any]:
    """list, compare, promote, rollback, delete."""
    say, training = speaker(arguments), _training(settings)
    if arguments.action in ("compare", "promote", "delete") and not arguments.version:
        raise SettingsError(f"Which model? python -m fgdemo models {arguments.action} VERSION")
    if arguments.action == "promote":
        accepted = None if arguments.accept_loss is None else arguments.accept_loss / 100
        training.promote(OWNER, arguments.version, accepted)
    elif arguments.action == "compare":
        training.judge(OWNER, arguments.version)
    elif arguments.action == "rollback":
        training.roll_back(OWNER)
    elif arguments.action == "delete":
        training.delete(OWNER, arguments.version)
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
    if arguments.action in ("promote", "rollback"):
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
    from fgdemo.wiring.bootstrap import open_training

    return open_training(settings)
