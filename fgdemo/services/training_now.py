"""What the Train page shows of trainings and models, counted and estimated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from fgdemo.storage.job_files import has_given_label
from fgdemo.storage.roster import SPLITS, Roster
from fgdemo.training import Job, ModelVersion, Preset, Stage

LOOKS = 3.0
"""The looks before and after the epochs, to choose the blend and fit the head, take as long as so many epochs."""
PASSES: Mapping[Preset, float] = {"quick": 6 + LOOKS, "standard": 15 + LOOKS, "thorough": 30 + LOOKS}
"""Epochs of each preset, and the looks."""
IMAGES_PER_S = {"cpu": 20.0, "cuda": 300.0, "jobs": 300.0}
"""Before there are earlier jobs to go by."""


@dataclass(frozen=True)
class TrainingNow:
    """What the Train page shows.

    Attributes:
        jobs, models: newest first; the last model is that of the settings.
        live: the version that answers.
        previous: the version that a roll-back leads to, or None.
        labelled, checked: pictures that a training would learn from or choose by, and those an expert has checked.
        newer: of these, how many were labelled since the live model was trained.
        gold: labelled pictures that nothing trains on.
        estimates: seconds that each preset is likely to take on `device`.
        promoting: how far the swap to another model is; None where there is none.
        trouble: what went wrong with the models while nobody looked; mostly empty.
    """

    jobs: tuple[Job, ...]
    models: tuple[ModelVersion, ...]
    live: str
    previous: str | None
    labelled: int
    checked: int
    newer: int
    gold: int
    device: str
    estimates: Mapping[Preset, float]
    promoting: Stage | None = None
    trouble: str = ""


def estimates(jobs: Sequence[Job], device: str, labelled: int) -> dict[Preset, float]:
    """Seconds by preset, at the speed of the earlier jobs on this device."""
    speeds = [e.images_per_s for job in jobs if job.device == device for e in job.epochs if e.images_per_s]
    speed = median(speeds) if speeds else IMAGES_PER_S[device.partition(":")[0]]
    return {preset: round(labelled * passes / speed, 1) for preset, passes in PASSES.items()}


def counts(roster: Roster, event: int) -> tuple[int, int, int, int]:
    """labelled, checked, newer, gold: see `TrainingNow`."""
    given = has_given_label(roster)
    gold = given & (roster.split == SPLITS.index("gold"))
    used = given & ~gold
    newer = used & (roster.version > event)
    return int(used.sum()), int((used & roster.checked).sum()), int(newer.sum()), int(gold.sum())
