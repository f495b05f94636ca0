"""The examples of docs/howto/api.md, run as they stand there against a real server."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fgdemo.values.annotation import Role
from tests.support.browser_app import LIME, YELLOW, RunningApp, picture, running_app
from tests.support.workspace import some_pictures

SECTION = (Path(__file__).resolve().parents[2] / "docs" / "howto" / "api.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```(\w+)\n(.*?)^```", SECTION, flags=re.MULTILINE | re.DOTALL)
SERVED_AT = "http://127.0.0.1:7860/"


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApp]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("uploads")))
        with running_app(tmp_path_factory.mktemp("home")) as running:
            running.workspace.take_in(some_pictures(8, 3))
            running.workspace.learner.refresh()
            yield running


def example(word: str) -> tuple[str, str]:
    """The one that holds this word: its language and its text."""
    (found,) = [(language, text) for language, text in EXAMPLES if word in text]
    return found


def run(app: RunningApp, folder: Path, word: str, role: Role | None = None) -> str:
    """What the example prints, in a folder of its own, with a token of that role. Only the address is changed."""
    language, text = example(word)
    text = text.replace(SERVED_AT, app.url).replace(SERVED_AT.rstrip("/"), app.url.rstrip("/"))
    environment = {**os.environ, "TOKEN": app.accounts.tokens.add(f"{role} of {word}", role) if role else ""}
    command = {"python": [sys.executable, "-c", text], "bash": ["bash", "-euo", "pipefail", "-c", text]}[language]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_each_example_has_a_test() -> None:
    words = ("/classify", "uuid", "curl", "mcp.client")
    assert sorted(example(word) for word in words) == sorted(EXAMPLES)
    assert SERVED_AT.rstrip("/") in SECTION


def test_classify_and_explain(app: RunningApp, tmp_path: Path) -> None:
    picture(tmp_path / "photo.jpg", YELLOW, LIME)
    said = run(app, tmp_path, "/classify").splitlines()
    assert "warbler" in said[1]
    assert Path(said[-2].partition(": ")[2]).read_bytes().startswith(b"\x89PNG")
    assert said[-1].startswith("This place ")
    assert said[-1].endswith("In A: []"), "nothing is published"


def test_label_with_a_token(app: RunningApp, tmp_path: Path) -> None:
    said = run(app, tmp_path, "uuid", "expert")
    assert said.count("Saved.") == 2
    answers = [event for event in app.events.since(0) if event.annotator == "expert of uuid"]
    assert len(answers) == 2
    assert {event.reason for event in answers} <= {"suspicion", "audit"}


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
def test_export_with_curl(app: RunningApp, tmp_path: Path) -> None:
    said = run(app, tmp_path, "curl", "maintainer")
    assert "eurasian_eagle_owl" in said
    assert (tmp_path / "fgdemo.csv").read_text().count("\n") == 1 + len(app.workspace.roster)


def test_tools_of_an_agent(app: RunningApp, tmp_path: Path) -> None:
    said = run(app, tmp_path, "mcp.client", "expert")
    assert "'next_items'" in said
    assert "'session'" in said
    assert "Experts and maintainers may do this" in run(app, tmp_path, "mcp.client", "visitor")
