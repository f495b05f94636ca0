"""Both ends of a training that runs as a Hugging Face Job; `fgdemo.storage.trainings.cloud_jobs` is the way between
them."""

import json
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from fgdemo.learn.candidate.trial import Trial
from fgdemo.learn.data.given import GivenPictures
from fgdemo.model.checkpoint.load import load_classifier, save_classifier
from fgdemo.services.training.run import NOT_KEPT_THERE, CancelledError, Run
from fgdemo.settings import Settings
from fgdemo.storage.disk.strict_json import read_object
from fgdemo.storage.disk.unfinished import held_folder
from fgdemo.storage.pictures.originals import ImageStore
from fgdemo.storage.trainings import cloud_jobs
from fgdemo.storage.trainings.job_files import GivenLabel, JobFiles
from fgdemo.values.errors import HubError, StorageError, TrainingError
from fgdemo.values.limits import CHECKPOINT_FILES
from fgdemo.values.taxonomy import Taxonomy
from fgdemo.values.training import Epoch

SENDING, STARTING, FETCHING = "sending the pictures", "waiting for a machine", "fetching the model"


def train_as_job(
    run: Run,
    settings: Settings,
    files: JobFiles,
    base: Path,
    given: GivenPictures,
    taxonomy: Taxonomy,
    changes: Mapping[str, Any],
    out: Path,
) -> None:
    """Have the job train by its preset with these changes, and put what it learns into the folder `out`, whole or not.

    A job that a process before has begun is followed. It is left to the next process by whatever ends this one, unless
    the training itself ends by that: then the job ends, too.

    Raises:
        TrainingError: this is no Space, or the job failed.
        CancelledError: somebody has cancelled it; the job is cancelled too.
        HubError: the Hub refuses, or is away.
        StorageError: what is to be learned from could not be written.
    """
    flavour = run.job.device.removeprefix(cloud_jobs.PREFIX)
    where = files.cloud_job(run.job.id)
    job = cloud_jobs.begun_before(where)
    if job is not None and not job.job:  # the process was killed while it sent the pictures
        if left := cloud_jobs.end(job, where):
            run.say(left)
        job = None
    if job is None:
        if not settings.space:
            raise TrainingError("FGDEMO_JOBS trains with the image of the Space that asks, and this is no Space.")
        run.progress(SENDING, 0, 1)
        archive = files.folder(run.job.id) / cloud_jobs.ARCHIVE
        try:
            _write_archive(archive, base, given, taxonomy, run.job.preset, changes)
            job = cloud_jobs.begin(archive, run.job.preset, flavour, settings.space, where)
        finally:
            archive.unlink(missing_ok=True)
        run.say(f"job {job.job} of {job.namespace} on Hugging Face, {flavour}")
    try:
        run.progress(STARTING, 0, 1)
        if not cloud_jobs.follow(job, lambda message: _tell(run, message), run.stop, run.say):
            raise CancelledError(NOT_KEPT_THERE)
        run.progress(FETCHING, 0, 1)
        _fetch(job, out)
    except TrainingError:  # it failed, or somebody has cancelled it
        cloud_jobs.end(job, where)
        raise
    cloud_jobs.end(job, where)


def train_snapshot(repo: str, device: str, say: Callable[[str], None]) -> dict[str, Any]:
    """What the job does: learn from the archive in `repo`, and put the candidate beside it. Raises FgdemoError."""
    with tempfile.TemporaryDirectory(prefix="fgdemo-job-") as name:
        folder = Path(name)
        with zipfile.ZipFile(cloud_jobs.get_archive(repo, folder)) as archive:
            archive.extractall(folder)  # no name leads out of it: zipfile sees to that
        asked = read_object((folder / "asked.json").read_bytes())
        base = load_classifier(folder / "checkpoint", device)
        labels = [GivenLabel(**one) for one in asked["labels"]]
        given = GivenPictures(ImageStore(folder / "pictures"), labels, asked["max_picture_mp"], _progress(say))
        taxonomy = Taxonomy.from_json(asked["taxonomy"])

        def on_epoch(epoch: Epoch) -> None:
            say(cloud_jobs.epoch_message(epoch))

        trained = Trial().train(
            base,
            given.corpus(base.data_config, taxonomy, say),
            asked["preset"],
            name="candidate",
            run_file=folder / "training.pt",
            device=device,
            on_epoch=on_epoch,
            progress=_progress(say),
            stop=lambda: False,
            say=say,
            changes=asked["recipe"],
        )
        save_classifier(trained, folder / "candidate")
        cloud_jobs.put_candidate(repo, folder / "candidate")
    say("The candidate is there.")
    return {"repo": repo, "candidate": cloud_jobs.CANDIDATE}


def _write_archive(
    archive: Path, base: Path, given: GivenPictures, taxonomy: Taxonomy, preset: str, changes: Mapping[str, Any]
) -> None:
    """Without the gold pictures: no machine that trains ever has them."""
    used = [one for one in given.labels if one.split in ("train", "val") and one.taxon in taxonomy.leaf_index]
    asked = {
        "preset": preset,
        "recipe": dict(changes),
        "taxonomy": taxonomy.to_json(),
        "max_picture_mp": given.max_picture_mp,
        "labels": [{"image": o.image, "taxon": o.taxon, "split": o.split, "checked": o.checked} for o in used],
    }
    try:
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as file:
            file.writestr("asked.json", json.dumps(asked))
            for name in CHECKPOINT_FILES:
                file.write(base / name, f"checkpoint/{name}")
            for one in used:
                if one.image in given.images:
                    file.write(given.images.path(one.image), f"pictures/originals/{one.image[:2]}/{one.image}")
    except OSError as error:
        raise StorageError(f"What is to be learned from could not be written ({error.strerror}).") from error


def _fetch(job: cloud_jobs.CloudJob, out: Path) -> None:
    """Beside its place, then renamed; whoever loads it checks it, as any checkpoint of a stranger."""
    try:
        with held_folder(out.parent, f".{out.name}-") as folder:
            cloud_jobs.fetch(job, folder)
            shutil.rmtree(folder / ".fetched", ignore_errors=True)
            if out.exists():
                shutil.rmtree(out)
            folder.rename(out)
    except OSError as error:
        raise HubError(f"The candidate could not be fetched ({error.strerror or type(error).__name__}).") from error


def _tell(run: Run, message: dict[str, Any]) -> None:
    if "epoch" in message:
        epoch = Epoch(**message["epoch"])
        if epoch.number > len(run.job.epochs):  # those before were told to a process that was killed
            run.on_epoch(epoch)
    else:
        run.progress(str(message["stage"]), int(message["done"]), int(message["of"]))


def _progress(say: Callable[[str], None]) -> Callable[[str, int, int], None]:
    """Says each stage, and every tenth of it."""
    told: dict[str, int] = {}

    def progress(what: str, done: int, of: int) -> None:
        tenth = 10 * done // max(of, 1)
        if told.get(what) != tenth:
            told[what] = tenth
            say(cloud_jobs.stage_message(what, done, of))

    return progress
