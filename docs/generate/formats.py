"""What is read and what is written: the readers and writers in the words of their modules."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from docs.generate import markdown
from docs.generate.code import PACKAGE, classes, functions, parsed

STORAGE = PACKAGE / "storage"
READERS = ("formats", "tables", "trees")
"""Rooms whose modules say what is read, and how it is understood."""


def page() -> str:
    """docs/reference/formats.md."""
    ((written, _),) = classes("Exported")
    return "".join(
        [
            markdown.NOTE.format(source="the docstrings of readers and writers, and their lists of names"),
            "# Formats\n\nWhich other programs these were tried with stands in [results](../results.md).\n",
            "\n## What is read\n\n",
            _told(next(functions("read_sources"))),
            "\n",
            _told(next(functions("read_for_import"))),
            "\n## Columns of tables\n\nAny of these names will do.\n\n",
            _columns(),
            "\n## What is written\n\n",
            _said(written),
            "\n## Lines of workspace.jsonl\n\n",
            _said(STORAGE / "records" / "workspace_records.py"),
            "\nWhat each line is made of; a mirror holds the same, with names that hold in every workspace.\n\n",
            _records(),
            "\n## The readers in their own words\n",
            *_modules(),
        ]
    )


def _columns() -> str:
    from fgdemo.storage.tables import columns

    held = (
        ("the picture", columns.PATHS),
        ("the label", columns.LABELS),
        ("the name of a label that is a number", columns.NAMES),
        ("the split", columns.SPLITS),
        ("who said it", columns.ANNOTATORS),
    )
    return markdown.table(("what", "names"), [(what, ", ".join(f"`{name}`" for name in names)) for what, names in held])


def _records() -> str:
    from fgdemo.storage.records import models

    records = (
        ("taxon", models.TAXON),
        ("session", models.SESSION),
        ("picture", models.PICTURE),
        ("event", models.EVENT),
    )
    rows = [(record, f"`{key}`", _meant(reader)) for record, read in records for key, reader in read.items()]
    return markdown.table(("record", "field", "what may stand there"), rows)


def _meant(reader: Callable[..., Any]) -> str:
    """What a reader of a field takes: its docstring, or what it was made of."""
    if reader.__doc__:
        return reader.__doc__.split("\n")[0].rstrip(".")
    made_of = inspect.getclosurevars(reader).nonlocals
    if "words" in made_of:
        return "one of " + ", ".join(f"`{word}`" for word in made_of["words"])
    return f"{_meant(made_of['reader'])}; may be left out" if "reader" in made_of else str(made_of["meant"])


def _modules() -> Iterator[str]:
    for room in READERS:
        for path in sorted((STORAGE / room).rglob("*.py")):
            if not path.name.startswith("__"):
                yield f"\n### {path.relative_to(STORAGE).with_suffix('').as_posix()}\n\n{_said(path)}"


def _told(function: ast.FunctionDef) -> str:
    return (ast.get_docstring(function) or "").split("\n\nRaises:")[0] + "\n"


def _said(path: Path) -> str:
    return re.sub(r"\n{3,}", "\n\n", ast.get_docstring(parsed(path)) or "") + "\n"
