"""The pages' own files: one way to the server, and no page that leans on another."""

from __future__ import annotations

import re
from pathlib import Path

STATIC = Path(__file__).parents[2] / "fgdemo" / "web" / "static"
SCRIPTS = sorted(STATIC.rglob("*.js"))
TO_THE_SERVER = re.compile(r"\b(fetch|XMLHttpRequest|EventSource|WebSocket|sendBeacon)\b\s*\(")
IMPORT = re.compile(r'(?:from|import\()\s*"(\.[^"]+)"')
COMMON = {"shared", "head", "maps", "points", "removing", "compare", "closer", "cards"}
"""points, compare: dialogs over several pages; closer: a frame on their pictures."""
MOST_FILES = 18


def test_only_the_client_speaks_with_the_server() -> None:
    found = {path.relative_to(STATIC).as_posix() for path in SCRIPTS if TO_THE_SERVER.search(path.read_text("utf-8"))}
    assert found == {"shared/client.js"}


def test_a_page_imports_what_is_its_own_or_shared() -> None:
    for path in SCRIPTS:
        for relative in IMPORT.findall(path.read_text("utf-8")):
            target = (path.parent / relative).resolve()
            assert target.is_file(), f"{path.name}: {relative}"
            assert target.parent.name in COMMON | {path.parent.name}, f"{path.relative_to(STATIC)}: {relative}"


def test_what_is_shared_imports_nothing_of_a_page() -> None:
    for path in SCRIPTS:
        if path.parent.name == "shared":
            assert {Path(one).parent.name for one in IMPORT.findall(path.read_text("utf-8"))} <= {""}


def test_each_folder_is_small() -> None:
    for folder in (path for path in STATIC.iterdir() if path.is_dir()):
        assert len(list(folder.iterdir())) <= MOST_FILES, folder.name
