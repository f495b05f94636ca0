"""The database: how it is opened, how its schema moves forward, and what may go wrong, in words.

SQLite by default; the SQL is kept plain enough for PostgreSQL (`DATABASE_URL=postgresql+psycopg://…`).
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import event, exc
from sqlalchemy.engine import Connection, Engine, make_url

from fgdemo.errors import StorageError
from fgdemo.storage.schema import MIGRATIONS, SERIAL, Migration, taxon_table
from fgdemo.taxonomy import Taxonomy

BUSY_TIMEOUT_S = 15
WRITER_LOCK = 7_365_219
"""Any number that no other program takes on the same PostgreSQL server."""


def utc_now() -> datetime:
    """The clock that the stores are given unless a test gives them another."""
    return datetime.now(timezone.utc)


def open_database(url: str) -> Engine:
    """Open the database of a workspace, made and brought up to date where need be. Safe from several processes at once.

    Raises:
        StorageError: it cannot be opened, is damaged, or was written by a newer version of fgdemo.
    """
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite" and parsed.database:
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        engine = sa.create_engine(parsed)
    except OSError as error:
        raise StorageError(f"The folder of the database cannot be made ({error.strerror}).") from error
    except (exc.ArgumentError, ImportError) as error:
        raise StorageError("DATABASE_URL is not the URL of a database that can be opened here.") from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _configure_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    migrate(engine)
    return engine


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that may write: all of it is durable when the block ends, or none of it happened.

    There is one writer at a time: the write lock is taken at the start. Thus the ids of events become visible in
    their order, and whoever has seen id n has seen all before it.

    Raises:
        StorageError: the database cannot be written; the message says why.
    """
    try:
        with engine.begin() as connection:
            if engine.dialect.name == "postgresql":
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITER_LOCK})")
            yield connection
    except exc.SQLAlchemyError as error:
        raise StorageError(_complaint(error)) from error


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A consistent view of the database that neither waits for a writer nor makes one wait.

    Raises:
        StorageError: the database cannot be read; the message says why.
    """
    try:
        with engine.connect().execution_options(reads_only=True) as connection:
            yield connection
    except exc.SQLAlchemyError as error:
        raise StorageError(_complaint(error)) from error


def migrate(engine: Engine, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Run the migrations that this database has not seen, each in its own transaction.

    Raises:
        StorageError: a migration failed (and left no trace), or the database is newer than this program.
    """
    with reading(engine) as connection:
        done = _schema_version(connection)
    newest = migrations[-1].version
    if done > newest:
        raise StorageError(
            f"The database was written by a newer fgdemo (its schema is {done}, this version knows {newest}): "
            "update fgdemo, or set FGDEMO_HOME to another workspace."
        )
    for migration in migrations:
        if migration.version > done:
            with writing(engine) as connection:
                _run(connection, migration)


def _run(connection: Connection, migration: Migration) -> None:
    if _schema_version(connection) >= migration.version:
        return  # Another process was faster, between our reading and our lock.
    dialect = connection.dialect.name
    connection.exec_driver_sql(
        "CREATE TABLE IF NOT EXISTS schema_version (version INTEGER PRIMARY KEY, applied_at TEXT NOT NULL)"
    )
    own = {"sqlite": migration.sqlite, "postgresql": migration.postgresql}
    for statement in migration.statements + own[dialect]:
        connection.exec_driver_sql(statement.replace("{serial}", SERIAL[dialect]))
    connection.execute(
        sa.text("INSERT INTO schema_version VALUES (:version, :applied_at)"),
        {"version": migration.version, "applied_at": utc_now().isoformat()},
    )


def _schema_version(connection: Connection) -> int:
    if not sa.inspect(connection).has_table("schema_version"):
        return 0
    return connection.execute(sa.text("SELECT coalesce(max(version), 0) FROM schema_version")).scalar_one()


def register_taxa(engine: Engine, taxonomy: Taxonomy) -> None:
    """Make sure that labels can name every taxon of this taxonomy; taxa that are there already stay as they are."""
    with reading(engine) as connection:
        if not _missing_taxa(connection, taxonomy):
            return
    with writing(engine) as connection:
        missing = _missing_taxa(connection, taxonomy)
        rows = [
            {"id": t.id, "name": t.name, "parent": t.parent, "latin": t.latin, "aliases": json.dumps(t.aliases),
             "retired": False}
            for taxon in taxonomy.taxa for t in taxonomy.path(taxon.id) if t.id in missing
        ]  # fmt: skip
        if rows:  # Another process may have been faster.
            connection.execute(taxon_table.insert(), list({row["id"]: row for row in rows}.values()))


def _missing_taxa(connection: Connection, taxonomy: Taxonomy) -> set[str]:
    return {taxon.id for taxon in taxonomy.taxa} - set(connection.execute(sa.select(taxon_table.c.id)).scalars())


def _configure_sqlite(connection, _record) -> None:
    connection.isolation_level = None  # Python's sqlite3 shall not begin transactions by itself; _begin_sqlite does.
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_S * 1000}")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    give_up = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError:  # The busy timeout does not hold where two switch a new file at once.
            if time.monotonic() > give_up:
                raise
            time.sleep(0.02)


def _begin_sqlite(connection: Connection) -> None:
    reads_only = connection.get_execution_options().get("reads_only", False)
    connection.exec_driver_sql("BEGIN" if reads_only else "BEGIN IMMEDIATE")


def _complaint(error: exc.SQLAlchemyError) -> str:
    """What a person can do about it. The driver's own words may hold a path or a statement, so they are not shown."""
    words = str(getattr(error, "orig", error)).lower()
    if "full" in words or "no space" in words:
        return "The disk of the workspace is full, so nothing was stored: free some space and try again."
    if "locked" in words or "busy" in words:
        return "Another program has been writing to the database for too long, so nothing was stored: try again."
    if "readonly" in words or "read-only" in words or "permission" in words:
        return "The database may not be written: check the permissions of the workspace's folder."
    if "unable to open" in words or "connect" in words:
        return "The database cannot be opened: check DATABASE_URL, and that the workspace's folder can be written."
    if "malformed" in words or "not a database" in words or "corrupt" in words:
        return "The database file is damaged: restore it from a copy, or set FGDEMO_HOME to another workspace."
    if "append-only" in words:
        return "A label event is never changed or deleted: append another one."
    if isinstance(error, exc.IntegrityError):
        return "The database refused the entry, because it names a picture or a taxon that is not in the workspace."
    return f"The database could not do this, so nothing was stored ({type(error).__name__})."
