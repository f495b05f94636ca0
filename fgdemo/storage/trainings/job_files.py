"""The folder of a training: the labels it learns from, its log, and the lock by which it is known to live."""

import json
import shutil
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote

import numpy as np
from filelock import FileLock, Timeout

from fgdemo.storage.disk.durable import write_durably
from fgdemo.storage.disk.strict_json import read_object
from fgdemo.storage.history.roster import KINDS, SPLITS, Roster
from fgdemo.values.annotation import Split
from fgdemo.values.errors import TrainingError

IS_LABEL = np.isin(KINDS, ("import", "label", "adjudication"))


@dataclass(frozen=True)
class GivenLabel:
    """The label that one picture had when the training was asked for. `checked`: an expert said so."""

    image: str
    taxon: str
    split: Split
    checked: bool


@dataclass(frozen=True)
class JobFiles:
    """The folders of all trainings of the workspace in `home`."""

    home: Path
    grab_s: float = 5.0
    """So long a process tries to get its own lock, which somebody may just be looking at."""

    @property
    def _root(self) -> Path:
        return self.home / "jobs"

    def folder(self, job: int) -> Path:
        return self._root / str(job)

    def log(self, job: int) -> Path:
        return self.folder(job) / "log.txt"

    def log_tail(self, job: int, lines: int) -> str:
        """The last lines; empty where there is none."""
        try:
            with self.log(job).open("rb") as file:
                file.seek(max(file.seek(0, 2) - 400 * lines, 0))
                text = file.read().decode("utf-8", "replace")
        except OSError:
            return ""
        return "\n".join(text.splitlines()[-lines:])

    def run_file(self, job: int) -> Path:
        """What an interrupted training goes on from."""
        return self.folder(job) / "training.pt"

    def recipe(self, job: int) -> Path:
        """Fields of the recipe that were asked for beside the preset, where any were."""
        return self.folder(job) / "recipe.json"

    def cloud_job(self, job: int) -> Path:
        """Names the Hugging Face Job that trains; it is there as long as that may run, or has left pictures there."""
        return self.folder(job) / "cloud.json"

    def start_checkpoint(self, job: int) -> Path:
        """Where a cloud job starts from, if that is not a model of the workspace as it is."""
        return self.folder(job) / "start"

    def fetched(self, job: int) -> Path:
        """What a cloud job has learned, before it is taught what only this workspace knows."""
        return self.folder(job) / "fetched"

    def can_go_on(self, job: int) -> bool:
        """Whether another process finds something to go on from: epochs, a job in the cloud, or a whole model."""
        model = self.home / "models" / f"model-{job}"
        return any(path.exists() for path in (self.run_file(job), self.cloud_job(job), self.fetched(job), model))

    def clear(self, job: int) -> None:
        """Remove what a training that is over has no use for: what it would go on from."""
        run_file = self.run_file(job)
        for path in (run_file, run_file.with_suffix(".part"), self.cloud_job(job), self.recipe(job)):
            with suppress(OSError):
                path.unlink()
        half_fetched = self.folder(job).glob(f".{self.fetched(job).name}-*")
        for folder in (self.start_checkpoint(job), self.fetched(job), *half_fetched):
            shutil.rmtree(folder, ignore_errors=True)

    def begun(self) -> set[int]:
        """All trainings that have a folder."""
        return {int(path.name) for path in self._root.glob("*") if path.name.isdigit()}

    # --- the labels it learns from ------------------------------------------------------------------------

    def write_labels(self, job: int, roster: Roster) -> None:
        """Keep the labels as `roster` has them; on the disk when this returns. See `given_labels`.

        Raises:
            UnavailableError: the disk is full or cannot be written.
        """
        lines = [json.dumps(asdict(given)) + "\n" for given in given_labels(roster)]
        write_durably(self.folder(job) / "labels.jsonl", "".join(lines).encode())

    def read_labels(self, job: int) -> list[GivenLabel]:
        """Raises TrainingError where they were never written, or are damaged."""
        try:
            text = (self.folder(job) / "labels.jsonl").read_text(encoding="utf-8")
            return [GivenLabel(**read_object(line)) for line in text.splitlines()]
        except (OSError, ValueError, TypeError) as error:
            raise TrainingError(f"The labels of training {job} cannot be read: begin a new one.") from error

    # --- locks --------------------------------------------------------------------------------------------

    @contextmanager
    def living(self, job: int) -> Generator[None, None, None]:
        """While the block runs, everybody sees that the job has a process. Raises TrainingError if it has another."""
        self.folder(job).mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self._lock(job), timeout=self.grab_s):
                yield
        except Timeout as error:
            raise TrainingError(f"Training {job} runs in another process already.") from error

    def lives(self, job: int) -> bool:
        return _is_held(self._lock(job))

    def device_lock(self, device: str) -> FileLock:
        """Held by the one job that trains on this device."""
        self._root.mkdir(parents=True, exist_ok=True)
        return FileLock(self._root / f"{quote(device, safe='')}.lock")

    def _lock(self, job: int) -> Path:
        return self.folder(job) / "lock"


def given_labels(roster: Roster, only: Split | None = None) -> list[GivenLabel]:
    """The labels as `roster` has them: without pictures that are unlabelled, unusable or none of the kinds, or about
    which experts disagree.

    Args:
        only: those of this split alone.
    """
    given = has_given_label(roster)
    if only is not None:
        given &= roster.split[: len(given)] == SPLITS.index(only)
    rows = np.flatnonzero(given)
    ids, taxa = roster.image_ids, roster.taxa
    return [
        GivenLabel(ids[row], taxa[int(roster.taxon[row])], SPLITS[int(roster.split[row])], bool(roster.checked[row]))
        for row in rows.tolist()
    ]


def has_given_label(roster: Roster) -> np.ndarray:
    """(n,) bool: see `given_labels`."""
    n = len(roster)  # it may grow meanwhile
    return (roster.taxon[:n] >= 0) & IS_LABEL[roster.kind[:n]] & ~roster.disputed[:n]


def _is_held(path: Path) -> bool:
    if not path.exists():
        return False
    try:
        with FileLock(path, timeout=0):
            return False
    except Timeout:
        return True
