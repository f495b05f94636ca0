"""A busy day: 50 visitors classify while 20 experts label. Does anybody get an error, a wrong answer, or wait?

    python benchmarks/load.py [--visitors 50] [--experts 20] [--seconds 120] [--pictures 5000] [--checkpoint DIR]

`python app.py` with the bundled checkpoint over a workspace of generated pictures. Visitors come from addresses of
their own through a proxy, so that the limits hold for them as on a public page; each uploads a photograph, asks what it
is, which pictures look like it, and (one in three) how far the map can be trusted, then looks at the answer for 5 to 15
seconds. Experts do as in `sessions.py`: five pictures ahead, one answer in 0.6 to 1.4 s. One JSON line last:

  errors          requests that failed or were refused, of visitors and experts (a trust figure that is put off is none:
                  nobody waits for it)
  wrong_answers   answers about another picture than the one that was sent, or other than what it got alone
  save_p95_ms     from sending an expert's answer to its acknowledgement
  memory_ratio    memory of the server at the end, over that after the first quarter
  lost, doubles   answers that were acknowledged and are not in the log; pictures that two experts were given
"""

from __future__ import annotations

import argparse
import hashlib
import json
import secrets
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # runs from a clone, nothing needs to be installed

import httpx
import numpy as np
from large_workspace import Plan, fill
from serving import Served, app_command, photographs, serving
from sessions import PASSWORD, Expert, Holders, check, work
from visitors import Visitor, essence, memory_mb

from fgdemo.model.checkpoint.load import load_classifier
from fgdemo.settings import Settings
from fgdemo.storage.database.database import open_database
from fgdemo.storage.people.accounts import Accounts

FEWEST_REST_S, MOST_REST_S = 5.0, 15.0
TRUST_SHARE = 1 / 3
WARM_SHARE = 0.25


@dataclass
class Crowd:
    """Visitors at work, and what went wrong for them."""

    alone: dict[Path, tuple]
    errors: list[str] = field(default_factory=list)
    wrong: int = 0
    answers_s: list[float] = field(default_factory=list)
    put_off: int = 0
    stop: threading.Event = field(default_factory=threading.Event)

    def visit(self, visitor: Visitor, pictures: Sequence[Path], chance: np.random.Generator) -> None:
        """One visitor, until the time is over."""
        self.stop.wait(float(chance.uniform(0, MOST_REST_S)))
        while not self.stop.is_set():
            path = pictures[int(chance.integers(len(pictures)))]
            try:
                self._look_at(visitor, path, chance)
            except (httpx.HTTPError, KeyError, ValueError) as error:
                self.errors.append(repr(error)[:200])
            self.stop.wait(float(chance.uniform(FEWEST_REST_S, MOST_REST_S)))

    def _look_at(self, visitor: Visitor, path: Path, chance: np.random.Generator) -> None:
        began = time.perf_counter()
        answer = visitor.classify(path)
        if "error" in answer:
            self.errors.append(answer["error"])
            return
        self.answers_s.append(time.perf_counter() - began)
        own = hashlib.sha256(path.read_bytes()).hexdigest()
        self.wrong += answer["image_id"] != own or essence(answer) != self.alone.get(path, essence(answer))
        sent = visitor.http.post("gradio_api/upload", files={"files": (path.name, path.read_bytes())}).json()[0]
        about: dict[str, Any] = {"path": sent, "name": path.name}
        near = self._ask(visitor, "neighbours", {**about, "taxa": [answer["asked"], answer["rival"]]})
        if "error" in near:
            self.errors.append(near["error"])
        if chance.random() < TRUST_SHARE:
            self.put_off += "error" in self._ask(
                visitor, "trust", {**about, "a": answer["asked"], "b": answer["rival"]}
            )

    @staticmethod
    def _ask(visitor: Visitor, name: str, question: dict[str, Any]) -> dict[str, Any]:
        body = {"data": question, "component_id": visitor.component, "fn_name": name, "session_hash": str(id(visitor))}
        return visitor.http.post("gradio_api/component_server/", json=body).raise_for_status().json()


def begin_experts(served: Served, home: Path, count: int, holders: Holders) -> list[Expert]:
    """Experts who have signed in and hold their first pictures."""
    accounts = Accounts(open_database(f"sqlite:///{home / 'fgdemo.sqlite'}"))
    components = httpx.get(f"{served.url}config", timeout=600).json()["components"]
    page = next(one["id"] for one in components if "label_open" in (one["props"].get("server_fns") or ()))
    experts = []
    for number in range(count):
        name = f"expert {number} {secrets.token_hex(3)}"
        accounts.add(name, "expert", PASSWORD)
        http = httpx.Client(base_url=served.url, timeout=600, limits=httpx.Limits(keepalive_expiry=2))
        experts.append(Expert(name, http, page, holders, np.random.default_rng(number)))
        experts[-1].begin()
    for expert in experts:
        expert.saves_s, expert.asks_s = [], []
    return experts


def measure(home: Path, scratch: Path, given: argparse.Namespace) -> dict[str, Any]:
    pictures = photographs(given.photographs, scratch)
    holders = Holders()
    limits = {"FGDEMO_PROXIES": "1", "FGDEMO_ASKS_PER_MINUTE": "120"}
    with serving(app_command(), scratch, given.checkpoint, **limits) as served:
        experts = begin_experts(served, home, given.experts, holders)
        visitors = [Visitor.at(served.url, f"10.{n // 250}.{n % 250}.7") for n in range(given.visitors)]
        alone = {path: essence(visitors[turn % len(visitors)].classify(path)) for turn, path in enumerate(pictures)}
        crowd = Crowd(alone)
        threads = [
            threading.Thread(target=crowd.visit, args=(visitor, pictures, np.random.default_rng(1000 + number)))
            for number, visitor in enumerate(visitors)
        ]
        for thread in threads:
            thread.start()
        work(experts, given.seconds * WARM_SHARE, resting=True)
        before_mb = memory_mb(served.pid)
        work(experts, given.seconds * (1 - WARM_SHARE), resting=True)
        after_mb = memory_mb(served.pid)
        crowd.stop.set()
        for thread in threads:
            thread.join()
    lost, twice = check(home, experts)
    for sentence in sorted(set(crowd.errors)):
        print(f"{crowd.errors.count(sentence)} times: {sentence}", file=sys.stderr)
    saves = [took for expert in experts for took in expert.saves_s]
    return {
        "errors": len(crowd.errors) + sum(expert.refused for expert in experts),
        "wrong_answers": crowd.wrong,
        "save_p95_ms": round(1000 * float(np.percentile(saves, 95)), 1),
        "memory_ratio": round(after_mb / before_mb, 3),
        "save_p50_ms": round(1000 * float(np.percentile(saves, 50)), 1),
        "answer_p95_ms": round(1000 * float(np.percentile(crowd.answers_s, 95)), 1),
        "answers": len(crowd.answers_s),
        "saves": len(saves),
        "lost": lost,
        "doubles": holders.doubles + twice,
        "trust_put_off": crowd.put_off,
        "memory_mb": round(after_mb),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--visitors", type=int, default=50)
    parser.add_argument("--experts", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--pictures", type=int, default=5000)
    parser.add_argument("--photographs", type=int, default=200)
    parser.add_argument("--checkpoint", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch) / "home"
        checkpoint = given.checkpoint or Settings.from_env({}).checkpoint
        fill(home, load_classifier(checkpoint), Plan(given.pictures, with_files=True))
        figures = measure(home, Path(scratch), given)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
