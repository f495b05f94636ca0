"""Source files as they are written: what modules, classes and functions say of themselves."""

from __future__ import annotations

import ast
import functools
import importlib.util
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGE = REPOSITORY / "fgdemo"
_SECTION = re.compile(r"^(Parameters|Args|Attributes|Returns|Raises):$")


@dataclass(frozen=True)
class Field:
    """A field of a class, or a parameter of a function. `default` is empty where there is none."""

    name: str
    type: str
    default: str
    about: str


@dataclass(frozen=True)
class Said:
    """A docstring in parts: the text before any section, what `Parameters:` or `Attributes:` name, and the answer."""

    about: str
    named: Mapping[str, str]
    returns: str


@functools.cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def classes(name: str) -> list[tuple[Path, ast.ClassDef]]:
    """Every class of this name at the top of a module, wherever it lies now."""
    return _classes().get(name, [])


@functools.cache
def _classes() -> dict[str, list[tuple[Path, ast.ClassDef]]]:
    found: dict[str, list[tuple[Path, ast.ClassDef]]] = {}
    for path in modules():
        for node in parsed(path).body:
            if isinstance(node, ast.ClassDef):
                found.setdefault(node.name, []).append((path, node))
    return found


def functions(ending: str) -> Iterator[ast.FunctionDef]:
    """Every function at the top of a module whose name ends so."""
    for path in modules():
        for node in parsed(path).body:
            if isinstance(node, ast.FunctionDef) and node.name.endswith(ending):
                yield node


def fields(node: ast.ClassDef) -> list[Field]:
    """The annotated fields of a class; what is said of each stands below it, or in the docstring's `Attributes:`."""
    said = split(ast.get_docstring(node) or "")
    found = []
    for at, line in enumerate(node.body):
        if not isinstance(line, ast.AnnAssign) or not isinstance(line.target, ast.Name):
            continue
        below = node.body[at + 1] if at + 1 < len(node.body) else None
        about = said.named.get(line.target.id, "")
        if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant) and isinstance(below.value.value, str):
            about = " ".join(below.value.value.split())
        default = "" if line.value is None else ast.unparse(line.value)
        found.append(Field(line.target.id, ast.unparse(line.annotation), default, about))
    return found


def parameters(node: ast.FunctionDef, without: tuple[str, ...] = ()) -> list[Field]:
    """The parameters of a function with what its docstring says of them."""
    said = split(ast.get_docstring(node) or "")
    arguments = node.args.args
    defaults = ["", *map(ast.unparse, node.args.defaults)]
    first = len(arguments) - len(node.args.defaults)
    return [
        Field(
            one.arg,
            ast.unparse(one.annotation) if one.annotation else "",
            defaults[max(0, at - first + 1)],
            said.named.get(one.arg, ""),
        )
        for at, one in enumerate(arguments)
        if one.arg not in without
    ]


def split(docstring: str) -> Said:
    """Into its text, the things that it names, and what it says of the answer; each on one line."""
    section, last = "", list[str]()
    about, returns = list[str](), list[str]()
    named: dict[str, list[str]] = {}
    for line in docstring.splitlines():
        if _SECTION.match(line.strip()):
            section = line.strip().rstrip(":")
            continue
        begun = re.match(r"    (\w+(?:, \w+)*): (.*)", line)
        if not section:
            about.append(line)
        elif section == "Returns":
            returns.append(line.strip())
        elif begun:
            last = begun[1].split(", ")
            named.update({name: [begun[2]] for name in last})
        elif line.strip() and named:
            for name in last:
                named[name].append(line.strip())
    return Said(
        "\n".join(about).strip(), {name: " ".join(lines) for name, lines in named.items()}, " ".join(returns).strip()
    )


def first_sentence(path: Path) -> str:
    """Of a module, a room (`__init__.py`), a script, a style sheet; without its full stop."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        text = ast.get_docstring(parsed(path)) or ""
    else:
        lines = []
        for line in text.splitlines():
            comment = re.match(r"\s*(?://|/\*\*?|\*(?!/)|<!--|#!?)\s?(.*?)(?:\*/|-->)?$", line)
            if comment is None or (lines and not comment[1].strip()):
                break
            if not comment[1].startswith("/"):
                lines.append(comment[1].strip())
        text = " ".join(lines)
    paragraph = " ".join(text.split("\n\n")[0].split())
    return re.split(r"(?<=[\w”)`])(?<! al)\.(?:\s|$)", paragraph, maxsplit=1)[0]


def alone(path: Path) -> ModuleType:
    """A module that needs nothing of its package, loaded without it (the package of the pages imports Gradio)."""
    spec = importlib.util.spec_from_file_location(f"alone_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module
