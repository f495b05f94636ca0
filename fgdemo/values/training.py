"""The values of training that travel between the floors: how a training goes, and whether its model may go live."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from fgdemo.values.counting import counted

Interval = tuple[float, float, float]
"""(mean, low, high) with 95 % limits."""

Preset = Literal["head", "quick", "standard", "thorough"]
"""head: the network stays as it is, and what was learned by key is for all; quick: minutes on a CPU; standard: an hour
on a CPU or minutes on a GPU; thorough: for a GPU."""


@dataclass(frozen=True)
class Length:
    """How many epochs, and on how large pictures; what an epoch costs goes with the square of that."""

    epochs: int
    train_px: int


LENGTHS: Mapping[Preset, Length] = {
    "head": Length(0, 160),
    "quick": Length(6, 160),
    "standard": Length(15, 192),
    "thorough": Length(30, 224),
}
"""Here and not with the recipes, because the page tells how long they take without loading torch."""

NO_VAL = (
    "A training keeps what does best on held-out (val) pictures, and none of the labelled ones is held out. "
    "Label more: of what comes without splits a tenth is. Or bring in labelled pictures with a “val” folder."
)

JobState = Literal["waiting", "running", "done", "cancelled", "failed", "interrupted"]
"""interrupted: its process is gone; it can go on from its last epoch. done and cancelled may have left a candidate."""

ModelState = Literal["candidate", "live", "retired"]
"""retired: it was live once, and can be rolled back to."""

Outcome = Literal["better", "not worse", "worse", "unproven"]
"""unproven: there are too few gold pictures to judge by."""


@dataclass(frozen=True)
class Epoch:
    """What one epoch did.

    Attributes:
        phase: head (the classifier alone, on features as they are) or network (all layers).
        number, of: 1, 2, … over all phases.
        loss: nats a picture; `losses` are its terms, by name, as they were added up.
        val_top1: in [0, 1]; None without held-out pictures.
        lr: of the backbone at the end of the epoch (of the head in phase head).
    """

    phase: Literal["head", "network"]
    number: int
    of: int
    loss: float
    val_top1: float | None
    elapsed_s: float
    losses: Mapping[str, float] = field(default_factory=dict[str, float])
    lr: float = 0.0
    images_per_s: float = 0.0


@dataclass(frozen=True)
class Stage:
    """Where a job is now.

    Attributes:
        name: what is being done, in a person's words ("epoch 3 of 10").
        done, of: how far that is.
        left_s: how long the whole job is likely to take still; None where nothing can be said yet.
        memory_gib: resident memory of the job's process. The others are None without a GPU.
    """

    name: str = "waiting"
    done: int = 0
    of: int = 0
    left_s: float | None = None
    memory_gib: float = 0.0
    gpu_memory_gib: float | None = None
    gpu_busy: float | None = None


@dataclass(frozen=True)
class Job:
    """One training, from the press of the button to its end.

    Attributes:
        event: the label log up to this event is what it learns from, whatever is said meanwhile.
        parent: the model version that it starts from.
        sentence: how it ended, why it was interrupted, or what it waits for; empty while it runs.
        candidate: the model version it has left.
    """

    id: int
    state: JobState
    preset: Preset
    asked_by: str
    parent: str
    event: int
    created_at: str
    device: str
    started_at: str | None = None
    ended_at: str | None = None
    stage: Stage = Stage()
    epochs: tuple[Epoch, ...] = ()
    sentence: str = ""
    candidate: str | None = None


@dataclass(frozen=True)
class Check:
    """One condition of the gate, and what was found, in a sentence.

    Attributes:
        open: it is not passed, but nothing bad was proven either: there are too few gold pictures to tell.
    """

    name: Literal["accuracy", "kinds", "forgetting", "calibration", "maps"]
    passed: bool
    sentence: str
    open: bool = False


@dataclass(frozen=True)
class KindChange:
    """A kind of which more or fewer of its `n` gold pictures are right now."""

    taxon: str
    n: int
    before: int
    after: int


@dataclass(frozen=True)
class PairChange:
    """Two kinds, and how many of their `n` gold pictures were taken for the other, both ways together."""

    a: str
    b: str
    n: int
    before: int
    after: int


def points(share: float) -> str:
    """A share as points of a hundred: 0.036 is “3.6 points”, 0.01 “1 point”."""
    text = f"{100 * share:.1f}".removesuffix(".0").replace("-", "−")
    return f"{text} {'point' if text in ('1', '−1') else 'points'}"


def gold_pictures(n: int) -> str:
    return counted(n, "gold picture")


def gold_has_changed(labels: int) -> str:
    return f"Gold has changed since: {labels:,} {'label' if labels == 1 else 'labels'}."


@dataclass(frozen=True)
class Verdict:
    """A candidate beside the model that was live, on gold pictures nobody trains on: with all that this had learned by
    key, or as visitors had it where the candidate is a head alone.

    Attributes:
        sentence: the whole of it, for a person.
        n: gold pictures.
        before, after, difference: top-1 in [0, 1]; difference is after − before, paired.
        p_value: exact two-sided McNemar test.
        fixed, broken: pictures (image ids) that only the candidate, or only the live model, has right.
        kinds, pairs: those that changed, most changed first.
        ece: (before, after), low is good.
        maps: (before, after) mean trust of the class maps in [−1, 1], high is good; None where it was not measured.
        beside: the version of that model; empty where it is not known, as in verdicts of earlier versions.
        loss_limit: the largest loss of top-1 that the gold pictures do not exclude, in [0, 1], by a one-sided 95 %
            limit; None in verdicts of earlier versions, which took too little for proven and count no more.
        gold: the marks of the gold labels that it was made by, see `fgdemo.storage.trainings.gold_marks`; None in
        verdicts of
            earlier versions, of which nobody can say whether gold has changed since.
    """

    outcome: Outcome
    sentence: str
    checks: tuple[Check, ...]
    n: int
    before: Interval
    after: Interval
    difference: Interval
    p_value: float
    fixed: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()
    kinds: tuple[KindChange, ...] = ()
    pairs: tuple[PairChange, ...] = ()
    ece: tuple[float, float] = (0.0, 0.0)
    maps: tuple[float, float] | None = None
    beside: str = ""
    loss_limit: float | None = None
    gold: tuple[str, ...] | None = None

    def is_beside(self, live: str) -> bool:
        """Whether it says how the candidate stands beside this model, by limits that count."""
        return self.beside == live and self.loss_limit is not None

    @property
    def may_go_live(self) -> bool:
        return self.outcome in ("better", "not worse") and all(check.passed for check in self.checks)

    @property
    def may_go_live_on_word(self) -> bool:
        """Whether nothing speaks against it but that there are too few gold pictures: then it may, if a maintainer who
        has read `open_loss` says so."""
        is_open = self.outcome != "worse" and all(check.passed or check.open for check in self.checks)
        return is_open and not self.may_go_live and self.loss_limit is not None

    @property
    def open_loss(self) -> str:
        """The loss that is not excluded, in a clause; empty in verdicts of earlier versions."""
        if self.loss_limit is None:
            return ""
        return f"a loss of up to {points(self.loss_limit)} is not excluded by {gold_pictures(self.n)}"


@dataclass(frozen=True)
class ModelVersion:
    """A checkpoint of this workspace, or the one that the settings name.

    Attributes:
        version: as `Classifier.version`, e.g. `model-3@1a2b3c4d`.
        parent: the version it was trained from.
        event: the label log up to this event is in it; 0 for one that came from outside.
        metrics: plain values of its card.
        promoted_at, promoted_by: when it last went live, and who said so.
    """

    version: str
    state: ModelState
    created_at: str
    parent: str | None = None
    event: int = 0
    job: int | None = None
    preset: Preset | None = None
    verdict: Verdict | None = None
    metrics: Mapping[str, Any] = field(default_factory=dict[str, Any])
    size_bytes: int = 0
    promoted_at: str | None = None
    promoted_by: str | None = None
