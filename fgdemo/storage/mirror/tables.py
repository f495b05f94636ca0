"""The tables beside the events as records of a mirror: those whose rows change, and those that only grow."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import sqlalchemy as sa

from fgdemo.storage.database.schema import (
    account_table,
    audit_table,
    remark_table,
    removed_token_table,
    session_table,
    taxon_table,
    token_table,
)
from fgdemo.storage.mirror.records import (
    ACCOUNT,
    AUDIT,
    REMARK,
    REMOVED_TOKEN,
    SESSION,
    TAXON,
    TOKEN,
    TOKEN_REMOVED,
    digest_of,
    record_of,
)
from fgdemo.storage.mirror.row_versions import FACETS, Version, versions_of
from fgdemo.storage.records.fields import Fields

ROWS_AT_ONCE = 2000
CHANGING: tuple[tuple[str, sa.TableClause, tuple[str, ...], Fields], ...] = (
    ("taxon", taxon_table, ("id",), TAXON),
    ("session", session_table, ("annotator", "opened_at"), SESSION),
    ("account", account_table, ("name",), ACCOUNT),
    ("token", token_table, ("name",), TOKEN),
    (TOKEN_REMOVED, removed_token_table, ("token_hash",), REMOVED_TOKEN),
)
GROWING: Mapping[str, tuple[sa.TableClause, Fields, str]] = {
    "remark": (remark_table, REMARK, "created_at"),
    "audit": (audit_table, AUDIT, "at"),
}
"""The table, its columns, and which of them says when. Their rows have no name that all workspaces know, so two with
the same content are one."""
_UP_TO = "up to"

Small = tuple[str, str, dict[str, Any]]
"""(kind, name, record) of a row of a small table."""
Known = Mapping[tuple[str, str], str]
"""What the mirror has: digests of rows, and how far a growing table was sent, by (kind, name)."""


def changed(rows: Iterable[Small], known: Known) -> list[Small]:
    """Those that the mirror does not have like this."""
    return [(kind, name, record) for kind, name, record in rows if known.get((kind, name)) != digest_of(record)]


def changed_rows(connection: sa.Connection, known: Known) -> list[Small]:
    """The rows of the changing tables that the mirror does not have like this, as `note_changes` has numbered them."""
    rows = list(_rows(connection))
    told = {record["name"] for kind, _, record in rows if kind in ("token", TOKEN_REMOVED)}
    gone = [name for kind, name in known if kind == "token" and name not in told]  # by an earlier fgdemo
    rows += [("token", name, {"type": TOKEN_REMOVED, "name": name}) for name in gone]
    return changed(rows, known)


def new_rows(connection: sa.Connection, known: Known) -> tuple[list[dict[str, Any]], dict[tuple[str, str], str]]:
    """Records of what was added to the growing tables, oldest first, and what `known` holds once they are sent."""
    records, marks = list[dict[str, Any]](), dict[tuple[str, str], str]()
    for kind, (table, columns, _) in GROWING.items():
        since = int(known.get((kind, _UP_TO), "0"))
        query = sa.select(table).where(table.c.id > since).order_by(table.c.id).limit(ROWS_AT_ONCE)
        rows = connection.execute(query).mappings().all()
        records += [record_of(kind, row, columns) for row in rows]
        if rows:
            marks[kind, _UP_TO] = str(rows[-1]["id"])
    return records, marks


def all_sent(connection: sa.Connection, kind: str) -> dict[tuple[str, str], str]:
    """What `known` holds when the mirror has all that is in this growing table now."""
    newest = connection.execute(sa.select(sa.func.max(GROWING[kind][0].c.id))).scalar()
    return {} if newest is None else {(kind, _UP_TO): str(newest)}


def _rows(connection: sa.Connection) -> Iterator[Small]:
    for kind, table, key, columns in CHANGING:
        versions = versions_of(connection, kind) if kind in FACETS else {}
        for row in connection.execute(sa.select(table)).mappings():
            name = " ".join(row[column] for column in key)
            yield kind, name, with_versions(record_of(kind, row, columns), versions.get(name, {}))


def with_versions(record: dict[str, Any], versions: Mapping[str, Version]) -> dict[str, Any]:
    """The record of a row that changes; a facet that was never changed is not told."""
    told = {facet: dict(version) for facet, version in versions.items() if version}
    return {**record, "versions": told} if told else record
