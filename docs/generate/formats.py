"""What is read and what is written: the readers and writers in the words of their modules."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from docs.generate import markdown
from docs.generate.code import PACKAGE, classes, functions, parsed

READERS = PACKAGE / "storage" / "formats"


def page() -> str:
    """docs/reference/formats.md."""
    ((written, _),) = classes("Exported")
    return "".join([
        markdown.NOTE.format(source="the docstrings of readers and writers"),
        "# Formats\n\nWhich other programs these were tried with stands in [results](../results.md).\n",
        "\n## What is read\n\n",
        _told(next(functions("read_sources"))),
        "\n",
        _told(next(functions("read_for_import"))),
        "\n## What is written\n\n",
        _said(written),
        "\n## The readers in their own words\n",
        *_modules(),
    ])  # fmt: skip


def _modules() -> Iterator[str]:
    for path in sorted(READERS.rglob("*.py")):
        if not path.name.startswith("__"):
            yield f"\n### {path.relative_to(READERS).with_suffix('').as_posix()}\n\n{_said(path)}"


def _told(function: ast.FunctionDef) -> str:
    return (ast.get_docstring(function) or "").split("\n\nRaises:")[0] + "\n"


def _said(path: Path) -> str:
    """Tables and lists stay; what is set in by four spaces is code in Markdown, too."""
    return re.sub(r"\n{3,}", "\n\n", ast.get_docstring(parsed(path)) or "") + "\n"
