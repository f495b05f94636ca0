"""Keep the last line of a benchmark for docs/results.md: its figures, the commit, the day.

    python benchmarks/explain_cost.py | python benchmarks/keep.py explain_cost [--commit REV] [--machine WORDS]

Writes `line`, `commit` and `measured_on` of benchmarks/results/NAME.json. The claims in that file name keys of the
line, `{p95_ms}` for example. A key that the line lacks keeps the value and the commit of before, which the page says: a
benchmark may be run in parts. Then `python -m docs.generate` writes the page.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

RESULTS = Path(__file__).resolve().parent / "results"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=sorted(path.stem for path in RESULTS.glob("*.json")))
    parser.add_argument("--commit", help="what was measured (default: the commit that is checked out)")
    parser.add_argument("--machine", help="where, if not on two CPU cores")
    given = parser.parse_args()
    lines = [line for line in sys.stdin.read().splitlines() if line.startswith("{")]
    if not lines:
        print("There is no JSON line on standard input.", file=sys.stderr)
        return 1
    path = RESULTS / f"{given.name}.json"
    held, line = json.loads(path.read_text(encoding="utf-8")), json.loads(lines[-1])
    before = held.get("older", {})
    held["older"] = {key: before.get(key, held["commit"]) for key in held["line"] if key not in line}
    held.pop("carried_over", None)
    held["line"] = {**held["line"], **line}
    held["commit"] = given.commit or _checked_out()
    held["measured_on"] = datetime.now(timezone.utc).date().isoformat()
    held["machine"] = given.machine or held["machine"]
    path.write_text(json.dumps(held, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    print(lines[-1])
    return 0


def _checked_out() -> str:
    command = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=RESULTS).stdout.strip()


if __name__ == "__main__":
    raise SystemExit(main())
