"""What a program may call without a server: the public functions, as their docstrings say."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import fgdemo
from docs.generate import markdown
from docs.generate.code import functions

INTRO = """# From Python

These functions are public: they keep their names and arguments. Each is imported when it is asked for, so `import
fgdemo` costs nothing. What else a verb of the command line takes is an argument here, too
([command line](command-line.md)). Errors are `fgdemo.values.errors.FgdemoError`s with a sentence for a person.
"""


def page() -> str:
    """docs/reference/python.md."""
    return markdown.NOTE.format(source="`fgdemo.__all__` and docstrings") + INTRO + "".join(_functions())


def _functions() -> Iterator[str]:
    for name in fgdemo.__all__:
        if not name.startswith("_"):
            (node,) = [one for one in functions(name) if one.name == name and _is_public(one)]
            yield f"\n## fgdemo.{name}\n\n{_as_markdown(ast.get_docstring(node) or '')}\n"


def _is_public(node: ast.FunctionDef) -> bool:
    """Others of that name ask for other things; the public one shows how it is called."""
    return "import fgdemo" in (ast.get_docstring(node) or "")


def _as_markdown(docstring: str) -> str:
    """Its example is code in Markdown as it stands; what its sections name becomes a list."""
    text = re.sub(r"^(Args|Returns|Raises):$", r"**\1**\n", docstring, flags=re.MULTILINE)
    before, mark, sections = text.partition("\n**")
    sections = re.sub(r"^    (\w+): ", r"- `\1`: ", sections, flags=re.MULTILINE)
    return before + mark + re.sub(r"^    ", "", sections, flags=re.MULTILINE)
