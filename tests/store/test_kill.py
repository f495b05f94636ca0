"""kill -9 of a real HTTP server in the middle of a busy session, again and again: what was acknowledged is there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from fgdemo.storage.database.database import utc_now
from fgdemo.storage.history.events import LabelEvent
from fgdemo.storage.history.leases import LEASE_S, Leases
from fgdemo.storage.people.accounts import Accounts
from tests.support.workspace import FakeWorkspace, open_fake_workspace, some_pictures

pytestmark = pytest.mark.skipif(os.name == "nt", reason="kill -9 and fork are of Unix")
ROOT = Path(__file__).parents[2]
PEOPLE = ("ada", "bo", "cy")
PASSWORD = "long enough"
KINDS = ("label", "label", "label", "unsure", "unsure", "unusable", "skip", "skip", "none")


class Server:
    """The process that forks one server after the other."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-m", "tests.support.fork_server", str(folder)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.url = f"http://127.0.0.1:{self._number()}"

    def begin(self, home: Path, url: str) -> int:
        assert self.process.stdin is not None
        print(home, url, file=self.process.stdin, flush=True)
        return self._number()

    def _number(self) -> int:
        assert self.process.stdout is not None
        return int(self.process.stdout.readline())


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("server"))
    yield server
    os.killpg(server.process.pid, signal.SIGKILL)  # the life that a failed test left, too: it holds the pipe
    server.process.communicate()


class Expert(threading.Thread):
    """A page as the server sees it: asks, answers, now and then takes back; sends again what got no reply.

    Attributes:
        saved: the key and the picture of each answer that was acknowledged, by the event's id.
        undone: events whose taking back was acknowledged.
    """

    def __init__(self, url: str, name: str, seed: int, stop: threading.Event, acknowledged: threading.Semaphore):
        super().__init__(name=name)
        self.http = httpx.Client(base_url=url, timeout=60)
        self.chance, self.stop, self.acknowledged = np.random.default_rng(seed), stop, acknowledged
        self.component: int | None = None
        self.saved: dict[int, tuple[str, str]] = {}
        self.undone: list[int] = []
        self.fault: Exception | None = None

    def run(self) -> None:
        try:
            self.send("POST", "/fgdemo/sign-in", {"name": self.name, "password": PASSWORD})
            session = self.ask("label_start", {"order": "new"})["session"]["id"]
            while not self.stop.is_set():
                for item in self.ask("label_next", {"session": session, "have": [], "count": 3})["items"]:
                    self.answer(session, item)
        except Exception as error:  # noqa: BLE001 - told to the test's own thread
            self.fault = error
            self.acknowledged.release(1000)

    def answer(self, session: int, item: dict[str, Any]) -> None:
        kind, key = str(self.chance.choice(KINDS)), str(uuid.UUID(bytes=self.chance.bytes(16)))
        taxon = item["choices"][int(self.chance.integers(len(item["choices"])))]["taxon"] if kind == "label" else None
        said = {
            "session": session,
            "image": item["image"],
            "kind": kind,
            "taxon": taxon,
            "key": key,
            "shown_version": item["version"],
            "reason": item["reason"],
        }
        reply = self.ask("label_answer", said)
        if "stale" in reply:  # our own answer, undone or said while the server died
            return
        self.saved[reply["saved"]] = key, item["image"]
        self.acknowledged.release()
        if self.chance.random() < 0.15:
            reply = self.ask("label_undo", {"session": session})
            if "undone" in reply:
                self.undone.append(reply["undone"]["id"])

    def ask(self, name: str, question: dict[str, Any]) -> dict[str, Any]:
        if self.component is None:
            components = self.send("GET", "/config")["components"]
            self.component = next(c["id"] for c in components if "label_answer" in c["props"].get("server_fns", []))
        body = {"data": question, "fn_name": name, "component_id": self.component, "session_hash": self.name}
        reply = self.send("POST", "/gradio_api/component_server", body)
        assert "error" not in reply or reply.get("code") == "stale", reply
        return reply

    def send(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        while True:
            try:
                reply = self.http.request(method, path, json=body)
            except httpx.TransportError:
                continue  # it died: send the same to its next life
            assert reply.status_code == 200, reply.text
            return reply.json()


def check(workspace: FakeWorkspace, experts: list[Expert], log: dict[int, LabelEvent]) -> None:
    """Everything that was acknowledged before is there now, and no lease hangs."""
    acknowledged = [(person.name, dict(person.saved), list(person.undone)) for person in experts]
    while some := workspace.events.since(max(log, default=0)):
        log.update((said.id or 0, said) for said in some)
    taken_back = {said.undoes for said in log.values()}
    for name, saved, undone in acknowledged:
        assert {number: (log[number].answer_key, log[number].image, log[number].annotator) for number in saved} == {
            number: (key, image, name) for number, (key, image) in saved.items()
        }
        assert set(undone) <= taken_back
    keys = [said.answer_key for said in log.values() if said.answer_key]
    assert len(set(keys)) == len(keys)
    over = utc_now() + timedelta(seconds=LEASE_S)
    assert Leases(workspace.engine, lambda: over).held() == {}


def same_head(workspace: FakeWorkspace, home: Path, url: str) -> FakeWorkspace:
    """The head that followed every answer is that of a fresh fit, which is given back."""
    workspace.learner.catch_up()
    fresh = open_fake_workspace(home, url)
    fresh.learner.catch_up()
    ours, theirs = workspace.learner.weights_now(), fresh.learner.weights_now()
    order = [theirs[2].index(taxon) for taxon in ours[2]]
    for mine, other in ((ours[0], theirs[0][:, order]), (ours[1], theirs[1][order])):
        # float32 of log-odds in the thousands, since the colours hardly vary within a kind
        np.testing.assert_allclose(mine, other, rtol=0, atol=1e-5 * max(10.0, float(np.abs(other).max())))
    return fresh


@pytest.mark.timeout(600)
def test_what_a_client_saw_acknowledged_survives_kill_9(server: Server, tmp_path: Path, database_url: str) -> None:
    deaths = 100 if database_url.startswith("sqlite") else 10
    workspace = open_fake_workspace(tmp_path, database_url)
    workspace.take_in(some_pictures(20 + 3 * deaths // 2, 0))
    accounts = Accounts(workspace.engine)
    for name in PEOPLE:
        accounts.add(name, "expert", PASSWORD)
    chance, stop, acknowledged = np.random.default_rng(3), threading.Event(), threading.Semaphore(0)
    experts = [Expert(server.url, name, seed, stop, acknowledged) for seed, name in enumerate(PEOPLE)]
    log: dict[int, LabelEvent] = {}
    child = server.begin(tmp_path, database_url)
    for person in experts:
        person.start()
    for death in range(deaths):
        for _ in range(int(chance.integers(0, 8))):  # sometimes before it has said a word
            assert acknowledged.acquire(timeout=60)
        stop.wait(float(chance.uniform(0, 0.05)))  # anywhere between two answers
        os.kill(child, signal.SIGKILL)
        child = server.begin(tmp_path, database_url)
        check(workspace, experts, log)
        if death % 20 == 0:
            same_head(workspace, tmp_path, database_url).engine.dispose()
    stop.set()
    for person in experts:
        person.join()
    assert [person.fault for person in experts] == [None] * len(PEOPLE)
    os.kill(child, signal.SIGKILL)
    check(workspace, experts, log)
    assert len(log) > 2 * deaths
    child = server.begin(tmp_path, database_url)  # the last life: what it says is what a fresh fit says
    fresh = same_head(workspace, tmp_path, database_url)
    fresh.learner.refresh()
    session = experts[0].ask("label_start", {"order": "new"})["session"]["id"]
    items = experts[0].ask("label_next", {"session": session, "have": [], "count": 3})["items"]
    assert len(items) == 3
    for item in items:
        expected = {chance.taxon: chance.prob for chance in fresh.learner.chances(item["image"]) or ()}
        assert {choice["taxon"]: choice["prob"] for choice in item["choices"]} == pytest.approx(expected, abs=1e-6)
    os.kill(child, signal.SIGKILL)
    workspace.engine.dispose()
    fresh.engine.dispose()
