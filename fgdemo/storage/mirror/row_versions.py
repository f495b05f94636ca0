"""Which of two states of a row is the later one, by what was known and not by clocks.

A row whose fields change has a version for each facet, a group of fields that change together: how many changes of each
process it holds. Where one version holds the other, it is the later one. Where neither does, two workspaces changed
the row without knowing of each other, and what takes something away wins (`FACETS`).
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import sqlalchemy as sa

from fgdemo.storage.database.database import reading, writing
from fgdemo.storage.database.json_columns import read_column
from fgdemo.storage.database.schema import account_table, row_version_table, taxon_table
from fgdemo.storage.disk.strict_json import as_object
from fgdemo.storage.mirror.records import digest_of
from fgdemo.storage.records.fields import FaultError, Record, Row, whole
from fgdemo.values.annotation import Role

PROCESS = re.compile("[0-9a-f]{16}")
MOST_PROCESSES = 10_000

Version = Mapping[str, int]
"""The number of changes of each process, by its random id."""


@dataclass(frozen=True)
class Facet:
    """Fields that change together.

    Attributes:
        rank: of the states of which none is the later one, that of the highest rank holds.
    """

    fields: tuple[str, ...]
    rank: Callable[[Row], Any]


def _text(row: Row) -> str:
    return json.dumps(row, sort_keys=True)


def rank_of(role: str) -> int:
    """0 for a visitor; who has a higher one may do more."""
    return get_args(Role).index(role)


FACETS: Mapping[str, Mapping[str, Facet]] = {
    "account": {
        "role": Facet(("role",), lambda row: -rank_of(row["role"])),  # the lower role
        "disabled": Facet(("disabled",), lambda row: bool(row["disabled"])),  # shut
        "password": Facet(  # the one that was set more often; a hash that was only renewed counts less
            ("password_hash", "passwords"), lambda row: (row["passwords"], row["password_hash"])
        ),
    },
    "taxon": {
        "names": Facet(("name", "latin", "aliases"), _text),
        "retired": Facet(("retired",), lambda row: bool(row["retired"])),  # no longer in use
    },
}
_TABLES = {"account": (account_table, "name"), "taxon": (taxon_table, "id")}
_IS_NEW = {"account": 1, "taxon": 0}
"""What the version of a new row counts: every workspace is given the taxa of the model, so that is no change."""


@dataclass(frozen=True)
class Versioned:
    """A state of a row, with the version of each facet; a facet that was never changed has the version {}."""

    row: Row
    versions: Mapping[str, Version]


def is_older(one: Version, other: Version) -> bool:
    """Whether `other` holds all that `one` holds, and more."""
    return dict(one) != dict(other) and all(other.get(process, 0) >= count for process, count in one.items())


def merged(kind: str, states: Sequence[Versioned]) -> Versioned:
    """The state that holds where there are all of these; the same in whichever order they come."""
    row: Row = dict(min(states, key=lambda one: _text(one.row)).row)
    versions: dict[str, Version] = {}
    for name, facet in FACETS[kind].items():
        known = [(one.versions.get(name, {}), {field: one.row[field] for field in facet.fields}) for one in states]
        newest = [(v, values) for v, values in known if not any(is_older(v, other) for other, _ in known)]
        row |= max((values for _, values in newest), key=lambda values: (facet.rank(values), _text(values)))
        processes = {process for version, _ in newest for process in version}
        versions[name] = {one: max(version.get(one, 0) for version, _ in newest) for one in sorted(processes)}
    return Versioned(row, versions)


def versioned_of(kind: str, record: Record, row: Row) -> Versioned:
    """A state as a record of a mirror has it. Raises FaultError."""
    told = as_object(record.get("versions") or {})
    if told is None or not set(told) <= set(FACETS[kind]) or not all(map(_is_version, told.values())):
        raise FaultError("has unusable “versions”")
    return Versioned(row, {facet: {one: whole(v, one) or 0 for one in v} for facet, v in told.items()})


def _is_version(value: object) -> bool:
    version = as_object(value)
    return version is not None and len(version) <= MOST_PROCESSES and all(map(PROCESS.fullmatch, version))


# --- of this database --------------------------------------------------------------------------------------------


def note_changes(engine: sa.Engine, process: str) -> None:
    """Give what has changed since the last call a new version. Cheap where nothing has."""
    with reading(engine) as connection:
        if not _changed(connection):
            return
    with writing(engine) as connection:
        note_changes_in(connection, process)


def note_changes_in(connection: sa.Connection, process: str) -> None:
    """`note_changes` within a transaction."""
    for kind, name, facet, digest, version in _changed(connection):
        count = _IS_NEW[kind] if version is None else 1
        new = {**(version or {}), process: (version or {}).get(process, 0) + count} if count else {}
        _write(connection, kind, name, facet, digest, new)


def note_version(connection: sa.Connection, kind: str, name: str, state: Versioned, facets: Sequence[str]) -> None:
    """These facets of a row are as in `state` from now on."""
    for facet in facets:
        digest = digest_of({field: state.row[field] for field in FACETS[kind][facet].fields})
        _write(connection, kind, name, facet, digest, state.versions.get(facet, {}))


def versions_of(connection: sa.Connection, kind: str) -> dict[str, dict[str, Version]]:
    """The versions of all rows of a kind, by their names and facets."""
    found: dict[str, dict[str, Version]] = {}
    query = sa.select(row_version_table).where(row_version_table.c.kind == kind)
    for row in connection.execute(query):
        found.setdefault(row.name, {})[row.facet] = _version_in(row.version)
    return found


def _changed(connection: sa.Connection) -> list[tuple[str, str, str, str, Version | None]]:
    """(kind, name, facet, digest of now, version until now) of all that has changed; no version where it is new."""
    known = {(row.kind, row.name, row.facet): row for row in connection.execute(sa.select(row_version_table))}
    changed: list[tuple[str, str, str, str, Version | None]] = []
    for kind, (table, key) in _TABLES.items():
        for row in connection.execute(sa.select(table)).mappings():
            for name, facet in FACETS[kind].items():
                digest, before = digest_of(_values(row, facet)), known.get((kind, row[key], name))
                if before is None or before.digest != digest:
                    changed.append((kind, row[key], name, digest, _version_in(before.version) if before else None))
    return changed


def _version_in(column: str) -> Version:
    return read_column(dict[str, int], column) or {}


def _values(row: Mapping[Any, Any], facet: Facet) -> Row:
    """As a row of a mirror has them."""
    return {field: bool(row[field]) if field in ("disabled", "retired") else row[field] for field in facet.fields}


def _write(connection: sa.Connection, kind: str, name: str, facet: str, digest: str, version: Version) -> None:
    table = row_version_table
    here = (table.c.kind == kind) & (table.c.name == name) & (table.c.facet == facet)
    connection.execute(table.delete().where(here))
    row = {"kind": kind, "name": name, "facet": facet, "digest": digest, "version": json.dumps(version)}
    connection.execute(table.insert().values(row))
