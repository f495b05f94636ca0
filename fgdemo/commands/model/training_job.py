"""The work of a training: from the labels as they were to a candidate that is whole on the disk, judged and listed."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from fgdemo.commands.model.cloud import train_as_job
from fgdemo.learn.candidate.trial import NO_CHANGES, Trial
from fgdemo.learn.data.given import GivenPictures
from fgdemo.learn.live.live_classifier import embeddings_of, learned, members_besides, unlearned, without_gold
from fgdemo.learn.live.part_teacher import PartTeacher
from fgdemo.learn.train.recipe import read_changes
from fgdemo.model.checkpoint.folder import read_checkpoint
from fgdemo.model.checkpoint.load import load_classifier, save_classifier
from fgdemo.model.classifier import Classifier
from fgdemo.model.devices import training_device
from fgdemo.services.training.run import Left, Run
from fgdemo.settings import Settings
from fgdemo.storage.database.database import open_database
from fgdemo.storage.embeddings.looking import look_at_missing
from fgdemo.storage.history.points import PointLog
from fgdemo.storage.history.roster import Roster
from fgdemo.storage.history.taxa import TaxonStore
from fgdemo.storage.trainings.cloud_jobs import PREFIX
from fgdemo.storage.trainings.gold_marks import gold_marks
from fgdemo.storage.trainings.job_files import JobFiles
from fgdemo.storage.trainings.models import Models
from fgdemo.values.counting import counted
from fgdemo.values.errors import CheckpointError
from fgdemo.values.taxonomy import Taxonomy
from fgdemo.wiring.assembly import Workspace, open_workspace


def make_candidate(run: Run, settings: Settings, models: Models, files: JobFiles, trial: Trial) -> Left:
    """Train on the labels that the job was given, judge the result beside the live model, and list it.

    The checkpoint is written whole or not at all, and listed last. What is judged is what lies on the disk: where a
    process before has come as far as that, nothing is trained again.

    Raises:
        FgdemoError: there is too little to learn from, or something cannot be read or written.
    """
    job, name = run.job, f"model-{run.job.id}"
    run.progress("loading the model", 0, 1)
    in_cloud = job.device.startswith(PREFIX)
    device = training_device(settings.device) if in_cloud else job.device
    base = load_classifier(models.folder(job.parent), device)
    engine = open_database(settings.database_url)
    workspace = open_workspace(settings, base, engine, Roster(engine, until=job.event))
    given = GivenPictures(workspace.images, files.read_labels(job.id), settings.max_picture_mp, run.progress)
    to_train = sum(one.split == "train" for one in given.labels)
    run.expect(to_train, len(given.labels) - to_train)
    known = TaxonStore(engine).load()
    taxonomy = given.classes(base.taxonomy.leaves, known)
    gone = [leaf for leaf in base.taxonomy.leaves if leaf not in taxonomy.leaf_index]
    if gone:
        run.say(f"Left out, because they were retired or became groups: {', '.join(gone)}.")
    if _is_whole(models.root / name):
        run.say(f"{name} was trained before this process began.")
    else:
        start = _without_rejected(run, settings, workspace, base, given, taxonomy)
        if in_cloud:
            _train_in_cloud(run, settings, models, files, start, start is base, given, taxonomy, device, workspace)
        else:
            _train_here(run, models, files, trial, start, given, taxonomy, device, workspace)
    candidate = load_classifier(models.root / name, device)
    live = load_classifier(models.live_folder(), device)
    old_kinds = [leaf for leaf in live.taxonomy.leaves if leaf in taxonomy.leaf_index]
    verdict = trial.judge(
        _before(run, settings, live, workspace),
        candidate,
        lambda config: given.gold(taxonomy, config),
        taxonomy,
        old_kinds,
        run.progress,
    )
    verdict = replace(verdict, beside=live.version, gold=gold_marks(given.labels, known.leaf_index))
    _look(run, settings, workspace, candidate, Roster(engine))
    models.register(
        candidate.version,
        name,
        parent=job.parent,
        event=job.event,
        job=job.id,
        preset=job.preset,
        verdict=verdict,
        metrics=dict(candidate.card.get("metrics") or {}),
    )
    engine.dispose()
    ended = candidate.card.get("training_ended", "")  # by itself before its time, for instance because it diverged
    return Left(candidate.version, f"{ended} {verdict.sentence}".strip())


def _train_in_cloud(
    run: Run,
    settings: Settings,
    models: Models,
    files: JobFiles,
    start: Classifier,
    is_parent: bool,
    given: GivenPictures,
    taxonomy: Taxonomy,
    device: str,
    workspace: Workspace,
) -> None:
    """Points and their parts stay here: they are learned from once the network is back."""
    job, fetched = run.job, files.fetched(run.job.id)
    if not _is_whole(fetched):
        folder = models.folder(job.parent)
        if not is_parent:
            folder = files.start_checkpoint(job.id)
            save_classifier(start, folder)
        train_as_job(run, settings, files, folder, given, taxonomy, _changes(files, job.id), fetched)
    run.progress("writing the checkpoint", 0, 1)
    save_classifier(with_points(load_classifier(fetched, device), workspace), models.root / f"model-{job.id}")


def _train_here(
    run: Run,
    models: Models,
    files: JobFiles,
    trial: Trial,
    start: Classifier,
    given: GivenPictures,
    taxonomy: Taxonomy,
    device: str,
    workspace: Workspace,
) -> None:
    job, name = run.job, f"model-{run.job.id}"
    trained = trial.train(
        start,
        given.corpus(start.data_config, taxonomy, run.say),
        job.preset,
        name=name,
        run_file=files.run_file(job.id),
        device=device,
        on_epoch=run.on_epoch,
        progress=run.progress,
        stop=run.stop,
        say=run.say,
        changes=_changes(files, job.id),
    )
    run.progress("writing the checkpoint", 0, 1)
    save_classifier(with_points(trained, workspace), models.root / name)


def with_points(trained: Classifier, workspace: Workspace) -> Classifier:
    """With the parts that the points of the workspace teach, learned from anew: features may have moved."""
    taxa = TaxonStore(workspace.engine)
    teacher = PartTeacher(trained, PointLog(workspace.engine), workspace.roster, taxa, workspace.images)
    teacher.refresh()
    return teacher.taught(trained)


def _changes(files: JobFiles, job: int) -> Mapping[str, Any]:
    """What a person changed in the recipe."""
    return read_changes(files.recipe(job)) if files.recipe(job).exists() else NO_CHANGES


def _is_whole(folder: Path) -> bool:
    """Whether a checkpoint is there; one that a power cut has damaged is none."""
    with suppress(CheckpointError):
        read_checkpoint(folder)
        return True
    return False


def _without_rejected(
    run: Run, settings: Settings, workspace: Workspace, base: Classifier, given: GivenPictures, taxonomy: Taxonomy
) -> Classifier:
    """The base without what its head knows of pictures that nothing may learn from: those that are gold in this
    workspace, and those that experts took out. What is trained on is taken out by the training itself."""
    workspace.roster.follow()
    used = {one.image for one in given.used(taxonomy, ("train", "val"))}
    rejected = members_besides(base, workspace.roster, used)
    if not rejected:
        return base
    run.say(
        f"Taken out of {base.version}: {counted(len(rejected), 'picture')} that it has learned, gold or left out here."
    )
    embeddings = embeddings_of(settings.home, base)
    look_at_missing(embeddings, workspace.images, rejected, base.look, run.progress)
    return unlearned(base, workspace.roster, embeddings, rejected)


def _before(run: Run, settings: Settings, live: Classifier, workspace: Workspace) -> Classifier:
    """What the candidate is put beside: a training beside the live model with all that it has learned by key from the
    labels up to the job's event, the head alone beside what visitors have."""
    _look(run, settings, workspace, live, workspace.roster)
    embeddings = embeddings_of(settings.home, live)
    if run.job.preset == "head":
        return without_gold(live, workspace.roster, embeddings)
    return learned(live, workspace.roster, embeddings, TaxonStore(workspace.engine))


def _look(run: Run, settings: Settings, workspace: Workspace, classifier: Classifier, roster: Roster) -> None:
    """Have this classifier look at all pictures of the roster."""
    roster.follow()
    look_at_missing(
        embeddings_of(settings.home, classifier), workspace.images, roster.image_ids, classifier.look, run.progress
    )
