"""Under which names people and programs answer: one name is one annotator, whoever it is."""

import re
import unicodedata
from typing import get_args

import sqlalchemy as sa

from fgdemo.storage.database.schema import account_table, token_table
from fgdemo.values.annotation import OWNER, VISITOR, Role
from fgdemo.values.errors import SettingsError

LONGEST_NAME = 40
KEPT = (VISITOR.name, OWNER.name, "import", "fgdemo")
"""Names under which fgdemo itself writes."""
HUB_PREFIX = "hf:"
"""Begins the name of everybody who signs in with Hugging Face, and of no account: `ada` and `hf:ada` are two people."""


UNSEEN = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\ufe00-\ufe0f\U000e0100-\U000e01ef]")
"""Characters of no width: with them two names would look the same."""


def folded(name: str) -> str:
    """What must be the same for two names to be the same annotator: one normal form, without case."""
    return unicodedata.normalize("NFKC", _plain(name).casefold())


def checked_name(name: str) -> str:
    """The name as it is kept. Raises SettingsError where it cannot be one."""
    name = _plain(name)
    if not 1 <= len(name) <= LONGEST_NAME or not is_storable(name) or UNSEEN.search(name):
        raise SettingsError(f"A name has 1 to {LONGEST_NAME} ordinary characters.")
    return name


def checked_role(role: str) -> Role:
    """Raises SettingsError where there is no such role."""
    if role not in get_args(Role):
        raise SettingsError(f"“{role}” is not a role: choose one of {', '.join(get_args(Role))}.")
    return role  # type: ignore[return-value]


def is_kept(name: str) -> bool:
    """Whether the name belongs to fgdemo itself, or to people of the Hub: no account and no token has it."""
    this_one = folded(name)
    return this_one in KEPT or "".join(this_one.split()).startswith(HUB_PREFIX)


def require_free(connection: sa.Connection, name: str) -> None:
    """Raises SettingsError where a person or a program has this name. To be asked under the write lock."""
    this_one = folded(name)
    taken = any(
        connection.execute(sa.select(table.c.name).where(table.c.folded == this_one)).first() is not None
        for table in (account_table, token_table)
    )
    if taken or is_kept(name):
        raise SettingsError(f"There is an account or a token “{name}” already, or the name is kept for fgdemo itself.")


def is_storable(text: str) -> bool:
    return not any(unicodedata.category(c)[0] == "C" for c in text)


def _plain(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).split())
