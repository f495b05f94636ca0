"""Between the browser's JSON and our values. What comes in is arbitrary: every field is checked by hand."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

from gradio.utils import get_upload_folder

from fgdemo.values.errors import FgdemoError, PictureError
from fgdemo.values.types import CropBox

LONGEST_NAME = 200


class BadRequestError(FgdemoError):
    """The page or the API was sent something that is not a question it knows."""


class PictureGoneError(PictureError):
    """An upload that the server has cleared away; the page then sends it again."""


def fields(payload: object) -> Mapping[str, Any]:
    """The payload as a JSON object."""
    if not isinstance(payload, dict):
        raise BadRequestError("The request is not a JSON object; load the page again.")
    return payload


def text(value: object, field: str, longest: int = LONGEST_NAME) -> str:
    """A string of at most `longest` characters, without space around it, and one that can be sent back."""
    if not isinstance(value, str):
        raise BadRequestError(f"“{field}” must be text.")
    value = value.strip().encode("utf-8", "replace").decode()  # halves of a character, which JSON can carry
    if len(value) > longest:
        raise BadRequestError(f"“{field}” is too long: at most {longest} characters.")
    return value


def optional_text(value: object, field: str, longest: int = LONGEST_NAME) -> str | None:
    """Like `text`; None and "" are None."""
    return None if value is None else text(value, field, longest) or None


def number(value: object, field: str) -> float:
    """A finite number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or abs(value) > 2**53:
        raise BadRequestError(f"“{field}” must be a number.")
    return value


def seconds(value: object, field: str) -> float | None:
    """How long somebody looked; None where it is 0, which means that nobody knows."""
    found = number(value, field)
    if found < 0:
        raise BadRequestError(f"“{field}” must not be negative.")
    return float(found) or None


def optional_number(value: object, field: str) -> int | None:
    """A whole number, or None."""
    return None if value is None else int(number(value, field))


def texts(value: object, field: str, most: int = 8) -> tuple[str, ...]:
    """A list of at most `most` strings."""
    if not isinstance(value, (list, tuple)) or len(value) > most:
        raise BadRequestError(f"“{field}” must be a list of at most {most} texts.")
    return tuple(text(item, field) for item in value)


def crop_box(value: object) -> CropBox | None:
    """A box from `{"left": …, "top": …, "right": …, "bottom": …}`, fractions of the picture; None is all of it."""
    if value is None:
        return None
    given = value if isinstance(value, dict) else {}
    sides = [given.get(side) for side in ("left", "top", "right", "bottom")]
    numbers = [float(side) for side in sides if isinstance(side, (int, float)) and not isinstance(side, bool)]
    if len(numbers) < 4:
        raise PictureError("The crop box must be left, top, right and bottom, four numbers from 0 to 1.")
    return CropBox(*numbers)


def uploaded_file(value: object) -> Path:
    """The file that `value` names, if it was uploaded to this server: a path to anything else is refused.

    Raises:
        PictureError: not an upload. Says nothing of whether such a file exists.
        PictureGoneError: an upload that is no longer there.
    """
    refusal = PictureError("Send the picture itself: a path is not an upload.")
    if not isinstance(value, str) or not value or "\0" in value:
        raise refusal
    folder = Path(get_upload_folder()).resolve()
    try:
        path = Path(value).resolve()
        is_file = path.is_file()
    except (OSError, RuntimeError, ValueError):  # a name that no file can have
        raise refusal from None
    if not path.is_relative_to(folder) or path == folder:
        raise refusal
    if not is_file:
        raise PictureGoneError("The picture is no longer on the server: choose it again.")
    return path


def as_json(value: object) -> Any:
    """A value of `fgdemo.values.types` as plain JSON."""
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, Mapping):
        return {key: as_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_json(item) for item in value]
    return value
