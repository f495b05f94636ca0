"""The work of a training: from the labels as they were to a candidate that is whole on the disk, judged and listed."""

from __future__ import annotations

from fgdemo.bootstrap import Workspace, open_workspace
from fgdemo.commands.cloud import train_as_job
from fgdemo.learn.given import GivenPictures
from fgdemo.learn.live_classifier import embeddings_of, learned
from fgdemo.learn.trial import Trial
from fgdemo.model.classifier import Classifier, training_device
from fgdemo.services.training_run import Left, Run
from fgdemo.settings import Settings
from fgdemo.storage.cloud_jobs import PREFIX
from fgdemo.storage.database import open_database
from fgdemo.storage.job_files import JobFiles
from fgdemo.storage.looking import look_at_missing
from fgdemo.storage.models import Models
from fgdemo.storage.roster import Roster
from fgdemo.storage.taxa import TaxonStore


def make_candidate(run: Run, settings: Settings, models: Models, files: JobFiles, trial: Trial) -> Left:
    """Train on the labels that the job was given, judge the result beside the live model, and list it.

    The checkpoint is written whole or not at all, and listed last. What is judged is what lies on the disk.

    Raises:
        FgdemoError: there is too little to learn from, or something cannot be read or written.
    """
    job, name = run.job, f"model-{run.job.id}"
    run.progress("loading the model", 0, 1)
    in_cloud = job.device.startswith(PREFIX)
    device = training_device(settings.device) if in_cloud else job.device
    base = Classifier.load(models.folder(job.parent), device)
    engine = open_database(settings.database_url)
    workspace = open_workspace(settings, base, engine, Roster(engine, until=job.event))
    given = GivenPictures(workspace.images, files.read_labels(job.id), settings.max_picture_mp, run.progress)
    to_train = sum(one.split == "train" for one in given.labels)
    run.expect(to_train, len(given.labels) - to_train)
    taxonomy = given.classes(base.taxonomy.leaves, TaxonStore(engine).load())
    gone = [leaf for leaf in base.taxonomy.leaves if leaf not in taxonomy.leaf_index]
    if gone:
        run.say(f"Left out, because they were retired or became groups: {', '.join(gone)}.")
    if in_cloud:
        train_as_job(run, settings, files, models.folder(job.parent), given, taxonomy, models.root / name)
    else:
        trained = trial.train(
            base, given.corpus(base.data_config, taxonomy, run.say), job.preset, name=name,
            snapshot=files.training_snapshot(job.id), device=device, on_epoch=run.on_epoch, progress=run.progress,
            stop=run.stop, say=run.say,
        )  # fmt: skip
        run.progress("writing the checkpoint", 0, 1)
        trained.save(models.root / name)
    candidate = Classifier.load(models.root / name, device)
    live = Classifier.load(models.live_folder(), device)
    old_kinds = [leaf for leaf in live.taxonomy.leaves if leaf in taxonomy.leaf_index]
    verdict = trial.judge(
        _learned(run, settings, live, workspace), candidate, lambda config: given.gold(taxonomy, config), taxonomy,
        old_kinds, run.progress,
    )  # fmt: skip
    _look(run, settings, workspace, candidate, Roster(engine))
    models.register(
        candidate.version, name, parent=job.parent, event=job.event, job=job.id, preset=job.preset, verdict=verdict,
        metrics=dict(candidate.card.get("metrics") or {}),
    )  # fmt: skip
    files.training_snapshot(job.id).unlink(missing_ok=True)
    engine.dispose()
    return Left(candidate.version, verdict.sentence)


def _learned(run: Run, settings: Settings, live: Classifier, workspace: Workspace) -> Classifier:
    """The live model with all that it has learned by key from the labels up to the job's event."""
    _look(run, settings, workspace, live, workspace.roster)
    return learned(live, workspace.roster, embeddings_of(settings.home, live), TaxonStore(workspace.engine))


def _look(run: Run, settings: Settings, workspace: Workspace, classifier: Classifier, roster: Roster) -> None:
    """Have this classifier look at all pictures of the roster."""
    roster.follow()
    look_at_missing(
        embeddings_of(settings.home, classifier), workspace.images, roster.image_ids, classifier.look,
        settings.max_picture_mp, run.progress,
    )  # fmt: skip
