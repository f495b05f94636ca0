"""Fields of a mirror's records, each read by one function: the right value, or a reason in words."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import get_args

from fgdemo.storage.people.names import checked_name, folded, is_kept
from fgdemo.storage.people.passwords import is_believed
from fgdemo.storage.records.fields import FaultError, Record, text_of, time_of, whole_of
from fgdemo.values.errors import SettingsError

LONGEST = 100_000
"""Far beyond what the page takes: what was stored once shall come back."""


def any_text(record: Record, key: str) -> str | None:
    return text_of(record, key, LONGEST)


def needed_text(record: Record, key: str) -> str:
    return text_of(record, key, LONGEST, needed=True) or ""


def text_or_empty(record: Record, key: str) -> str:
    return text_of(record, key, LONGEST) or ""


def moment(record: Record, key: str) -> str:
    time_of(record, key)
    return record[key]  # as it was written, so that equal moments stay equal texts


def moment_or_none(record: Record, key: str) -> str | None:
    return None if record.get(key) is None else moment(record, key)


def needed_whole(record: Record, key: str) -> int:
    found = whole_of(record, key)
    if found is None:
        raise FaultError(f"has no “{key}”")
    return found


def one_or_more(record: Record, key: str) -> int:
    return max(whole_of(record, key) or 1, 1)


def flag(record: Record, key: str) -> bool:
    return record.get(key) is True


def like(pattern: re.Pattern[str], needed: bool = True) -> Callable[[Record, str], str | None]:
    def read(record: Record, key: str) -> str | None:
        value = record.get(key)
        if value is None and not needed:
            return None
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise FaultError(f"has no usable “{key}”")
        return value

    return read


def person_name(record: Record, key: str) -> str:
    """Of an account or a token: one that could be made here, too, and not one of those that are kept."""
    name = needed_text(record, key)
    try:
        usable = checked_name(name) == name and not is_kept(name)
    except SettingsError:
        usable = False
    if not usable:
        raise FaultError(f"has no usable “{key}”")
    return name


def folded_name(record: Record, key: str) -> str:
    """Never as it is told: else two people could have one name."""
    return folded(needed_text(record, "name"))


def password_hash(record: Record, key: str) -> str:
    kept = record.get(key)
    if not isinstance(kept, str) or not is_believed(kept):
        raise FaultError(f"has a “{key}” by no known scheme, or one that takes too long to check")
    return kept


def one_of(allowed: object) -> Callable[[Record, str], str]:
    words = get_args(allowed)

    def read(record: Record, key: str) -> str:
        if record.get(key) not in words:
            raise FaultError(f"has an unknown “{key}”")
        return record[key]

    return read


def split_or_none(record: Record, key: str) -> str | None:
    if record.get(key) not in (None, "train", "val", "test", "gold"):
        raise FaultError("has an unknown “split”")
    return record.get(key)


def json_text(kind: type) -> Callable[[Record, str], str | None]:
    """A value that the database keeps as JSON text."""

    def read(record: Record, key: str) -> str | None:
        if record.get(key) is None:
            return None
        if not isinstance(record[key], kind):
            raise FaultError(f"has no usable “{key}”")
        return json.dumps(record[key])

    return read
