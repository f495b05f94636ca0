"""Fields of JSON records that anybody may have written: each is read by one function, rightly or not at all.

Such a reader takes a record and a key, and gives the right value, or raises FaultError with a reason in words.
"""

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, get_args

from fgdemo.storage.disk.strict_json import as_list
from fgdemo.values.annotation import Publication
from fgdemo.values.errors import PictureError, StorageError
from fgdemo.values.labelled import instant
from fgdemo.values.points import PlacedPoint
from fgdemo.values.types import CropBox

Record = Mapping[str, Any]
Row = dict[str, Any]
Reader = Callable[[Record, str], Any]
Fields = Mapping[str, Reader]
"""What a record holds: a reader for each key. See `read`."""

LONGEST = 100_000
"""Of any text: far beyond what the page takes, since what was stored once shall come back."""
MOST_TEXTS = 1000
HASH = re.compile("[0-9a-f]{64}")
_AS_WE_WRITE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?\+00:00")


class FaultError(Exception):
    """Why a record cannot be used."""


def read(record: Record, fields: Fields, longest: Mapping[str, int] | None = None) -> Row:
    """The values of a record, by their keys; other keys are passed over.

    Args:
        longest: the most characters of some of them, where that is less than `LONGEST`.

    Raises:
        FaultError: the first that is no usable value.
    """
    row = {key: reader(record, key) for key, reader in fields.items()}
    for key, most in (longest or {}).items():
        if len(row.get(key) or "") > most:
            raise FaultError(f"has a “{key}” of more than {most} characters")
    return row


def optional(reader: Reader, otherwise: object = None) -> Reader:
    """The same where there is something, else `otherwise`."""
    return lambda record, key: otherwise if record.get(key) is None else reader(record, key)


def _unusable(key: str, meant: str) -> FaultError:
    return FaultError(f"has no usable “{key}”: {meant} is meant")


def _storable(value: object, key: str) -> str:
    """Text that every database can keep."""
    if not isinstance(value, str) or "\0" in value:
        raise _unusable(key, "text")
    if len(value) > LONGEST:
        raise FaultError(f"has a “{key}” of more than {LONGEST} characters")
    try:
        return value if value.isascii() else value.encode().decode()
    except UnicodeEncodeError:  # half of a surrogate pair
        raise _unusable(key, "text") from None


def needed_text(record: Record, key: str) -> str:
    """Text that says something."""
    value = _storable(record.get(key), key)
    if not value.strip():
        raise _unusable(key, "text")
    return value


def text(record: Record, key: str) -> str | None:
    """Text, or None."""
    value = record.get(key)
    return None if value is None else _storable(value, key)


def texts(record: Record, key: str) -> tuple[str, ...]:
    """Several texts, or none."""
    listed = as_list(record.get(key) or [])
    if listed is None or len(listed) > MOST_TEXTS:
        raise _unusable(key, f"a list of {MOST_TEXTS} texts at most")
    return tuple(_storable(one, key) for one in listed)


def two_texts(record: Record, key: str) -> tuple[str, str] | None:
    """A pair of texts, or None."""
    found = None if record.get(key) is None else texts(record, key)
    if found is not None and len(found) != 2:
        raise _unusable(key, "a list of two texts")
    return (found[0], found[1]) if found else None


def texts_as_json(record: Record, key: str) -> str:
    """Several texts as the database keeps them."""
    return json.dumps(texts(record, key))


def like(pattern: re.Pattern[str], meant: str) -> Reader:
    """Text that matches as a whole; `meant` says what that is."""

    def read_text(record: Record, key: str) -> str:
        value = record.get(key)
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise _unusable(key, meant)
        return value

    return read_text


sha256 = like(HASH, "64 hexadecimal digits")


def one_of(allowed: object) -> Reader:
    """One of the words of a Literal."""
    words = get_args(allowed)

    def read_word(record: Record, key: str) -> str:
        if record.get(key) not in words:
            raise FaultError(f"has an unknown “{key}”")
        return record[key]

    return read_word


def split(record: Record, key: str) -> str | None:
    """Where a picture belongs; None for one that belongs nowhere."""
    if record.get(key) not in (None, "train", "val", "test", "gold"):
        raise FaultError(f"has the {key} “{str(record[key])[:20]}”; train, val, gold or none is meant")
    return record.get(key)


def needed_whole(record: Record, key: str) -> int:
    """A whole number from 0 that JSON keeps exactly."""
    value = record.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**53:
        raise _unusable(key, "a whole number")
    return value


def whole(record: Record, key: str) -> int | None:
    """A whole number from 0, or None."""
    return None if record.get(key) is None else needed_whole(record, key)


def number(record: Record, key: str) -> float | None:
    """A finite number from 0, or None."""
    value = record.get(key)
    if value is None:
        return None
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value < 1e9:  # nor nan
        raise _unusable(key, "a number from 0")
    return float(value)


def flag(record: Record, key: str) -> bool:
    """Whether it says so: nothing but true is a yes."""
    return record.get(key) is True


def moment(record: Record, key: str) -> str:
    """ISO 8601 in UTC; one that fgdemo wrote stays as it is, so that equal moments stay equal texts."""
    value = record.get(key)
    try:
        if isinstance(value, str) and _AS_WE_WRITE.fullmatch(value):
            datetime.fromisoformat(value)
            return value
        found = instant(value) if isinstance(value, str) else None
    except ValueError:
        found = None
    if found is None:
        raise _unusable(key, "a time such as 2026-01-31T12:00:00+00:00")
    return found


def box(record: Record, key: str) -> CropBox | None:
    """A box within the picture, or None."""
    value = record.get(key)
    try:
        sides = None if value is None else [float(value[side]) for side in ("left", "top", "right", "bottom")]
        return None if sides is None else CropBox(*sides)
    except (PictureError, TypeError, KeyError, ValueError, OverflowError):
        raise FaultError(f"has no usable “{key}”") from None


def point(record: Record, key: str) -> PlacedPoint | None:
    """A point within the picture, or None."""
    value = record.get(key)
    try:
        return None if value is None else PlacedPoint(value["part"], value["x"], value["y"])
    except (PictureError, TypeError, KeyError, AttributeError):
        raise FaultError(f"has no usable “{key}”") from None


def publication(record: Record, key: str) -> Publication | None:
    """Whose picture it is and its licence, or None."""
    value = record.get(key)
    try:
        return None if value is None else Publication(value["credit"], value["licence"])
    except (StorageError, TypeError, KeyError, AttributeError):
        raise FaultError(f"has no usable “{key}”") from None


def json_object(record: Record, key: str) -> str | None:
    """An object that the database keeps as JSON text, or None."""
    value = record.get(key)
    if value is not None and not isinstance(value, dict):
        raise _unusable(key, "an object")
    return None if value is None else json.dumps(value)
