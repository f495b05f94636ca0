"""Who did what: an append-only record of what changes the workspace for everybody.

What people say about pictures is in the event log, and which model went live in its own table; both name who. Here is
the rest: imports, exports, accounts and roles, trainings, deploys.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from fgdemo.storage.database.database import reading, sortable, utc_now, writing
from fgdemo.storage.database.schema import audit_table
from fgdemo.values.annotation import Person

LONGEST_ABOUT = 500


@dataclass(frozen=True)
class AuditEntry:
    """`at` in UTC; `role` is what the person was then."""

    id: int
    at: str
    person: str
    role: str
    action: str
    about: str


def note(connection: sa.Connection, at: datetime, person: Person, action: str, about: str) -> None:
    """The same within a transaction: what was done and that it was done are durable together, or neither."""
    row = {
        "at": sortable(at),
        "person": person.name,
        "role": person.role,
        "action": action,
        "about": about[:LONGEST_ABOUT],
    }
    connection.execute(audit_table.insert().values(row))


class Audit:
    """The record of one database."""

    def __init__(self, engine: sa.Engine, clock: Callable[[], datetime] = utc_now) -> None:
        self._engine, self._clock = engine, clock

    def note(self, person: Person, action: str, about: str) -> None:
        """Durable when it returns. `about` never holds a password, a token, or a path of the server.

        Raises:
            StorageError: it could not be written.
        """
        with writing(self._engine) as connection:
            note(connection, self._clock(), person, action, about)

    def newest(self, limit: int = 100) -> list[AuditEntry]:
        """The newest entries, oldest of them first."""
        query = sa.select(audit_table).order_by(audit_table.c.id.desc()).limit(limit)
        with reading(self._engine) as connection:
            rows = connection.execute(query).mappings().all()
        return [AuditEntry(**row) for row in reversed(rows)]
