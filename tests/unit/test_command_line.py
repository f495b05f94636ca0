"""The command line: every line that was ever documented means the same, and wrong ones are told so in a sentence.

`command_lines.json` holds the lines of an old README, with what the parser of its time made of each.
"""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import fgdemo
from fgdemo import commands
from fgdemo.cli import main, run

SINCE = {"points", "imports", "remove"}
"""Verbs that there are since."""
NEW_OPTIONS = {"closer": "auto"}
"""Options that there are since, with what they are where nobody names them."""
GOLDEN = Path(__file__).parents[1] / "support" / "golden" / "command_lines.json"
LINES = json.loads(GOLDEN.read_text(encoding="utf-8"))
AS_TEXT = ("mean", "std")
"""A verb is given them as they are typed."""


def parsed(words: list[str]) -> tuple[int, str, dict[str, Any]]:
    """(exit code, verb, what the verb is given besides empty values)."""
    said: list[tuple[str, dict[str, Any]]] = []

    def record(verb: Any, **given: Any) -> int:
        inspect.signature(verb).bind(**{name: one for name, one in given.items() if name != "json"})
        said.append((verb.__name__, given))
        return 0

    code = main(words, record)
    name, given = said[0] if said else ("", {})
    return code, name, {key: value for key, value in given.items() if value not in (None, [], (), False)}


@pytest.mark.parametrize("old", LINES, ids=lambda old: old["line"])
def test_an_old_line_means_the_same(old: dict[str, Any]) -> None:
    code, verb, given = parsed(old["line"].split())
    assert (code, verb) == (0, old["verb"])
    for name in AS_TEXT:
        if name in given:
            given[name] = [float(part) for part in given[name].split(",")]
    for name, default in NEW_OPTIONS.items():
        assert given.pop(name, default) == default
    assert json.loads(json.dumps(given, default=str)) == old["given"]


def test_every_verb_is_among_them() -> None:
    assert {old["verb"] for old in LINES} == {verb.__name__ for verb in commands.VERBS} - SINCE


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("", "Missing command"),
        ("nope", "No such command 'nope'"),
        ("fit", "Missing argument 'DATA'"),
        ("fit drawn", "Missing option '--out'"),
        ("fit drawn --out", "Option '--out' requires an argument"),
        ("fit drawn --out --json", "Option '--out' requires an argument"),
        ("fit drawn --out m --seed x", "--seed"),
        ("fit drawn --out m --mean 1,2", "three numbers with commas between"),
        ("predict one.jpg --bogus", "No such option: --bogus"),
        ("export out --format nope", "'nope' is not one of 'imagefolder', 'csv'"),
        ("user list extra words more", "extra"),
    ],
)
def test_a_wrong_line_is_told_in_one_sentence(line: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, verb, _ = parsed(line.split())
    printed = capsys.readouterr()
    assert (code, verb, printed.out) == (2, "", "")
    (sentence,) = printed.err.splitlines()
    assert sentence.startswith("fgdemo: ")
    assert told in sentence
    assert sentence.endswith("--help")


def test_an_option_with_several_values_ends_at_the_next_one() -> None:
    _, _, given = parsed(["convert", "--check", "a.jpg", "b.jpg", "--format", "onnx", "m", "out.onnx"])
    assert given == {
        "check": [Path("a.jpg"), Path("b.jpg")],
        "format": "onnx",
        "checkpoint": "m",
        "out": Path("out.onnx"),
    }
    assert parsed(["models", "promote", "m", "--accept-loss", "-1"])[2]["accept_loss"] == -1
    assert parsed(["predict", "--", "--odd.jpg"])[2]["pictures"] == [Path("--odd.jpg")]


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_names_every_verb_and_every_argument(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([flag]) == 0
    out = capsys.readouterr().out
    for verb in commands.VERBS:
        name = "import" if verb is commands.import_pictures else verb.__name__.replace("_", "-")
        assert f"  {name} " in out
        assert main([name, flag]) == 0
        told = capsys.readouterr().out
        for argument, one in inspect.signature(verb).parameters.items():
            if argument not in ("settings", "say") and one.kind is one.KEYWORD_ONLY:
                assert f"--{argument.replace('_', '-')} " in told


def test_it_says_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"{fgdemo.__version__}\n"


def test_lines_of_json(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FGDEMO_HOME", str(tmp_path))

    def verb(*, say: Any) -> dict[str, Any]:
        say("for a person")
        return {"labels": [{"path": "ä.jpg"}, {"path": "\udcff.jpg"}], "summary": 2, "healthy": False}

    assert run(verb, json=True) == 1
    printed = capsys.readouterr()
    assert printed.out.splitlines() == [
        '{"path": "ä.jpg"}',
        '{"path": "\\udcff.jpg"}',
        '{"summary": 2, "healthy": false}',
    ]
    assert printed.err == "for a person\n"


HEAVY = ("torch", "timm", "gradio", "numpy", "pydantic_settings", "sqlalchemy", "rich")


@pytest.mark.parametrize("code", ["import fgdemo", "from fgdemo.cli import main; main(['fit', '--help'])"])
def test_nothing_heavy_is_imported_for_it(code: str) -> None:
    code += f"; import sys; print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    said = subprocess.run([sys.executable, "-c", code], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    assert said.stderr == "[]\n"


def test_what_is_public_is_there_and_nothing_else() -> None:
    assert fgdemo.__all__ == ["__version__", "fit", "load", "suspects"]
    for name in fgdemo.__all__:
        assert getattr(fgdemo, name)
    assert fgdemo.fit is commands.fit
    with pytest.raises(AttributeError, match="has no attribute 'models_of'"):
        fgdemo.models_of  # noqa: B018
    assert (Path(fgdemo.__file__).parent / "py.typed").exists()
