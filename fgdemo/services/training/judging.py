"""Which verdicts still count: those beside the model that is live, by the gold labels as they are now."""

import threading
from dataclasses import replace

from sqlalchemy.engine import Engine

from fgdemo.services.training.promotion import ModelRoom
from fgdemo.storage.history.roster import Roster
from fgdemo.storage.history.taxa import TaxonStore
from fgdemo.storage.trainings.gold_marks import changed_labels, gold_marks
from fgdemo.storage.trainings.job_files import given_labels
from fgdemo.storage.trainings.models import Models
from fgdemo.values.errors import TrainingError
from fgdemo.values.progress import Progress
from fgdemo.values.training import ModelVersion, Verdict


class Judging:
    """Safe for many threads."""

    def __init__(self, engine: Engine, roster: Roster, models: Models, room: ModelRoom) -> None:
        self._engine, self._roster, self._models, self._room = engine, roster, models, room
        self._lock = threading.Lock()
        self._compared: dict[tuple[str, str, int], Verdict] = {}
        self._kept: dict[str, Verdict] = {}
        """On the model of the settings, which is on no list that could keep a verdict."""
        self._marks: tuple[int, tuple[str, ...]] = (-1, ())

    def all(self) -> tuple[ModelVersion, ...]:
        """The models, newest first."""
        return tuple(self._with_kept(model) for model in self._models.all())

    def model(self, version: str) -> ModelVersion:
        """Raises TrainingError if there is no such model."""
        return self._with_kept(self._models.get(version))

    def compare(self, a: str, b: str) -> Verdict:
        """b beside a on the gold pictures as they are now. Minutes the first time."""
        self._roster.follow()
        key = (self._models.get(a).version, self._models.get(b).version, self._roster.event)
        with self._lock:
            if key not in self._compared:
                self._compared[key] = self._room.compare(a, b)
            return self._compared[key]

    def gold_changed(self, model: ModelVersion) -> int | None:
        """How many gold labels have changed since its verdict; None where it has none, or that does not say by which
        gold labels it was made. Cheap to be asked often; the roster has followed."""
        if model.verdict is None or model.verdict.gold is None:
            return None
        if self._marks[0] != self._roster.event:
            self._marks = (self._roster.event, self._marks_now())
        return changed_labels(model.verdict.gold, self._marks[1])

    def standing(self, version: str, live: str) -> Verdict | None:
        """The verdict on this model if it counts: beside the live one, by the gold labels of now."""
        verdict = self.model(version).verdict
        if verdict is None or not verdict.is_beside(live) or verdict.gold is None:
            return None
        self._roster.follow()
        return None if changed_labels(verdict.gold, self._marks_now()) else verdict

    def again(self, version: str, live: str, progress: Progress) -> Verdict:
        """A new verdict on this model beside the live one, which is kept: so the page shows what there is to read."""
        progress(f"comparing {version} with {live}", 0, 0)
        found = self.compare(live, version)
        if not self._models.rejudge(version, found):
            self._kept[version] = found
        return found

    def settled(self, version: str, live: str, progress: Progress) -> tuple[Verdict, int]:
        """The verdict that counts, made anew where none does, and the number of the event up to which it counts.

        Raises:
            TrainingError: gold was changed while the models were compared.
        """
        self._roster.follow()
        event = self._roster.event
        verdict = self.standing(version, live)
        if verdict is None:
            self.again(version, live, progress)
            self._roster.follow()
            event = self._roster.event
            verdict = self.standing(version, live)
        if verdict is None:
            raise TrainingError(
                f"Gold labels were changed while {version} was compared with {live}, so that says too little: try "
                "again when nobody works on them."
            )
        return verdict, event

    def _marks_now(self) -> tuple[str, ...]:
        kinds = TaxonStore(self._engine).load().leaf_index
        return gold_marks(given_labels(self._roster, only="gold"), kinds)

    def _with_kept(self, model: ModelVersion) -> ModelVersion:
        kept = self._kept.get(model.version) if model.verdict is None else None
        return replace(model, verdict=kept) if kept else model
