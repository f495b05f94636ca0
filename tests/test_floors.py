"""Imports only go down: one wrong import makes a light floor heavy, or ties the services to a page."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
VALUES = dict.fromkeys(
    ("fgdemo", "types", "errors", "settings", "naming", "taxonomy", "annotation", "training", "bidi", "counting"), 0
)
FOLDERS = {"statistics": 0, "storage": 1, "specimens": 1, "model": 2, "explain": 3, "learn": 4, "services": 5}
ENTRIES = dict.fromkeys(("bootstrap", "mirrors", "model_room", "logs", "cli", "commands", "__main__", "ui", "app"), 6)
FLOORS = {**VALUES, **FOLDERS, **ENTRIES}
TORCH = {"torch", "torchvision", "timm", "pytorch_grad_cam", "ttach", "sklearn"}
PICKLES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
SOURCES = [*sorted((REPOSITORY / "fgdemo").rglob("*.py")), REPOSITORY / "app.py"]


def floor_of(module: str) -> int:
    """Of `fgdemo.model.head` or `app`; a KeyError means that a new module has no floor yet."""
    parts = module.removeprefix("fgdemo.").split(".")
    return FLOORS[parts[0]]


def imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports name the whole path"
            # `from fgdemo import ui` imports fgdemo.ui, so names count too where they are modules.
            yield from (
                f"fgdemo.{alias.name}" for alias in node.names if node.module == "fgdemo" and alias.name in FLOORS
            )
            yield node.module or ""


def faults(module: str, source: str) -> Iterator[str]:
    floor = floor_of(module)
    for name in imports(ast.parse(source)):
        top = name.split(".")[0]
        if top == "fgdemo" and (floor_of(name) > floor or (floor == 5 and floor_of(name) not in (0, 1, 5))):
            yield f"{module} (floor {floor}) imports {name} (floor {floor_of(name)})"
        if top.startswith("gradio") and floor < 6:
            yield f"{module} (floor {floor}) imports {name}"
        if top in TORCH and floor in (0, 1, 5):
            yield f"{module} (floor {floor}) imports {name}"
        if top in PICKLES:
            yield f"{module} imports {name}: a pickle runs whatever its author liked"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(REPOSITORY).as_posix())
def test_imports_only_go_down(path: Path) -> None:
    module = ".".join(path.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__")
    assert list(faults(module, path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("fgdemo.taxonomy", "from fgdemo.storage.sources import Source"),
        ("fgdemo.model.head", "def f():\n    from fgdemo.learn import gate"),
        ("fgdemo.services.workbench", "import fgdemo.model.head"),
        ("fgdemo.storage.images", "import torch.nn"),
        ("fgdemo.services.workbench", "from timm import create_model"),
        ("fgdemo.learn.finetune", "import gradio as gr"),
        ("fgdemo.ui.page", "import pickle"),
        ("fgdemo.storage.images", "from fgdemo import ui"),
    ],
)
def test_a_wrong_import_is_found(module: str, source: str) -> None:
    assert list(faults(module, source))
