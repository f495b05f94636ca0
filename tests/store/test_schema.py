"""The tables that the code names are those that the migrations make, column by column, on both databases."""

from __future__ import annotations

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from fgdemo.storage.database.database import open_database, reading
from fgdemo.storage.database.schema import METADATA


def differences(url: str, metadata: sa.MetaData) -> list[str]:
    """What would have to be done to the migrated database to make it as `metadata` says."""
    engine = open_database(url)
    is_sqlite = engine.dialect.name == "sqlite"  # which tells keys that may be NULL, and defaults as they were written
    try:
        with reading(engine) as connection:
            options = {"compare_type": True, "compare_server_default": not is_sqlite}
            found = compare_metadata(MigrationContext.configure(connection, opts=options), metadata)
    finally:
        engine.dispose()
    steps = [step for one in found for step in (one if isinstance(one, list) else [one])]
    keys = {(table.name, column.name) for table in metadata.tables.values() for column in table.primary_key}
    return [
        str(step)
        for step in steps
        if not (step[0] == "remove_table" and step[1].name == "schema_version")
        and not (is_sqlite and step[0] == "modify_nullable" and (step[2], step[3]) in keys)
    ]


def test_tables_are_as_migrated(database_url: str) -> None:
    assert differences(database_url, METADATA) == []


def test_a_difference_is_found(database_url: str) -> None:
    other = sa.MetaData()
    for table in METADATA.sorted_tables:
        table.to_metadata(other)
    event = other.tables["label_event"]
    event.indexes.remove(next(index for index in event.indexes if index.name == "label_event_batch"))
    event.c.seconds_spent.type = sa.Text()
    event.c.annotator.nullable = True
    other.tables["image"].append_column(sa.Column("colour", sa.Text))
    found = " ".join(differences(database_url, other))
    assert all(word in found for word in ("remove_index", "modify_type", "modify_nullable", "add_column"))
