"""Many visitors at once: does everybody get the answer to their own picture, as fast, in the same memory?

    python benchmarks/visitors.py [--checkpoint DIR] [--visitors 8] [--pictures 500]

One JSON line last:
  wrong_answers      answers that differ from the one the same picture gets when it is asked about alone
  throughput_ratio   pictures a second of all visitors together, over those of one visitor
  memory_ratio       memory of the server after all pictures, over that after the first fifth
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # runs from a clone, nothing needs to be installed

from serving import app_command, photographs, serving

ALONE = 64
"""Pictures that are asked about alone first, and then again by all visitors at once: more than a server remembers."""


@dataclass(frozen=True)
class Visitor:
    """Asks as the page does: an upload, then the page's own question."""

    http: httpx.Client
    component: int

    @classmethod
    def at(cls, url: str, address: str = "127.0.0.1") -> Visitor:
        """`address`: where a proxy says that the visitor comes from."""
        http = httpx.Client(base_url=url, timeout=120, headers={"X-Forwarded-For": address})
        components = http.get("config").json()["components"]
        tab = next(one for one in components if "classify" in (one["props"].get("server_fns") or ()))
        return cls(http, tab["id"])

    def classify(self, picture: Path) -> dict[str, Any]:
        sent = self.http.post("gradio_api/upload", files={"files": (picture.name, picture.read_bytes())})
        question = {
            "data": {"path": sent.json()[0], "name": picture.name},
            "component_id": self.component,
            "fn_name": "classify",
            "session_hash": str(id(self)),
        }
        return self.http.post("gradio_api/component_server/", json=question).raise_for_status().json()


def essence(answer: dict[str, Any]) -> tuple:
    """What must be the same for the same picture."""
    return (
        answer["image_id"],
        answer["answer"]["sentence"],
        tuple((one["taxon"], round(one["prob"], 4)) for one in answer["candidates"]),
    )


def ask_all(visitors: list[Visitor], pictures: list[Path]) -> tuple[dict[Path, tuple], float]:
    """The answers, and pictures a second: each visitor asks about its share, one after the other."""
    started = time.perf_counter()

    def ask(turn: int) -> list[tuple[Path, tuple]]:
        return [(one, essence(visitors[turn].classify(one))) for one in pictures[turn :: len(visitors)]]

    with ThreadPoolExecutor(len(visitors)) as pool:
        answers = [pair for pairs in pool.map(ask, range(len(visitors))) for pair in pairs]
    return dict(answers), len(pictures) / (time.perf_counter() - started)


def memory_mb(pid: int) -> float:
    """Resident memory of a process (Linux)."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--visitors", type=int, default=8)
    parser.add_argument("--pictures", type=int, default=500)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        pictures = photographs(given.pictures, Path(scratch))
        with serving(app_command(), Path(scratch), given.checkpoint) as served:
            crowd = [Visitor.at(served.url) for _ in range(given.visitors)]
            ask_all(crowd, pictures[-given.visitors :])
            alone, single_rate = ask_all(crowd[:1], pictures[:ALONE])
            together, crowd_rate = ask_all(crowd, pictures[:ALONE])
            first_fifth, rest = given.pictures // 5, pictures[ALONE:]
            warm, _ = ask_all(crowd, rest[:first_fifth])
            warm_mb = memory_mb(served.pid)
            late, _ = ask_all(crowd, rest[first_fifth:])
            late_mb = memory_mb(served.pid)
    wrong = sum(together[one] != alone[one] for one in alone)
    for path, answer in {**warm, **late}.items():
        wrong += answer[0] != hashlib.sha256(path.read_bytes()).hexdigest()
    print(
        json.dumps(
            {
                "wrong_answers": wrong,
                "throughput_ratio": round(crowd_rate / single_rate, 2),
                "memory_ratio": round(late_mb / warm_mb, 3),
                "pictures_per_s": round(crowd_rate, 1),
                "memory_mb": round(late_mb),
            }
        )
    )


if __name__ == "__main__":
    main()
