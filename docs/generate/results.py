"""docs/results.md: every claim once, with its figure, interval, command and commit, from benchmarks/results/*.json."""

from __future__ import annotations

import json
import re
import string
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from docs.generate import markdown
from docs.generate.code import REPOSITORY

INTRO = """# Results

Every figure stands here once, with the command that measures it and the commit at which it was measured. Intervals are
95 %. “Carried over” marks a figure that an earlier commit measured and nobody has measured again since. How to measure
one again: run the command, and pipe it to `python benchmarks/keep.py NAME`.
"""
RESULTS = REPOSITORY / "benchmarks" / "results"
OLD = "benchmarks/results"


class Figures(string.Formatter):
    """Fills `{key:.2f}` from the line of a benchmark, `{key[a][0]}` from what it holds.

    `{key:ci2}` is [mean, low, high] as “0.86 [0.84, 0.88]”, `{key:limits2}` as “[0.84, 0.88]” and `{key:all3}` any list
    with commas between. One number alone stays one.
    """

    def get_field(self, field_name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[Any, str]:
        """`[5]` is a place in a list, or the key "5" of an object: JSON has no other keys."""
        first, *rest = re.findall(r"^[^\[]+|(?<=\[)[^\]]+", field_name)
        value = kwargs[first]
        for name in rest:
            value = value[int(name)] if isinstance(value, list) else value[name]
        return value, first

    def format_field(self, value: Any, format_spec: str) -> str:
        for name in ("ci", "limits", "all"):
            if format_spec.startswith(name):
                digits = format_spec.removeprefix(name)
                numbers = [_number(one, digits) for one in (value if isinstance(value, list) else [value])]
                if name == "all" or len(numbers) == 1:
                    return ", ".join(numbers)
                mean, low, high = numbers
                return f"{mean} [{low}, {high}]" if name == "ci" else f"[{low}, {high}]"
        text = super().format_field(value, format_spec)
        return text if isinstance(value, str) else text.replace("-", "−").replace("%", " %")


def _number(value: float, digits: str) -> str:
    return f"{value:,.{digits}f}".replace("-", "−")


def filled(template: str, line: Mapping[str, Any]) -> str:
    """Raises KeyError, IndexError, TypeError or ValueError where the line lacks what the template names."""
    return Figures().vformat(template, (), line)


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def page() -> str:
    """docs/results.md."""
    held = [(path, read(path)) for path in sorted(RESULTS.glob("*.json"))]
    held.sort(key=lambda one: (one[1].get("place", 99), one[0].name))
    parts = [
        markdown.NOTE.format(source="`benchmarks/results/*.json`"),
        INTRO,
    ]
    parts += [section(path.stem, found) for path, found in held]
    return "".join(parts)


def headline() -> str:
    """The figures of the README: those claims that have a `headline`."""
    rows = []
    for path in sorted(RESULTS.glob("*.json")):
        found = read(path)
        for claim in found.get("claims", ()):
            if "headline" in claim:
                what, figure, interval, aim = (
                    filled(claim.get(key, ""), found["line"]) for key in ("headline", "figure", "interval", "aim")
                )
                rows.append((claim["order"], what, f"{figure} {interval}".strip(), aim))
    rows.sort()
    return markdown.table(("what", "figure", "aim"), [row[1:] for row in rows])


def section(name: str, found: Mapping[str, Any]) -> str:
    """One benchmark on the page. Raises what `filled` raises."""
    line, fill = found["line"], filled
    lead = f"\n## {found['title']}\n\n{fill(found.get('asks', ''), line)}\n\n"
    command = found["command"]
    source = f"`{command}`" if command.startswith(("python ", "bash ")) else f"{command[:1].upper()}{command[1:]}"
    source += f" · commit {found['commit']}"
    source += f" · {found['machine']}" if found.get("machine") else ""
    source += " · carried over" if found.get("carried_over") else ""
    text = lead + f"{source} · [{name}.json](../{OLD}/{name}.json)\n"
    claims = [
        [fill(claim.get(key, ""), line) for key in ("claim", "figure", "interval", "aim")]
        for claim in found.get("claims", ())
    ]
    if claims:
        text += "\n" + markdown.table(("claim", "figure", "interval", "aim"), claims)
    for one in found.get("tables", ()):
        title = f"\n{fill(one['title'], line)}\n" if one.get("title") else ""
        rows = [[fill(text, line) for text in row] for row in one["rows"]]
        text += title + "\n" + markdown.table([fill(head, line) for head in one["head"]], rows)
    shown = set(
        re.findall(r"\{(\w[\w.]*)", json.dumps([found.get(key) for key in ("claims", "tables", "notes", "asks")]))
    )
    older = [f"`{key}` at commit {commit}" for key, commit in found.get("older", {}).items() if key in shown]
    told = [*(fill(note, line) for note in found.get("notes", ())), *([f"Older: {', '.join(older)}."] if older else [])]
    notes = "".join(f"- {note}\n" for note in told)
    return text + (f"\n{notes}" if notes else "")
