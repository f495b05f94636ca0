"""Trainings and the models of the workspace: what the Train page and the command line ask for."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from functools import partial
from typing import Any, get_args

from sqlalchemy.engine import Engine

from fgdemo.services.training.judging import Judging
from fgdemo.services.training.now import TrainingNow, estimates, label_counts
from fgdemo.services.training.process import COMMAND, Processes
from fgdemo.services.training.promotion import ModelRoom, word_on
from fgdemo.services.training.swap import Swap
from fgdemo.settings import Settings
from fgdemo.storage.database.database import utc_now
from fgdemo.storage.disk.strict_json import BadJsonError, read_object
from fgdemo.storage.history.roster import Roster
from fgdemo.storage.people.audit import Audit
from fgdemo.storage.trainings.cloud_jobs import PREFIX, Flavour, flavour_of
from fgdemo.storage.trainings.job_files import JobFiles
from fgdemo.storage.trainings.jobs import OPEN, Jobs
from fgdemo.storage.trainings.models import Models, Word
from fgdemo.values.annotation import Person
from fgdemo.values.errors import FgdemoError, TrainingError
from fgdemo.values.training import NO_VAL, Job, ModelVersion, Preset, Verdict


class Trainings:
    """Safe for many threads. Everything in it is for maintainers; others get a ForbiddenError.

    Args:
        device: the one that trainings use.
        trouble: what went wrong when the models were loaded.
        importing: whether an import runs, which looks at pictures with the model that is live.
        command: starts the process of a job, its number comes last.
    """

    def __init__(
        self,
        engine: Engine,
        roster: Roster,
        models: Models,
        room: ModelRoom,
        settings: Settings,
        *,
        device: str,
        trouble: str = "",
        importing: Callable[[], bool] = lambda: False,
        command: Sequence[str] = COMMAND,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._engine, self._models, self._room = engine, models, room
        self._device, self._swap = device, Swap(importing, trouble)
        self._jobs, self._files, self._audit = Jobs(engine, clock), JobFiles(settings.home), Audit(engine, clock)
        self._processes = Processes(self._jobs, self._files, settings, command, clock)
        self._roster = roster
        self._served = models.live
        self._judging = Judging(engine, roster, models, room)

    def now(self, person: Person) -> TrainingNow:
        """How everything stands; cheap enough to be asked every second."""
        person.require("maintainer")
        self._roster.follow()
        jobs = tuple(self._processes.seen(job) for job in self._jobs.newest())
        models, live = self._judging.all(), self._models.live
        event = next((model.event for model in models if model.version == live), 0)
        counts, stage = label_counts(self._roster, event), self._swap.stage
        return TrainingNow(
            jobs,
            models,
            live,
            previous=self._models.previous,
            counts=counts,
            device=self._device,
            estimates=estimates(jobs, self._device, counts.train, counts.val + counts.gold),
            promoting=stage,
            trouble=self._swap.trouble,
            is_comparing=stage is not None and self._swap.is_comparison,
            gold_changed={model.version: self._judging.gold_changed(model) for model in models},
        )

    def is_judging(self) -> bool:
        """Whether a training runs, or a model is judged anew: a verdict is still to come."""
        return self.is_swapping or any(self._processes.seen(job).state in OPEN for job in self._jobs.open())

    # --- jobs ---------------------------------------------------------------------------------------------

    def start(self, person: Person, preset: Preset, hub_token: str | None = None) -> Job:
        """Begin a training of the live model on the labels as they are now, in a process of its own.

        Args:
            hub_token: of the person, where a Hugging Face Job trains in their name; it goes to that process alone.

        Raises:
            TrainingError: another one is not over, there is no such preset, or there are no val pictures.
            StorageError: the labels could not be written down.
        """
        person.require("maintainer")
        self._processes.require_token(self._device, hub_token)
        job = self.prepare(person, preset, lambda other: self._processes.seen(other).state in OPEN)
        self._processes.start(job, hub_token)
        return job

    def offer(self, person: Person) -> Flavour | None:
        """The machine of Hugging Face that trains here, at its price of now; None where this machine does.

        Raises:
            HubError: the Hub cannot be asked, or has no such machine.
        """
        person.require("maintainer")
        if not self._device.startswith(PREFIX):
            return None
        return flavour_of(self._device.removeprefix(PREFIX))

    def prepare(self, person: Person, preset: Preset, hinders: Callable[[Job], bool] = lambda other: False) -> Job:
        """A job that waits, with the labels that it learns from on the disk, and no process yet. Raises as `start`."""
        person.require("maintainer")
        if preset not in get_args(Preset):
            raise TrainingError(f"There is no preset “{preset}”: choose {', '.join(get_args(Preset))}.")
        self._roster.follow()
        if not label_counts(self._roster, event=0).val:
            raise TrainingError(NO_VAL)
        job = self._jobs.add(preset, person.name, self._models.live, self._device, hinders)
        self._audit.note(person, "training", f"{job.id}: {preset}, from {job.parent}")
        then = Roster(self._engine, until=job.event)
        try:
            self._clear(job.id)  # a database that is no more may have had a training of this number
            then.follow()
            self._files.write_labels(job.id, then)
        except FgdemoError as error:
            self._jobs.end(job.id, "failed", str(error))
            raise
        return job

    def cancel(self, person: Person, job: int, hub_token: str | None = None) -> None:
        """Ask a job to stop: what it has learned until then becomes a candidate, unless Hugging Face trains.

        One without a process just ends; where its Hugging Face Job may run yet, a process is started that ends that.

        Raises:
            TrainingError: it is over already, or the person is not signed in with Hugging Face where that is needed.
        """
        person.require("maintainer")
        found = self._processes.seen(self._jobs.get(job))
        if found.state not in (*OPEN, "interrupted"):
            raise TrainingError(f"Training {job} is over already.")
        if found.state in OPEN:
            self._jobs.ask_to_stop(job)
        elif self._files.cloud_job(job).exists():
            self._processes.start_again(found, hub_token, to_stop=True)
        else:
            self._jobs.end(job, "cancelled", "Cancelled after its process had ended, so nothing is left of it.")
            self._clear(job)
        self._audit.note(person, "training", f"{job}: cancelled")

    def resume(self, person: Person, job: int, hub_token: str | None = None) -> Job:
        """Go on with an interrupted job from its last epoch. Raises TrainingError where it was not interrupted."""
        person.require("maintainer")
        return self._processes.start_again(self._jobs.get(job), hub_token)

    def log_tail(self, person: Person, job: int, lines: int = 40) -> str:
        """The end of a job's log."""
        person.require("maintainer")
        return self._files.log_tail(self._jobs.get(job).id, lines) or "The log of this training is empty."

    def clear_leftovers(self) -> None:
        """Remove what trainings have left that were killed and cannot go on."""
        begun = self._files.begun()  # first, or one that begins just now would look like one that is over
        going_on = {job.id for job in self._jobs.open()}
        for job in begun - going_on:
            self._files.clear(job)
        making = {f"model-{job}" for job in going_on}
        self._models.clear_leftovers(lambda name: name in making)

    def _clear(self, job: int) -> None:
        """Remove all that a training of this number could go on from."""
        self._files.clear(job)
        self._models.clear_leftovers(lambda name: name != f"model-{job}")

    # --- models -------------------------------------------------------------------------------------------

    def promote(self, person: Person, version: str, accept_loss: float | None = None) -> ModelVersion:
        """Begin to let a model go live: it looks at pictures that came in since, then it answers. `now` tells how far.

        A model counts as judged beside the one that is live now, by the gold labels as they are now. Where its verdict
        is another one it is compared first, and so is one that was live before: only `roll_back` needs no verdict.

        Args:
            accept_loss: the word of the maintainer for a model that is not proven to be no worse: the largest loss
                of accuracy, in [0, 1], that they take upon themself. It goes live if no larger one is open, and the
                record of who did what keeps both. A word never lets one go live that is proven worse in anything.

        Raises:
            TrainingError: its verdict forbids it, it is live already, or another swap or an import runs.
        """
        person.require("maintainer")
        model, live = self._models.get(version), self._models.live
        if model.state == "live":
            raise TrainingError(f"{version} is live already.")
        verdict = self._judging.standing(version, live)
        word: Word | None = word_on(person, version, verdict, accept_loss) if verdict else None
        until = 0

        def judge() -> None:
            nonlocal word, until
            found, until = self._judging.settled(version, live, self._swap.progress)
            word = word_on(person, version, found, accept_loss)

        self._swap.begin(
            judge,
            lambda: self._room.look_at_all(version, self._swap.progress),
            judge,  # gold may have changed while it looked
            lambda: self._models.promote(version, person.name, live, word, until),
            self._serve_live,
            lambda: word or self._audit.note(person, "model", f"{version}: live in place of {live}"),
        )
        return model

    def judge(self, person: Person, version: str) -> None:
        """Begin to compare a model with the live one by the gold labels as they are now; `now` tells how far, and has
        the verdict. Raises TrainingError where it is live, or another swap or an import runs."""
        person.require("maintainer")
        live = self._models.live
        if self._models.get(version).version == live:
            raise TrainingError(f"{version} is live already, so there is nothing to compare it with.")
        self._swap.begin(lambda: self._judging.again(version, live, self._swap.progress), is_comparison=True)

    def roll_back(self, person: Person) -> ModelVersion:
        """Begin to let the model that was live before answer again. Raises TrainingError as `promote`."""
        person.require("maintainer")
        live, version = self._models.live, self._models.previous
        if version is None:
            raise TrainingError("No other model was live before this one, so there is nothing to go back to.")

        def look() -> None:
            with contextlib.suppress(FgdemoError):  # whoever goes back needs that at once; what is missing comes later
                self._room.look_at_all(version, self._swap.progress)

        back = partial(self._models.roll_back, person.name, live)
        told = partial(self._audit.note, person, "model", f"{live}: rolled back to {version}")
        self._swap.begin(look, back, self._serve_live, told)
        return self._models.get(version)

    def delete(self, person: Person, version: str) -> None:
        """Remove a model for good. Raises TrainingError for one that is live, was so before, or is trained on."""
        person.require("maintainer")
        if any(self._processes.seen(job).parent == version for job in self._jobs.open()):
            raise TrainingError(f"A training starts from {version}: wait for its end, or cancel it.")
        with self._swap.idle():
            self._models.delete(version)
        self._audit.note(person, "model", f"{version}: deleted")
        self._room.forget(version)

    def compare(self, person: Person, a: str, b: str) -> Verdict:
        """b beside a on the gold pictures as they are now. Minutes the first time."""
        person.require("maintainer")
        return self._judging.compare(a, b)

    def maps(self, person: Person, image: str, version: str, candidate: str) -> dict[str, Any]:
        """The maps of a picture by one of two models, as the verdict on `candidate` has it, in the shape in which the
        Label page gets those of the learner."""
        person.require("maintainer")
        self._roster.follow()
        label = self._roster.standing(image).taxon
        return asdict(
            self._room.explain(image, self._models.get(version).version, label, self._models.get(candidate).version)
        )

    def card(self, person: Person, version: str) -> Mapping[str, Any]:
        """What a person may read about a model. Raises TrainingError if it cannot be read."""
        person.require("maintainer")
        try:
            return read_object((self._models.folder(version) / "card.json").read_bytes())
        except (OSError, BadJsonError) as error:
            raise TrainingError(f"The card of {version} cannot be read.") from error

    def follow(self) -> None:
        """Begin to serve the model that another process has let go live, where one has; cheap to be asked often."""
        if self._models.live != self._served:
            with contextlib.suppress(TrainingError):  # busy: the next time
                self._swap.begin(self._serve_live)

    def _serve_live(self) -> None:
        self._served = self._models.live  # also where it cannot be loaded, which is told once and not tried for ever
        self._swap.progress("loading the model", 0, 1)
        self._room.serve_live()

    @property
    def is_swapping(self) -> bool:
        """Whether another model is going live."""
        return self._swap.stage is not None

    def wait(self) -> None:
        """Until no swap runs."""
        self._swap.wait()
