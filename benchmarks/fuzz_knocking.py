"""A stranger who knocks at every door of the app, with what belongs there and with parts of it changed, and who judges
the answers.
"""

from __future__ import annotations

import json
import random
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import fuzz_hostile as hostile
import httpx
from sqlalchemy.engine import Engine

from fgdemo.settings import REPOSITORY
from fgdemo.values.annotation import Role
from fgdemo.web.entrance.allowed_routes import JOINS
from fgdemo.web.http.identity import COOKIE

CANARY = "canary-7c1e55d0"
METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS")
MARK = "mark-of-a-stranger"
"""What no log may hold."""
FAULTS = ("Traceback (most recent", "Something went wrong on the server", "Internal Server Error", "site-packages")
FOR_EVERYBODY = {
    *("about", "classify", "trust", "methods", "measure_methods", "neighbours", "search_taxa", "suggest"),
    *("my_picture", "forget_picture"),
}
NEVER_ENDING = ("heartbeat", "queue/data", "upload_progress", "/mcp", "dev/reload")
"""Streams of events that stay open."""
OF_MAINTAINERS = ("data_", "people_", "train_")
ODD_TEXTS = (
    *hostile.ADDRESSES[:4],
    MARK,
    f"\n{MARK}",
    "",
    " ",
    "\0",
    "\ud800",
    "../" * 12 + "etc/passwd",
    "/etc/passwd",
    "..\\..\\x",
    "<script>alert(1)</script>",
    "'; DROP TABLE image; --",
    "{{7*7}}",
    "%00",
    "%2e%2e%2f",
    "\u202e" * 20,
    "a" * 300,
    "a" * 20_000,
    "🦉" * 50,
    "null",
    "__class__",
    "file:///etc/passwd",
    "http://127.0.0.1:1/",
    "-1",
    "1e999",
    "\r\nSet-Cookie: a=b",
    "${jndi:x}",
    "*",
)
ODD_VALUES = (
    *hostile.ADDRESS_FILES[:2],
    None,
    True,
    False,
    0,
    -1,
    1,
    2**31,
    2**63,
    10**40,
    1.5,
    -0.0,
    1e308,
    [],
    {},
    [[]],
    [None] * 50,
    {"": None},
    {"path": "/etc/passwd"},
    {"__proto__": {}},
)
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
