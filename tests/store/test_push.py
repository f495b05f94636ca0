"""A model goes to the Hub by timm's convention: three files, private, confirmed, and nothing of others is touched."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import timm
import torch

from fgdemo.cli import main
from fgdemo.model.checkpoint.load import save_classifier
from fgdemo.model.classifier import Classifier
from fgdemo.settings import Settings
from fgdemo.specimens import SPECIES, draw_specimen
from fgdemo.storage.database.database import open_database
from fgdemo.storage.people.audit import Audit
from tests.support.hub_stand_in import Hub, Repo, hub_stand_in
from tests.support.tiny import tiny_fit

FILES = {"README.md", "config.json", "model.safetensors"}


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return tiny_fit("test_vit", size_px=96).classifier


@pytest.fixture(scope="module")
def started() -> Iterator[Hub]:
    with hub_stand_in() as hub:
        yield hub


@pytest.fixture
def hub(started: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setenv("FGDEMO_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    started.repos.clear()
    started.add_user("ada", token="hf_ada", orgs=["lab"])
    started.add_user("rob", token="hf_reads", can_write=False)
    with started.as_the_hub("hf_ada"):
        yield started


@pytest.fixture
def model(classifier: Classifier, tmp_path: Path) -> str:
    save_classifier(classifier, tmp_path / "birds")
    (tmp_path / "birds" / "notes.txt").write_text("private")
    return str(tmp_path / "birds")


def pushed(*arguments: str) -> int:
    return main(["push", *arguments, "--json"])


def test_a_model_is_pushed_and_timm_loads_it(hub: Hub, model: str, classifier: Classifier, capsys) -> None:
    assert pushed(model, "lab/birds", "--yes") == 0
    told = json.loads(capsys.readouterr().out)
    repo = hub.repos["model", "lab/birds"]
    assert (set(repo.files) - {".gitattributes"}, repo.private, told["private"], told["created"]) == (
        FILES,
        True,
        True,
        True,
    )
    assert b'hf-hub:lab/birds"' in repo.files["README.md"]
    again: Any = timm.create_model("hf-hub:lab/birds", pretrained=True).eval()
    pixels = classifier.pixels(draw_specimen(SPECIES[0], 0).picture)[None]
    with torch.inference_mode():
        assert torch.allclose(again(pixels), classifier.network(pixels), atol=1e-4)
    entries = Audit(open_database(Settings.from_env().database_url)).newest(5)
    assert [(entry.action, entry.about.endswith("to lab/birds")) for entry in entries] == [("push", True)]
    assert pushed(model, "lab/birds", "--yes") == 0  # once more, in place of itself
    assert json.loads(capsys.readouterr().out)["created"] is False
    assert set(repo.files) - {".gitattributes"} == FILES


@pytest.mark.parametrize(
    ("answer", "is_tty", "code", "says"),
    [("y\n", True, 0, ""), ("\n", True, 1, "Nothing was pushed"), ("", False, 1, "Say so with --yes")],
)
def test_it_asks_first(hub: Hub, model: str, monkeypatch, capsys, answer, is_tty, code, says) -> None:
    stdin = io.StringIO(answer)
    monkeypatch.setattr(stdin, "isatty", lambda: is_tty)
    monkeypatch.setattr("sys.stdin", stdin)
    assert pushed(model, "ada/birds") == code
    said = capsys.readouterr().err
    assert says in said
    assert "a new model; private; 3 files" in said
    assert (("model", "ada/birds") in hub.repos) is (code == 0)


@pytest.mark.parametrize("files", [{"weights.bin": b"x"}, {"config.json": b"{}"}, {"config.json": b"nonsense"}])
def test_another_model_is_not_touched(hub: Hub, model: str, capsys, files: dict[str, bytes]) -> None:
    hub.repos["model", "lab/birds"] = Repo(private=False, files=dict(files))
    assert pushed(model, "lab/birds", "--yes") == 1
    assert "There is another model lab/birds already" in capsys.readouterr().err
    assert hub.repos["model", "lab/birds"].files == files


@pytest.mark.parametrize(
    ("name", "token", "says"),
    [("birds", "hf_ada", "OWNER/NAME"), ("lab/birds", "hf_reads", "no right"), ("lab/birds", "hf_none", "who you are")],
)
def test_a_refusal_is_one_sentence(hub: Hub, model: str, capsys, name: str, token: str, says: str) -> None:
    with hub.as_the_hub(token):
        assert pushed(model, name, "--yes") == 1
    assert says in capsys.readouterr().err
    assert hub.repos == {}


def test_public_is_said(hub: Hub, model: str) -> None:
    assert pushed(model, "ada/birds", "--public", "--yes") == 0
    assert hub.repos["model", "ada/birds"].private is False
