"""Keep the last line of a benchmark for docs/results.md: its figures, the commit, the day.

    python benchmarks/explain_cost.py | python benchmarks/keep.py explain_cost [--commit REV] [--machine WORDS]

Writes `line`, `commit` and `measured_on` of benchmarks/results/NAME.json. The claims in that file name keys of the
line, `{p95_ms}` for example. A key that the line lacks keeps the value and the commit of before, which the page says: a
benchmark may be run in parts. A line that the claims cannot be filled from is refused.
Then `python -m docs.generate` writes the page.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # runs from a clone, nothing needs to be installed

from docs.generate.results import section

RESULTS = Path(__file__).resolve().parent / "results"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=sorted(path.stem for path in RESULTS.glob("*.json")))
    parser.add_argument("--commit", help="what was measured (default: the commit that is checked out)")
    parser.add_argument("--machine", help="where, if not as before")
    given = parser.parse_args()
    lines = [line for line in sys.stdin.read().splitlines() if line.startswith("{")]
    if not lines:
        print("There is no JSON line on standard input.", file=sys.stderr)
        return 1
    path = RESULTS / f"{given.name}.json"
    held = kept(json.loads(path.read_text(encoding="utf-8")), json.loads(lines[-1]), given.commit or _checked_out())
    held["machine"] = given.machine or held["machine"]
    try:
        section(given.name, held)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        print(f"Not kept: the line does not fit the claims of {path.name} ({error!r}).", file=sys.stderr)
        return 1
    path.write_text(json.dumps(held, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    print(lines[-1])
    return 0


def kept(held: dict[str, Any], line: dict[str, Any], commit: str) -> dict[str, Any]:
    """What is held of a benchmark, with a new line of it: keys that the line lacks keep their value and commit."""
    before = held.get("older", {})
    new = {name: value for name, value in held.items() if name not in ("carried_over", "older")}
    older = {key: before.get(key, held["commit"]) for key in held["line"] if key not in line}
    day = datetime.now(timezone.utc).date().isoformat()
    return {
        **new,
        "commit": commit,
        "measured_on": day,
        "line": {**held["line"], **line},
        **({"older": older} if older else {}),
    }


def _checked_out() -> str:
    command = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=RESULTS).stdout.strip()


if __name__ == "__main__":
    raise SystemExit(main())
