"""One training, from its turn on the device to its end: what its process does around the work itself."""

import contextlib
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from filelock import Timeout

from fgdemo.services.training.now import epoch_cost, estimates, looks_of
from fgdemo.storage.trainings import cloud_jobs
from fgdemo.storage.trainings.job_files import JobFiles
from fgdemo.storage.trainings.jobs import Jobs
from fgdemo.values.errors import FgdemoError, TrainingError, UnavailableError
from fgdemo.values.progress import Progress, no_progress
from fgdemo.values.training import Epoch, Job, JobState, Stage

TELL_S = 1.0
"""So often the database hears where the job is, and the job whether somebody has cancelled it."""
WENT_WRONG = "Something went wrong, which is in the log of this training."
NOT_KEPT_THERE = "Cancelled: nothing is kept of what was learned on Hugging Face."


@dataclass(frozen=True)
class GpuUse:
    """`memory_gib` that the process holds, `busy` in [0, 1]; None without a GPU."""

    memory_gib: float | None = None
    busy: float | None = None


@dataclass(frozen=True)
class Left:
    """What a training has left: the version of its candidate, and a sentence about it."""

    candidate: str
    sentence: str


class CancelledError(TrainingError):
    """Somebody has cancelled the training before there was anything to keep."""


class Run:
    """What the work says while it goes on, and how it hears that somebody has cancelled it.

    Args:
        listen: hears all of the progress, for a terminal.
        gpu: measures the use of the GPU.
    """

    def __init__(
        self,
        jobs: Jobs,
        job: Job,
        say: Callable[[str], None],
        listen: Progress = no_progress,
        gpu: Callable[[], GpuUse] = GpuUse,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.job, self.say = job, say
        self._jobs, self._listen, self._gpu, self._clock_s = jobs, listen, gpu, clock_s
        self._epochs = list(job.epochs)
        self._epoch_ended_s = clock_s()
        self._expected_s: float | None = None
        self._looked_at = 0
        self._told_s = self._asked_s = -TELL_S
        self._stage = ""
        self._stop = False

    @property
    def was_cancelled(self) -> bool:
        return self._stop

    def expect(self, train: int, others: int) -> None:
        """From now on so many pictures are learned from, and others looked at; it is told how long that may take."""
        self._expected_s = estimates(self._jobs.newest(), self.job.device, train, others)[self.job.preset]
        self._looked_at = train + others
        self._epoch_ended_s = self._clock_s()

    def stop(self) -> bool:
        """Whether the training is to end here, with the best it has."""
        if not self._stop and self._clock_s() - self._asked_s >= TELL_S:
            self._asked_s = self._clock_s()
            with contextlib.suppress(UnavailableError):
                self._stop = self._jobs.cancel_requested(self.job.id)
        return self._stop

    def progress(self, what: str, done: int, of: int) -> None:
        """Raises CancelledError where the job was cancelled and there is nothing to keep yet."""
        self._listen(what, done, of)
        if self.stop() and not self._epochs:
            before = "it" if self.job.preset == "head" else "the first epoch"
            raise CancelledError(f"Cancelled before {before} was done, so it has left no model.")
        if what != self._stage:
            self.say(what)
        elif self._clock_s() - self._told_s < TELL_S:
            return
        self._stage, self._told_s = what, self._clock_s()
        gpu = self._gpu()
        stage = Stage(what, done, of, self._left_s(), resident_gib(), gpu.memory_gib, gpu.busy)
        with contextlib.suppress(UnavailableError):  # a full disk or a busy database ends no training
            self._jobs.tell(self.job.id, stage)

    def on_epoch(self, epoch: Epoch) -> None:
        self._epochs.append(epoch)
        self._epoch_ended_s = self._clock_s()
        top1 = "" if epoch.val_top1 is None else f", val top-1 {epoch.val_top1:.1%}"
        self.say(f"epoch {epoch.number} of {epoch.of} ({epoch.phase}): loss {epoch.loss:.3f}{top1}")
        with contextlib.suppress(UnavailableError):
            self._jobs.add_epoch(self.job.id, epoch)

    def _left_s(self) -> float | None:
        to_come = self._expected_s
        if self._epochs:
            last, recent = self._epochs[-1], [epoch.elapsed_s for epoch in self._epochs[-3:]]
            speed = last.images_per_s * epoch_cost(self.job.preset)
            looks_s = looks_of(self.job.preset, self._looked_at) / speed if speed else 0.0
            to_come = (last.of - last.number) * sum(recent) / len(recent) + looks_s
        if to_come is None:
            return None
        left_s = to_come - (self._clock_s() - self._epoch_ended_s)
        return round(left_s, 1) if left_s > 0 else None  # it took longer than was thought, and who knows how long


Work = Callable[[Run], Left]


def run_job(jobs: Jobs, files: JobFiles, number: int, work: Work, say: Callable[[str], None], **options: Any) -> Job:
    """Wait for the device, do the work, and write down how it ended. Gives the job as it is then.

    A process that is killed, or stopped by Ctrl-C, writes nothing down: its job can go on. So can one for which
    something went wrong, where there is something to go on from, or where the same may work later: it is interrupted.
    A job that is over for good leaves nothing of that, here or on Hugging Face.

    Args:
        options: more arguments for `Run`.

    Raises:
        TrainingError: the job is over, or has another process.
    """
    with files.living(number):
        job = jobs.get(number)
        if job.state not in ("waiting", "running"):
            raise TrainingError(f"Training {number} is over: {job.sentence}")
        run = Run(jobs, job, say, **options)
        state: JobState | None = None
        sentence, candidate = WENT_WRONG, None
        try:
            if job.device.startswith(cloud_jobs.PREFIX) and run.stop():  # this process was started to end it there
                raise CancelledError(NOT_KEPT_THERE)
            with _turn(jobs, files, run):
                jobs.begin(number)
                left = work(run)
            state, sentence, candidate = "cancelled" if run.was_cancelled else "done", left.sentence, left.candidate
        except CancelledError as error:
            state, sentence = "cancelled", str(error)
        except UnavailableError as error:
            state, sentence = "interrupted", str(error)
        except FgdemoError as error:
            sentence = str(error)
        except KeyboardInterrupt:
            state = "waiting"  # and nobody holds the lock: interrupted
            raise
        finally:
            state = state or ("interrupted" if files.can_go_on(number) else "failed")
            if state == "interrupted":
                jobs.interrupt(number, sentence)
                say(sentence)
            elif state != "waiting":
                sentence = f"{sentence} {_end_in_cloud(files, number)}".rstrip()
                jobs.end(number, state, sentence, candidate)
                files.clear(number)  # last: were this process killed before, the job could still go on
                say(sentence)
    done = jobs.get(number)
    return replace(done, state="interrupted") if state == "interrupted" else done


def _end_in_cloud(files: JobFiles, number: int) -> str:
    """End what a process before has begun on Hugging Face. Gives what a person must do about it; mostly empty."""
    where = files.cloud_job(number)
    job = cloud_jobs.begun_before(where)
    return "" if job is None else cloud_jobs.end(job, where)


@contextlib.contextmanager
def _turn(jobs: Jobs, files: JobFiles, run: Run) -> Generator[None, None, None]:
    """While the block runs, no other job works on the device. The oldest is first. Raises CancelledError."""
    lock, waits_for = files.device_lock(run.job.device), None
    while True:
        older = _other(jobs, files, run.job, before=True)
        if older is None:
            try:
                lock.acquire(timeout=TELL_S)
                break
            except Timeout:
                older = _other(jobs, files, run.job, before=False)
        else:
            time.sleep(TELL_S / 2)
        if older is not None and older != waits_for:
            waits_for = older
            jobs.wait_for(run.job.id, older)
            run.say(f"waits for training {older}")
        if run.stop():
            raise CancelledError("Cancelled while it waited in line.")
    try:
        yield
    finally:
        lock.release()


def _other(jobs: Jobs, files: JobFiles, job: Job, before: bool) -> int | None:
    """The newest other job on its device that has a process, of all or of those before it; None where there is none."""
    others = [one.id for one in jobs.open() if one.device == job.device and one.id != job.id]
    return next((number for number in others if (number < job.id or not before) and files.lives(number)), None)


def resident_gib() -> float:
    """Memory of this process that is in use; 0 where the system does not say."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0.0
    found = [line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:")]
    return round(int(found[0]) / 2**20, 2) if found else 0.0
