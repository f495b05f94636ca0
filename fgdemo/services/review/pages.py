"""One kind by itself, and two kinds side by side."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fgdemo.services.review.grid import Tile, tiles
from fgdemo.services.review.kinds import Cell, KindSummary, cell, summaries
from fgdemo.services.review.opinions import Opinions
from fgdemo.services.review.snapshot import Snapshot
from fgdemo.statistics.agreement import Agreement
from fgdemo.storage.history.references import fit_to_show
from fgdemo.storage.history.roster import SPLITS

STRIP = 12
TAKEN = 6


@dataclass(frozen=True)
class KindPage:
    """One kind.

    Attributes:
        splits: pictures of each split.
        taken_for: what its pictures are taken for, most first; `taken` is what is taken for it.
        rival: the leaf it is most confused with, or None.
        agreement: of blind second opinions, whether it is this kind or not.
        typical: pictures that the model is surest of, checked ones first.
        odd: those it would least expect here.
    """

    kind: KindSummary
    splits: dict[str, int]
    taken_for: tuple[Cell, ...]
    taken: tuple[Cell, ...]
    rival: str | None
    rival_name: str
    agreement: Agreement
    typical: tuple[Tile, ...]
    odd: tuple[Tile, ...]


@dataclass(frozen=True)
class PairPage:
    """Two kinds side by side.

    Attributes:
        a_as_b, b_as_a: pictures labelled as one that the model takes for the other, left out in turn.
        a_as_b_held_out, b_as_a_held_out: the same of val pictures.
        agreement: of second opinions where both opinions were one of the two.
        between: pictures that the model finds hardest to tell.
    """

    a: KindSummary
    b: KindSummary
    a_as_b: int
    b_as_a: int
    a_as_b_held_out: int
    b_as_a_held_out: int
    agreement: Agreement
    a_typical: tuple[Tile, ...]
    b_typical: tuple[Tile, ...]
    between: tuple[Tile, ...]


def kind_page(now: Snapshot, taxon: str, opinions: Opinions) -> KindPage:
    """Raises TaxonomyError if there is no such taxon."""
    (kind,) = _summaries(now, [taxon])
    labelled = now.labelled_as(taxon) & ~now.out & ~now.hidden
    splits = np.bincount(now.split[labelled], minlength=len(SPLITS))
    taken_for: tuple[Cell, ...] = ()
    taken: tuple[Cell, ...] = ()
    if taxon in now.taxa:
        column = now.taxa.index(taxon)
        totals = now.confusion.sum(1)
        taken_for = tuple(
            cell(now, column, other, count, int(totals[column]))
            for other, count in _most(now.confusion[column], column)
        )
        taken = tuple(
            cell(now, other, column, count, int(totals[other]))
            for other, count in _most(now.confusion[:, column], column)
        )
    rival = nearest_rival(now, taxon)
    return KindPage(
        kind=kind,
        splits={name: int(splits[code]) for code, name in enumerate(SPLITS) if splits[code]},
        taken_for=taken_for,
        taken=taken,
        rival=rival,
        rival_name=now.taxonomy[rival].name if rival else "",
        agreement=opinions.about_kind(taxon),
        typical=tiles(now, typical_rows(now, taxon)),
        odd=tiles(now, odd_rows(now, taxon)),
    )


def pair_page(now: Snapshot, a: str, b: str, opinions: Opinions) -> PairPage:
    """Raises TaxonomyError if there is no such taxon."""
    first, second = _summaries(now, [a, b])
    between = np.empty(0, np.int64)
    left_out = held_out = (0, 0)
    if {a, b} <= set(now.taxa):
        i, j = now.taxa.index(a), now.taxa.index(b)
        left_out = int(now.confusion[i, j]), int(now.confusion[j, i])
        held_out = int(now.val_confusion[i, j]), int(now.val_confusion[j, i])
        both = np.isin(now.suggested, (i, j)) & np.isin(now.rival, (i, j)) & ~now.hidden & ~now.out
        rows = np.flatnonzero(both)
        between = rows[np.argsort(-now.uncertainty[rows], kind="stable")][:STRIP]
    return PairPage(
        a=first,
        b=second,
        a_as_b=left_out[0],
        b_as_a=left_out[1],
        a_as_b_held_out=held_out[0],
        b_as_a_held_out=held_out[1],
        agreement=opinions.about_pair(a, b),
        a_typical=tiles(now, typical_rows(now, a)),
        b_typical=tiles(now, typical_rows(now, b)),
        between=tiles(now, between),
    )


def typical_rows(now: Snapshot, taxon: str) -> np.ndarray:
    """Pictures of a kind that the model is surest of, checked ones first; doubtful ones where there are no others."""
    rows = fit_to_show(now.roster, _ranked_rows(now, taxon), now.suspicion)
    return rows[np.lexsort((-now.given_prob[rows], ~now.checked[rows]))][:STRIP]


def odd_rows(now: Snapshot, taxon: str) -> np.ndarray:
    """Pictures of a kind that the model would least expect there; each must look like something else."""
    rows = _ranked_rows(now, taxon)
    rows = rows[now.suggested[rows] != (now.taxa.index(taxon) if taxon in now.taxa else -1)]
    return rows[np.lexsort((now.given_prob[rows], now.checked[rows]))][:STRIP]


def nearest_rival(now: Snapshot, taxon: str) -> str | None:
    """The leaf that a leaf is most often confused with; else the one most often second to it."""
    if taxon not in now.taxa:
        return None
    column = now.taxa.index(taxon)
    both = now.confusion[column] + now.confusion[:, column]
    both[column] = 0
    if not both.any():
        second = now.rival[(now.suggested == column) & (now.rival >= 0)]
        both = np.bincount(second[second != column], minlength=len(now.taxa))
    return now.taxa[int(both.argmax())] if both.any() else None


def _ranked_rows(now: Snapshot, taxon: str) -> np.ndarray:
    if taxon not in now.roster.taxa:
        return np.empty(0, np.int64)
    of_kind = now.taxon == now.roster.taxa.index(taxon)
    return np.flatnonzero(of_kind & ~np.isnan(now.given_prob) & ~now.out & ~now.hidden)


def _most(counts: np.ndarray, itself: int) -> list[tuple[int, int]]:
    order = [int(other) for other in np.argsort(-counts, kind="stable")[: TAKEN + 1] if other != itself]
    return [(other, int(counts[other])) for other in order[:TAKEN] if counts[other]]


def _summaries(now: Snapshot, taxa: Sequence[str]) -> list[KindSummary]:
    known = {kind.taxon: kind for kind in summaries(now)}
    found: list[KindSummary] = []
    for taxon in taxa:
        one = now.taxonomy[taxon]
        group = now.taxonomy.by_id.get(one.parent or "")
        empty = KindSummary(one.id, one.name, one.latin, group.name if group else "", 0, 0, 0, None, None)
        found.append(known.get(taxon, empty))
    return found
