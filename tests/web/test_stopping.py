"""SIGTERM and SIGINT to a real server that is busy, and what it has logged by then."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from fgdemo.storage.database.database import open_database
from fgdemo.storage.history.events import EventLog
from fgdemo.storage.people.tokens import Tokens
from tests.support.browser_app import LIME, YELLOW, picture
from tests.support.workspace import open_fake_workspace, some_pictures

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals are of Unix")
ROOT = Path(__file__).parents[2]
WAIT_S = 120
PEOPLE = ("ada", "bo", "cy")


class Server:
    def __init__(self, home: Path, log: Path, *more: str, port: int | None = None) -> None:
        if port is None:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = probe.getsockname()[1]
        uploads = {"GRADIO_SERVER_PORT": str(port), "GRADIO_TEMP_DIR": str(home / "uploads"), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "tests.support.stoppable_server", str(home), *more]
        self.url, self.log, self.port = f"http://127.0.0.1:{port}", log, port
        self.http = httpx.Client(base_url=self.url, timeout=WAIT_S)
        with log.open("w") as out:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env={**os.environ, **uploads}, stdout=out, stderr=subprocess.STDOUT
            )

    def health(self) -> httpx.Response:
        """As soon as there is any."""
        while self.is_running():
            try:
                return self.http.get("/healthz")
            except httpx.TransportError:
                continue
        raise AssertionError(self.log.read_text())

    def is_running(self) -> bool:
        """Asked no more often than twenty times a second."""
        try:
            self.process.wait(0.05)
        except subprocess.TimeoutExpired:
            return True
        return False

    def wait_until_ready(self) -> dict[str, Any]:
        while (health := self.health()).status_code != 200:
            pass
        return health.json()

    def lines(self) -> list[dict[str, Any]]:
        """What it has logged; all of it is JSON but for what Gradio prints at the start."""
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]


@contextmanager
def serving(home: Path, log: Path, *more: str, port: int | None = None) -> Iterator[Server]:
    server = Server(home, log, *more, port=port)
    try:
        yield server
    finally:
        server.process.kill()
        server.process.wait()


class Expert(threading.Thread):
    """Answers one picture after the other until the server has gone; `saved` are the ids of acknowledged events."""

    def __init__(self, url: str, secret: str, acknowledged: threading.Semaphore) -> None:
        super().__init__(daemon=True)
        self.http = httpx.Client(base_url=url, timeout=WAIT_S, headers={"Authorization": f"Bearer {secret}"})
        self.acknowledged, self.saved, self.fault = acknowledged, set[int](), ""

    def run(self) -> None:
        try:
            components = self.http.get("/config").json()["components"]
            self.component = next(c["id"] for c in components if "label_answer" in c["props"].get("server_fns", []))
            session = self.ask("label_start", {"order": "new"})["session"]["id"]
            while items := self.ask("label_next", {"session": session, "count": 3})["items"]:
                for item in items:
                    said = {
                        "session": session,
                        "image": item["image"],
                        "kind": "none",
                        "key": uuid.uuid4().hex,
                        "shown_version": item["version"],
                    }
                    self.saved.add(self.ask("label_answer", said)["saved"])
                    self.acknowledged.release()
            self.fault = "There was too little to do."
        except httpx.TransportError:
            pass
        except Exception as error:  # noqa: BLE001 - told to the test's own thread
            self.fault = repr(error)
            self.acknowledged.release(1000)

    def ask(self, name: str, question: dict[str, Any]) -> dict[str, Any]:
        body = {"data": question, "fn_name": name, "component_id": self.component, "session_hash": "x"}
        reply = self.http.post("/gradio_api/component_server", json=body)
        assert reply.status_code == 200, reply.text
        assert "error" not in reply.json(), reply.text
        return reply.json()


def hold_open(url: str, is_open: threading.Event) -> None:
    """What each open page does: a stream that only ends with the server."""
    with httpx.stream("GET", f"{url}/gradio_api/heartbeat/x", timeout=None) as stream:
        for _ in stream.iter_raw():
            is_open.set()


@pytest.mark.timeout(600)
def test_a_busy_server_leaves_in_order(tmp_path: Path) -> None:
    workspace = open_fake_workspace(tmp_path)
    workspace.take_in(some_pictures(80, 0))
    tokens = Tokens(workspace.engine)
    secrets = [tokens.add(name, "expert") for name in PEOPLE]
    with serving(tmp_path, tmp_path / "log") as server:
        assert server.wait_until_ready()["model_version"] == "fake-00000000"
        hidden = ask_with_secrets(server.url, secrets[0], picture(tmp_path / "my-holiday.png", YELLOW, LIME))
        acknowledged, is_open = threading.Semaphore(0), threading.Event()
        threading.Thread(target=hold_open, args=(server.url, is_open), daemon=True).start()
        experts = [Expert(server.url, secret, acknowledged) for secret in secrets]
        for expert in experts:
            expert.start()
        for _ in range(20):
            assert acknowledged.acquire(timeout=WAIT_S)
        assert is_open.wait(WAIT_S)
        server.process.terminate()
        assert server.process.wait(WAIT_S) == 0
        for expert in experts:
            expert.join(WAIT_S)
        assert [expert.fault for expert in experts] == [""] * len(PEOPLE)
        said = {event.id for event in workspace.events.since(0) if event.kind == "none"}
        assert said == set().union(*(expert.saved for expert in experts)), "what was taken was also acknowledged"
        check_log(server, [*hidden, *secrets, str(tmp_path)])
    copy = Path(shutil.copy(tmp_path / "fgdemo.sqlite", tmp_path / "copy.sqlite"))
    copied = EventLog(open_database(f"sqlite:///{copy}")).since(0)
    assert {event.id for event in copied if event.kind == "none"} == said, "the one file holds all"
    workspace.engine.dispose()


def ask_with_secrets(url: str, secret: str, photo: Path) -> list[str]:
    """Requests of every kind; what of them must not be in the log."""
    token = {"Authorization": f"Bearer {secret}"}
    http = httpx.Client(base_url=url, timeout=WAIT_S)
    ours = http.get("/fgdemo/me?password=hunter2", headers={**token, "X-Request-ID": "from-the-proxy-1"})
    assert ours.headers["x-request-id"] == "from-the-proxy-1"
    odd = http.get("/fgdemo/me", headers={"X-Request-ID": 'x"} {"level": "forged" ' + "y" * 100})
    assert re.fullmatch("[0-9a-f]{32}", odd.headers["x-request-id"])
    assert http.post("/fgdemo/sign-in", json={"name": "mallory", "password": "a long password"}).status_code == 403
    with photo.open("rb") as file:
        (path,) = http.post("/gradio_api/upload", files={"files": file}).json()
    asked = {"picture": {"path": path, "orig_name": photo.name, "meta": {"_type": "gradio.FileData"}}}
    event = http.post("/gradio_api/call/v2/explain", json=asked, headers=token).json()["event_id"]
    told = http.get(f"/gradio_api/call/explain/{event}").text
    sheet = json.loads(told.rpartition("data: ")[2])[0]["path"]
    assert http.get(f"/gradio_api/file={sheet}").content.startswith(b"\x89PNG")
    event = http.post("/gradio_api/call/v2/next_items", json={}, headers=token).json()["event_id"]
    assert "event: complete" in http.get(f"/gradio_api/call/next_items/{event}").text
    return ["hunter2", "a long password", "mallory", "forged", photo.stem]


def check_log(server: Server, hidden: list[str]) -> None:
    """One line a request, with its id and who asked, and nothing that is to be hidden."""
    text, lines = server.log.read_text(), server.lines()
    for secret in hidden:
        assert secret not in text, secret
    (line,) = [line for line in lines if line.get("request_id") == "from-the-proxy-1"]
    assert (line["route"], line["method"], line["status"], line["person"]) == ("fgdemo/me", "GET", 200, "ada")
    assert line["elapsed_ms"] > 0
    questions = {line["question"]: line for line in lines if line.get("route") == "question"}
    assert questions["explain"]["outcome"] == "ok"
    assert questions["next_items"]["person"] == "ada"
    asked = [line for line in lines if line.get("question") == "label_answer"]
    assert {(line["status"], line["outcome"]) for line in asked} == {(200, "ok")}
    assert {line["person"] for line in asked} == set(PEOPLE)
    assert lines[-1]["message"] == "Stopped."


@pytest.mark.timeout(600)
def test_a_server_that_still_loads_says_so_and_leaves_too(tmp_path: Path) -> None:
    with serving(tmp_path, tmp_path / "log", "loading") as server:
        health = server.health()
        assert (health.status_code, health.json()["reason"]) == (503, "The model is loading.")
        assert server.http.get("/metrics").status_code == 403
        assert server.http.get("/fgdemo/openapi.json").status_code == 200
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(WAIT_S) == 0
        assert "Traceback" not in server.log.read_text()
