"""Every kind in numbers, and what is taken for what."""

from dataclasses import dataclass

import numpy as np

from fgdemo.services.review.snapshot import Snapshot
from fgdemo.statistics.agreement import Share, share_of

WORST_CELLS = 60


@dataclass(frozen=True)
class Cell:
    """`count` pictures labelled as `given` that the model takes for `suggested`, of `of` with that label."""

    given: str
    given_name: str
    suggested: str
    suggested_name: str
    count: int
    of: int


@dataclass(frozen=True)
class KindSummary:
    """One kind.

    Attributes:
        group: the name of the group right above it, or "".
        n, checked, suspects: pictures labelled so, those that an expert has checked, unchecked labels that look wrong,
            without gold.
        left_out: how often the model knows train pictures of it, each left out in turn; None where there are none.
        held_out: the same of val pictures.
    """

    taxon: str
    name: str
    latin: str | None
    group: str
    n: int
    checked: int
    suspects: int
    left_out: Share | None
    held_out: Share | None


def summaries(now: Snapshot) -> tuple[KindSummary, ...]:
    """Every kind and group that a picture is labelled as, those with the largest share of suspects first."""
    roster = now.roster
    names, labels = list(roster.taxa), now.taxon
    columns = {taxon: column for column, taxon in enumerate(now.taxa)}

    def count(rows: np.ndarray) -> np.ndarray:
        return np.bincount(labels[rows & (labels >= 0)], minlength=len(names))

    all_rows = count(np.ones(now.n, bool))
    checked, suspects = count(now.checked), count(now.looks_wrong & ~now.locked)
    tables = [(table.diagonal(), table.sum(1)) for table in (now.confusion, now.val_confusion)]
    found: list[KindSummary] = []
    for index in np.flatnonzero(all_rows).tolist():
        taxon, column = now.taxonomy.by_id.get(names[index]), columns.get(names[index])
        if taxon is None:
            continue
        shares = [
            None if column is None else share_of(int(right[column]), int(total[column])) for right, total in tables
        ]
        group = now.taxonomy.by_id.get(taxon.parent or "")
        found.append(
            KindSummary(
                taxon.id,
                taxon.name,
                taxon.latin,
                group.name if group else "",
                int(all_rows[index]),
                int(checked[index]),
                int(suspects[index]),
                shares[0],
                shares[1],
            )
        )
    return tuple(sorted(found, key=lambda kind: (-kind.suspects / kind.n, kind.name)))


def worst_cells(now: Snapshot, table: np.ndarray, most: int = WORST_CELLS) -> tuple[Cell, ...]:
    """What is most often taken for what, most first. `table`: (C, C) as in `Snapshot.confusion`."""
    off = table.copy()
    np.fill_diagonal(off, 0)
    flat = off.ravel()
    some = np.flatnonzero(flat)
    some = some[np.argsort(-flat[some], kind="stable")[:most]]
    totals = table.sum(1)
    return tuple(
        cell(now, given, taken, int(flat[at]), int(totals[given]))
        for at, given, taken in zip(
            some.tolist(), *(one.tolist() for one in divmod(some, max(1, len(off)))), strict=True
        )
    )


def cell(now: Snapshot, given: int, taken: int, count: int, of: int) -> Cell:
    a, b = now.taxa[given], now.taxa[taken]
    return Cell(a, now.taxonomy[a].name, b, now.taxonomy[b].name, count, of)
