"""What is known of each question that programs may ask, read once from its signature and its docstring."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gradio.data_classes import FileData
from pydantic import Field, TypeAdapter, create_model

from fgdemo.values.annotation import Role

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
        ask: its function, for those who call it with a Gradio or Starlette request as the last argument.
        parameters: the names of the arguments before that; `required` those without a default.
        pictures: the arguments that are pictures.
        described: what it says of itself.
        asked: a pydantic model of the arguments as an agent sends them, pictures as text.
        answer: JSON schema of what it answers.
    """

    name: str
    role: Role
    ask: Callable[..., Any]
    parameters: tuple[str, ...]
    required: tuple[str, ...]
    pictures: frozenset[str]
    described: Docstring
    asked: type[Any]
    answer: dict[str, Any]


def endpoint_of(function: Callable[..., Any], role: Role, ask: Callable[..., Any]) -> Endpoint:
    """Read it from the function as it is written; `ask` is how it is called."""
    described, fields, pictures = docstring_of(function), {}, set()
    for name, parameter in inspect.signature(function).parameters.items():
        if name == PERSON:
            continue
        about, kind = described.parameters[name], parameter.annotation
        if kind is FileData:
            pictures.add(name)
            about, kind = f"{about[:1].upper()}{about[1:].rstrip('.')}. {PICTURE}", str
        default = ... if parameter.default is inspect.Parameter.empty else parameter.default
        fields[name] = (kind, Field(default, description=about))
    asked = create_model(function.__name__, **fields)
    answer = inspect.signature(function).return_annotation
    schema = TypeAdapter(answer).json_schema(mode="serialization") if answer is not FileData else {}
    required = tuple(name for name, (_, field) in fields.items() if field.is_required())
    return Endpoint(
        function.__name__, role, ask, tuple(fields), required, frozenset(pictures), described, asked, schema
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
