"""Hugging Face Jobs in the stand-in: the command of a job runs as a process of this machine, in a folder of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response

if TYPE_CHECKING:
    from tests.support.hub_stand_in import Hub

HARDWARE = [
    {
        "name": "cpu-basic",
        "prettyName": "CPU Basic",
        "cpu": "2 vCPU",
        "ram": "16 GB",
        "accelerator": None,
        "unitCostMicroUSD": 167,
        "unitCostUSD": 0.000167,
        "unitLabel": "minute",
    },
    {
        "name": "t4-small",
        "prettyName": "Nvidia T4 - small",
        "cpu": "4 vCPU",
        "ram": "15 GB",
        "accelerator": {"type": "gpu", "model": "T4", "quantity": "1", "vram": "16 GB", "manufacturer": "Nvidia"},
        "unitCostMicroUSD": 6667,
        "unitCostUSD": 0.006667,
        "unitLabel": "minute",
    },
    {
        "name": "a10g-small",
        "prettyName": "Nvidia A10G - small",
        "cpu": "4 vCPU",
        "ram": "14 GB",
        "accelerator": {"type": "gpu", "model": "A10G", "quantity": "1", "vram": "24 GB", "manufacturer": "Nvidia"},
        "unitCostMicroUSD": 16667,
        "unitCostUSD": 0.016667,
        "unitLabel": "minute",
    },
]


@dataclass
class RunningJob:
    """A job and its process; `cancelled` wins over how the process ended."""

    owner: str
    asked: dict[str, Any]
    folder: Path
    process: subprocess.Popen[bytes]
    created_at: str = field(default_factory=lambda: datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ"))
    cancelled: bool = False

    @property
    def stage(self) -> str:
        code = self.process.poll()
        if self.cancelled:
            return "CANCELED"
        return "RUNNING" if code is None else "COMPLETED" if code == 0 else "ERROR"


def run(hub: Hub, request: Request, asked: dict[str, Any]) -> Any:
    """Starts at once; there is no container, so images are taken to be what this machine has."""
    from tests.support.hub_stand_in import RefusedError

    user, owner = hub.user(request), request.path_params["owner"]
    if user is None or not user.owns(owner):
        raise RefusedError(403, f"You may not run jobs in the namespace {owner}")
    if "jobs" not in user.scopes:
        raise RefusedError(403, "This token has not the scope jobs")
    if not user.can_pay:
        raise RefusedError(402, "Pre-paid credit balance is insufficient")
    if asked["flavor"] not in [one["name"] for one in HARDWARE]:
        raise RefusedError(400, f"Unknown flavor {asked['flavor']}")
    folder = Path(tempfile.mkdtemp(prefix="hub-job-"))
    env = {
        **hub.environment(),
        **asked.get("environment", {}),
        **asked.get("secrets", {}),
        "JOB_ID": folder.name,
        "HF_HOME": str(folder / "hf-home"),
    }
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*asked["command"], *asked["arguments"]],
            cwd=folder,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    job = uuid.uuid4().hex[:24]
    _jobs(hub)[job] = RunningJob(owner, asked, folder, process)
    return _told(hub, job)


def inspect(hub: Hub, request: Request, asked: dict[str, Any]) -> Any:
    _one(hub, request)
    return _told(hub, request.path_params["job"])


def cancel(hub: Hub, request: Request, asked: dict[str, Any]) -> Any:
    job = _one(hub, request)
    if job.stage == "RUNNING":
        job.cancelled = True
        os.killpg(job.process.pid, signal.SIGKILL)
    return _told(hub, request.path_params["job"])


def logs(hub: Hub, request: Request, asked: dict[str, Any]) -> Any:
    """Server-sent events: one for each line until now."""
    job = _one(hub, request)
    lines = (job.folder / "log").read_text(encoding="utf-8", errors="replace").splitlines()
    events = [json.dumps({"data": line, "timestamp": job.created_at}) for line in lines]
    return Response("".join(f"data: {event}\n\n" for event in events), media_type="text/event-stream")


def prices(hub: Hub, request: Request, asked: dict[str, Any]) -> Any:
    return HARDWARE


def stop_jobs(hub: Hub) -> None:
    for job in _jobs(hub).values():
        if job.process.poll() is None:
            os.killpg(job.process.pid, signal.SIGKILL)
        job.process.wait()
        shutil.rmtree(job.folder, ignore_errors=True)


def _jobs(hub: Hub) -> dict[str, RunningJob]:
    return hub.extra.setdefault("jobs", {})


def _one(hub: Hub, request: Request) -> RunningJob:
    from tests.support.hub_stand_in import RefusedError

    user, job = hub.user(request), _jobs(hub).get(request.path_params["job"])
    if job is None or user is None or not user.owns(job.owner):
        raise RefusedError(404, "Job not found")
    return job


def _told(hub: Hub, name: str) -> dict[str, Any]:
    job = _jobs(hub)[name]
    return {
        "id": name,
        "createdAt": job.created_at,
        "startedAt": job.created_at,
        "finishedAt": None,
        "dockerImage": job.asked.get("dockerImage"),
        "spaceId": job.asked.get("spaceId"),
        "command": job.asked["command"],
        "arguments": job.asked["arguments"],
        "environment": job.asked.get("environment", {}),
        "secrets": None,
        "flavor": job.asked["flavor"],
        "labels": job.asked.get("labels", {}),
        "status": {"stage": job.stage, "message": None},
        "owner": {"id": "0", "name": job.owner, "type": "user"},
        "initiator": {"type": "user", "id": "0", "name": job.owner},
    }


JOBS = [
    ("GET", "/api/jobs/hardware", prices),
    ("POST", "/api/jobs/{owner}", run),
    ("GET", "/api/jobs/{owner}/{job}", inspect),
    ("GET", "/api/jobs/{owner}/{job}/logs", logs),
    ("POST", "/api/jobs/{owner}/{job}/cancel", cancel),
]
