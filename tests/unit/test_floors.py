"""Imports only go down: one wrong import makes a light floor heavy, or ties the services to a page."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
FLOORS = """
values settings statistics fgdemo
storage.disk storage.database storage.pictures storage.people storage.hub storage.history storage.trees storage.tables \
  storage.records storage.formats.label_studio storage.formats storage.embeddings storage.trainings storage.visitors \
  storage.exchange storage.mirror storage.mirror.restoring storage specimens
model.taught model model.checkpoint model.exporting
explain
learn.data learn.measure learn.train learn.gate learn.candidate learn.live learn.study learn
services.classify services.labelling services.review services.training services.exchange services.operating services
logs wiring web.http web.pages web.programs web.entrance web commands.console commands.data commands.model \
  commands.workspace commands.host commands cli __main__ app
"""
"""A line a floor, from the lowest to the highest, and its rooms likewise; `fgdemo` is the package itself."""
ROOMS = {
    room: (floor, place)
    for floor, rooms in enumerate(FLOORS.strip().splitlines())
    for place, room in enumerate(rooms.split())
}
TORCH = {"torch", "torchvision", "timm", "pytorch_grad_cam", "ttach", "sklearn"}
PICKLES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
SOURCES = [*sorted((REPOSITORY / "fgdemo").rglob("*.py")), REPOSITORY / "app.py"]
MOST_MODULES = 15


def room_of(module: str) -> str:
    """Of `fgdemo.model.head` or `app`: the deepest room it lies in. A KeyError means a new room without a place."""
    name = module.removeprefix("fgdemo.")
    while name not in ROOMS:
        name, _, last = name.rpartition(".")
        if not last or not name:
            raise KeyError(module)
    return name


def imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports name the whole path"
            # `from fgdemo import web` imports fgdemo.web, so names count too where they are rooms or modules.
            places = [REPOSITORY.joinpath(*f"{node.module}.{alias.name}".split(".")) for alias in node.names]
            modules = [place.is_dir() or place.with_suffix(".py").is_file() for place in places]
            yield from (f"{node.module}.{alias.name}" for alias, yes in zip(node.names, modules, strict=True) if yes)
            if not all(modules):
                yield node.module or ""


def faults(module: str, source: str) -> Iterator[str]:
    here = room_of(module)
    floor = ROOMS[here][0]
    if module == "fgdemo":  # it names what is public, and imports that only when it is asked for
        return
    for name in imports(ast.parse(source)):
        top = name.split(".")[0]
        if top == "fgdemo":
            there = room_of(name)
            if ROOMS[there] > ROOMS[here] or (floor == 5 and ROOMS[there][0] not in (0, 1, 5)):
                yield f"{module} (in {here}) imports {name} (in {there})"
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


def test_no_room_is_crowded() -> None:
    folders = {path.parent for path in SOURCES} - {REPOSITORY}
    counts = {folder: sum(path.name != "__init__.py" for path in folder.glob("*.py")) for folder in folders}
    assert {folder: count for folder, count in counts.items() if count > MOST_MODULES} == {}


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("fgdemo.values.taxonomy", "from fgdemo.storage.formats.sources import Source"),
        ("fgdemo.model.head", "def f():\n    from fgdemo.learn.gate import gate"),
        ("fgdemo.services.classify.workbench", "import fgdemo.model.head"),
        ("fgdemo.storage.pictures.images", "import torch.nn"),
        ("fgdemo.services.classify.workbench", "from timm import create_model"),
        ("fgdemo.learn.train.finetune", "import gradio as gr"),
        ("fgdemo.web.page", "import pickle"),
        ("fgdemo.storage.pictures.images", "from fgdemo import web"),
        ("fgdemo.storage.pictures.images", "from fgdemo.storage.history.events import EventLog"),
        ("fgdemo.storage.formats.label_studio.tasks", "from fgdemo.storage.formats import layouts"),
        ("fgdemo.services.classify.wording", "from fgdemo.services.review import Review"),
    ],
)
def test_a_wrong_import_is_found(module: str, source: str) -> None:
    assert list(faults(module, source))
