"""Columns that hold JSON: another workspace may have brought what they hold, so no more is believed than fits."""

import functools
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from fgdemo.storage.disk.strict_json import read_json
from fgdemo.values.errors import FgdemoError

T = TypeVar("T")


def read_column(kind: type[T], text: str | None) -> T | None:
    """What a column holds as a value of this type, a dataclass for example; None where it is something else."""
    try:
        return _adapter(kind).validate_python(read_json(text)) if text else None
    except (FgdemoError, ValidationError):
        return None


def read_texts(text: str | None) -> tuple[str, ...]:
    """A list of texts; empty where a column holds something else."""
    return read_column(tuple[str, ...], text) or ()


def read_fields(text: str | None) -> Mapping[str, Any]:
    """An object; empty where a column holds something else."""
    return read_column(dict[str, Any], text) or {}


@functools.cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
