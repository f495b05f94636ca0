"""The command line: every verb with its arguments, as the parser has them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from docs.generate import markdown

INTRO = """# The command line

`python -m fgdemo VERB`; examples stand in [the command line by example](../howto/command-line.md). Every verb takes
`--help`.

Exit codes: 0 done, 1 refused with one sentence (or `doctor` and `restore` found something wrong), 2 a wrong argument,
130 stopped by Ctrl-C.
"""


@dataclass(frozen=True)
class Argument:
    """`spelling` as it is typed; `choices` and `default` are empty where there are none."""

    spelling: str
    choices: str
    default: str
    about: str


@dataclass(frozen=True)
class Verb:
    name: str
    about: str
    arguments: tuple[Argument, ...]


def verbs() -> Iterator[Verb]:
    """In the order of `--help`."""
    from fgdemo.cli import make_command, run

    for name, command in make_command(run).commands.items():
        yield Verb(name, command.help or "", tuple(map(_argument, command.params)))


def parse(words: Sequence[str]) -> None:
    """Take a command as the program does, without doing it. Raises SystemExit where it is refused."""
    from fgdemo.cli import main

    if code := main(words, lambda verb, **given: 0):
        raise SystemExit(code)


def page() -> str:
    """docs/reference/command-line.md."""
    parts = [
        markdown.NOTE.format(source="the verbs in `fgdemo/commands/`"),
        INTRO,
    ]
    for verb in verbs():
        rows = [
            (
                markdown.mark(argument.spelling),
                argument.about + (f"; one of {argument.choices}" if argument.choices else ""),
                argument.default,
            )
            for argument in verb.arguments
        ]
        parts.append(f"\n## {verb.name}\n\n{_sentence(verb.about)}\n\n")
        parts.append(markdown.table(("argument", "what it is", "default"), rows))
    return "".join(parts)


def _argument(parameter: Any) -> Argument:
    is_option = parameter.param_type_name == "option"
    value = "" if is_option and parameter.is_flag else parameter.metavar or parameter.name.upper()
    spelling = f"{parameter.opts[-1]} {value}" if is_option else value
    choices = ", ".join(f"`{choice}`" for choice in parameter.type_descriptor.choices or ())
    unsaid = parameter.default in (None, False, [])
    return Argument(spelling.strip(), choices, "" if unsaid else f"`{parameter.default}`", parameter.help or "")


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."
