"""A Trainings service in memory. It goes on only when a test says so, and keeps the rules of the real one."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from typing import Any

from fgdemo.services.labelling.explainer import Explanation
from fgdemo.services.training.now import LabelCounts, TrainingNow
from fgdemo.services.training.promotion import word_on
from fgdemo.storage.trainings.cloud_jobs import Flavour
from fgdemo.values.annotation import Person
from fgdemo.values.errors import HubError, TrainingError
from fgdemo.values.training import Check, Epoch, Job, KindChange, ModelVersion, PairChange, Preset, Stage, Verdict

CONFIGURED = "field-guide@c9b18786"
BEGAN = "2026-03-03T09:15:00+00:00"
OPEN = ("waiting", "running", "interrupted")
GOOD = Verdict(
    "better",
    "Better: 6.0 points more of the gold pictures are right, and nothing that was known is lost.",
    (
        Check("accuracy", True, "86.7 % became 92.7 % of 150 gold pictures."),
        Check("kinds", True, "No kind became clearly worse."),
        Check("forgetting", True, "The kinds known before stay at 95.1 %."),
        Check("calibration", True, "What it calls 80 % is right in 81 % of cases."),
        Check("maps", True, "Its maps point at what decides as well as before: 0.61 and 0.63."),
    ),
    150,
    (0.867, 0.807, 0.913),
    (0.927, 0.88, 0.96),
    (0.06, 0.013, 0.107),
    0.0225,
    kinds=(KindChange("mourning_warbler", 20, 12, 17), KindChange("eskimo_dog", 20, 19, 18)),
    pairs=(PairChange("nashville_warbler", "mourning_warbler", 40, 11, 4),),
    ece=(0.041, 0.032),
    maps=(0.61, 0.63),
    loss_limit=0.0,
)
WORSE = replace(
    GOOD,
    outcome="worse",
    sentence="Worse: 4.0 points fewer of the gold pictures are right.",
    checks=(
        Check("accuracy", False, "86.7 % became 82.7 % of 150 gold pictures."),
        Check("kinds", False, "Eskimo Dog fell from 19 to 11 of 20."),
        *GOOD.checks[2:],
    ),
    after=(0.827, 0.767, 0.887),
    difference=(-0.04, -0.093, 0.007),
    p_value=0.146,
    fixed=(),
    broken=(),
)


class FakeTraining:
    """Implements `fgdemo.services.training.trainings.Trainings`."""

    def __init__(self, labelled: int = 0, gold: int = 0) -> None:
        self.labelled, self.gold, self.has_val = labelled, gold, True
        self.jobs: list[Job] = []
        self.models = [
            ModelVersion(CONFIGURED, "live", BEGAN, metrics={"split": "val", "n": 2872, "top1": [0.93, 0.92, 0.939]})
        ]
        self.went_live = [CONFIGURED]
        self.promoting: Stage | None = None
        self.is_comparing = False
        self.gold_changed: dict[str, int] = {}
        """By version, how many gold labels have changed since its verdict."""
        self.device = "cpu"
        self.price: Flavour | HubError | None = None
        self.explain: Callable[[Person, str], Explanation] | None = None

    # --- what a test lets happen ----------------------------------------------------------------------------

    def change(self, **fields: Any) -> None:
        """The newest training, changed."""
        self.jobs[0] = replace(self.jobs[0], **fields)

    def run(self, epochs: int, of: int = 10) -> None:
        """Its process has finished this many epochs."""
        done = tuple(
            Epoch(
                "head" if i < 3 else "network",
                i + 1,
                of,
                1.9 * math.exp(-0.28 * i) + 0.31,
                0.94 - 0.17 * math.exp(-0.4 * i),
                41.0 + i % 3,
                {"labels": 1.2, "old model": 0.3},
                1e-3,
                74.0,
            )
            for i in range(epochs)
        )
        stage = Stage(f"epoch {epochs + 1} of {of}", 31, 62, 42.0 * (of - epochs), 2.1)
        self.change(state="running", started_at=BEGAN, stage=stage, epochs=done)

    def interrupt(self, sentence: str = "Its process ended unexpectedly.") -> None:
        self.change(state="interrupted", sentence=sentence)

    def finish(self, verdict: Verdict, state: Any = "done") -> str:
        """It leaves a candidate."""
        job = self.jobs[0]
        version = f"model-{job.id}@{job.id:08x}"
        verdict = replace(verdict, beside=verdict.beside or self.went_live[-1])
        self.change(state=state, candidate=version, sentence=verdict.sentence, ended_at=BEGAN)
        self.models.insert(
            0,
            ModelVersion(
                version,
                "candidate",
                BEGAN,
                job.parent,
                job.event,
                job.id,
                job.preset,
                verdict,
                {},
                14_200_000,
            ),
        )
        return version

    def swap(self) -> None:
        """The swap that was begun is over."""
        live = self.went_live[-1]
        self.promoting = None
        for at, model in enumerate(self.models):
            if model.version == live:
                self.models[at] = replace(model, state="live", promoted_at=BEGAN, promoted_by="mia")
            elif model.state == "live":
                self.models[at] = replace(model, state="retired")

    # --- what the page asks ---------------------------------------------------------------------------------

    def now(self, person: Person) -> TrainingNow:
        person.require("maintainer")
        live = next(model for model in self.models if model.state == "live")
        previous = self.went_live[-2] if len(self.went_live) > 1 else None
        val = self.labelled // 5 if self.has_val else 0
        estimates: dict[Preset, float] = {"quick": 280.0, "standard": 3300.0, "thorough": 15000.0}
        return TrainingNow(
            tuple(self.jobs),
            tuple(self.models),
            live.version,
            previous,
            LabelCounts(self.labelled - val, val, self.labelled // 2, self.labelled // 10, self.gold),
            self.device,
            estimates,
            self.promoting,
            is_comparing=self.is_comparing,
            gold_changed={model.version: self.gold_changed.get(model.version, 0) for model in self.models},
        )

    def offer(self, person: Person) -> Flavour | None:
        person.require("maintainer")
        if isinstance(self.price, HubError):
            raise self.price
        return self.price

    def start(self, person: Person, preset: Preset, hub_token: str | None = None) -> Job:
        person.require("maintainer")
        if self.jobs and self.jobs[0].state in OPEN:
            raise TrainingError("Another training is not over: wait for its end, or cancel it.")
        live = self.now(person).live
        self.jobs.insert(0, Job(len(self.jobs) + 1, "waiting", preset, person.name, live, 40, BEGAN, "cpu"))
        return self.jobs[0]

    def cancel(self, person: Person, job: int, hub_token: str | None = None) -> None:
        person.require("maintainer")
        if self.jobs[0].epochs and self.jobs[0].state == "running":
            self.finish(GOOD, "cancelled")
        else:
            self.change(state="cancelled", sentence="Cancelled, so nothing is left of it.")

    def resume(self, person: Person, job: int, hub_token: str | None = None) -> Job:
        person.require("maintainer")
        if self._job(job).state != "interrupted":
            raise TrainingError("Only a training that was interrupted can go on.")
        self.change(state="waiting", sentence="")
        return self.jobs[0]

    def log_tail(self, person: Person, job: int, lines: int = 40) -> str:
        person.require("maintainer")
        return f"training {self._job(job).id}\n<b>epoch</b> 1 of 10: loss 2.21"

    def promote(self, person: Person, version: str, accept_loss: float | None = None) -> ModelVersion:
        person.require("maintainer")
        model = self._model(version)
        verdict, live = model.verdict, self.went_live[-1]
        if not (verdict and verdict.is_beside(live)) or self.gold_changed.get(version):
            verdict = self.compare(person, live, version)
        word_on(person, version, verdict, accept_loss)
        self.went_live.append(version)
        self.promoting = Stage("looking at pictures", 40, 120)
        return model

    def judge(self, person: Person, version: str) -> None:
        person.require("maintainer")
        self.promoting, self.is_comparing = Stage(f"comparing {version} with {self.went_live[-1]}"), True

    def judged(self, version: str) -> None:
        """The comparison that was begun is over."""
        verdict = self.compare(Person("mia", "maintainer"), self.went_live[-1], version)
        self.models = [replace(one, verdict=verdict) if one.version == version else one for one in self.models]
        self.promoting, self.is_comparing = None, False
        self.gold_changed.pop(version, None)

    def roll_back(self, person: Person) -> ModelVersion:
        person.require("maintainer")
        if len(self.went_live) < 2:
            raise TrainingError("No other model was live before this one, so there is nothing to go back to.")
        self.went_live.pop()
        self.promoting = Stage("loading the model", 0, 1)
        return self._model(self.went_live[-1])

    def delete(self, person: Person, version: str) -> None:
        person.require("maintainer")
        if version in self.went_live[-2:]:
            raise TrainingError("The live model, the one before it, and the one of the settings are kept.")
        self.models.remove(self._model(version))

    def compare(self, person: Person, a: str, b: str) -> Verdict:
        person.require("maintainer")
        sentence = f"{self._model(b).version} is better than {self._model(a).version}."
        return replace(GOOD, sentence=sentence, beside=a)

    def maps(self, person: Person, image: str, version: str, candidate: str) -> dict[str, Any]:
        person.require("maintainer")
        self._model(version)
        self._model(candidate)
        if self.explain is None:
            raise TrainingError("Fake models explain nothing.")
        return asdict(self.explain(person, image))

    def card(self, person: Person, version: str) -> Mapping[str, Any]:
        person.require("maintainer")
        return {
            "name": self._model(version).version.partition("@")[0],
            "parent": self._model(version).parent,
            "backbone": {"name": "mobilenetv2_100"},
            "seed": 0,
            "data": {"train": 8595, "val": 2872},
            "taxonomy": [{"id": "bird", "parent": None}, {"id": "owl", "parent": "bird"}],
            "metrics": {"split": "val", "n": 2872, "top1": [0.93, 0.92, 0.939]},
            "head": {"scale": 9.0},
            "recipe": {"epochs": 10, "lr": 0.0004},
            "licences": ["Bird photographs: for research only"],
            "weights_sha256": "c9b18786c05fa137ac8e704d1ad86cb8ba1a0b6d1b882e5c7873c4d9388576c5",
        }

    def _job(self, job: int) -> Job:
        found = next((one for one in self.jobs if one.id == job), None)
        if found is None:
            raise TrainingError(f"There is no training {job}.")
        return found

    def _model(self, version: str) -> ModelVersion:
        found = next((one for one in self.models if one.version == version), None)
        if found is None:
            raise TrainingError(f"There is no model {version}: it may have been deleted.")
        return found
