"""A workspace of drawn birds with a tiny network as its checkpoint, for trainings in processes of their own."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from fgdemo.model.checkpoint.load import load_classifier, save_classifier
from fgdemo.model.classifier import Classifier
from fgdemo.services.training.trainings import Trainings
from fgdemo.settings import Settings
from fgdemo.specimens import SPECIES, draw_specimen
from fgdemo.storage.database.database import open_database
from fgdemo.storage.exchange.intake import Intake
from fgdemo.storage.history.roster import Roster
from fgdemo.storage.pictures.originals import ImageStore
from fgdemo.values.annotation import Person
from fgdemo.values.labelled import LabelledPicture, SourceSplit
from fgdemo.values.training import Job
from fgdemo.wiring.assembly import Workspace, open_models, open_workspace
from fgdemo.wiring.model_room import ModelRoom
from tests.support.tiny import tiny_fit
from tests.support.tiny_job import TinyTrial

MAINTAINER = Person("mo", "maintainer")
SPLITS: tuple[SourceSplit, ...] = ("train", "train", "val", "test")
TINY_JOB = (sys.executable, "-m", "tests.support.tiny_job", "--job")


def settings_of(home: Path) -> Settings:
    url = f"sqlite:///{home / 'fgdemo.sqlite'}"
    return Settings(
        home=home, checkpoint=home / "tiny", database_url=url, device="cpu", max_upload_mb=2, max_picture_mp=60
    )


def make_tiny_home(home: Path) -> None:
    """A checkpoint of drawn birds, and four pictures a species: two to train on, one val, one gold."""
    settings = settings_of(home)
    save_classifier(tiny_fit(per_class=4).classifier, settings.checkpoint)
    classifier = load_classifier(settings.checkpoint)
    workspace = open_workspace(settings, classifier)
    take_in(workspace, classifier, [bird(row, column) for row in range(len(SPECIES)) for column in range(4)])
    workspace.engine.dispose()


def take_in(workspace: Workspace, classifier: Classifier, pictures: Sequence[LabelledPicture]) -> None:
    """Into a workspace; to an untrained network all are alike, so that none counts as a twin."""
    intake = Intake(
        workspace.engine,
        workspace.images,
        workspace.roster,
        workspace.embeddings,
        classifier.look,
        are_twins=lambda bits, likeness: bits < 0,
    )
    intake.take_in(pictures, "1", has_splits=True)


def bird(row: int, column: int) -> LabelledPicture:
    species = SPECIES[row]
    file = io.BytesIO()
    draw_specimen(species, 77_000 + 100 * row + column, 64).picture.save(file, "PNG")
    split = SPLITS[column % len(SPLITS)]
    return LabelledPicture(f"{species.id}-{column}.png", species.id, split, partial(bytes, file.getvalue()))


def open_tiny_training(
    home: Path, renew: Callable[[], None] = lambda: None, command: tuple[str, ...] = TINY_JOB
) -> Trainings:
    """The service as a page that was just started has it."""
    settings = settings_of(home)
    engine = open_database(settings.database_url)
    models, roster = open_models(settings, engine), Roster(engine)
    room = ModelRoom(settings, engine, roster, ImageStore(home / "pictures"), models, renew, TinyTrial())
    return Trainings(engine, roster, models, room, settings, device="cpu", command=command)


def job_now(training: Trainings, job: int) -> Job:
    return next(one for one in training.now(MAINTAINER).jobs if one.id == job)
