"""Under which names people and programs answer: one name is one annotator, whoever it is."""

from __future__ import annotations

import unicodedata
from typing import get_args

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from fgdemo.annotation import OWNER, VISITOR, Role
from fgdemo.errors import SettingsError
from fgdemo.storage.schema import account_table, token_table

LONGEST_NAME = 40
KEPT = (VISITOR.name, OWNER.name, "import")
"""Names under which fgdemo itself writes."""
HUB_PREFIX = "hf:"
"""Begins the name of everybody who signs in with Hugging Face, and of no account: `ada` and `hf:ada` are two people."""


def folded(name: str) -> str:
    """What must be the same for two names to be the same annotator."""
    return _plain(name).casefold()


def checked_name(name: str) -> str:
    """The name as it is kept. Raises SettingsError where it cannot be one."""
    name = _plain(name)
    if not 1 <= len(name) <= LONGEST_NAME or not is_storable(name):
        raise SettingsError(f"A name has 1 to {LONGEST_NAME} ordinary characters.")
    return name


def checked_role(role: str) -> Role:
    """Raises SettingsError where there is no such role."""
    if role not in get_args(Role):
        raise SettingsError(f"“{role}” is not a role: choose one of {', '.join(get_args(Role))}.")
    return role  # type: ignore[return-value]


def require_free(connection: Connection, name: str) -> None:
    """Raises SettingsError where a person or a program has this name. To be asked under the write lock."""
    this_one = folded(name)
    taken = any(
        connection.execute(sa.select(table.c.name).where(table.c.folded == this_one)).first() is not None
        for table in (account_table, token_table)
    )
    if taken or this_one in KEPT or "".join(this_one.split()).startswith(HUB_PREFIX):
        raise SettingsError(f"There is an account or a token “{name}” already, or the name is kept for fgdemo itself.")


def is_storable(text: str) -> bool:
    return not any(unicodedata.category(c)[0] == "C" for c in text)


def _plain(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).split())
