"""What differs between SQLite and PostgreSQL, and what may go wrong with them, in words."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event, exc
from sqlalchemy.engine import Connection, Engine, make_url

from fgdemo.errors import StorageError, UnavailableError

BUSY_TIMEOUT_S = 15.0
"""So long does a writer wait for another one."""
CONNECT_TIMEOUT_S = 10
WRITER_LOCK = 7_365_219
"""Any number that no other program takes on the same PostgreSQL database."""

FULL = "The disk of the workspace is full, so nothing was stored: free some space and try again."
BUSY = "Another program has been writing to the database for too long, so nothing was stored: try again."
NO_RIGHT = (
    "The database may not be written: check the permissions of the workspace's folder, or of the database's user."
)
NOT_OPENED = "The database cannot be opened: check DATABASE_URL, and that the workspace's folder can be written."
NO_SERVER = (
    "The database server does not answer, so nothing was stored: try again. "
    "If that does not help, check DATABASE_URL and that the server runs."
)
DAMAGED = "The database file is damaged: restore it from a copy, or set FGDEMO_HOME to another workspace."
APPEND_ONLY = "A label event is never changed or deleted: append another one."
UNKNOWN_NAME = "The database refused the entry, because it names a picture or a taxon that is not in the workspace."
UNSTORABLE = "A text or a number in it cannot be stored, so nothing was: leave out unusual characters."

_IN_SQLITE = (
    (("full", "no space"), FULL),
    (("locked", "busy"), BUSY),
    (("readonly", "read-only", "permission"), NO_RIGHT),
    (("unable to open",), NOT_OPENED),
    (("malformed", "not a database", "corrupt"), DAMAGED),
)
"""By the driver's words: Python 3.10 does not give the codes."""
_IN_POSTGRESQL = (
    (("53100",), FULL),
    (("55P03", "40P01"), BUSY),
    (("42501", "25006"), NO_RIGHT),
    (("08", "53", "57P", "28", "3D000"), NO_SERVER),
    (("XX001", "XX002"), DAMAGED),
)
"""By beginnings of SQLSTATE, https://www.postgresql.org/docs/current/errcodes-appendix.html"""


def make_engine(url: str) -> Engine:
    """An engine whose connections keep what `fgdemo.storage.database` promises. Nothing is opened yet.

    Raises:
        StorageError: no such kind of database, its driver is missing, or its folder cannot be made.
    """
    try:
        parsed = make_url(url)
        kind = parsed.get_backend_name()
        if kind not in ("sqlite", "postgresql"):
            raise StorageError("DATABASE_URL must begin with sqlite:/// or postgresql+psycopg://.")
        if kind == "postgresql":
            # A server may be restarted under us, and may have other defaults than we need.
            return sa.create_engine(
                parsed,
                pool_pre_ping=True,
                isolation_level="READ COMMITTED",
                connect_args={"connect_timeout": CONNECT_TIMEOUT_S},
            )
        if parsed.database:
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        engine = sa.create_engine(parsed)
    except OSError as error:
        raise StorageError(f"The folder of the database cannot be made ({error.strerror}).") from error
    except ImportError as error:
        raise StorageError(
            f"The driver for DATABASE_URL is not installed here ({error.name}): "
            "use postgresql+psycopg://… and install psycopg[binary]."
        ) from error
    except (exc.ArgumentError, ValueError) as error:
        raise StorageError("DATABASE_URL is not the URL of a database that can be opened here.") from error
    event.listen(engine, "connect", _configure_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def reading_options(engine: Engine) -> dict[str, Any]:
    """Execution options of a connection that only reads, all of it at one moment."""
    if engine.dialect.name == "sqlite":
        return {"reads_only": True}
    return {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}


def lock_for_writing(connection: Connection) -> None:
    """Be the only writer until the transaction ends. In SQLite it is so from its beginning.

    With the execution option `is_durable=False` the commit does not wait for the disk.
    """
    if connection.dialect.name == "postgresql":
        if not connection.get_execution_options().get("is_durable", True):
            connection.exec_driver_sql("SET LOCAL synchronous_commit = off")
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {max(1, round(BUSY_TIMEOUT_S * 1000))}")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITER_LOCK})")


def complaint(error: exc.SQLAlchemyError | UnicodeError) -> StorageError:
    """What a person can do about it; UnavailableError where the same may work later.

    The driver's own words may hold a path or a statement, so they are not shown.
    """
    cause = getattr(error, "orig", None)
    words, state = str(cause or error).lower(), getattr(cause, "sqlstate", None)
    if "append-only" in words:
        return StorageError(APPEND_ONLY)
    if isinstance(error, exc.IntegrityError):
        return StorageError(UNKNOWN_NAME)
    if isinstance(error, (exc.DataError, UnicodeError)):
        return StorageError(UNSTORABLE)
    if type(cause).__module__.startswith("psycopg"):
        found = [words for states, words in _IN_POSTGRESQL if state and state.startswith(states)]
        lost = isinstance(error, exc.DBAPIError) and (error.connection_invalidated or state is None)
        return UnavailableError(found[0] if found else NO_SERVER if lost else _unknown(error))
    found = [sentence for some, sentence in _IN_SQLITE if any(word in words for word in some)]
    return UnavailableError(found[0] if found else _unknown(error))


def _unknown(error: Exception) -> str:
    return f"The database could not do this, so nothing was stored ({type(error).__name__})."


def _configure_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # Python's sqlite3 shall not begin transactions by itself; _begin_sqlite does.
    connection.execute(f"PRAGMA busy_timeout = {round(BUSY_TIMEOUT_S * 1000)}")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA recursive_triggers = ON")  # or REPLACE would delete events without asking the trigger
    give_up = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            # The busy timeout does not hold where two switch a new file at once.
            if "locked" not in str(error) or time.monotonic() > give_up:
                raise
            time.sleep(0.02)


def _begin_sqlite(connection: Connection) -> None:
    options = connection.get_execution_options()
    if options.get("reads_only", False):
        connection.exec_driver_sql("BEGIN")
        return
    # In WAL mode NORMAL leaves out the wait for the disk at the commit, and nothing else.
    connection.exec_driver_sql(f"PRAGMA synchronous = {'FULL' if options.get('is_durable', True) else 'NORMAL'}")
    connection.exec_driver_sql("BEGIN IMMEDIATE")
