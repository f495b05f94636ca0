"""The commits that results name are in the history: one that was rebased away tells nobody what was measured."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def git(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True)


def named() -> set[tuple[str, str]]:
    """(result, commit) of every figure; words instead of a commit say that each row names its own."""
    found: set[tuple[str, str]] = set()
    for path in (ROOT / "benchmarks" / "results").glob("*.json"):
        held = json.loads(path.read_text(encoding="utf-8"))
        commits = {held["commit"], *held.get("older", {}).values()}
        found |= {(path.stem, commit) for commit in commits if re.fullmatch("[0-9a-f]{7,40}", commit)}
    return found


def test_each_commit_of_a_figure_is_in_the_history() -> None:
    if git("rev-parse", "--is-shallow-repository").stdout.strip() != "false":
        pytest.skip("the history is not here: a copy without .git, or a shallow clone")
    known = named()
    assert len(known) > 20
    lost = {
        (result, commit)
        for result, commit in known
        if git("merge-base", "--is-ancestor", commit, "HEAD").returncode != 0
    }
    assert not lost
