"""What programs may ask: each question with its arguments and its answer, and the routes that are served."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from docs.generate import markdown
from docs.generate.code import Field, alone, classes, fields, modules, parameters, parsed, split

INTRO = """# Questions of programs

The same questions can be asked with `gradio_client`, over plain HTTP and as tools of an MCP server; how is shown in
[from a program](../howto/api.md). A running server describes them as OpenAPI 3.1 at `/fgdemo/openapi.json`, with what
each status means.
"""
NOT_SENT = ("self", "person")
"""Who asks: the server knows that."""
PLAIN = {
    "Box": "CropBox | None",
    "Count": "int",
    "Held": "list[str]",
    "Hits": "int",
    "Key": "str",
    "OptionalComment": "str | None",
    "OptionalText": "str | None",
    "Pair": "list[str]",
    "Picture": "FileData",
    "Seconds": "float",
    "Taxa": "list[str]",
    "Text": "str",
    "Whole": "int",
}
"""Types with limits, as who sends them sees them: what is said of each argument names its limits."""


def page() -> str:
    """docs/reference/http.md."""
    parts: list[str] = [
        markdown.NOTE.format(source="signatures and docstrings of the endpoints, and the list of routes"),
        INTRO,
    ]
    answers: list[str] = []
    for role, question in questions():
        said = split(ast.get_docstring(question) or "")
        about = re.sub(r" For (?:experts|maintainers)\.$", "", " ".join(said.about.split()))
        parts.append(f"\n## {question.name}\n\n{about} Who may ask: {role}.\n\n")
        rows = [
            (
                f"`{one.name}`",
                markdown.mark(_plain(one.type)),
                "required" if not one.default else f"`{one.default}`",
                one.about,
            )
            for one in parameters(question, without=NOT_SENT)
        ]
        if rows:
            parts.append(markdown.table(("argument", "type", "default", "what it is"), rows) + "\n")
        answer = ast.unparse(question.returns) if question.returns else ""
        parts.append(f"Answers `{answer}`: {said.returns}\n")
        answers += [name for name in re.findall(r"[A-Z]\w+", answer) if name not in answers]
    parts.append("\n## Values in answers\n\nEach is a JSON object with these fields.\n")
    parts += _values(answers)
    parts.append("\n## Routes\n\nOnly these are served; every other one of Gradio's is 404.\n\n")
    parts.append(_routes())
    return "".join(parts)


def questions() -> Iterator[tuple[str, ast.FunctionDef]]:
    """(who may ask, the endpoint), in the order of the modules."""
    for group in groups():
        about = (ast.get_docstring(group) or "").strip()
        role = about.removeprefix("For ").rstrip(".") if about.startswith("For ") else "everybody"
        for node in group.body:
            if isinstance(node, ast.FunctionDef) and "Returns:" in (ast.get_docstring(node) or ""):
                yield role, node


def groups() -> Iterator[ast.ClassDef]:
    """Classes of questions, in the order of the modules."""
    for path in modules():
        for node in parsed(path).body:
            if isinstance(node, ast.ClassDef) and node.name.endswith("Questions"):
                yield node


def _plain(kind: str) -> str:
    return re.sub(r"\w+", lambda word: PLAIN.get(word[0], word[0]), kind)


def _values(names: list[str]) -> Iterator[str]:
    """The classes of answers, and those that they hold, each once."""
    waiting, told = list(names), set()
    while waiting:
        name = waiting.pop(0)
        of_name = classes(name)  # of two the one that travels between the floors
        found = of_name if len(of_name) == 1 else [one for one in of_name if "values" in one[0].parts]
        if name in told or len(found) != 1:
            continue
        told.add(name)
        node = found[0][1]
        held = _fields(node)
        about = " ".join(split(ast.get_docstring(node) or "").about.split("\n\n")[0].split())
        rows = [(f"`{one.name}`", f"`{one.type}`", one.about) for one in held]
        if rows:
            yield f"\n### {name}\n\n{about}\n\n" + markdown.table(("field", "type", "what it is"), rows)
        waiting += [other for one in held for other in re.findall(r"[A-Z]\w+", one.type)]


def _fields(node: ast.ClassDef) -> list[Field]:
    """Its own and those of the classes that it extends."""
    inherited: list[Field] = []
    for base in node.bases:
        for _, parent in classes(ast.unparse(base)):
            inherited += _fields(parent)
    return [*inherited, *fields(node)]


def _routes() -> str:
    ((path, _),) = classes("Route")
    rows = [(", ".join(sorted(route.methods)), f"`{route.path}`", route.why) for route in alone(path).ROUTES]
    return markdown.table(("methods", "path", "who needs it"), rows)
