"""Twenty experts label at once: is a picture given to two, is an answer lost, how long does a save take?

    python benchmarks/sessions.py [--experts 20] [--seconds 60] [--burst 10] [--pictures 20000]

`python app.py` with the bundled checkpoint over a workspace of generated pictures (`large_workspace.py`). Each expert
is a client of its own that signs in with a password, keeps the cookie, and asks the page's own server functions over
HTTP as the page does: it holds five pictures, answers one a second (0.6 to 1.4 s), and asks for more after each answer.
Then all of them answer without a pause for --burst seconds. One JSON line last:

  doubles        pictures that a second person was given while the first held them, or that two people answered
  lost           answers that the server acknowledged and that are not in the log as they were given
  save_p95_ms    from sending an answer to its acknowledgement, in the minute at a human pace
  save_p50_ms, next_p95_ms, refused     of the same minute: asking for more; answers that were refused
  burst_p95_ms, burst_per_s     a save, and saves a second of all together, in the burst
"""

from __future__ import annotations

import argparse
import json
import secrets
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

import httpx
import numpy as np
from large_workspace import Plan, fill
from serving import app_command, serving

from fgdemo.model.checkpoint.load import load_classifier
from fgdemo.settings import Settings
from fgdemo.storage.database.database import open_database
from fgdemo.storage.history.events import EventLog
from fgdemo.storage.people.accounts import Accounts

AHEAD = 5
PASSWORD = "long enough"
FASTEST_S, SLOWEST_S = 0.6, 1.4


@dataclass
class Holders:
    """Who holds which picture, as the clients see it."""

    holder: dict[str, str] = field(default_factory=dict)
    doubles: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, image: str, name: str) -> None:
        with self.lock:
            if self.holder.setdefault(image, name) != name:
                self.doubles += 1
                print(f"{image[:12]} was given to {name} while {self.holder[image]} held it", file=sys.stderr)

    def release(self, image: str, name: str) -> None:
        with self.lock:
            if self.holder.get(image) == name:
                del self.holder[image]


@dataclass
class Expert:
    """One signed-in client with a labelling session."""

    name: str
    http: httpx.Client
    component: int
    holders: Holders
    generator: np.random.Generator
    session: int = 0
    items: list[dict[str, Any]] = field(default_factory=list)
    saved: dict[int, tuple[str, str, str | None]] = field(default_factory=dict)
    saves_s: list[float] = field(default_factory=list)
    asks_s: list[float] = field(default_factory=list)
    refused: int = 0

    def ask(self, name: str, question: dict[str, Any]) -> dict[str, Any]:
        body = {"data": question, "component_id": self.component, "fn_name": name, "session_hash": self.name}
        return self.http.post("gradio_api/component_server/", json=body).raise_for_status().json()

    def begin(self) -> None:
        self.http.post("fgdemo/sign-in", json={"name": self.name, "password": PASSWORD}).raise_for_status()
        while "starting" in self.ask("label_open", {}):
            time.sleep(2)
        plan = {"order": "suspicion", "pair": None, "goal": None, "blind_share": 0}
        self.session = self.ask("label_start", plan)["session"]["id"]
        self.fill()

    def fill(self) -> None:
        have = [item["image"] for item in self.items]
        began = time.perf_counter()
        reply = self.ask("label_next", {"session": self.session, "have": have, "count": AHEAD - len(have)})
        self.asks_s.append(time.perf_counter() - began)
        for item in reply["items"]:
            self.holders.take(item["image"], self.name)
            self.items.append(item)

    def answer(self) -> None:
        """Most often a label, now and then another answer."""
        if not self.items:
            return self.fill()
        item = self.items.pop(0)
        kind = str(self.generator.choice(["label", "label", "label", "unsure", "skip", "unusable", "none"]))
        taxon = item["choices"][int(self.generator.integers(0, 2))]["taxon"] if kind == "label" else None
        said = {
            "session": self.session,
            "key": secrets.token_hex(16),
            "image": item["image"],
            "kind": kind,
            "shown_version": item["version"],
            "taxon": taxon,
            "seconds": 1.0,
            "reason": item["reason"],
            "blind": False,
        }
        if kind in ("skip", "unsure"):  # others may be given it before we hear that it was saved
            self.holders.release(item["image"], self.name)
        began = time.perf_counter()
        reply = self.ask("label_answer", said)
        self.saves_s.append(time.perf_counter() - began)
        self.holders.release(item["image"], self.name)
        if "saved" in reply:
            self.saved[reply["saved"]] = item["image"], kind, taxon
        else:
            self.refused += 1
            print(f"{self.name}: {reply.get('error')}", file=sys.stderr)
        self.fill()
        return None


def work(experts: list[Expert], seconds: float, resting: bool) -> float:
    """All of them for a while; gives the seconds that it took."""
    began = time.monotonic()

    def one(expert: Expert) -> None:
        while time.monotonic() - began < seconds:
            if resting:
                time.sleep(float(expert.generator.uniform(FASTEST_S, SLOWEST_S)))
            expert.answer()

    with ThreadPoolExecutor(len(experts)) as pool:
        list(pool.map(one, experts))
    return time.monotonic() - began


def check(home: Path, experts: list[Expert]) -> tuple[int, int]:
    """(answers lost, pictures that two people answered), by the log."""
    log = EventLog(open_database(f"sqlite:///{home / 'fgdemo.sqlite'}"))
    kept: dict[int, tuple[str, str, str | None, str]] = {}
    answerers: Counter[str] = Counter()
    for expert in experts:
        said = log.by_session(expert.session)
        kept.update({one.id or 0: (one.image, one.kind, one.taxon, one.annotator) for one in said})
        answerers.update({one.image for one in said if one.kind not in ("skip", "unsure")})
    lost = sum(kept.get(event) != (*said, expert.name) for expert in experts for event, said in expert.saved.items())
    return lost, sum(count > 1 for count in answerers.values())


def measure(home: Path, scratch: Path, given: argparse.Namespace) -> dict[str, float]:
    accounts = Accounts(open_database(f"sqlite:///{home / 'fgdemo.sqlite'}"))
    holders = Holders()
    with serving(app_command(), scratch) as served:
        components = httpx.get(f"{served.url}config", timeout=600).json()["components"]
        page = next(one["id"] for one in components if "label_open" in (one["props"].get("server_fns") or ()))
        experts = []
        for number in range(given.experts):
            name = f"expert {number} {secrets.token_hex(3)}"
            accounts.add(name, "expert", PASSWORD)
            http = httpx.Client(base_url=served.url, timeout=600, limits=httpx.Limits(keepalive_expiry=2))
            experts.append(Expert(name, http, page, holders, np.random.default_rng(number)))
        for expert in experts:
            expert.begin()
        for expert in experts:
            expert.saves_s, expert.asks_s = [], []
        work(experts, given.seconds, resting=True)
        saves = [took for expert in experts for took in expert.saves_s]
        asks = [took for expert in experts for took in expert.asks_s]
        figures = {
            "save_p95_ms": round(1000 * float(np.percentile(saves, 95)), 1),
            "save_p50_ms": round(1000 * float(np.percentile(saves, 50)), 1),
            "next_p95_ms": round(1000 * float(np.percentile(asks, 95)), 1),
            "saves": len(saves),
        }
        for expert in experts:
            expert.saves_s = []
        took = work(experts, given.burst, resting=False)
        burst = [one for expert in experts for one in expert.saves_s]
        figures["burst_p95_ms"] = round(1000 * float(np.percentile(burst, 95)), 1)
        figures["burst_per_s"] = round(len(burst) / took, 1)
    lost, twice = check(home, experts)
    refused = sum(expert.refused for expert in experts)
    return {"doubles": holders.doubles + twice, "lost": lost, **figures, "refused": refused}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experts", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--burst", type=float, default=10)
    parser.add_argument("--pictures", type=int, default=20_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch) / "home"
        fill(home, load_classifier(Settings.from_env({}).checkpoint), Plan(given.pictures, with_files=True))
        figures = measure(home, Path(scratch), given)
    print(json.dumps({**figures, "experts": given.experts, "pictures": given.pictures}))


if __name__ == "__main__":
    main()
