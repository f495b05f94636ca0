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
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # runs from a clone, nothing needs to be installed

import fuzz_hostile as hostile
import httpx
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from fgdemo.annotation import Role
from fgdemo.settings import REPOSITORY
from fgdemo.storage.accounts import Accounts
from fgdemo.ui.allowed import JOINS
from fgdemo.ui.identity import COOKIE
from tests.workspace import open_fake_workspace, some_pictures

CANARY = "canary-7c1e55d0"
PASSWORD = "long enough " + CANARY
ROLES: tuple[Role | None, ...] = (None, "visitor", "expert", "maintainer")
METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS")
MARK = "mark-of-a-stranger"
"""What no log may hold."""
FAULTS = ("Traceback (most recent", "Something went wrong on the server", "Internal Server Error", "site-packages")
FOR_EVERYBODY = {
    "about", "classify", "trust", "neighbours", "search_taxa", "suggest", "my_picture", "forget_picture"
}  # fmt: skip
NEVER_ENDING = ("heartbeat", "queue/data", "upload_progress", "/mcp", "dev/reload")
"""Streams of events that stay open."""
OF_MAINTAINERS = ("data_", "people_", "train_")
LEFT_TO_NOBODY = ("lease", "sign_in", "session")
"""Tables that change by merely looking, or by signing in."""

SWEPT_AFTER_S = 140
"""So long does the server keep what nobody collects, and a little."""
ODD_TEXTS = (
    *hostile.ADDRESSES[:4], MARK, f"\n{MARK}",
    "", " ", "\0", "\ud800", "../" * 12 + "etc/passwd", "/etc/passwd", "..\\..\\x", "<script>alert(1)</script>",
    "'; DROP TABLE image; --", "{{7*7}}", "%00", "%2e%2e%2f", "\u202e" * 20, "a" * 300, "a" * 20_000, "🦉" * 50, "null",
    "__class__", "file:///etc/passwd", "http://127.0.0.1:1/", "-1", "1e999", "\r\nSet-Cookie: a=b", "${jndi:x}", "*",
)  # fmt: skip
ODD_VALUES = (
    *hostile.ADDRESS_FILES[:2],
    None, True, False, 0, -1, 1, 2**31, 2**63, 10**40, 1.5, -0.0, 1e308, [], {}, [[]], [None] * 50, {"": None},
    {"path": "/etc/passwd"}, {"__proto__": {}},
)  # fmt: skip
LONGEST_ANSWER_S = 5
NO_JSON = (b"", b"{", b"[" * 4000, b"\xff\xfe", b"null", b'"x"', b"[]", b"1e999", b"NaN", b'{"a": NaN}', b"{}" * 9)


@dataclass
class Tally:
    requests: int = 0
    server_errors: int = 0
    leaks: int = 0
    unauthorised: int = 0
    fetches: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    shown: Counter[str] = field(default_factory=Counter)

    def note(self, kind: str, what: str) -> None:
        with self.lock:
            setattr(self, kind, getattr(self, kind) + 1)
            self.shown[f"{kind}: {what}"] += 1
            if self.shown[f"{kind}: {what}"] == 1:
                print(f"{kind}: {what}"[:500], file=sys.stderr)


@dataclass(frozen=True)
class Door:
    """Where something may be sent, and an example of what belongs there.

    Attributes:
        name: of the question, for a server function; else the path.
    """

    method: str
    path: str
    name: str
    example: dict[str, Any] | None = None
    component: int | None = None


@dataclass(frozen=True)
class Place:
    """The served workspace, and what is known of it from inside."""

    url: str
    home: Path
    engine: Engine
    tokens: dict[Role | None, str | None]
    words: dict[str, Any]
    """What belongs into fields of these names."""
    paths: tuple[str, ...]
    """Our routes and Gradio's, as the running app has them."""


def doors(place: Place) -> list[Door]:
    """Every place of the app to which anything can be sent."""
    config = httpx.get(f"{place.url}config", timeout=60).json()
    info = httpx.get(f"{place.url}gradio_api/info", timeout=60).json()
    found = []
    for component in config["components"]:
        for name in component.get("props", {}).get("server_fns") or []:
            found.append(Door("POST", "gradio_api/component_server", name, dict(place.words), component["id"]))
    for name, told in info["named_endpoints"].items():
        wanted = [one["parameter_name"] for one in told["parameters"]]
        for kind in ("call", "run"):
            found.append(Door("POST", f"gradio_api/{kind}{name}", name, {"data": [place.words.get(w) for w in wanted]}))
        found.append(Door("POST", f"gradio_api/call/v2{name}", name, {w: place.words.get(w) for w in wanted}))
    for number, _ in enumerate(config["dependencies"]):
        asked = {"data": [], "fn_index": number, "session_hash": "fuzz"}
        found.append(Door("POST", "gradio_api/queue/join", f"join {number}", asked))
    plain = [path.lstrip("/") for path in place.paths if not any(one in path for one in NEVER_ENDING)]
    return found + [Door(method, path, path) for path in plain for method in METHODS]


class Fuzzer:
    """One client with its own chance, sending to doors as different people."""

    def __init__(self, place: Place, seed: int, tally: Tally) -> None:
        self.place, self.tally = place, tally
        self.chance = random.Random(seed)
        self.http = httpx.Client(base_url=place.url, timeout=120)

    def knock(self, door: Door, role: Role | None) -> None:
        """One request; of an answer that never ends, what comes in the first seconds."""
        token = self.place.tokens[role]
        headers = {"Cookie": f"{COOKIE}={token}"} if token else {}
        path, body = self._path(door.path), self._body(door)
        headers["Content-Type"] = self.chance.choice(
            ["application/json"] * 9 + ["text/plain", "multipart/form-data; boundary=x"]
        )
        if self.chance.random() < 0.03:
            headers["X-Forwarded-For"] = self.chance.choice(["1.2.3.4", "x" * 900, ", ,"])
        content = None if door.method in ("GET", "HEAD", "OPTIONS") else body
        try:
            with self.http.stream(door.method, path, content=content, headers=headers) as reply:
                text = _first_seconds_of(reply)
        except (httpx.InvalidURL, UnicodeEncodeError, httpx.LocalProtocolError):
            return  # it never left this program
        except httpx.HTTPError as error:
            self.tally.note("server_errors", f"{door.method} {door.name} as {role}: no answer ({type(error).__name__})")
            return
        with self.tally.lock:
            self.tally.requests += 1
        self._judge(door, role, reply, text, body)
        if reply.status_code == 200 and f"/{path}".startswith(JOINS) and "event_id" in text:
            event = json.loads(text)["event_id"]
            collected = Door("GET", f"gradio_api/call/x/{event}", door.name)
            self.knock(collected, role)

    def _judge(self, door: Door, role: Role | None, reply: httpx.Response, text: str, body: bytes) -> None:
        who = f"{door.method} {door.path} {door.name} as {role}"
        if reply.status_code >= 500 and not hostile.is_sentence(text):
            self.tally.note("server_errors", f"{who}: {reply.status_code} {text[:200]!r} for {body[:200]!r}")
        elif any(fault in text for fault in FAULTS) and "fgdemo-static" not in door.path:
            self.tally.note("server_errors", f"{who}: {text[:300]!r} for {body[:200]!r}")
        if CANARY in text and CANARY not in body.decode("utf-8", "ignore"):
            self.tally.note("leaks", f"{who}: {text[:200]!r} for {body[:200]!r}")
        if str(REPOSITORY) in text and str(REPOSITORY).encode() not in body and str(REPOSITORY) not in str(reply.url):
            self.tally.note("leaks", f"{who} tells where we are: {text[:200]!r} for {body[:200]!r}")
        closed = door.component is not None and door.name not in FOR_EVERYBODY
        least = ("maintainer",) if door.name.startswith(OF_MAINTAINERS) else ("expert", "maintainer")
        if closed and role not in least and reply.status_code == 200 and '"forbidden"' not in text:
            self.tally.note("unauthorised", f"{who}: {text[:200]!r}")

    def _body(self, door: Door) -> bytes:
        if door.example is None or self.chance.random() < 0.08:
            some = [*NO_JSON, json.dumps(self._odd()).encode(), json.dumps({"name": self._odd()}).encode()]
            return self.chance.choice(some)
        asked = self._changed(door.example)
        if door.component is not None:
            asked = {"data": asked, "fn_name": door.name, "component_id": door.component, "session_hash": "fuzz"}
            if self.chance.random() < 0.05:
                asked[self.chance.choice(list(asked))] = self._odd()
        return json.dumps(asked).encode()

    def _changed(self, value: Any, depth: int = 0) -> Any:
        """The same with some of its parts made odd."""
        if depth and self.chance.random() < 0.15:
            return self._odd()
        if isinstance(value, dict):
            kept = {k: self._changed(v, depth + 1) for k, v in value.items() if self.chance.random() > 0.08}
            return kept | ({self._odd_text(): self._odd()} if self.chance.random() < 0.05 else {})
        if isinstance(value, list):
            return [self._changed(one, depth + 1) for one in value]
        return value

    def _path(self, path: str) -> str:
        """The path with something in its gaps."""
        while "{" in path:
            before, _, rest = path.partition("{")
            gap, _, after = rest.partition("}")
            known = self.place.words.get(gap.partition(":")[0])
            fill = known if isinstance(known, str) and self.chance.random() < 0.4 else self._odd_text()
            path = before + fill[:500].replace("{", "(") + after
        if self.chance.random() < 0.1:
            path += f"?{self.chance.choice(['path', 'state', 'x', 'upload_id', 'given'])}={self._odd_text()[:300]}"
        return (
            path.replace("#", "%23")
            .replace("\0", "%00")
            .replace("\r", "%0d")
            .replace("\n", "%0a")
            .replace("\ud800", "%ff")
        )

    def _odd(self) -> Any:
        if self.chance.random() < 0.5:
            return self._odd_text()
        return self.chance.choice([*ODD_VALUES, self._deep(), *self.place.words.values()])

    def _odd_text(self) -> str:
        own = [str(self.place.home / name) for name in ("secret.txt", "fgdemo.sqlite")]
        return self.chance.choice([*ODD_TEXTS, *own, str(REPOSITORY / "README.md")])

    def _deep(self) -> Any:
        value: Any = self._odd_text()
        for _ in range(self.chance.choice((3, 60, 400))):
            value = [value] if self.chance.random() < 0.5 else {"a": value}
        return value


def _first_seconds_of(reply: httpx.Response) -> str:
    until, content = time.monotonic() + LONGEST_ANSWER_S, b""
    for chunk in reply.iter_bytes():
        content += chunk
        if time.monotonic() > until:
            break
    return content.decode("utf-8", "replace")


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
    version = workspace.roster.standing(image).version
    words = {
        "image": image, "version": version, "shown_version": version, "taxon": "lowchen", "session": 1,
        "kind": "label", "key": "a key", "count": 2, "have": [], "order": "new",
        "items": [{"image": image, "version": version}], "answer": "unusable", "query": "owl", "limit": 5,
        "a": "lowchen", "b": "eskimo_dog", "taxa": ["lowchen"],
        "box": {"left": 0.1, "top": 0.1, "right": 0.9, "bottom": 0.9}, "name": "a.png", "new_name": "Barbet",
        "comment": "a comment", "model_version": "m", "picture": {"path": "", "meta": {"_type": "gradio.FileData"}},
        "path": "", "asked": "lowchen", "rival": "eskimo_dog", "receipt": "r", "role": "expert",
        "password": "not so long", "location": "/nowhere", "about": "x", "format": "csv", "batch": "0" * 32,
        "preset": "quick", "job": 1, "given": "lowchen", "suggested": "eskimo_dog", "state": "all", "split": "train",
        "reason": "new", "blind": False, "seconds": 1.5, "size": "thumbnail", "which": "export",
        "keep_picture": False, "goal": 5, "pair": ["lowchen", "eskimo_dog"], "blind_share": 0.1, "sort": "new",
        "page": 0, "offset": 0, "disabled": False,
    }  # fmt: skip
    return home, workspace.engine, tokens, words


def served(scratch: Path, home: Path, log: Any) -> tuple[subprocess.Popen[str], dict[str, Any]]:
    """The server, and what it says of itself."""
    command = [sys.executable, "-m", "tests.fuzz_server", str(home), str(scratch / "fetched.txt"), *hostile.FETCHED]
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
    return {
        **figures, "memory_ratio": round(after_bytes / before_bytes, 3), "beside_p95_s": round(beside.p95_s(), 2)
    }  # fmt: skip


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
