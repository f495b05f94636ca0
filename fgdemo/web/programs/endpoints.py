"""What is known of each question that programs may ask, read once from its signature and its docstring."""

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gradio.data_classes import FileData
from pydantic import Field, TypeAdapter, create_model

from fgdemo.values.annotation import Role
from fgdemo.web.http.payloads import Asked, Picture

PERSON = "person"
"""The parameter that a program does not send: who asks."""
PICTURE = (
    "A data URL (data:image/jpeg;base64,…) of at most 2.9 MB, or the path that POST gradio_api/upload answered. "
    "Nothing is fetched from an address."
)
"""How an agent sends a picture."""


@dataclass(frozen=True)
class Docstring:
    """A docstring in parts, each whole and on one line.

    Attributes:
        parameters: what it says of each.
    """

    about: str
    parameters: Mapping[str, str]
    returns: str


@dataclass(frozen=True)
class Endpoint:
    """A question.

    Attributes:
        role: who may ask it.
        ask: its function, for those who call it with a Gradio or Starlette request as the last argument. It reads
            what was sent by `asked`, and raises a sentence where that does not fit.
        parameters: the names of the arguments before that; `required` those without a default.
        pictures: the arguments that are pictures.
        described: what it says of itself.
        asked: the model of its arguments.
        answer: the type of what it answers; None for a file.
    """

    name: str
    role: Role
    ask: Callable[..., Any]
    parameters: tuple[str, ...]
    required: tuple[str, ...]
    pictures: frozenset[str]
    described: Docstring
    asked: type[Asked]
    answer: TypeAdapter[Any] | None


def endpoint_of(function: Callable[..., Any], role: Role) -> Endpoint:
    """Read it from the function as it is written, which is called as it is."""
    described, signature, fields = docstring_of(function), inspect.signature(function), {}
    for name, parameter in signature.parameters.items():
        if name != PERSON:
            about = described.parameters[name]
            if parameter.annotation is Picture:
                about = f"{about[:1].upper()}{about[1:].rstrip('.')}. {PICTURE}"
            default = ... if parameter.default is inspect.Parameter.empty else parameter.default
            fields[name] = (parameter.annotation, Field(default, description=about))
    asked: type[Asked] = create_model(function.__name__, __base__=Asked, **fields)
    answer = signature.return_annotation
    return Endpoint(
        function.__name__,
        role,
        function,
        tuple(fields),
        tuple(name for name, (_, field) in fields.items() if field.is_required()),
        frozenset(name for name, (kind, _) in fields.items() if kind is Picture),
        described,
        asked,
        None if answer is FileData else TypeAdapter(answer),
    )


def docstring_of(function: Callable[..., Any]) -> Docstring:
    """Gradio reads only the first line of what is said of a parameter."""
    text = inspect.getdoc(function) or ""
    about, _, rest = text.partition("\nParameters:\n")
    told, _, returns = rest.partition("\nReturns:\n")
    if not rest:
        about, _, returns = text.partition("\nReturns:\n")
    parameters: dict[str, str] = {}
    for line in told.splitlines():
        begun = re.match(r" {4}(\w+): (.*)", line)
        if begun:
            name = begun[1]
            parameters[name] = begun[2]
        elif line.strip():
            parameters[name] += f" {line.strip()}"
    return Docstring(_one_line(about), parameters, _one_line(returns))


def _one_line(text: str) -> str:
    return " ".join(text.split())
