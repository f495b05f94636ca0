"""Fields of JSON records that anybody may have written: the right type, or a reason in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fgdemo.values.errors import PictureError
from fgdemo.values.labelled import instant
from fgdemo.values.types import CropBox

Record = Mapping[str, Any]


class FaultError(Exception):
    """Why a record cannot be used."""


def is_text(value: object) -> bool:
    """Whether it is one short line of text."""
    return isinstance(value, str) and len(value) <= 300 and "\0" not in value and value.isprintable()


def text_of(record: Record, key: str, longest: int, needed: bool = False) -> str | None:
    """Text of at most `longest` characters, or None where there is none."""
    value = record.get(key)
    if value is None and not needed:
        return None
    if not isinstance(value, str) or "\0" in value or (needed and not value.strip()):
        raise FaultError(f"has no usable “{key}”: text is meant")
    if len(value) > longest:
        raise FaultError(f"has a “{key}” of more than {longest} characters")
    try:
        value.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        raise FaultError(f"has no usable “{key}”: text is meant") from None
    return value


def whole_of(record: Record, key: str) -> int | None:
    """A whole number from 0 that JSON keeps exactly, or None."""
    value = record.get(key)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**53:
        raise FaultError(f"has no usable “{key}”: a whole number is meant")
    return value


def number_of(record: Record, key: str) -> float | None:
    """A finite number from 0, or None."""
    value = record.get(key)
    if value is None:
        return None
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value < 1e9:  # nor nan
        raise FaultError(f"has no usable “{key}”: a number from 0 is meant")
    return float(value)


def time_of(record: Record, key: str) -> str:
    """ISO 8601 in UTC."""
    found = instant(record.get(key)) if isinstance(record.get(key), str) else None
    if found is None:
        raise FaultError(f"has no usable “{key}”: a time such as 2026-01-31T12:00:00+00:00 is meant")
    return found


def box_of(record: Record) -> CropBox | None:
    """A box within the picture, or None."""
    box = record.get("box")
    if box is None:
        return None
    try:
        return CropBox(**{side: float(box[side]) for side in ("left", "top", "right", "bottom")})
    except (PictureError, TypeError, KeyError, ValueError, OverflowError):
        raise FaultError("has no usable “box”") from None
