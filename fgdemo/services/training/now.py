"""What the Train page shows of trainings and models, counted and estimated."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from fgdemo.storage.history.roster import SPLITS, Roster
from fgdemo.storage.trainings.job_files import has_given_label
from fgdemo.values.training import LENGTHS, Job, ModelVersion, Preset, Stage

LOOKS, HEAD_LOOKS = 2.8, 1.5
"""What is done with every picture before and after the epochs, to choose the blend, fit the head and judge, takes as
long as learning from it so many times by the quick preset, whatever the preset (measured on one training, with 800
pictures to learn from among 1,883); and where the head is fitted alone."""
MAPS = 1200
"""The maps of some gold pictures are tested, in the same unit: that takes as long whatever the number of pictures."""
IMAGES_PER_S = {"cpu": 20.0, "cuda": 300.0, "jobs": 300.0}
"""Of the quick preset, before there are earlier jobs to go by."""


@dataclass(frozen=True)
class LabelCounts:
    """Labelled pictures.

    Attributes:
        train, val: that a training would learn from, and choose by.
        checked: of both, how many an expert has checked.
        newer: of both, how many were labelled since the live model was trained.
        gold: that nothing trains on.
    """

    train: int
    val: int
    checked: int
    newer: int
    gold: int


@dataclass(frozen=True)
class TrainingNow:
    """What the Train page shows.

    Attributes:
        jobs, models: newest first; the last model is that of the settings.
        live: the version that answers.
        previous: the version that a roll-back leads to, or None.
        counts: the labelled pictures that there are.
        estimates: seconds that each preset is likely to take on `device`.
        promoting: how far the swap to another model is; None where there is none.
        trouble: what went wrong with the models while nobody looked; mostly empty.
        is_comparing: what `promoting` tells of is a comparison alone, and nothing goes live after it.
        gold_changed: by version, how many gold labels have changed since the verdict on it; None where that is not
            known.
    """

    jobs: tuple[Job, ...]
    models: tuple[ModelVersion, ...]
    live: str
    previous: str | None
    counts: LabelCounts
    device: str
    estimates: Mapping[Preset, float]
    promoting: Stage | None = None
    trouble: str = ""
    is_comparing: bool = False
    gold_changed: Mapping[str, int | None] = field(default_factory=dict[str, int | None])


def estimates(jobs: Sequence[Job], device: str, train: int, others: int) -> dict[Preset, float]:
    """Seconds by preset, at the speed of the earlier jobs on this device.

    Args:
        train: pictures that are learned from; `others` are chosen or judged by.
    """
    speeds = [
        epoch.images_per_s * epoch_cost(job.preset)
        for job in jobs
        if job.device == device
        for epoch in job.epochs
        if epoch.images_per_s
    ]
    speed = median(speeds) if speeds else IMAGES_PER_S[device.partition(":")[0]]
    return {
        preset: round((train * length.epochs * epoch_cost(preset) + looks_of(preset, train + others)) / speed, 1)
        for preset, length in LENGTHS.items()
    }


def epoch_cost(preset: Preset) -> float:
    """What an epoch costs in epochs of the quick preset."""
    return (LENGTHS[preset].train_px / LENGTHS["quick"].train_px) ** 2


def looks_of(preset: Preset, pictures: int) -> float:
    """What is done with so many pictures beside the epochs, in pictures learned from by the quick preset."""
    return pictures * (LOOKS if LENGTHS[preset].epochs else HEAD_LOOKS) + MAPS


def label_counts(roster: Roster, event: int) -> LabelCounts:
    """As of now; newer are those labelled after this event."""
    given = has_given_label(roster)
    n = len(given)
    gold = given & (roster.split[:n] == SPLITS.index("gold"))
    used = given & ~gold
    newer = used & (roster.version[:n] > event)
    val = given & (roster.split[:n] == SPLITS.index("val"))
    checked = used & roster.checked[:n]
    return LabelCounts(*(int(mask.sum()) for mask in (used & ~val, val, checked, newer, gold)))
