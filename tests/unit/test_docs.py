"""What README and docs say must be so."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml

from docs import generate
from docs.generate import command_line, results
from fgdemo import __version__

REPOSITORY = Path(__file__).resolve().parents[2]
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
DOCS = REPOSITORY / "docs"
CODE = sorted(path for folder in ("fgdemo", "benchmarks") for path in (REPOSITORY / folder).rglob("*.py"))
PROSE = [path for path in generate.written() if path.name not in ("CHANGELOG.md", "log.md")]


def blocks(page: str, heading: str = "") -> list[str]:
    """The code blocks of a page below a heading, up to the next heading of its kind."""
    section = re.split(r"^## ", page, flags=re.MULTILINE)
    (text,) = [part for part in section if part.startswith(heading)] if heading else [page]
    return re.findall(r"^```\w*\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def examples(page: str) -> list[list[str]]:
    """The words of every `python -m fgdemo …` in the code blocks of a page."""
    return [
        shlex.split(words, comments=True)
        for words in re.findall(r"-m fgdemo (?!VERB)(.+)$", "\n".join(blocks(page)), flags=re.MULTILINE)
    ]


def test_nothing_generated_is_old_and_no_link_is_dead() -> None:
    assert generate.faults() == []


def test_every_verb_has_an_example_that_the_parser_takes() -> None:
    page = (DOCS / "howto" / "command-line.md").read_text(encoding="utf-8")
    assert {example[0] for example in examples(page)} == {verb.name for verb in command_line.verbs()}


def test_every_command_of_any_page_is_taken() -> None:
    found = [example for path in PROSE for example in examples(path.read_text(encoding="utf-8"))]
    assert len(found) > 30
    for example in found:
        command_line.parse(example)


def test_every_setting_is_explained() -> None:
    page = (DOCS / "reference" / "settings.md").read_text(encoding="utf-8")
    written = {name for path in CODE for name in re.findall(r"\bFGDEMO_[A-Z_]+\b", path.read_text(encoding="utf-8"))}
    missing = [name for name in sorted({*written, "DATABASE_URL"}) if f"| `{name}` |" not in page]
    assert missing == []


def test_only_the_settings_read_the_environment() -> None:
    readers = {
        path.relative_to(REPOSITORY).as_posix() for path in CODE if "environ" in path.read_text(encoding="utf-8")
    }
    assert {path for path in readers if path.startswith("fgdemo/")} == {"fgdemo/settings.py"}


def tree() -> list[str]:
    """The paths that the file tree names; two spaces deeper is one folder deeper."""
    page = (DOCS / "reference" / "tree.md").read_text(encoding="utf-8")
    paths: list[str] = []
    for block in blocks(page):
        parents: list[str] = []
        for line in block.splitlines():
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


def test_files_that_pages_name_are_there() -> None:
    named = re.compile(r"`((?:fgdemo|tests|benchmarks|docs|checkpoints)/[\w./-]*)`")
    missing = [
        f"{page.relative_to(REPOSITORY)}: {path}"
        for page in PROSE
        for path in named.findall(page.read_text(encoding="utf-8"))
        if not (REPOSITORY / path).exists()
    ]
    assert missing == []


def test_the_test_command_is_what_ci_runs() -> None:
    _, test_command = [block.strip() for block in blocks(README, "Run it")][:2]
    steps = (REPOSITORY / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert steps[-1] == test_command
    assert all(line.startswith(("#", "set ", "cd ")) for line in steps[:-1])
    workflow = yaml.safe_load((REPOSITORY / ".github" / "workflows" / "checks.yml").read_text(encoding="utf-8"))
    assert workflow["jobs"]["everything"]["steps"][-1]["run"] == test_command
    assert f"\n    {test_command} {{{{arguments}}}}\n" in (REPOSITORY / "Justfile").read_text(encoding="utf-8")


def test_the_readme_is_short_and_its_commands_are_files() -> None:
    assert len(README.splitlines()) <= 150
    named = re.findall(r"(?:python|bash) ([\w./-]+\.(?:py|sh))", README + (DOCS / "results.md").read_text("utf-8"))
    assert named
    assert [path for path in named if not (REPOSITORY / path).exists()] == []


def test_five_figures_of_the_readme_are_of_the_results() -> None:
    assert results.headline().count("\n") == 2 + 5
    assert "{" not in results.headline() + results.page()


@pytest.mark.parametrize("key", ["title", "sdk", "sdk_version", "app_file", "python_version", "license"])
def test_the_front_matter_is_what_a_space_needs(key: str) -> None:
    front = dict(re.findall(r"^(\w+): *(.+)$", README.split("---")[1], flags=re.MULTILINE))
    assert front[key]
    assert front["sdk"] == "gradio"
    assert (REPOSITORY / front["app_file"]).is_file()
    assert len(front["short_description"]) <= 60


def test_the_version_has_its_changes() -> None:
    assert f"\n## [{__version__}]" in (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
