"""The file tree: every module with the sentence that it says of itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from docs.generate import markdown
from docs.generate.code import PACKAGE, REPOSITORY, first_sentence

FOLDERS = ("fgdemo", "benchmarks", "docs")
SAID = {".py", ".js", ".mjs", ".css"}
HIDDEN = {"__pycache__", "node_modules"}

INTRO = """# The file tree

What each folder is for stands in [architecture](../architecture.md#rooms), what each folder of tests needs in
[CONTRIBUTING](../../CONTRIBUTING.md#tests).
"""


def page() -> str:
    """docs/reference/tree.md."""
    parts = [markdown.NOTE.format(source="the first sentence of each file"), INTRO]
    for folder in FOLDERS:
        parts.append(f"\n## {folder}\n\n```text\n{''.join(_lines(REPOSITORY / folder, 0))}```\n")
    return "".join(parts)


def rooms() -> str:
    """The rooms of the package alone, for docs/architecture.md."""
    rooms = sorted(path.parent for path in PACKAGE.rglob("__init__.py"))
    rows = [(f"`{room.relative_to(REPOSITORY).as_posix()}/`", first_sentence(room / "__init__.py")) for room in rooms]
    return markdown.table(("room", "what is in it"), rows)


def _lines(folder: Path, depth: int) -> Iterator[str]:
    about = folder / "__init__.py"
    yield _line(depth, f"{folder.name}/", first_sentence(about) if about.exists() else "")
    inside = [path for path in folder.iterdir() if path.name not in HIDDEN and not path.name.startswith((".", "__"))]
    for path in sorted(inside, key=lambda path: (path.is_dir(), path.name)):
        if path.is_dir():
            if any(one.suffix in SAID for one in path.rglob("*")):
                yield from _lines(path, depth + 1)
        elif path.suffix in SAID:
            yield _line(depth + 1, path.name, first_sentence(path))


def _line(depth: int, name: str, about: str) -> str:
    shown = "  " * depth + name
    return f"{shown.ljust(34)} # {about}\n" if about else f"{shown}\n"
