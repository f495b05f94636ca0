"""A model that has learned pictures which are gold or left out in this workspace forgets them before it trains."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fgdemo.commands.model.training_job import make_candidate
from fgdemo.model.checkpoint.load import load_classifier, save_classifier
from fgdemo.model.classifier import Classifier
from fgdemo.model.head import RidgeHead
from fgdemo.services.training.run import run_job
from fgdemo.storage.database.database import open_database
from fgdemo.storage.history.events import EventLog
from fgdemo.storage.history.label_event import LabelEvent
from fgdemo.storage.history.roster import SPLITS
from fgdemo.storage.trainings.job_files import JobFiles
from fgdemo.storage.trainings.jobs import Jobs
from fgdemo.values.training import Job, Preset, Verdict
from fgdemo.wiring.assembly import open_models, open_workspace
from tests.support.tiny_job import TinyTrial
from tests.support.trainings import MAINTAINER, make_tiny_home, open_tiny_training, settings_of


class Witness(TinyTrial):
    """Remembers what a training began from."""

    def __init__(self) -> None:
        super().__init__()
        self.base: Classifier | None = None
        self.before: Classifier | None = None

    def train(self, base: Classifier, *args: Any, **options: Any) -> Classifier:
        self.base = base
        return super().train(base, *args, **options)

    def judge(self, before: Classifier, *args: Any, **options: Any) -> Verdict:
        self.before = before
        return super().judge(before, *args, **options)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A workspace all of whose pictures its model has learned, gold ones too."""
    made = tmp_path / "home"
    made.mkdir()
    make_tiny_home(made)
    settings = settings_of(made)
    classifier = load_classifier(settings.checkpoint)
    workspace = open_workspace(settings, classifier)
    roster = workspace.roster
    roster.follow()
    rows = np.arange(len(roster))
    vectors = workspace.embeddings.vectors(workspace.embeddings.rows_of(roster.image_ids.raw(rows)))
    columns = np.array(
        [classifier.taxonomy.leaf_index[roster.taxa[int(taxon)]] for taxon in roster.taxon[rows].tolist()]
    )
    head = RidgeHead.fit(vectors, columns, len(classifier.taxonomy.leaves))
    head = replace(head, members=roster.image_ids.words(rows, 0), member_classes=columns.astype(np.int16))
    workspace.engine.dispose()
    shutil.rmtree(settings.checkpoint)
    save_classifier(replace(classifier, head=head), settings.checkpoint)
    return made


def trained(home: Path, trial: TinyTrial, preset: Preset = "quick") -> Job:
    settings = settings_of(home)
    engine = open_database(settings.database_url)
    job = open_tiny_training(home).prepare(MAINTAINER, preset).id
    models, files = open_models(settings, engine), JobFiles(home)
    return run_job(
        Jobs(engine), files, job, lambda run: make_candidate(run, settings, models, files, trial), lambda text: None
    )


def test_gold_pictures_and_those_that_experts_took_out_are_forgotten(home: Path) -> None:
    settings, trial = settings_of(home), Witness()
    workspace = open_workspace(settings, load_classifier(settings.checkpoint))
    roster = workspace.roster
    roster.follow()
    train = np.flatnonzero(roster.split[: len(roster)] == SPLITS.index("train"))
    gold = np.flatnonzero(roster.split[: len(roster)] == SPLITS.index("gold"))
    unusable = int(train[0])
    image = roster.image_ids[unusable]
    EventLog(workspace.engine).append(LabelEvent(image, "unusable", "ada", shown_version=int(roster.version[unusable])))
    before = load_classifier(settings.checkpoint).head

    assert trained(home, trial).state == "done"

    assert trial.base is not None
    after = trial.base.head
    gone = roster.image_ids.words(np.append(gold, unusable), 0)
    assert len(gone) == 7
    assert set(before.members.tolist()) - set(after.members.tolist()) == set(gone.tolist())
    assert after.counts.sum() == pytest.approx(before.counts.sum() - 7)
    stay = ~np.isin(before.members, gone)
    vectors = workspace.embeddings.vectors(
        [workspace.embeddings.rows[roster.image_ids[row]] for row in np.flatnonzero(stay).tolist()]
    )
    as_if = replace(before, gram=np.zeros_like(before.gram), moment=np.zeros_like(before.moment))
    kept = as_if.with_pictures(vectors, before.member_classes[stay])
    np.testing.assert_allclose(after.gram, kept.gram, atol=1e-4)
    np.testing.assert_allclose(after.moment, kept.moment, atol=1e-4)
    workspace.engine.dispose()


def test_the_head_alone_stands_beside_a_model_that_does_not_know_the_gold_pictures(home: Path) -> None:
    trial = Witness()
    assert trained(home, trial, "head").state == "done"
    live = load_classifier(settings_of(home).checkpoint).head
    assert trial.before is not None
    assert len(live.members) - len(trial.before.head.members) == 6
    assert trial.before.head.counts.sum() == pytest.approx(live.counts.sum() - 6)


def test_a_model_that_has_learned_none_of_them_stays_as_it_is(tmp_path: Path) -> None:
    home, trial = tmp_path / "home", Witness()
    home.mkdir()
    make_tiny_home(home)
    assert trained(home, trial).state == "done"
    assert trial.base is not None
    np.testing.assert_array_equal(trial.base.head.gram, load_classifier(settings_of(home).checkpoint).head.gram)
