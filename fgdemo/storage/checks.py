"""What answers found: the labels that stood when pictures were shown, and how the random checks went."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from fgdemo.annotation import DECIDING
from fgdemo.storage.database import reading
from fgdemo.storage.schema import label_event_table

_AT_ONCE = 500


class Checks:
    """Questions about the log whose cost does not grow with it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def labels_at(self, versions: Sequence[int]) -> dict[int, str | None]:
        """The taxon that each of these versions of a picture says; those that decide nothing are left out."""
        table, found = label_event_table, {}
        with reading(self._engine) as connection:
            for start in range(0, len(versions), _AT_ONCE):
                some = table.c.id.in_(versions[start : start + _AT_ONCE]) & table.c.kind.in_(DECIDING)
                rows = connection.execute(sa.select(table.c.id, table.c.taxon).where(some))
                found.update({row.id: row.taxon for row in rows})
        return found

    def audited(self, limit: int) -> list[tuple[str, str]]:
        """(label before, label given) of the newest random checks of labelled pictures that stand."""
        said, shown, undo = (label_event_table.alias(name) for name in ("said", "shown", "undo"))
        query = (
            sa.select(shown.c.taxon, said.c.taxon)
            .join_from(said, shown, shown.c.id == said.c.shown_version)
            .where(
                said.c.reason == "audit",
                said.c.kind == "label",
                shown.c.taxon.is_not(None),
                shown.c.kind.in_(DECIDING),
                ~sa.exists().where(undo.c.undoes == said.c.id),
            )
            .order_by(said.c.id.desc())
            .limit(limit)
        )
        with reading(self._engine) as connection:
            return [(before, given) for before, given in connection.execute(query)]
