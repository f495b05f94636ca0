"""The one reader of JSON that somebody else may have written.

JSON of any size, depth and number is parsed by Python's own reader, which then fails in the middle of our code, or
takes what JSON does not know (NaN). Here the limits come first, and each fault is one sentence.
"""

import json
import math
import re
from typing import Any, cast

from fgdemo.values.errors import FgdemoError

LARGEST_BYTES = 1_000_000_000
DEEPEST = 64
"""So many objects and lists may lie within each other; ours have at most ten."""
MOST_DIGITS = 19
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*(?:"|\\?\Z)|[\[{\]}]', re.DOTALL)  # never looks at a letter twice


class BadJsonError(FgdemoError, ValueError):
    """Why a text is no JSON that can be used: the rest of a sentence that begins with what was read."""


def read_json(content: bytes | str, largest_bytes: int = LARGEST_BYTES) -> Any:
    """The value of a JSON text, all numbers of which are finite. Raises BadJsonError."""
    if len(content) > largest_bytes:
        raise BadJsonError(f"is larger than {largest_bytes:,} bytes")
    try:
        text = content.decode(json.detect_encoding(content)) if isinstance(content, bytes) else content
    except UnicodeDecodeError as error:
        raise BadJsonError("is not valid JSON (it is not text in UTF-8)") from error
    if text.count("[") + text.count("{") > DEEPEST and _depth(text) > DEEPEST:
        raise BadJsonError(f"is nested more than {DEEPEST} deep")
    try:
        return _DECODER.decode(text.removeprefix("\ufeff"))
    except BadJsonError:
        raise
    except (ValueError, RecursionError) as error:
        told = f"{error.msg} in line {error.lineno}" if isinstance(error, json.JSONDecodeError) else "it is too deep"
        raise BadJsonError(f"is not valid JSON ({told})") from error


def read_object(content: bytes | str, largest_bytes: int = LARGEST_BYTES) -> dict[str, Any]:
    """The same for what must be an object. Raises BadJsonError."""
    found = as_object(read_json(content, largest_bytes))
    if found is None:
        raise BadJsonError("must hold one JSON object")
    return found


def as_object(value: object) -> dict[str, Any] | None:
    """The object that a value of JSON is; None where it is none."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def as_list(value: object) -> list[Any] | None:
    """The list that a value of JSON is; None where it is none."""
    return cast("list[Any]", value) if isinstance(value, list) else None


def as_objects(value: object) -> list[dict[str, Any]] | None:
    """The list of objects that a value of JSON is; None where it is none, or holds anything else."""
    listed = as_list(value)
    objects = [one for one in map(as_object, listed or ()) if one is not None]
    return objects if listed is not None and len(objects) == len(listed) else None


def _depth(text: str) -> int:
    deepest = depth = 0
    for token in _TOKEN.finditer(text):
        sign = token.group()
        depth += 1 if sign in "[{" else -1 if sign in "]}" else 0
        deepest = max(deepest, depth)
    return deepest


def _whole(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise BadJsonError(f"has a number of {len(digits)} digits")
    return int(digits)


def _finite(text: str) -> float:
    found = float(text) if len(text) <= 400 else math.inf
    if not math.isfinite(found):
        raise BadJsonError(f"has the number {text[:20]}, which is too large")
    return found


def _no_constant(name: str) -> float:
    raise BadJsonError(f"is not valid JSON ({name} is no JSON number)")


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        double = next(name for name, _ in pairs if name in seen or seen.add(name))
        raise BadJsonError(f"names “{double[:40]}” twice in one object")
    return found


_DECODER = json.JSONDecoder(
    object_pairs_hook=_without_doubles, parse_int=_whole, parse_float=_finite, parse_constant=_no_constant
)
