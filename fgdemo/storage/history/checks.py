"""What answers found: the labels that stood when pictures were shown, and how the random checks went."""

from collections.abc import Sequence

import sqlalchemy as sa

from fgdemo.storage.database.database import reading
from fgdemo.storage.database.schema import label_event_table
from fgdemo.storage.history.event_rows import AT_ONCE
from fgdemo.storage.history.events import EventLog
from fgdemo.storage.history.label_event import LabelEvent, standing_of
from fgdemo.values.annotation import DECIDING
from fgdemo.values.batches import batches


class Checks:
    """Questions about the log whose cost does not grow with it."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def labels_at(self, versions: Sequence[int]) -> dict[int, str | None]:
        """The taxon that each of these versions of a picture says; those that decide nothing are left out."""
        table, found = label_event_table, dict[int, str | None]()
        with reading(self._engine) as connection:
            for some in batches(versions, AT_ONCE):
                query = sa.select(table.c.id, table.c.taxon).where(table.c.id.in_(some), table.c.kind.in_(DECIDING))
                found.update({row.id: row.taxon for row in connection.execute(query)})
        return found

    def audited(self, limit: int) -> list[tuple[str, str | None]]:
        """(label before, what stands now) of the pictures that were checked at random last, each once, by checks that
        stand: an answer that was taken back says nothing, and one that was put right since is right by what stands.
        None stands for "none of these kinds"; pictures that turned out unusable are left out."""
        said, undo = (label_event_table.alias(name) for name in ("said", "undo"))
        newest = sa.func.max(said.c.id)
        query = (
            sa.select(said.c.image)
            .where(said.c.reason == "audit", said.c.kind.in_(_CHECKS), ~sa.exists().where(undo.c.undoes == said.c.id))
            .group_by(said.c.image)
            .order_by(newest.desc())
            .limit(limit)
        )
        with reading(self._engine) as connection:
            images = list(connection.execute(query).scalars())
        found = (_found(history) for history in EventLog(self._engine).histories(images).values())
        return [one for one in found if one is not None]


_CHECKS = ("label", "none")
"""Answers that say whether a label is right."""


def _found(history: Sequence[LabelEvent]) -> tuple[str, str | None] | None:
    """(label before, what stands now) of the first random check that stands; None where there was no label."""
    undone = {said.undoes for said in history}
    first = next(said for said in history if said.reason == "audit" and said.kind in _CHECKS and said.id not in undone)
    before = standing_of([said for said in history if (said.id or 0) < (first.id or 0)], "train")
    now = standing_of(history, "train")
    if before is None or before.taxon is None or now is None or now.kind == "unusable":
        return None
    return before.taxon, now.taxon
