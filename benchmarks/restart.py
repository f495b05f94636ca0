"""How long a disk that forgets keeps people waiting: a start on an empty disk, from a mirror of a large workspace.

The mirror is written by `backup` from a workspace that is made for this (see `large_workspace`), and told what the
live model has seen, as the running app tells it. Then the real app is started on an empty folder, and asked until it
answers.

    python benchmarks/restart.py                       # 100,000 events, 5,000 pictures; several minutes
    python benchmarks/restart.py --events 2000 --pictures 200

One JSON line last: `ready_s` until the app answers (aim ≤ 60), `page_s` until it shows its page, `ready_cpu_s` the
processor time until it answers, which a busy machine does not lengthen, `backup_s` for writing the mirror, `same`
whether everything came back.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from large_workspace import Plan, fill

from fgdemo.model.checkpoint.load import load_classifier
from fgdemo.settings import REPOSITORY, Settings
from fgdemo.storage.database.database import open_database, utc_now, writing
from fgdemo.storage.database.schema import label_event_table
from fgdemo.storage.people.accounts import Accounts
from fgdemo.storage.records.inventory import Inventory
from fgdemo.wiring.assembly import Workspace
from fgdemo.wiring.mirrors import open_mirror

PASSWORD = "long enough"
AT_ONCE = 10_000
PATIENCE_S = 1200


def answer(workspace: Workspace, events: int, taxa: tuple[str, ...]) -> None:
    """Experts answer about one picture after the other, round and round, until there are so many events."""
    workspace.roster.follow()
    images, began, chance = list(workspace.roster.image_ids), utc_now(), np.random.default_rng(1)
    for start in range(len(images), events, AT_ONCE):
        numbers = range(start, min(start + AT_ONCE, events))
        rows = [
            {
                "image": images[n % len(images)],
                "kind": "label",
                "taxon": taxa[chance.integers(len(taxa))],
                "annotator": f"expert {n % 7}",
                "shown_version": n + 1 - len(images),
                "answer_key": f"answer {n}",
                "seconds_spent": 2.5,
                "blind": False,
                "reason": "suspicion",
                "created_at": (began + timedelta(milliseconds=n)).isoformat(),
            }
            for n in numbers
        ]
        with writing(workspace.engine) as connection:
            connection.execute(label_event_table.insert(), rows)


def ask(url: str, path: str, token: str = "") -> bytes | None:
    """What it answers; None where it does not answer, or refuses."""
    headers = {"Cookie": f"fgdemo_sign_in={token}"} if token else {}
    try:
        with urllib.request.urlopen(urllib.request.Request(url + path, headers=headers), timeout=PATIENCE_S) as reply:
            return reply.read()
    except (urllib.error.URLError, ConnectionError):
        return None


def wait(condition: Callable[[], object], began: float) -> float:
    """Seconds since `began` when the condition holds."""
    while not condition():
        if time.monotonic() - began > PATIENCE_S:
            raise SystemExit("it does not get ready")
        time.sleep(0.1)
    return time.monotonic() - began


def start_and_measure(home: Path, mirror: Path) -> dict[str, float]:
    """Start the app on an empty folder; it is stopped again."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "FGDEMO_HOME": str(home),
        "FGDEMO_MIRROR": str(mirror),
        "GRADIO_SERVER_PORT": str(port),
        "GRADIO_ANALYTICS_ENABLED": "False",
    }
    url, began = f"http://127.0.0.1:{port}", time.monotonic()
    app = subprocess.Popen([sys.executable, "app.py"], cwd=REPOSITORY, env=environment, stdout=sys.stderr)
    try:
        page_s = wait(lambda: ask(url, "/"), began)
        ready_s = wait(lambda: ask(url, "/fgdemo/me"), began)
        ticks = sum(map(int, Path(f"/proc/{app.pid}/stat").read_text().rpartition(")")[2].split()[11:13]))
        cpu_s = ticks / os.sysconf("SC_CLK_TCK")
        return {"page_s": round(page_s, 1), "ready_s": round(ready_s, 1), "ready_cpu_s": round(cpu_s, 1)}
    finally:
        app.kill()
        app.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--pictures", type=int, default=5_000)
    arguments = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="fgdemo-restart-"))
    try:
        print(json.dumps(run(root, arguments.events, arguments.pictures)))
    finally:
        shutil.rmtree(root, ignore_errors=True)


def run(root: Path, events: int, pictures: int) -> dict[str, float | int | bool]:
    """Make, back up, wipe, start, compare."""
    home, mirror = root / "home", root / "mirror"
    settings = Settings.from_env({"FGDEMO_HOME": str(home), "FGDEMO_MIRROR": str(mirror)})
    classifier = load_classifier(settings.checkpoint)
    workspace = fill(home, classifier, Plan(pictures, with_files=True))
    answer(workspace, events, classifier.taxonomy.leaves)
    Accounts(workspace.engine).add("mia", "maintainer", PASSWORD)
    sender = open_mirror(settings, workspace.engine)
    assert sender is not None
    sender.use(workspace.embeddings)
    began = time.monotonic()
    sender.send(progress=lambda what, done, of: print(f"{what}: {done} of {of}", file=sys.stderr))
    backup_s = time.monotonic() - began
    before = list(Inventory(workspace.engine))
    workspace.engine.dispose()
    shutil.rmtree(home)
    measured = start_and_measure(home, mirror)
    after = list(Inventory(open_database(settings.database_url)))
    size = sum(path.stat().st_size for path in mirror.rglob("*") if path.is_file())
    return {
        **measured,
        "backup_s": round(backup_s, 1),
        "events": sum(len(held.history) for held in after),
        "pictures": len(after),
        "mirror_mb": round(size / 1e6, 1),
        "same": before == after,
    }


if __name__ == "__main__":
    main()
