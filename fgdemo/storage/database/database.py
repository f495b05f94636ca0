"""The database: how it is opened, how its schema moves forward, and who may write when.

SQLite by default, PostgreSQL for a team (`DATABASE_URL=postgresql+psycopg://…`); `dialects` knows where they differ.
"""

import json
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime, timezone
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc

from fgdemo.storage.database.dialects import complaint, make_engine, reading_options, require_file, turn_to_write
from fgdemo.storage.database.json_columns import read_texts
from fgdemo.storage.database.migrations import MIGRATIONS, SERIAL, Migration
from fgdemo.storage.database.schema import taxon_table
from fgdemo.values.errors import StorageError
from fgdemo.values.taxonomy import Taxon, Taxonomy


def utc_now() -> datetime:
    """The clock that the stores are given unless a test gives them another."""
    return datetime.now(timezone.utc)


def sortable(moment: datetime) -> str:
    """ISO 8601 in UTC, always of the same length: texts of moments compare as the moments do, in any collation."""
    return moment.astimezone(timezone.utc).isoformat(timespec="microseconds")


def open_database(url: str) -> sa.Engine:
    """Open the database of a workspace, made and brought up to date where need be. Safe from several processes at once.

    Raises:
        StorageError: it cannot be opened, is damaged, or was written by a newer version of fgdemo.
    """
    engine = make_engine(url)
    try:
        migrate(engine)
    except StorageError:
        engine.dispose()
        raise
    return engine


def check_database(engine: sa.Engine) -> None:
    """Whether it is there and answers. Raises StorageError."""
    require_file(engine)
    with reading(engine) as connection:
        connection.execute(sa.select(taxon_table.c.id).limit(1)).all()


@contextmanager
def writing(engine: sa.Engine, durable: bool = True) -> Generator[sa.Connection, None, None]:
    """A transaction that may write: all of it is durable when the block ends, or none of it happened.

    There is one writer at a time: the write lock is taken at the start. Thus the ids of events become visible in
    their order, and whoever has seen id n has seen all before it.

    Args:
        durable: False for what may be lost in a power cut, such as leases: it does not wait for the disk.

    Raises:
        StorageError: the database cannot be written; the message says why.
    """
    try:
        with turn_to_write(engine, durable) as connection:
            yield connection
    except (exc.SQLAlchemyError, UnicodeEncodeError) as error:
        raise complaint(error) from error


@contextmanager
def reading(engine: sa.Engine) -> Generator[sa.Connection, None, None]:
    """A consistent view of the database that neither waits for a writer nor makes one wait.

    Raises:
        StorageError: the database cannot be read; the message says why.
    """
    try:
        with engine.connect().execution_options(**reading_options(engine)) as connection:
            yield connection
    except (exc.SQLAlchemyError, UnicodeEncodeError) as error:
        raise complaint(error) from error


def migrate(engine: sa.Engine, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Run the migrations that this database has not seen, each in its own transaction.

    Raises:
        StorageError: a migration failed (and left no trace), or the database is newer than this program.
    """
    with reading(engine) as connection:
        done = schema_version(connection)
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


def _run(connection: sa.Connection, migration: Migration) -> None:
    if schema_version(connection) >= migration.version:
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


def schema_version(connection: sa.Connection) -> int:
    """The newest migration that this database has seen; 0 where it is empty."""
    if not sa.inspect(connection).has_table("schema_version"):
        return 0
    return connection.execute(sa.text("SELECT coalesce(max(version), 0) FROM schema_version")).scalar_one()


def register_taxa(engine: sa.Engine, taxonomy: Taxonomy) -> None:
    """Make sure that labels can name every taxon of this taxonomy; taxa that are there already stay as they are."""
    with reading(engine) as connection:
        if not _missing_taxa(connection, taxonomy):
            return
    with writing(engine) as connection:
        missing = _missing_taxa(connection, taxonomy)
        new = {one.id: one for taxon in taxonomy.taxa for one in taxonomy.path(taxon.id) if one.id in missing}
        if new:  # Another process may have been faster.
            connection.execute(taxon_table.insert(), [taxon_row(one) for one in new.values()])


def taxon_row(taxon: Taxon, retired: bool = False) -> dict[str, Any]:
    """The row of the table."""
    return {**asdict(taxon), "aliases": json.dumps(taxon.aliases), "retired": retired}


def taxon_in(row: Mapping[Any, Any]) -> Taxon:
    """The taxon of a row."""
    return Taxon(row["id"], row["name"], row["parent"], row["latin"], read_texts(row["aliases"]))


def _missing_taxa(connection: sa.Connection, taxonomy: Taxonomy) -> set[str]:
    return {taxon.id for taxon in taxonomy.taxa} - set(connection.execute(sa.select(taxon_table.c.id)).scalars())
