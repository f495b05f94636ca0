"""Trainings as Hugging Face Jobs: the one place that talks to them.

What a training learns from goes into a private data set of the person who asked, as one archive: the checkpoint it
starts from, the pictures, their labels and the kinds. No account, no name of an annotator and no history goes along.
The job runs `finetune --snapshot` of this program there, tells how far it is on its output, and puts the candidate
beside the archive. At the end of a training, however that comes, no job runs any more and the data set is removed.
"""

# Not all of huggingface_hub has types:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
import json
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from fgdemo.storage.disk.durable import write_durably
from fgdemo.storage.disk.strict_json import read_object
from fgdemo.storage.hub.access import hub_answers
from fgdemo.values.errors import HubError, TrainingError
from fgdemo.values.limits import CHECKPOINT_FILES
from fgdemo.values.training import Epoch, Preset

PREFIX = "jobs:"
"""Begins the device of a training that runs as a job; its flavour follows."""
ARCHIVE, CANDIDATE = "snapshot.zip", "candidate"
LONGEST_H: dict[Preset, int] = {"head": 1, "quick": 1, "standard": 4, "thorough": 12}
"""After so many hours a job is ended by the Hub, so that it cannot cost more than that."""
MARK = "fgdemo-job "
"""Begins a line of output that is meant for the one who follows the job."""
OVER = ("COMPLETED", "ERROR", "CANCELED", "DELETED")
"""A job in one of these stages runs and costs no more."""
POLL_S = 2.0
PATIENCE = 900
"""So many times in a row the Hub may be away while a job is followed."""


@dataclass(frozen=True)
class Flavour:
    """A kind of machine, e.g. `t4-small`, and what an hour of it costs in US dollars."""

    name: str
    shown_name: str
    usd_per_hour: float


@dataclass(frozen=True)
class CloudJob:
    """Where a job runs, and in which data set its files are; the namespace is the person's own.

    `job` is empty as long as it is being begun.
    """

    namespace: str
    job: str
    repo: str


def flavour_of(name: str) -> Flavour:
    """What the Hub says of it now; asks for no token. Raises HubError where there is none, or it cannot be asked."""
    from huggingface_hub import HfApi

    with hub_answers("What a training costs is not known"):
        listed = HfApi().list_jobs_hardware(token=False)
    for one in listed:
        if one.name == name:
            per_hour = {"minute": 60, "hour": 1}.get(one.unit_label, 0)
            if not per_hour:
                raise HubError(f"The price of {name} is given by the {one.unit_label}, which this version cannot read.")
            return Flavour(one.name, one.pretty_name, round(one.unit_cost_usd * per_hour, 4))
    raise HubError(f"FGDEMO_JOBS is “{name}”, of which the Hub has none: {', '.join(one.name for one in listed)}.")


def begin(archive: Path, preset: Preset, flavour: str, space: str, where: Path) -> CloudJob:
    """Send the archive and start the job, in the name of whoever HF_TOKEN is of.

    Args:
        space: the Space whose image the job runs: it has this program with all it needs.
        where: a file in which it is written down, so that another process can follow the job, or end it.

    Raises:
        HubError: the Hub refuses, or is away; then nothing is left there, unless it could not be removed either.
        UnavailableError: it could not be written down; then nothing is left there as well.
    """
    from huggingface_hub import CommitOperationAdd, HfApi, get_token

    api, what = HfApi(), "The training was not started"
    with hub_answers(what):
        namespace = api.whoami()["name"]
    begun = CloudJob(namespace, "", f"{namespace}/fgdemo-training-{secrets.token_hex(6)}")
    _write_down(begun, where)  # before any picture is there: if this process is killed, the next one removes them
    try:
        with hub_answers(what):
            api.create_repo(begun.repo, repo_type="dataset", private=True)
            api.create_commit(
                begun.repo,
                [CommitOperationAdd(ARCHIVE, str(archive))],
                commit_message="What is learned from",
                repo_type="dataset",
            )
            command = f"cd /home/user/app 2>/dev/null; exec python -m fgdemo finetune --snapshot {begun.repo}"
            started = api.run_job(
                image=f"hf.co/spaces/{space}",
                command=["bash", "-c", command],
                flavor=flavour,
                secrets={"HF_TOKEN": get_token()},
                timeout=f"{LONGEST_H[preset]}h",
                name="fgdemo-training",
                namespace=namespace,
            )
        begun = replace(begun, job=started.id)
        _write_down(begun, where)
    except BaseException:
        end(begun, where)
        raise
    return begun


def _write_down(job: CloudJob, where: Path) -> None:
    write_durably(where, json.dumps(asdict(job)).encode())


def begun_before(where: Path) -> CloudJob | None:
    """The job that `begin` wrote down, or None."""
    try:
        return CloudJob(**read_object(where.read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


def follow(
    job: CloudJob, tell: Callable[[dict[str, Any]], None], stop: Callable[[], bool], say: Callable[[str], None]
) -> bool:
    """Until it is over; False where `stop` said so, and then it runs on until `end`.

    Args:
        tell: is given each message that the job has sent, once.

    Raises:
        TrainingError: the job failed.
        HubError: the Hub was away for long.
    """
    from huggingface_hub import HfApi

    api, told, away, last = HfApi(), 0, 0, ""
    while True:
        if stop():
            return False
        try:
            with hub_answers("The job cannot be followed"):
                stage = api.inspect_job(job_id=job.job, namespace=job.namespace).status.stage
                lines = list(api.fetch_job_logs(job_id=job.job, namespace=job.namespace))
            away = 0
        except HubError as error:
            away += 1
            if away > PATIENCE:
                raise
            say(str(error))
            time.sleep(POLL_S)
            continue
        for line in lines[told:]:
            message = message_of(line)
            if message is not None:
                tell(message)
            elif line.strip():
                last = line.strip()
                say(last)
        told = len(lines)
        if stage == "COMPLETED":
            return True
        if stage in OVER:
            raise TrainingError(
                f"The job {job.job} on Hugging Face ended without a model ({stage.lower()}): {last[:300]}"
            )
        time.sleep(POLL_S)


def fetch(job: CloudJob, folder: Path) -> None:
    """The candidate's checkpoint into `folder`, which is there already. Raises HubError."""
    from huggingface_hub import HfApi

    with hub_answers("The candidate could not be fetched"):
        for name in CHECKPOINT_FILES:
            file = HfApi().hf_hub_download(
                job.repo, f"{CANDIDATE}/{name}", repo_type="dataset", local_dir=folder / ".fetched"
            )
            Path(file).replace(folder / name)


def end(job: CloudJob, where: Path) -> str:
    """Cancel it unless it is over, and remove its data set and `where`.

    Where the Hub refuses or is away `where` stays, so that it can be tried again, and what a person must do otherwise
    is given as a sentence: a job costs, and pictures are in the data set.
    """
    from huggingface_hub import HfApi

    api, left = HfApi(), list[str]()
    try:
        with hub_answers(f"Cancel the job {job.job} on Hugging Face yourself"):
            if job.job and api.inspect_job(job_id=job.job, namespace=job.namespace).status.stage not in OVER:
                api.cancel_job(job_id=job.job, namespace=job.namespace)
    except HubError as error:
        left.append(str(error))
    try:
        with hub_answers(f"Remove the private data set {job.repo} yourself, it holds the pictures"):
            api.delete_repo(job.repo, repo_type="dataset", missing_ok=True)
    except HubError as error:
        left.append(str(error))
    if not left:
        where.unlink(missing_ok=True)
    return " ".join(left)


def get_archive(repo: str, to: Path) -> Path:
    """The archive, on the machine of the job. Raises HubError."""
    from huggingface_hub import HfApi

    with hub_answers("What is to be learned from could not be fetched"):
        return Path(HfApi().hf_hub_download(repo, ARCHIVE, repo_type="dataset", local_dir=to))


def put_candidate(repo: str, folder: Path) -> None:
    """The checkpoint in `folder` beside the archive. Raises HubError."""
    from huggingface_hub import CommitOperationAdd, HfApi

    adds = [CommitOperationAdd(f"{CANDIDATE}/{name}", str(folder / name)) for name in CHECKPOINT_FILES]
    with hub_answers("The candidate could not be sent"):
        HfApi().create_commit(repo, adds, commit_message="What was learned", repo_type="dataset")


def epoch_message(epoch: Epoch) -> str:
    return MARK + json.dumps({"epoch": asdict(epoch)})


def stage_message(what: str, done: int, of: int) -> str:
    return MARK + json.dumps({"stage": what, "done": done, "of": of})


LONGEST_MESSAGE = 100_000


def message_of(line: str) -> dict[str, Any] | None:
    """What a line of output says to who follows; None for all others."""
    if not line.startswith(MARK):
        return None
    with suppress(ValueError):
        return read_object(line[len(MARK) :], LONGEST_MESSAGE)
    return None
