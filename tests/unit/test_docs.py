"""What the README says must be so."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from fgdemo.cli import build_parser

REPOSITORY = Path(__file__).resolve().parents[2]
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
CODE = sorted(path for folder in ("fgdemo", "benchmarks") for path in (REPOSITORY / folder).rglob("*.py"))


def blocks(heading: str) -> list[str]:
    """The code blocks below a heading, up to the next heading of its kind."""
    section = re.split(r"^## ", README, flags=re.MULTILINE)
    (text,) = [part for part in section if part.startswith(heading)]
    return re.findall(r"^```\w*\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def verbs() -> Iterator[tuple[str, argparse.ArgumentParser]]:
    for action in build_parser()._actions:
        if isinstance(action, argparse._SubParsersAction):
            yield from action.choices.items()


def test_every_verb_has_an_example_that_the_parser_takes() -> None:
    examples = re.findall(r"^(?:\S*python) -m fgdemo (.+)$", "\n".join(blocks("The command line")), flags=re.MULTILINE)
    assert {example.split()[0] for example in examples} == {name for name, _ in verbs()}
    for example in examples:
        build_parser().parse_args(example.split("#")[0].split())


def test_every_setting_is_explained() -> None:
    written = {name for path in CODE for name in re.findall(r"\bFGDEMO_[A-Z_]+\b", path.read_text(encoding="utf-8"))}
    missing = [name for name in sorted({*written, "DATABASE_URL"}) if f"| `{name}` |" not in README]
    assert missing == []


def test_only_the_settings_read_the_environment() -> None:
    readers = {
        path.relative_to(REPOSITORY).as_posix() for path in CODE if "environ" in path.read_text(encoding="utf-8")
    }
    assert {path for path in readers if path.startswith("fgdemo/")} == {"fgdemo/settings.py"}


def tree() -> list[str]:
    """The paths that the file tree names; two spaces deeper is one folder deeper."""
    paths: list[str] = []
    parents: list[str] = []
    for line in blocks("Where things are")[0].splitlines():
        indent, name = re.match(r"( *)(\S+)", line).groups()  # type: ignore[union-attr]
        del parents[len(indent) // 2 :]
        paths.append("".join(parents) + name)
        parents.append(name)
    return paths


def test_the_file_tree_names_what_is_there() -> None:
    assert [path for path in tree() if not (REPOSITORY / path).exists()] == []
    assert [path for path in tree() if path.endswith("/") != (REPOSITORY / path).is_dir()] == []


def test_the_file_tree_leaves_out_no_module() -> None:
    modules = {
        path.relative_to(REPOSITORY).as_posix() for path in CODE if path.name not in ("__init__.py", "__main__.py")
    }
    assert modules - set(tree()) == set()


def test_the_test_command_is_what_ci_runs() -> None:
    _, test_command = [block.strip() for block in blocks("Run it")][:2]
    steps = (REPOSITORY / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert steps[-1] == test_command
    assert all(line.startswith(("#", "set ", "cd ")) for line in steps[:-1])


def test_links_lead_somewhere() -> None:
    targets = re.findall(r"\]\((?!https?://|#)([^)]+)\)", README)
    assert [target for target in targets if not (REPOSITORY / target).exists()] == []


@pytest.mark.parametrize("key", ["title", "sdk", "sdk_version", "app_file", "python_version", "license"])
def test_the_front_matter_is_what_a_space_needs(key: str) -> None:
    front = dict(re.findall(r"^(\w+): *(.+)$", README.split("---")[1], flags=re.MULTILINE))
    assert front[key]
    assert front["sdk"] == "gradio"
    assert (REPOSITORY / front["app_file"]).is_file()
    assert len(front["short_description"]) <= 60
