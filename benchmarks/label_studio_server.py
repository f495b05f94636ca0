"""A real Label Studio in a process of its own, for `interchange.py` and `record_label_studio.py`; no part of the app.

It takes the Python of an environment in which Label Studio is installed (`pip install label-studio`), runs on SQLite
in a folder of its own, and is spoken to by its HTTP API only.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlencode

Form = Literal["JSON", "JSON_MIN", "CSV"]
TOKEN = "0123456789abcdef0123456789abcdef01234567"
USER, PASSWORD = "ada@example.org", "none-of-yours"
START_S = 900


@dataclass(frozen=True)
class LabelStudio:
    """`served` is the folder that it serves as local files."""

    url: str
    served: Path

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON answer of a route. Raises RuntimeError with what it says where it refuses."""
        content = None if body is None else json.dumps(body).encode()
        answer = self.fetch(method, path, content)
        return json.loads(answer) if answer else None

    def fetch(self, method: str, path: str, content: bytes | None = None) -> bytes:
        headers = {"Authorization": f"Token {TOKEN}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}{path}", content, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return answer.read()
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{method} {path}: {error.code} {error.read()[:1000].decode()}") from error

    def version(self) -> str:
        return self.ask("GET", "/api/version")["release"]

    def project(self, interface: str, tasks: Sequence[Mapping[str, Any]], pictures: Path | None = None) -> int:
        """Make a project with these tasks, and let it show the local files below `pictures`."""
        number = self.ask("POST", "/api/projects", {"title": "birds", "label_config": interface})["id"]
        if pictures is not None:
            body = {"project": number, "path": str(pictures), "use_blob_urls": True, "title": "pictures"}
            self.ask("POST", "/api/storages/localfiles", body)
        told = self.ask("POST", f"/api/projects/{number}/import", tasks)
        assert told["task_count"] == len(tasks), told
        return number

    def tasks(self, project: int) -> list[dict[str, Any]]:
        """All tasks with their annotations, as they are in the project."""
        query = urlencode({"project": project, "page_size": 1000, "fields": "all"})
        return self.ask("GET", f"/api/tasks?{query}")["tasks"]

    def annotate(self, task: int, results: Sequence[Mapping[str, Any]], **more: Any) -> int:
        body = {"result": list(results), **more}
        return self.ask("POST", f"/api/tasks/{task}/annotations/", body)["id"]

    def change(self, annotation: int, **fields: Any) -> None:
        self.ask("PATCH", f"/api/annotations/{annotation}/", fields)

    def export(self, project: int, form: Form) -> bytes:
        query = urlencode({"exportType": form, "download_all_tasks": "true"})
        return self.fetch("GET", f"/api/projects/{project}/export?{query}")


@contextmanager
def label_studio(python: Path, home: Path, port: int) -> Iterator[LabelStudio]:
    """Start it, wait until it answers, and end it with the block.

    Args:
        python: of the environment in which Label Studio is installed.
        home: an empty folder for its database; what it serves lies in `home/served`.

    Raises:
        RuntimeError: it does not start; its log is `home/log`.
    """
    served = home / "served"
    served.mkdir(parents=True, exist_ok=True)
    environment = {
        **os.environ,
        "LABEL_STUDIO_BASE_DATA_DIR": str(home / "db"),
        "LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED": "true",
        "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT": str(served),
        "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
        "COLLECT_ANALYTICS": "False",
        "SENTRY_DSN": "",
        "FRONTEND_SENTRY_DSN": "",
        "LATEST_VERSION_CHECK": "False",
    }
    command = [
        str(python.with_name("label-studio")),
        "start",
        "--no-browser",
        "--port",
        str(port),
        "--internal-host",
        "127.0.0.1",
        "--username",
        USER,
        "--password",
        PASSWORD,
        "--user-token",
        TOKEN,
    ]
    studio = LabelStudio(f"http://127.0.0.1:{port}", served)
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT, cwd=home)
        try:
            _wait(studio, process)
            yield studio
        finally:
            process.terminate()
            process.wait(30)


def _wait(studio: LabelStudio, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + START_S
    while time.monotonic() < end and process.poll() is None:
        try:
            studio.version()
            return
        except (OSError, RuntimeError):
            time.sleep(1)
    raise RuntimeError("Label Studio did not start: see its log.")
