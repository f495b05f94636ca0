"""What the benchmarks of the page share: `python app.py` in a workspace of its own, and photographs to send."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from fgdemo.settings import REPOSITORY
from fgdemo.specimens import write_specimens

SHARED = REPOSITORY.parent / "shared" / "data"
PATIENCE_S = 180


@dataclass(frozen=True)
class Served:
    url: str
    pid: int
    started: float
    """When the process was started, by `time.perf_counter`."""
    start_s: float
    """From then to the first page."""


@contextmanager
def serving(
    command: Sequence[str], workspace: Path, checkpoint: Path | None = None, **settings: str
) -> Iterator[Served]:
    """Run a command that serves Gradio, from the repository root, until the block ends. All visitors come from one
    address here, so as much as they like may be asked from it, unless `settings` (variables) say otherwise."""
    port = _free_port()
    environment = {
        **os.environ,
        "GRADIO_SERVER_PORT": str(port),
        "GRADIO_ANALYTICS_ENABLED": "False",
        "GRADIO_TEMP_DIR": str(workspace / "uploads"),
        "FGDEMO_HOME": str(workspace / "home"),
        "FGDEMO_ASKS_PER_MINUTE": "1000000",
        **({"FGDEMO_CHECKPOINT": str(checkpoint.resolve())} if checkpoint else {}),
        **settings,
    }
    url = f"http://127.0.0.1:{port}/"
    started = time.perf_counter()
    with (workspace / "server.log").open("w") as log:
        process = subprocess.Popen(command, cwd=REPOSITORY, env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            _wait_for_page(url, process, Path(log.name))
            yield Served(url, process.pid, started, time.perf_counter() - started)
        finally:
            process.terminate()
            process.wait(30)


def app_command() -> list[str]:
    return [sys.executable, "app.py"]


def _wait_for_page(url: str, process: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise SystemExit(f"The server stopped:\n{log.read_text()[-2000:]}")
        try:
            with urlopen(url, timeout=5) as page:
                page.read()
                return
        except (URLError, OSError):
            time.sleep(0.02)
    raise SystemExit(f"No page after {PATIENCE_S} s.")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def photographs(count: int, scratch: Path) -> list[Path]:
    """Different pictures, spread over everything in `../shared/data/*/val`; drawn specimens where that is absent."""
    found = sorted(SHARED.glob("*/val/*/*.*"))
    if len(found) < count:
        write_specimens(scratch / "specimens", per_class=count)
        found = sorted((scratch / "specimens").rglob("*.*g"))
    return [found[index * len(found) // count] for index in range(count)]
