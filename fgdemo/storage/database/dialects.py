"""What differs between SQLite and PostgreSQL, and what may go wrong with them, in words."""

import sqlite3
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event, exc
from sqlalchemy.engine import Connection, Engine, make_url

from fgdemo.storage.database.patience import POOL_S, REACH, be_patient
from fgdemo.storage.database.sqlite_files import is_read_only, open_read_only
from fgdemo.values.errors import StorageError, UnavailableError

BUSY_TIMEOUT_S = 15.0
"""So long does a writer wait for another one."""
MOST_CONNECTIONS = 40
"""As many as the page has threads, so that no reader waits for a connection that a waiting writer has."""
WRITER_LOCK = 7_365_219
"""Any number that no other program takes on the same PostgreSQL database."""

FULL = "The disk of the workspace is full, so nothing was stored: free some space and try again."
FAILING = "The disk of the workspace cannot be written, so nothing was stored: look whether it is full or damaged."
BUSY = "Another program has been writing to the database for too long, so nothing was stored: try again."
NO_RIGHT = (
    "The database may not be written: check the permissions of the workspace's folder, or of the database's user."
)
READ_ONLY = "The workspace lies where nothing can be written: here it can only be read (doctor, models, export)."
NOT_OPENED = "The database cannot be opened: check DATABASE_URL, and that the workspace's folder can be written."
NO_FILE = "The database file is no longer there: restore it from a copy, or start again."
NO_SERVER = (
    "The database server does not answer, so nothing was stored: try again. "
    "If that does not help, check DATABASE_URL and that the server runs."
)
TOO_SLOW = (
    "The database took too long to answer, so nothing was stored: try again, or look at what the server is doing."
)
DAMAGED = "The database file is damaged: restore it from a copy, or set FGDEMO_HOME to another workspace."
APPEND_ONLY = "A label event is never changed or deleted: append another one."
UNKNOWN_NAME = "The database refused the entry, because it names a picture or a taxon that is not in the workspace."
UNSTORABLE = "A text or a number in it cannot be stored, so nothing was: leave out unusual characters."

_IN_SQLITE = (
    (("full", "no space"), FULL),
    (("disk i/o",), FAILING),
    (("locked", "busy"), BUSY),
    (("readonly", "read-only", "permission"), NO_RIGHT),
    (("unable to open",), NOT_OPENED),
    (("malformed", "not a database", "corrupt"), DAMAGED),
)
"""By the driver's words: Python 3.10 does not give the codes."""
_IN_POSTGRESQL = (
    (("53100",), FULL),
    (("58",), FAILING),
    (("55P03", "40P01"), BUSY),
    (("42501", "25006"), NO_RIGHT),
    (("57014",), TOO_SLOW),
    (("08", "53", "57P", "28", "3D000"), NO_SERVER),
    (("XX001", "XX002"), DAMAGED),
)
"""By beginnings of SQLSTATE, https://www.postgresql.org/docs/current/errcodes-appendix.html"""


def make_engine(url: str) -> Engine:
    """An engine whose connections keep what `fgdemo.storage.database.database` promises. Nothing is opened yet.

    Raises:
        StorageError: no such kind of database, its driver is missing, or its folder cannot be made.
    """
    try:
        parsed = make_url(url)
        kind = parsed.get_backend_name()
        if kind not in ("sqlite", "postgresql"):
            raise StorageError("DATABASE_URL must begin with sqlite:/// or postgresql+psycopg://.")
        options: dict[str, Any] = {"max_overflow": MOST_CONNECTIONS, "execution_options": {"turn": threading.Lock()}}
        if kind == "postgresql":
            # A server may be restarted under us, and may have other defaults than we need.
            options |= {"pool_pre_ping": True, "pool_timeout": POOL_S, "isolation_level": "READ COMMITTED"}
            engine = sa.create_engine(parsed, connect_args=REACH, **options)
            be_patient(engine)
            return engine
        if is_read_only(parsed.database):
            return _read_only_engine(parsed, options)
        if parsed.database:
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        engine = sa.create_engine(parsed, **options)
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


def _read_only_engine(url: sa.URL, options: dict[str, Any]) -> Engine:
    """Of an SQLite database in a place where nothing can be written; to write to it is refused in a sentence."""
    options["execution_options"] |= {"is_read_only": True}
    engine = sa.create_engine(url, creator=lambda: open_read_only(url.database or ""), **options)
    event.listen(engine, "connect", _let_us_begin)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def may_write(engine: Engine) -> bool:
    """Whether the database lies in a place where something can be written."""
    return not engine.get_execution_options().get("is_read_only", False)


def require_file(engine: Engine) -> None:
    """Raises UnavailableError where SQLite's file has gone, which its open connections do not notice."""
    file = engine.url.database
    if engine.dialect.name == "sqlite" and file and file != ":memory:" and not Path(file).is_file():
        raise UnavailableError(NO_FILE)


def reading_options(engine: Engine) -> dict[str, Any]:
    """Execution options of a connection that only reads, all of it at one moment."""
    if engine.dialect.name == "sqlite":
        return {"reads_only": True}
    return {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}


@contextmanager
def turn_to_write(engine: Engine, durable: bool = True) -> Generator[Connection, None, None]:
    """A transaction that is the only one that writes; if it is not `durable`, its commit does not wait for the disk.

    The threads of this process take turns at a lock of their own first: it wakes the next one at once, whereas SQLite
    looks again after ever longer pauses.

    Raises:
        UnavailableError: others have been writing for too long.
    """
    if not may_write(engine):
        raise UnavailableError(READ_ONLY)
    turn: threading.Lock = engine.get_execution_options()["turn"]
    if not turn.acquire(timeout=max(BUSY_TIMEOUT_S, 0.001)):
        raise UnavailableError(BUSY)
    try:
        with engine.connect().execution_options(is_durable=durable) as connection, connection.begin():
            # SQLite's lock is taken by now, see _begin_sqlite.
            if engine.dialect.name == "postgresql":
                if not durable:
                    connection.exec_driver_sql("SET LOCAL synchronous_commit = off")
                connection.exec_driver_sql(f"SET LOCAL lock_timeout = {max(1, round(BUSY_TIMEOUT_S * 1000))}")
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITER_LOCK})")
            yield connection
    finally:
        turn.release()


def next_serial(connection: Connection, table: str) -> int:
    """The `id` that the next row of a table gets, if nobody else writes."""
    if connection.dialect.name == "postgresql":
        sequence = f"pg_get_serial_sequence('{table}', 'id')::regclass"
        return connection.exec_driver_sql(f"SELECT coalesce(pg_sequence_last_value({sequence}), 0) + 1").scalar_one()
    query = f"SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = '{table}'), 0) + 1"
    return connection.exec_driver_sql(query).scalar_one()


def complaint(error: exc.SQLAlchemyError | UnicodeError) -> StorageError:
    """What a person can do about it; UnavailableError where the same may work later.

    The driver's own words may hold a path or a statement, so they are not shown.
    """
    cause = getattr(error, "orig", None)
    words, state = str(cause or error).lower(), getattr(cause, "sqlstate", None)
    if "append-only" in words:
        return StorageError(APPEND_ONLY)
    if isinstance(error, exc.TimeoutError):
        return UnavailableError(TOO_SLOW)
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


def _let_us_begin(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # Python's sqlite3 shall not begin transactions by itself; _begin_sqlite does.


def _configure_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    _let_us_begin(connection, _record)
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
