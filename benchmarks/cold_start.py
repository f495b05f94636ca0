"""A fresh start with all packages installed: seconds to the page and until questions are answered, and where they go.

    python benchmarks/cold_start.py [--checkpoint DIR] [--starts 3]

One JSON line last:
  page_s, ready_s    from starting the process to the first page, and until /healthz says that questions are answered;
                     medians
  before_page_s      seconds spent importing, by package, before the page was there (of one more start, which measures
  after_page_s       imports and is slower for that); and after it, while the page can be looked at already
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # runs from a clone, nothing needs to be installed

from serving import Served, app_command, serving

LARGEST = 8
IMPORT = re.compile(r"import time:\s*(\d+) \|\s*\d+ \|\s*([\w.]+)")
PAGE_IS_THERE = "The page is there"


def wait_until_ready(served: Served) -> float:
    """Seconds from the start of the process."""
    while True:
        try:
            with urlopen(f"{served.url}healthz", timeout=60):
                return time.perf_counter() - served.started
        except HTTPError:
            time.sleep(0.02)


def start(command: list[str], checkpoint: Path | None) -> tuple[float, float, str]:
    """(seconds to the page, seconds until it is ready, the log)."""
    with tempfile.TemporaryDirectory() as scratch:
        with serving(command, Path(scratch), checkpoint) as served:
            ready_s = wait_until_ready(served)
        return served.start_s, ready_s, (Path(scratch) / "server.log").read_text()


def import_seconds(log: str) -> dict[str, float]:
    """What the modules of each package themselves took, the largest first."""
    spent: Counter[str] = Counter()
    for self_us, module in IMPORT.findall(log):
        spent[module.partition(".")[0]] += int(self_us)
    largest = {package: round(us / 1e6, 2) for package, us in spent.most_common(LARGEST)}
    return {"all": round(sum(spent.values()) / 1e6, 2), **largest}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--starts", type=int, default=3)
    given = parser.parse_args()
    starts = [start(app_command(), given.checkpoint) for _ in range(given.starts)]
    _, _, log = start([sys.executable, "-X", "importtime", *app_command()[1:]], given.checkpoint)
    before, _, after = log.partition(PAGE_IS_THERE)
    print(
        json.dumps(
            {
                "page_s": round(statistics.median(page_s for page_s, _, _ in starts), 1),
                "ready_s": round(statistics.median(ready_s for _, ready_s, _ in starts), 1),
                "before_page_s": import_seconds(before),
                "after_page_s": import_seconds(after),
            }
        )
    )


if __name__ == "__main__":
    main()
