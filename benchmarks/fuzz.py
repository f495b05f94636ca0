"""Strangers at every door: does anything fall over, leak, or change that must not?

    python benchmarks/fuzz.py [--requests 20000] [--seed 0] [--threads 4]

The real page in a process of its own over a small workspace; only the classifier is a fake, so that the time goes into
requests. Doors are taken from the app itself: every server function, every endpoint of Gradio's API description, every
route of ours and of Gradio, with every method. Each is tried as nobody, visitor, expert and maintainer, with what
belongs there, with parts of it changed (wrong types, huge and tiny numbers, control characters, markup, paths, deep
nesting), and with bodies that are no JSON at all. One JSON line last:

  requests       how many were answered
  server_errors  answers of 500 and above, answers that hold a traceback or that the server itself calls its fault, and
                 requests that got no answer
  leaks          answers that hold a canary: of a file in the workspace, beside it, in the checkpoint, in the working
                 directory, a row of the database that is for nobody, or a password
  unauthorised   changes of any table by requests of somebody without the right, and refusals that did not come
  fetches        lookups of, and connections to, hosts that only strangers named, counted inside the served process
  memory_ratio   memory of the server and its decoding processes after everything, when it has swept, over that before;
                 before is measured after a tenth of the knocking and before any attack, when all code is loaded
  beside_p95_s   seconds until a visitor beside all this, who uploads a picture and asks about it, has the answer

Beside the knocking, from addresses of their own (`fuzz_hostile.py`): pictures that are bombs, ids of every length,
answers that nobody collects, addresses in place of pictures, routes that nobody needs, connections left open.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # runs from a clone, nothing needs to be installed

import fuzz_hostile as hostile
import httpx
import sqlalchemy as sa
from fuzz_knocking import CANARY, MARK, Fuzzer, Place, Tally, doors
from sqlalchemy.engine import Engine

from fgdemo.settings import REPOSITORY
from fgdemo.storage.people.accounts import Accounts
from fgdemo.values.annotation import Role
from tests.support.workspace import open_fake_workspace, some_pictures

PASSWORD = "long enough " + CANARY
ROLES: tuple[Role | None, ...] = (None, "visitor", "expert", "maintainer")
LEFT_TO_NOBODY = ("lease", "sign_in", "session")
"""Tables that change by merely looking, or by signing in."""

SWEPT_AFTER_S = 140
"""So long does the server keep what nobody collects, and a little."""


def digest(engine: Engine, changing: tuple[str, ...]) -> dict[str, str]:
    """What each table holds, as a hash."""
    found = {}
    with engine.connect() as connection:
        for name in sa.inspect(connection).get_table_names():
            if name not in changing:
                rows = sorted(map(repr, connection.execute(sa.text(f'SELECT * FROM "{name}"'))))
                found[name] = hashlib.sha256("\n".join(rows).encode()).hexdigest()
    return found


def knock_everywhere(place: Place, role: Role | None, count: int, seed: int, threads: int, tally: Tally) -> None:
    """`count` requests as `role`; each door gets its share, and questions more than plain paths."""
    found = doors(place)
    weighty = [door for door in found if door.example is not None]

    def one(turn: int) -> None:
        fuzzer = Fuzzer(place, seed * 1000 + turn, tally)
        for number in range(turn, count, threads):
            of = weighty if fuzzer.chance.random() < 0.6 else found
            fuzzer.knock(of[number % len(of)], role)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(one, range(threads)))


def prepare(scratch: Path) -> tuple[Path, Engine, dict[Role | None, str | None], dict[str, Any]]:
    """A workspace with canaries in it, three people, and words that mean something there."""
    home = scratch / "home"
    home.mkdir()
    for path in (
        home / "secret.txt",
        scratch / "beside.txt",
        scratch / "cwd" / "here.txt",
        home / "models" / "x" / "card.json",
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(CANARY)
    workspace = open_fake_workspace(home)
    workspace.take_in(some_pictures(6, 2))
    accounts = Accounts(workspace.engine)
    tokens: dict[Role | None, str | None] = {None: None}
    for role in ("visitor", "expert", "maintainer"):
        accounts.add(f"the {role}", role, PASSWORD)
        tokens[role] = accounts.sign_in(f"the {role}", PASSWORD)
    image = workspace.roster.image_ids[0]
    return home, workspace.engine, tokens, words_of(image, workspace.roster.standing(image).version)


def words_of(image: str, version: int) -> dict[str, Any]:
    """For each name of a field a value that means something in the workspace, `image` being a picture of it."""
    return {
        "image": image,
        "version": version,
        "shown_version": version,
        "taxon": "lowchen",
        "session": 1,
        "kind": "label",
        "key": "a key",
        "count": 2,
        "have": [],
        "order": "new",
        "items": [{"image": image, "version": version}],
        "answer": "unusable",
        "query": "owl",
        "limit": 5,
        "a": "lowchen",
        "b": "eskimo_dog",
        "taxa": ["lowchen"],
        "box": {"left": 0.1, "top": 0.1, "right": 0.9, "bottom": 0.9},
        "name": "a.png",
        "new_name": "Barbet",
        "comment": "a comment",
        "model_version": "m",
        "picture": {"path": "", "meta": {"_type": "gradio.FileData"}},
        "path": "",
        "asked": "lowchen",
        "rival": "eskimo_dog",
        "receipt": "r",
        "role": "expert",
        "password": "not so long",
        "location": "/nowhere",
        "about": "x",
        "format": "csv",
        "batch": "0" * 32,
        "preset": "quick",
        "job": 1,
        "given": "lowchen",
        "suggested": "eskimo_dog",
        "state": "all",
        "split": "train",
        "reason": "new",
        "blind": False,
        "seconds": 1.5,
        "size": "thumbnail",
        "which": "export",
        "keep_picture": False,
        "goal": 5,
        "pair": ["lowchen", "eskimo_dog"],
        "blind_share": 0.1,
        "sort": "new",
        "page": 0,
        "offset": 0,
        "disabled": False,
    }


def served(scratch: Path, home: Path, log: Any) -> tuple[subprocess.Popen[str], dict[str, Any]]:
    """The server, and what it says of itself."""
    command = [sys.executable, "-m", "tests.support.fuzz_server", str(home), str(scratch / "fetched.txt")]
    command += hostile.FETCHED
    environment = {**os.environ, "GRADIO_TEMP_DIR": str(home / "uploads"), "OMP_NUM_THREADS": "1"}
    server = subprocess.Popen(command, cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, stderr=log, text=True)
    assert server.stdout is not None
    told = json.loads(next(line for line in server.stdout if line.startswith("{")))
    threading.Thread(target=log.writelines, args=(server.stdout,), daemon=True).start()
    return server, told


def measure(scratch: Path, given: argparse.Namespace) -> dict[str, Any]:
    home, engine, tokens, words = prepare(scratch)
    tally = Tally()
    with (scratch / "server.log").open("w") as log:
        server, told = served(scratch, home, log)
        try:
            url, content = told["url"], some_pictures(1, 0)[0].load()
            sent = httpx.post(f"{url}gradio_api/upload", files={"files": ("a.png", content)}, timeout=120)
            words |= {"path": sent.json()[0]}
            words["picture"] = {**words["picture"], "path": words["path"]}
            place = Place(url, home, engine, tokens, words, tuple(told["paths"]))
            component = next(door.component for door in doors(place) if door.name == "classify" and door.component)
            beside = hostile.Beside(url, component, content)
            knock_everywhere(place, None, given.requests // 10, given.seed + 99, given.threads, tally)
            before_bytes = hostile.resident_bytes(server.pid)
            attack = hostile.Attack(url, component, hostile.bombs())
            with hostile.under_attack(attack, beside):
                for number, role in enumerate(ROLES):
                    knock_as(place, role, given, number, tally)
            time.sleep(SWEPT_AFTER_S)
            after_bytes = hostile.resident_bytes(server.pid)
        finally:
            server.terminate()
            server.wait(60)
    for fault in attack.faults:
        tally.note("unauthorised" if "answers 200" in fault else "server_errors", fault)
    if beside.failed:
        tally.note("server_errors", f"the visitor beside had no answer {beside.failed} times")
    judge_log(scratch, tally)
    for what, count in tally.shown.most_common(20):
        print(f"{count:5d}  {what[:300]}", file=sys.stderr)
    print(f"beside the knocking: {attack.counts}; {len(beside.elapsed_s)} answers", file=sys.stderr)
    print(f"memory before, after: {before_bytes / 1e6:.0f}, {after_bytes / 1e6:.0f} MB", file=sys.stderr)
    tally.requests += sum(attack.counts.values()) + len(beside.elapsed_s)
    figures = {name: getattr(tally, name) for name in ("requests", "server_errors", "leaks", "unauthorised", "fetches")}
    return {**figures, "memory_ratio": round(after_bytes / before_bytes, 3), "beside_p95_s": round(beside.p95_s(), 2)}


def judge_log(scratch: Path, tally: Tally) -> None:
    """What the server wrote down, and whom it looked for."""
    logged = (scratch / "server.log").read_text(errors="replace")
    for secret, what in ((CANARY, "a canary"), (MARK, "what strangers sent")):
        if secret in logged:
            tally.note("leaks", f"the log of the server holds {what}")
    tally.fetches = len((scratch / "fetched.txt").read_text().splitlines())
    if tally.server_errors or tally.leaks:
        (Path(tempfile.gettempdir()) / "fgdemo-fuzz.log").write_text(logged)


def knock_as(place: Place, role: Role | None, given: argparse.Namespace, number: int, tally: Tally) -> None:
    """A share of the requests as one role; then, what has changed that must not."""
    engine = place.engine
    before = digest(engine, LEFT_TO_NOBODY)
    knock_everywhere(place, role, given.requests // len(ROLES), given.seed + number, given.threads, tally)
    after = digest(engine, LEFT_TO_NOBODY)
    free = {"remark", "image", "label_event"} if role != "maintainer" else set(after)
    free |= {"taxon"} if role == "expert" else set()  # new kinds
    for table in after.keys() - free:
        if before[table] != after[table] and not (table == "account" and only_failures(engine)):
            tally.note("unauthorised", f"the table {table} was changed as {role}")
    if role in (None, "visitor"):
        judge_events(engine, tally, role)


def only_failures(engine: Engine) -> bool:
    """Wrong passwords are counted; names and roles must be as they were made."""
    with engine.connect() as connection:
        people = {tuple(row) for row in connection.execute(sa.text("SELECT name, role FROM account"))}
    return people == {(f"the {role}", role) for role in ("visitor", "expert", "maintainer")}


def judge_events(engine: Engine, tally: Tally, role: Role | None) -> None:
    """Visitors may suggest, and take their own picture back; nothing else may be in the log from them."""
    with engine.connect() as connection:
        said = connection.execute(sa.text("SELECT kind, annotator, reason FROM label_event WHERE kind <> 'import'"))
        for row in said:
            if not (row.kind == "suggestion" or (row.kind == "unusable" and row.reason == "removed")):
                tally.note("unauthorised", f"the event {tuple(row)} as {role}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=20_400)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=4)
    given = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        figures = measure(Path(scratch), given)
    print(json.dumps({**figures, "elapsed_s": round(time.monotonic() - began)}))


if __name__ == "__main__":
    main()
