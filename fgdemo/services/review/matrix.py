"""The confusion matrix as it is drawn: kinds in an order in which look-alikes stand together."""

# scipy comes without types:
# pyright: reportMissingTypeStubs=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fgdemo.services.review.kinds import Cell, worst_cells
from fgdemo.services.review.snapshot import Snapshot
from fgdemo.values.taxonomy import Taxonomy

MOST_KINDS = 400
"""Of more kinds than this, those with the most confusions are drawn."""
MOST_SORTED = 400
"""Siblings are laid out by likeness up to so many; clustering more takes seconds."""


@dataclass(frozen=True)
class MatrixKind:
    taxon: str
    name: str
    latin: str | None


@dataclass(frozen=True)
class Band:
    """A group of the taxonomy: the kinds from `first` up to, not with, `last` of the matrix. `depth` 0 is the root."""

    taxon: str
    name: str
    first: int
    last: int
    depth: int


@dataclass(frozen=True)
class Matrix:
    """Labels down, what the model takes them for across.

    Attributes:
        cells: (row, column, count) of every cell that is not zero.
        n: (len(kinds),) pictures of each row, also those taken for a kind that is not drawn.
        left_out_kinds: kinds with pictures that are not drawn, because there are too many.
        worst: the largest cells beside the diagonal, as text.
    """

    kinds: tuple[MatrixKind, ...]
    bands: tuple[Band, ...]
    cells: tuple[tuple[int, int, int], ...]
    n: tuple[int, ...]
    left_out_kinds: int
    worst: tuple[Cell, ...]


def matrix(now: Snapshot, held_out: bool, worst: int) -> Matrix:
    """The confusions of train pictures, each left out in turn, or of the val pictures."""
    table = now.val_confusion if held_out else now.confusion
    cells = worst_cells(now, table, worst)
    off = table + table.T
    np.fill_diagonal(off, 0)
    there = np.flatnonzero(table.sum(0) + table.sum(1))
    kept = there
    if len(there) > MOST_KINDS:
        kept = np.sort(there[np.argsort(-off[there].sum(1), kind="stable")[:MOST_KINDS]])
    # Both tables are laid out by what the left-out pictures say, so that the switch between them moves nothing.
    base = now.confusion + now.confusion.T
    order, bands = look_alikes_together([now.taxa[i] for i in kept], base[np.ix_(kept, kept)], now.taxonomy)
    shown = kept[order]
    small = table[np.ix_(shown, shown)]
    rows, columns = small.nonzero()
    return Matrix(
        kinds=tuple(
            MatrixKind(taxon.id, taxon.name, taxon.latin)
            for taxon in (now.taxonomy[now.taxa[index]] for index in shown.tolist())
        ),
        bands=bands,
        cells=tuple(zip(rows.tolist(), columns.tolist(), small[rows, columns].tolist(), strict=True)),
        n=tuple(table[shown].sum(1).tolist()),
        left_out_kinds=len(there) - len(kept),
        worst=cells,
    )


def look_alikes_together(
    leaves: Sequence[str], together: np.ndarray, taxonomy: Taxonomy
) -> tuple[np.ndarray, tuple[Band, ...]]:
    """An order of the leaves in which groups stay whole and, among siblings, what is confused stands side by side.

    Args:
        together: (n, n) symmetric, how often two leaves are taken for each other; the diagonal does not matter.

    Returns:
        (n,) indices into `leaves`, and every group with two or more of them, outer ones first.
    """
    children: dict[str | None, list[str]] = {}
    below: dict[str, list[int]] = {}
    for index, leaf in enumerate(leaves):
        path = [step.id for step in taxonomy.path(leaf)]
        for parent, child in zip([None, *path], path, strict=False):
            siblings = children.setdefault(parent, [])
            if child not in below:
                siblings.append(child)
            below.setdefault(child, []).append(index)
    order: list[int] = []
    bands: list[Band] = []

    def place(taxon: str | None, depth: int) -> None:
        first = len(order)
        if taxon is not None and taxon not in children:
            order.extend(below[taxon])
            return
        siblings = children.get(taxon, [])
        for at in _by_likeness([below[child] for child in siblings], together):
            place(siblings[at], depth + 1)
        if taxon is not None and len(order) - first > 1:
            bands.append(Band(taxon, taxonomy[taxon].name, first, len(order), depth - 1))

    place(None, 0)
    return np.array(order, np.int64), tuple(sorted(bands, key=lambda band: (band.depth, band.first)))


def _by_likeness(members: Sequence[Sequence[int]], together: np.ndarray) -> Sequence[int]:
    """An order of these sets of leaves: hierarchical clustering with optimal leaf order (Bar-Joseph et al. 2001)."""
    n = len(members)
    if not 2 < n <= MOST_SORTED:
        return range(n)
    from scipy.cluster.hierarchy import leaves_list, linkage, optimal_leaf_ordering
    from scipy.spatial.distance import squareform

    belongs = np.zeros((n, len(together)))
    for at, indices in enumerate(members):
        belongs[at, indices] = 1
    shared = belongs @ together @ belongs.T
    size = np.maximum(shared.sum(1), 1)
    likeness = shared / np.sqrt(size[:, None] * size)
    distance = 1 - np.sqrt(np.clip(likeness, 0, 1))
    np.fill_diagonal(distance, 0)
    condensed: np.ndarray = squareform(distance, checks=False)
    tree: np.ndarray = optimal_leaf_ordering(linkage(condensed, "average"), condensed)
    return [int(at) for at in leaves_list(tree)]
