"""What went live, one model after the other: a log that several workspaces may have written without each other.

A promotion puts a model on top; a roll-back names the promotions that it takes away. What was taken away stays so,
whoever else promoted something meanwhile and whatever the clocks said: the models that are left stand in the order of
`depth`, which is one more than the deepest promotion that was known.
"""

import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal

import sqlalchemy as sa

from fgdemo.storage.database.json_columns import read_texts
from fgdemo.storage.database.schema import model_version_table, promotion_table

Kind = Literal["promote", "rollback"]


@dataclass(frozen=True)
class Promotion:
    """One row of the log.

    Attributes:
        ident: by which it is known in every workspace.
        depth: from 1.
        version: what went live; of a roll-back, what it led to; None stands for the checkpoint of the settings.
        takes: the idents of the promotions that this roll-back took away.
    """

    ident: str
    depth: int
    version: str | None
    kind: Kind
    promoted_by: str
    promoted_at: str
    takes: tuple[str, ...] = ()


def promotion_name(row: Mapping[Any, Any]) -> str:
    """The ident of a promotion that was written before promotions had one."""
    return f"{row['promoted_at']} {row['kind']} {row['version']}"


def completed(rows: Iterable[Mapping[Any, Any]]) -> list[Promotion]:
    """Rows of one log, oldest first; those written before promotions had idents get one, and what they took away."""
    found: list[Promotion] = []
    stack: list[tuple[str, str | None]] = []  # (ident, version) of what is live, the live one last
    deepest = 0
    for row in rows:
        ident, takes = row["ident"] or promotion_name(row), list(read_texts(row["takes"]))
        own_depth = deepest + 1 if row["depth"] is None else row["depth"]
        deepest = max(deepest, own_depth)
        kind: Kind = row["kind"]
        if row["ident"] is None and kind == "rollback":
            while stack and stack[-1][1] != row["version"]:
                takes.append(stack.pop()[0])
            if row["version"] is not None and not stack:  # it led to what had never been live
                kind = "promote"
        if kind == "promote":
            stack.append((ident, row["version"]))
        stack = [one for one in stack if one[0] not in takes]
        found.append(
            Promotion(ident, own_depth, row["version"], kind, row["promoted_by"], row["promoted_at"], tuple(takes))
        )
    return found


def promotions(connection: sa.Connection) -> list[Promotion]:
    """All of them, in the order in which they came into this database."""
    query = sa.select(promotion_table).order_by(promotion_table.c.id)
    return completed(connection.execute(query).mappings())


@dataclass(frozen=True)
class Live:
    """The models that were live one after the other, the live one last; None stands for that of the settings.

    Attributes:
        versions: no two neighbours are the same, or a roll-back would change nothing.
        idents: of the promotions that put each of them there; none for the first.
    """

    versions: tuple[str | None, ...]
    idents: tuple[tuple[str, ...], ...]


def live_of(log: Sequence[Promotion], deleted: Iterable[str]) -> Live:
    """What is live by this log; models that were deleted are left out."""
    gone, taken = set(deleted), {ident for one in log for ident in one.takes}
    left = [one for one in log if one.kind == "promote" and one.ident not in taken and one.version not in gone]
    every = [(None, ""), *((one.version, one.ident) for one in sorted(left, key=lambda one: (one.depth, one.ident)))]
    groups = [(version, tuple(ident for _, ident in some if ident)) for version, some in groupby(every, lambda x: x[0])]
    return Live(tuple(version for version, _ in groups), tuple(idents for _, idents in groups))


def deleted_models(connection: sa.Connection) -> set[str]:
    """Versions of models that are no more."""
    here = model_version_table.c
    return set(connection.execute(sa.select(here.version).where(here.deleted_at.is_not(None))).scalars())


def append(
    connection: sa.Connection, version: str | None, kind: Kind, by: str, at: str, takes: Sequence[str] = ()
) -> None:
    """Write one more, which knows all that are there."""
    depth = max((one.depth for one in promotions(connection)), default=0) + 1
    new = Promotion(secrets.token_hex(16), depth, version, kind, by, at, tuple(takes))
    connection.execute(promotion_table.insert().values(row_of_promotion(new)))


def row_of_promotion(one: Promotion) -> dict[str, Any]:
    """As the database has it."""
    return {**vars(one), "takes": json.dumps(one.takes)}
