"""The process of a training as the others see it: started, started again, and found to have ended."""

import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from fgdemo.settings import REPOSITORY, Settings, training_variables
from fgdemo.storage.trainings.cloud_jobs import PREFIX
from fgdemo.storage.trainings.job_files import JobFiles
from fgdemo.storage.trainings.jobs import OPEN, Jobs
from fgdemo.values.errors import TrainingError
from fgdemo.values.training import Job

LAUNCH_S = 60
"""So long a process may take from its start until it holds its lock, on a busy machine."""
COMMAND = (sys.executable, "-m", "fgdemo", "finetune", "--job")
ENDED = "Its process ended unexpectedly."


class Processes:
    """Safe for many threads.

    Args:
        command: starts the process of a job, its number comes last.
    """

    def __init__(
        self, jobs: Jobs, files: JobFiles, settings: Settings, command: Sequence[str], clock: Callable[[], datetime]
    ) -> None:
        self._jobs, self._files, self._settings = jobs, files, settings
        self._command, self._clock = tuple(command), clock

    def seen(self, job: Job) -> Job:
        """The job as it is: one that says it waits or runs, but has no process, was interrupted."""
        if job.state not in OPEN or self._files.lives(job.id):
            return job
        starting = job.state == "waiting" and not job.sentence
        if starting and self._clock() - self._jobs.launched_at(job.id) < timedelta(seconds=LAUNCH_S):
            return job
        latest = self._jobs.get(job.id)  # it may have ended between our two looks
        if latest.state not in OPEN:
            return latest
        said_why = latest.state == "running" and latest.sentence  # one that waited has said for what
        return replace(latest, state="interrupted", sentence=said_why or ENDED)

    def require_token(self, device: str, hub_token: str | None) -> None:
        """Raises TrainingError where trainings run on Hugging Face and nobody's token is there."""
        if device.startswith(PREFIX) and not hub_token:
            raise TrainingError(
                "Trainings run on Hugging Face here, in your name and at your cost: sign in with Hugging Face first."
            )

    def start(self, job: Job, hub_token: str | None) -> None:
        """Raises TrainingError where the system does not let it; the job is over then, unless it can go on later."""
        device = self._settings.device if job.device.startswith(PREFIX) else job.device
        own = {"HF_TOKEN": hub_token} if hub_token else {}
        variables = training_variables(self._settings.model_copy(update={"device": device})) | own
        try:
            self._files.folder(job.id).mkdir(parents=True, exist_ok=True)
            with self._files.log(job.id).open("ab") as log_file:
                process = subprocess.Popen(
                    [*self._command, str(job.id)],
                    stdin=subprocess.DEVNULL,
                    stdout=log_file,
                    stderr=log_file,
                    start_new_session=True,
                    env=variables,
                    cwd=REPOSITORY,
                )
        except OSError as error:
            sentence = f"Its process could not be started ({error.strerror})."
            if self._files.can_go_on(job.id):
                self._jobs.interrupt(job.id, sentence)
            else:
                self._jobs.end(job.id, "failed", sentence)
            raise TrainingError(f"The training could not be started ({error.strerror}).") from error
        threading.Thread(target=process.wait, name=f"training {job.id}", daemon=True).start()  # leaves no zombie

    def start_again(self, job: Job, hub_token: str | None, *, to_stop: bool = False) -> Job:
        """Another process for a job that was interrupted.

        Args:
            to_stop: it only ends what the one before has left running elsewhere.

        Raises:
            TrainingError: it was not interrupted, the token is missing, or the system does not let it.
        """
        self.require_token(job.device, hub_token)
        waiting = self._jobs.relaunch(job.id, lambda one: self.seen(one).state == "interrupted")
        if to_stop:
            self._jobs.ask_to_stop(job.id)
        self.start(waiting, hub_token)
        return waiting
