"""The tables of the database, read from one that the migrations have just made."""

from __future__ import annotations

import tempfile
from pathlib import Path

import sqlalchemy as sa

from docs.generate import markdown

INTRO = """# The database

PostgreSQL has the same tables. `label_event` and `audit` are only ever appended to: triggers refuse changes. Times are
ISO 8601 in UTC. The current label of a picture is no column: it follows from the events.
"""


def page() -> str:
    """docs/reference/schema.md."""
    from fgdemo.storage.database.database import open_database

    parts = [
        markdown.NOTE.format(source="the migrations, run on an empty SQLite database"),
        INTRO,
    ]
    with tempfile.TemporaryDirectory() as folder:
        engine = open_database(f"sqlite:///{Path(folder) / 'fgdemo.sqlite'}")
        found = sa.inspect(engine)
        for name in found.get_table_names():
            parts.append(f"\n## {name}\n\n{_columns(found, name)}")
            parts.append(_indexes(found, name))
        with engine.connect() as connection:
            triggers = sa.text(
                "SELECT tbl_name, name FROM sqlite_master WHERE type = 'trigger' ORDER BY tbl_name, name"
            )
            rows = [(f"`{one.tbl_name}`", f"`{one.name}`") for one in connection.execute(triggers)]
        engine.dispose()
    parts.append("\n## Triggers\n\n" + markdown.table(("table", "trigger"), rows))
    return "".join(parts)


def _columns(found: sa.Inspector, name: str) -> str:
    key = found.get_pk_constraint(name)["constrained_columns"]
    leads = {
        column: f"`{one['referred_table']}`"
        for one in found.get_foreign_keys(name)
        for column in one["constrained_columns"]
    }
    rows = []
    for column in found.get_columns(name):
        notes = [
            *(["primary key"] if column["name"] in key else []),
            *([f"of {leads[column['name']]}"] if column["name"] in leads else []),
        ]
        may_be_null = "yes" if column["nullable"] and column["name"] not in key else ""
        rows.append((f"`{column['name']}`", str(column["type"]), may_be_null, ", ".join(notes)))
    return markdown.table(("column", "type", "may be null", "key"), rows)


def _indexes(found: sa.Inspector, name: str) -> str:
    told = [
        f"`{one['name']}` on {', '.join(map(str, one['column_names']))}{' (unique)' if one['unique'] else ''}"
        for one in sorted(found.get_indexes(name), key=lambda one: str(one["name"]))
    ]
    return f"\nIndexes: {'; '.join(told)}.\n" if told else ""
