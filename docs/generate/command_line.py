"""The command line: every verb with its arguments, as the parser has them."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

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
    from fgdemo.cli import build_parser

    for action in build_parser()._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, parser in action.choices.items():
                held = [one for one in parser._actions if not isinstance(one, argparse._HelpAction)]
                yield Verb(name, parser.description or "", tuple(map(_argument, held)))


def parse(words: Sequence[str]) -> None:
    """Take a command as the program does, without doing it. Raises SystemExit where it is refused."""
    from fgdemo.cli import build_parser

    build_parser().parse_args(list(words))


def page() -> str:
    """docs/reference/command-line.md."""
    parts = [
        markdown.NOTE.format(source="the parser of `fgdemo/cli.py`"),
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


def _argument(action: argparse.Action) -> Argument:
    value = action.metavar if isinstance(action.metavar, str) else ""
    if not value and action.nargs != 0:
        value = action.dest.upper()
    spelling = " ".join([*action.option_strings[-1:], value]) if action.option_strings else value
    choices = ", ".join(f"`{choice}`" for choice in action.choices or ())
    unsaid = action.default in (None, False, []) or "default" in (action.help or "")
    return Argument(spelling.strip(), choices, "" if unsaid else f"`{action.default}`", action.help or "")


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."
