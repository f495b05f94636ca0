"""What the documentation says of the code, made from the code. `python -m docs.generate` writes it, `--check` compares.

No page is made by importing torch, Gradio or a page of the app: sources are read, not run.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from docs.generate import command_line, formats, http, markdown, public, recipe, results, schema, tree
from docs.generate.code import REPOSITORY
from fgdemo.settings import Settings

PAGES: Mapping[str, Callable[[], str]] = {
    "docs/reference/command-line.md": command_line.page,
    "docs/reference/http.md": http.page,
    "docs/reference/python.md": public.page,
    "docs/reference/recipe.md": recipe.page,
    "docs/reference/formats.md": formats.page,
    "docs/reference/schema.md": schema.page,
    "docs/reference/tree.md": tree.page,
    "docs/results.md": results.page,
}


def _settings() -> str:
    rows = ((markdown.mark(name), default, about) for name, default, about in Settings.rows())
    return markdown.table(("variable", "default", "what it is"), rows)


BLOCKS: Mapping[tuple[str, str], Callable[[], str]] = {
    ("README.md", "figures"): results.headline,
    ("docs/architecture.md", "rooms"): tree.rooms,
    ("docs/reference/settings.md", "settings"): _settings,
}


def generated() -> dict[Path, str]:
    """Every page that is generated, or holds something that is, as it must be now."""
    pages = {REPOSITORY / name: make() for name, make in PAGES.items()}
    for (name, block), make in BLOCKS.items():
        path = REPOSITORY / name
        text = pages.get(path) or path.read_text(encoding="utf-8")
        pages[path] = markdown.with_block(text, block, make())
    return pages


def faults() -> list[str]:
    """What is old, and links that lead nowhere, a line each; empty where all is well."""
    old = [
        f"{path.relative_to(REPOSITORY)} is old: python -m docs.generate"
        for path, text in generated().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    return old + [f"{link} leads nowhere" for link in markdown.dead_links(written(), REPOSITORY)]


def written() -> list[Path]:
    """Every page of Markdown in the repository."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=REPOSITORY, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [path for name in listed.stdout.splitlines() if (path := REPOSITORY / name).exists()]
