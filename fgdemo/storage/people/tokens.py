"""Tokens of programs: a long secret stands for a name with a role, as a sign-in does for a person."""

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from fgdemo.storage.database.database import reading, sortable, utc_now, writing
from fgdemo.storage.database.schema import removed_token_table, token_table
from fgdemo.storage.people.audit import note
from fgdemo.storage.people.names import checked_name, checked_role, folded, require_free
from fgdemo.values.annotation import OWNER, Person, Role
from fgdemo.values.errors import ForbiddenError, SettingsError, StorageError

PREFIX = "fgd_"
"""By which a token of ours is known: a proxy before the app may use the same header for its own."""
NOTED_EVERY = timedelta(minutes=1)
"""So exactly is it kept when a token was used last, so that not every request has to write."""


@dataclass(frozen=True)
class Token:
    """What is known of a token; the secret itself is nowhere."""

    name: str
    role: Role
    created_at: str
    last_used_at: str | None


class Tokens:
    """The tokens of one database. Their secrets are random 256 bits, so a plain hash keeps them safe."""

    def __init__(self, engine: sa.Engine, clock: Callable[[], datetime] = utc_now) -> None:
        self._engine = engine
        self._clock = clock

    def add(self, name: str, role: Role) -> str:
        """The secret of a new token, told this once. Raises SettingsError: name taken or unusable, or no such role."""
        name, role = checked_name(name), checked_role(role)
        secret = PREFIX + secrets.token_urlsafe(32)
        row = {"name": name, "folded": folded(name), "role": role, "token_hash": _digest(secret)}
        with writing(self._engine) as connection:
            require_free(connection, name)
            connection.execute(token_table.insert().values(**row, created_at=sortable(self._clock())))
            note(connection, self._clock(), OWNER, "token", f"{name}: added as {role}")
        return secret

    def remove(self, name: str) -> None:
        """It opens nothing from the next request on; what was said with it stays. Raises SettingsError."""
        with writing(self._engine) as connection:
            here = token_table.c.folded == folded(name)
            gone = connection.execute(sa.select(token_table.c.token_hash, token_table.c.name).where(here)).first()
            if gone is None:
                raise SettingsError(f"There is no token “{name}”.")
            connection.execute(token_table.delete().where(here))
            connection.execute(removed_token_table.insert().values(token_hash=gone.token_hash, name=gone.name))
            note(connection, self._clock(), OWNER, "token", f"{name}: removed")

    def all(self) -> list[Token]:
        """In the order of their names."""
        with reading(self._engine) as connection:
            rows = connection.execute(sa.select(token_table)).mappings().all()
        rows = sorted(rows, key=lambda row: row["folded"])
        return [Token(row["name"], row["role"], row["created_at"], row["last_used_at"]) for row in rows]

    def person(self, secret: str) -> Person:
        """Who sends this token. Raises ForbiddenError where it is none, or was removed."""
        with reading(self._engine) as connection:
            found = connection.execute(
                sa.select(token_table).where(token_table.c.token_hash == _digest(secret))
            ).first()
        if found is None:
            raise ForbiddenError("This token is not known: it was mistyped, or removed.")
        now = self._clock()
        if found.last_used_at is None or found.last_used_at <= sortable(now - NOTED_EVERY):
            self._note(found.name, now)
        return Person(found.name, found.role)

    def _note(self, name: str, now: datetime) -> None:
        try:
            with writing(self._engine, durable=False) as connection:
                this_one = token_table.update().where(token_table.c.name == name)
                connection.execute(this_one.values(last_used_at=sortable(now)))
        except StorageError:
            pass  # on a full disk the program may still ask


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
