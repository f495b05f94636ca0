"""Accounts with hashed passwords, and who is signed in."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import get_args

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from fgdemo.annotation import VISITOR, Person, Role
from fgdemo.errors import ForbiddenError, SettingsError
from fgdemo.storage.database import reading, utc_now, writing
from fgdemo.storage.schema import account_table, sign_in_table

SIGNED_IN_DAYS = 30
SHORTEST_PASSWORD, LONGEST_PASSWORD = 8, 1000
LONGEST_NAME = 40
FREE_FAILURES = 5
"""After so many wrong passwords in a row each further one locks the account twice as long, from a second to an hour."""
_SCRYPT = {"n": 2**14, "r": 8, "p": 1}
_NO_ACCOUNT = "scrypt$16384$8$1$" + "00" * 16 + "$" + "00" * 32


@dataclass(frozen=True)
class Account:
    name: str
    role: Role
    created_at: str
    disabled: bool


class Accounts:
    """The accounts of one database."""

    def __init__(self, engine: Engine, clock: Callable[[], datetime] = utc_now) -> None:
        self._engine = engine
        self._clock = clock

    def add(self, name: str, role: Role, password: str) -> Account:
        """A new account. Raises SettingsError: the name is taken or unusable, the password too short."""
        name = " ".join(unicodedata.normalize("NFKC", name).split())
        if not 1 <= len(name) <= LONGEST_NAME or any(unicodedata.category(c)[0] == "C" for c in name):
            raise SettingsError(f"The name of an account has 1 to {LONGEST_NAME} ordinary characters.")
        _check_role(role)
        hashed = _hash(password)
        now = self._clock().isoformat()
        with writing(self._engine) as connection:
            taken = sa.select(account_table.c.name).where(account_table.c.folded == name.casefold())
            if connection.execute(taken).first() is not None or name.casefold() in (VISITOR.name, "import"):
                raise SettingsError(f"There is an account “{name}” already, or the name is kept for fgdemo itself.")
            row = {"name": name, "folded": name.casefold(), "role": role, "password_hash": hashed}
            connection.execute(account_table.insert().values(**row, created_at=now, disabled=False, failures=0))
        return Account(name, role, now, False)

    def set_role(self, name: str, role: Role) -> None:
        """Holds from the next request on. Raises SettingsError."""
        _check_role(role)
        self._change(name, role=role)

    def set_password(self, name: str, password: str) -> None:
        """Everybody who is signed in to the account is signed out. Raises SettingsError."""
        self._change(name, password_hash=_hash(password), failures=0)
        with writing(self._engine) as connection:
            folded = sa.select(account_table.c.name).where(account_table.c.folded == name.casefold())
            connection.execute(sign_in_table.delete().where(sign_in_table.c.account.in_(folded)))

    def disable(self, name: str, disabled: bool = True) -> None:
        """Shut an account, or open it again; what it said stays. Raises SettingsError."""
        self._change(name, disabled=disabled)

    def all(self) -> list[Account]:
        """In the order of their names."""
        with reading(self._engine) as connection:
            rows = connection.execute(sa.select(account_table).order_by(account_table.c.folded)).mappings()
            return [Account(row["name"], row["role"], row["created_at"], bool(row["disabled"])) for row in rows]

    def sign_in(self, name: str, password: str) -> str:
        """A token to be sent with every request. Takes as long for a name that does not exist.

        Raises:
            ForbiddenError: wrong name or password, too many wrong ones, or the account is shut.
        """
        now = self._clock()
        with reading(self._engine) as connection:
            this_one = account_table.c.folded == " ".join(unicodedata.normalize("NFKC", name).split()).casefold()
            row = connection.execute(sa.select(account_table).where(this_one)).mappings().first()
        locked = row is not None and now < _locked_until(row["failures"], row["failed_at"])
        right = _matches(password[: LONGEST_PASSWORD + 1], row["password_hash"] if row else _NO_ACCOUNT)
        if locked:
            raise ForbiddenError("Too many wrong passwords for this account: wait a while, then try again.")
        with writing(self._engine) as connection:
            if row is None or not right or row["disabled"]:
                if row is not None:
                    failed = {"failures": account_table.c.failures + 1, "failed_at": now.isoformat()}
                    connection.execute(account_table.update().where(this_one).values(failed))
                raise_after = ForbiddenError("The name or the password is not right.")
            else:
                raise_after = None
                token = secrets.token_urlsafe(32)
                connection.execute(account_table.update().where(this_one).values(failures=0, failed_at=None))
                connection.execute(sign_in_table.delete().where(sign_in_table.c.expires_at <= now.isoformat()))
                expires = (now + timedelta(days=SIGNED_IN_DAYS)).isoformat()
                row_of_token = {"token_hash": _digest(token), "account": row["name"], "created_at": now.isoformat()}
                connection.execute(sign_in_table.insert().values(**row_of_token, expires_at=expires))
        if raise_after is not None:  # only now, so that the failure is counted for good
            raise raise_after
        return token  # type: ignore[possibly-undefined]

    def person(self, token: str | None) -> Person:
        """Who sent this token; a visitor where nobody is signed in with it."""
        if not token:
            return VISITOR
        query = (
            sa.select(account_table.c.name, account_table.c.role)
            .join_from(sign_in_table, account_table, sign_in_table.c.account == account_table.c.name)
            .where(
                sign_in_table.c.token_hash == _digest(token),
                sign_in_table.c.expires_at > self._clock().isoformat(),
                account_table.c.disabled.is_(sa.false()),
            )
        )
        with reading(self._engine) as connection:
            found = connection.execute(query).first()
        return VISITOR if found is None else Person(found.name, found.role)

    def sign_out(self, token: str) -> None:
        with writing(self._engine) as connection:
            connection.execute(sign_in_table.delete().where(sign_in_table.c.token_hash == _digest(token)))

    def _change(self, name: str, **values: object) -> None:
        with writing(self._engine) as connection:
            this_one = account_table.c.folded == name.casefold()
            if connection.execute(account_table.update().where(this_one).values(values)).rowcount == 0:
                raise SettingsError(f"There is no account “{name}”.")


def _check_role(role: str) -> None:
    if role not in get_args(Role):
        raise SettingsError(f"“{role}” is not a role: choose one of {', '.join(get_args(Role))}.")


def _hash(password: str) -> str:
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise SettingsError(f"A password needs at least {SHORTEST_PASSWORD} characters.")
    salt = secrets.token_bytes(16)
    key = hashlib.scrypt(password.encode(), salt=salt, **_SCRYPT, dklen=32)
    return f"scrypt${_SCRYPT['n']}${_SCRYPT['r']}${_SCRYPT['p']}${salt.hex()}${key.hex()}"


def _matches(password: str, stored: str) -> bool:
    _, n, r, p, salt, key = stored.split("$")
    found = hashlib.scrypt(password.encode(), salt=bytes.fromhex(salt), n=int(n), r=int(r), p=int(p), dklen=32)
    return hmac.compare_digest(found, bytes.fromhex(key))


def _locked_until(failures: int, failed_at: str | None) -> datetime:
    if failed_at is None or failures < FREE_FAILURES:
        return datetime.min.replace(tzinfo=utc_now().tzinfo)
    wait_s = min(3600, 2 ** min(failures - FREE_FAILURES, 12))
    return datetime.fromisoformat(failed_at) + timedelta(seconds=wait_s)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
