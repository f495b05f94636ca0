"""What `fuzz.py` does beside knocking: bombs, ids without number, answers left lying, connections left open, and one
visitor who only wants an answer.

Each attack comes from a loopback address of its own, so that the server can tell them apart.
"""

from __future__ import annotations

import contextlib
import io
import json
import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from PIL import Image

FETCHED = ("fetched.example", "100.100.100.200", "100.64.0.7", "169.254.169.254")
"""Hosts that only strangers name here: the served process says so when it looks for one
(`tests/support/fuzz_server.py`)."""
PLAIN = "http://fetched.example/a.png"
ADDRESSES = (
    PLAIN,
    "https://fetched.example/a.png",
    "http://100.100.100.200/latest/meta-data",
    "http://100.64.0.7/",
    "http://169.254.169.254/",
    "//fetched.example/a.png",
    "HTTP://fetched.example/",
    "http:/fetched.example/a",
)
ADDRESS_FILES: tuple[Any, ...] = tuple(
    {"path": address, "url": address, "meta": {"_type": "gradio.FileData"}} for address in ADDRESSES
)
NOT_NEEDED = (
    "gradio_api/dev/reload",
    "monitoring",
    "monitoring/summary",
    "gradio_api/run/about",
    "gradio_api/api/about",
    "gradio_api/custom_component/a/client/b/c",
    "gradio_api/upload_progress?upload_id=a",
    "gradio_api/mcp/sse",
    "gradio_api/deep_link?session_hash=a",
    "gradio_api/runs",
    "gradio_api/stream/a/b/1/playlist.m3u8",
    *(f"gradio_api/file={address}" for address in ADDRESSES),
    *(f"gradio_api/proxy={one}" for one in ADDRESSES),
)
PAUSE_S = 0.25


def client(url: str, last: int) -> httpx.Client:
    """One that comes from 127.0.0.`last`."""
    return httpx.Client(base_url=url, timeout=120, transport=httpx.HTTPTransport(local_address=f"127.0.0.{last}"))


def many_scans(side_px: int, scans: int) -> bytes:
    """A progressive JPEG whose last scan comes again and again."""
    file = io.BytesIO()
    Image.new("RGB", (side_px, side_px), (90, 120, 60)).save(file, "JPEG", progressive=True)
    content = file.getvalue()
    last = content.rindex(b"\xff\xda")
    return content[:-2] + content[last:-2] * scans + content[-2:]


def bombs() -> dict[str, bytes]:
    """Small files that cost much, by name."""
    made = {"scans.jpg": many_scans(1000, 600), "many.jpg": many_scans(3000, 200)}
    file = io.BytesIO()
    Image.new("L", (33_000, 1_700)).save(file, "PNG")
    made["strip.png"] = file.getvalue()
    for format, more in (
        ("PNG", {}),
        ("WEBP", {"lossless": True, "method": 0}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("GIF", {}),
    ):
        file = io.BytesIO()
        Image.new("L", (7_500, 7_500)).save(file, format, **more)  # type: ignore[arg-type]
        made[f"large.{format.lower()}"] = file.getvalue()
    file = io.BytesIO()
    frames = [Image.new("P", (2_000, 2_000), number % 2) for number in range(60)]
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    made["frames.gif"] = file.getvalue()
    return made


def chosen_box(number: int) -> dict[str, float]:
    """A small part of a picture, another one each time, for which no answer is at hand."""
    left, top = number % 9 / 10, number // 9 % 9 / 10
    return {"left": left, "top": top, "right": left + 0.1, "bottom": top + 0.1}


@dataclass
class Attack:
    """Everything that is done beside the knocking, until it is ended.

    Attributes:
        counts: how many requests each part sent.
        faults: answers that must not be, as sentences.
    """

    url: str
    component: int
    bombs: dict[str, bytes]
    counts: dict[str, int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def bombing(self) -> None:
        """Sends pictures that cost much, and asks about them."""
        made = list(self.bombs.items())
        with client(self.url, 2) as web:
            number = 0
            while not self.ended.wait(1.0) or number < len(made):  # each of them once, at least
                name, content = made[number % len(made)]
                kept = self.sent(web, "bombs", "gradio_api/upload", files={"files": (name, content)})
                path = kept.json()[0] if kept.status_code == 200 else ""
                asked = {"fn_name": "classify", "component_id": self.component, "session_hash": "bomb"}
                for box in (None, chosen_box(number)):
                    question = {"path": path, "name": name, "box": box}
                    self.sent(web, "bombs", "gradio_api/component_server", json={**asked, "data": question})
                number += 1

    def naming(self) -> None:
        """Sends ids of every length, each of them new, and collects no answer."""
        chance = random.Random(0)
        with client(self.url, 3) as web:
            while not self.ended.wait(PAUSE_S):
                name = chance.randbytes(chance.choice((8, 30, 2_000, 500_000))).hex()
                asked: dict[str, Any] = {"data": ["owl", 5], "session_hash": name}
                self.sent(web, "ids", "gradio_api/call/search_taxa", json=asked)
                self.sent(web, "ids", "gradio_api/call/search_taxa", json={"data": [name, 5]})
                served = {"data": {"query": "owl"}, "fn_name": "search_taxa", "component_id": self.component}
                self.sent(web, "ids", "gradio_api/component_server", json={**served, "session_hash": name})
                self.sent(web, "ids", f"gradio_api/upload?upload_id={name[:5_000]}", files={"files": ("a", b"x")})

    def fetching(self) -> None:
        """Names addresses wherever a picture may be named, and knocks at routes that nobody needs."""
        with client(self.url, 4) as web:
            while not self.ended.wait(PAUSE_S):
                for path in NOT_NEEDED:
                    reply = web.get(path)
                    self.counts["routes"] = self.counts.get("routes", 0) + 1
                    if reply.status_code != 404:
                        self.faults.append(f"{path} answers {reply.status_code}")
                for file in ADDRESS_FILES:
                    for name, body in (
                        ("call/classify", {"data": [file, None, None, None]}),
                        ("call/v2/suggest", {"picture": file, "comment": file}),
                        ("call/search_taxa", {"data": [file["path"], file]}),
                    ):
                        event = self.sent(web, "addresses", f"gradio_api/{name}", json=body).json().get("event_id")
                        if event:
                            web.get(f"gradio_api/call/x/{event}")
                    params = {"name": "classify", "arguments": {"picture": file["path"]}}
                    asked = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
                    accept = {"Accept": "application/json, text/event-stream"}
                    self.sent(web, "addresses", "gradio_api/mcp/", json=asked, headers=accept)

    def holding(self) -> None:
        """Opens connections and leaves them: half sent, idle, and streams; looks whether health still answers."""
        host, port = httpx.URL(self.url).host, httpx.URL(self.url).port or 80
        halves = (
            b"GET / HT",
            b"POST /gradio_api/call/about HTTP/1.1\r\nHost: a\r\nContent-Length: 900\r\n\r\n{",
            b"",
            b"GET /gradio_api/heartbeat/held HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET /config HTTP/1.1\r\nHost: a\r\n\r\n",
        )
        held: list[socket.socket] = []
        while not self.ended.wait(0.05):
            with contextlib.suppress(OSError):
                held.append(socket.create_connection((host, port), 5, source_address=("127.0.0.5", 0)))
                held[-1].sendall(halves[len(held) % len(halves)])
                self.counts["connections"] = self.counts.get("connections", 0) + 1
            if len(held) > 600:
                held.pop(0).close()
            if self.counts.get("connections", 0) % 100 == 0:
                self.look_at_health()
        for one in held:
            one.close()

    def look_at_health(self) -> None:
        """From the very address that holds all connections open."""
        try:
            with client(self.url, 5) as web:
                status = web.get("healthz").status_code
        except httpx.HTTPError as error:
            status = type(error).__name__
        if status != 200:
            self.faults.append(f"healthz: {status}")

    def sent(self, web: httpx.Client, part: str, path: str, **named: Any) -> httpx.Response:
        """A POST; what the server calls its own fault is one."""
        reply = web.post(path, **named)
        self.counts[part] = self.counts.get(part, 0) + 1
        if reply.status_code >= 500 and not is_sentence(reply.text):
            self.faults.append(f"{part}: {path[:80]} answers {reply.status_code} {reply.text[:200]!r}")
        return reply


def is_sentence(text: str) -> bool:
    """Whether an answer says in our own words what is the matter, and not that the server has failed."""
    try:
        error = json.loads(text).get("error") or json.loads(text).get("reason")
    except (ValueError, AttributeError):
        return False
    return isinstance(error, str) and error.endswith((".", "…")) and "went wrong" not in error


class Beside:
    """A visitor who asks about one picture after the other, as a person would; how long each answer took."""

    def __init__(self, url: str, component: int, picture: bytes) -> None:
        self.elapsed_s: list[float] = []
        self.failed = 0
        self._url, self._component, self._picture = url, component, picture

    def asking(self, ended: threading.Event) -> None:
        with client(self._url, 9) as web:
            while not ended.wait(PAUSE_S):
                begun_s = time.perf_counter()
                try:
                    path = web.post("gradio_api/upload", files={"files": ("a.png", self._picture)}).json()[0]
                    asked = {"data": {"path": path, "name": "a.png"}, "fn_name": "classify", "session_hash": "beside"}
                    reply = web.post("gradio_api/component_server", json={**asked, "component_id": self._component})
                    self.failed += "candidates" not in reply.json()
                except (httpx.HTTPError, ValueError, LookupError):
                    self.failed += 1
                self.elapsed_s.append(time.perf_counter() - begun_s)

    def p95_s(self) -> float:
        return sorted(self.elapsed_s)[int(0.95 * len(self.elapsed_s))] if self.elapsed_s else float("nan")


@contextmanager
def under_attack(attack: Attack, beside: Beside) -> Iterator[None]:
    """While the block runs, everything at once."""
    parts = (attack.bombing, attack.naming, attack.fetching, attack.holding)
    threads = [threading.Thread(target=part, name=part.__name__) for part in parts]
    threads.append(threading.Thread(target=beside.asking, args=(attack.ended,)))
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        attack.ended.set()
        for thread in threads:
            thread.join()


def resident_bytes(process: int) -> int:
    """Memory that lies in RAM of a process and of all that it has started, without what they share."""
    size = Path(f"/proc/{process}/smaps_rollup").read_text()
    rows = dict(line.split(":", 1) for line in size.splitlines()[1:])
    own = sum(int(rows[name].split()[0]) * 1024 for name in ("Private_Clean", "Private_Dirty"))
    started = [file.read_text().split() for file in Path(f"/proc/{process}/task").glob("*/children")]
    return own + sum(resident_bytes(int(one)) for some in started for one in some)
