"""Accounts with hashed passwords, and who is signed in."""

import hashlib
import secrets
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from fgdemo.storage.database.database import reading, sortable, utc_now, writing
from fgdemo.storage.database.schema import account_table, sign_in_table
from fgdemo.storage.people import passwords
from fgdemo.storage.people.attempts import CLOCK_TOLERANCE, Attempts
from fgdemo.storage.people.audit import note
from fgdemo.storage.people.names import HUB_PREFIX, checked_name, checked_role, folded, is_storable, require_free
from fgdemo.storage.people.tokens import Tokens
from fgdemo.values.annotation import OWNER, VISITOR, Person, Role
from fgdemo.values.errors import ForbiddenError, SettingsError

SIGNED_IN_DAYS = 30
CHECKED_AT_ONCE = 2
"""To check a password takes memory and a core on purpose, so a crowd at the door has to queue."""
REFUSED = "The name or the password is not right."


@dataclass(frozen=True)
class Account:
    name: str
    role: Role
    created_at: str
    disabled: bool


@dataclass(frozen=True)
class HubRoles:
    """Which users and organisations of the Hugging Face Hub are what here. Everybody else is a visitor."""

    maintainers: tuple[str, ...] = ()
    experts: tuple[str, ...] = ()

    def person(self, user: str, orgs: Iterable[str]) -> Person:
        """Somebody whom the Hub vouches for. No account here can have such a name."""
        names = {folded(name) for name in (user, *orgs)}
        role: Role = "visitor"
        if names & {folded(name) for name in self.maintainers}:
            role = "maintainer"
        elif names & {folded(name) for name in self.experts}:
            role = "expert"
        return Person(f"{HUB_PREFIX}{user}", role)


class Accounts:
    """The accounts of one database, what people of the Hub are beside them, and `tokens`, those of programs."""

    def __init__(
        self, engine: sa.Engine, clock: Callable[[], datetime] = utc_now, hub_roles: HubRoles | None = None
    ) -> None:
        self.tokens = Tokens(engine, clock)
        self._engine = engine
        self._clock = clock
        self._attempts, self._checking = Attempts(), threading.BoundedSemaphore(CHECKED_AT_ONCE)
        self._hub_roles = hub_roles or HubRoles()

    def hub_person(self, user: str, orgs: Iterable[str]) -> Person:
        """See `HubRoles.person`."""
        return self._hub_roles.person(user, orgs)

    def add(self, name: str, role: Role, password: str, by: Person = OWNER) -> Account:
        """A new account, made `by` somebody. Raises SettingsError: name taken or unusable, password too weak."""
        name, role = checked_name(name), checked_role(role)
        hashed = passwords.hashed(password, name)
        at = self._clock()
        now = at.isoformat()
        row = {"name": name, "folded": folded(name), "role": role, "password_hash": hashed}
        with writing(self._engine) as connection:
            require_free(connection, name)
            connection.execute(account_table.insert().values(**row, created_at=now, disabled=False))
            note(connection, at, by, "account", f"{name}: added as {role}")
        return Account(name, role, now, False)

    def set_role(self, name: str, role: Role, by: Person = OWNER) -> None:
        """Holds from the next request on. Raises SettingsError."""
        role = checked_role(role)
        with writing(self._engine) as connection:
            _change(connection, name, role=role)
            note(connection, self._clock(), by, "account", f"{name}: role {role}")

    def set_password(self, name: str, password: str, by: Person = OWNER) -> None:
        """Everybody who is signed in to the account is signed out. Raises SettingsError."""
        hashed = passwords.hashed(password, name)
        with writing(self._engine) as connection:
            _change(connection, name, password_hash=hashed, passwords=account_table.c.passwords + 1)
            _sign_out_all(connection, name)
            note(connection, self._clock(), by, "account", f"{name}: new password")

    def disable(self, name: str, disabled: bool = True, by: Person = OWNER) -> None:
        """Shut an account, or open it again; what it said stays, and who was signed in is not. Raises SettingsError."""
        with writing(self._engine) as connection:
            _change(connection, name, disabled=disabled)
            _sign_out_all(connection, name)
            note(connection, self._clock(), by, "account", f"{name}: {'shut' if disabled else 'opened'}")

    def all(self) -> list[Account]:
        """In the order of their names."""
        with reading(self._engine) as connection:
            rows = connection.execute(sa.select(account_table)).mappings().all()
        rows = sorted(rows, key=lambda row: row["folded"])  # here, because databases sort in different ways
        return [Account(row["name"], row["role"], row["created_at"], bool(row["disabled"])) for row in rows]

    def sign_in(self, name: str, password: str, place: str = "") -> str:
        """A token to be sent with every request. Takes as long for a name that does not exist.

        Args:
            place: the address that this comes from; wrong passwords slow it down, see `Attempts`.

        Raises:
            ForbiddenError: wrong name or password, too many wrong ones, or the account is shut.
        """
        now, wanted = self._clock(), folded(name)
        self._attempts.begin(place, wanted, now)
        row = self._row(wanted)
        kept = row["password_hash"] if row else passwords.NOBODYS
        with self._checking:
            right = passwords.matches(password, kept)
            anew = passwords.rehashed(password) if row and right and passwords.is_outdated(kept) else kept
        if row is None or not right or row["disabled"]:
            raise ForbiddenError(REFUSED)
        self._attempts.succeed(place, wanted)
        token = secrets.token_urlsafe(32)
        entry = {
            "token_hash": _digest(token),
            "account": row["name"],
            "created_at": sortable(now),
            "expires_at": sortable(now + timedelta(days=SIGNED_IN_DAYS)),
        }
        as_checked = (account_table.c.folded == wanted) & (account_table.c.password_hash == kept)
        with writing(self._engine) as connection:  # which somebody may have shut, or given a new password, meanwhile
            still = account_table.update().where(as_checked, account_table.c.disabled.is_(sa.false()))
            if connection.execute(still.values(password_hash=anew)).rowcount == 0:
                raise ForbiddenError(REFUSED)
            connection.execute(sign_in_table.delete().where(sign_in_table.c.expires_at <= sortable(now)))
            connection.execute(sign_in_table.insert().values(entry))
        return token

    def _row(self, wanted: str) -> sa.RowMapping | None:
        if not is_storable(wanted):
            return None
        with reading(self._engine) as connection:
            query = sa.select(account_table).where(account_table.c.folded == wanted)
            return connection.execute(query).mappings().first()

    def person(self, token: str | None) -> Person:
        """Who sent this token; a visitor where nobody is signed in with it."""
        if not token:
            return VISITOR
        now = self._clock()
        query = (
            sa.select(account_table.c.name, account_table.c.role)
            .join_from(sign_in_table, account_table, sign_in_table.c.account == account_table.c.name)
            .where(
                sign_in_table.c.token_hash == _digest(token),
                sign_in_table.c.expires_at > sortable(now),
                sign_in_table.c.created_at <= sortable(now + CLOCK_TOLERANCE),
                account_table.c.disabled.is_(sa.false()),
            )
        )
        with reading(self._engine) as connection:
            found = connection.execute(query).first()
        return VISITOR if found is None else Person(found.name, found.role)

    def sign_out(self, token: str) -> None:
        with writing(self._engine) as connection:
            connection.execute(sign_in_table.delete().where(sign_in_table.c.token_hash == _digest(token)))


def _change(connection: sa.Connection, name: str, **values: object) -> None:
    this_one = account_table.c.folded == folded(name)
    if connection.execute(account_table.update().where(this_one).values(values)).rowcount == 0:
        raise SettingsError(f"There is no account “{name}”.")


def _sign_out_all(connection: sa.Connection, name: str) -> None:
    this_one = sa.select(account_table.c.name).where(account_table.c.folded == folded(name))
    connection.execute(sign_in_table.delete().where(sign_in_table.c.account.in_(this_one)))


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
