"""The workspace at one moment, as columns of one length: what the log and what the model say of every picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fgdemo.storage.history.roster import IS_OUT, Roster
from fgdemo.values.annotation import DOUBTFUL, Ranking
from fgdemo.values.taxonomy import Taxonomy


@dataclass(frozen=True)
class Snapshot:
    """All columns have n entries, one a row of the roster; nan or −1 stands where nothing is ranked.

    Attributes:
        taxa: the C leaves that `suggested`, `rival` and both tables of confusions count by.
        suspicion, suggested, suggested_prob, given_prob, rival, uncertainty: see `fgdemo.values.annotation.Ranking`.
        confusion, val_confusion: (C, C), see there.
        hidden: rows that the person who asks is giving a blind second opinion about at this moment.
        removed: rows of pictures that were removed for good; nothing is shown of them.
    """

    n: int
    roster: Roster
    taxonomy: Taxonomy
    taxa: tuple[str, ...]
    suspicion: np.ndarray
    suggested: np.ndarray
    suggested_prob: np.ndarray
    given_prob: np.ndarray
    rival: np.ndarray
    uncertainty: np.ndarray
    confusion: np.ndarray
    val_confusion: np.ndarray
    hidden: np.ndarray
    removed: np.ndarray

    @property
    def taxon(self) -> np.ndarray:
        return self.roster.taxon[: self.n]

    @property
    def checked(self) -> np.ndarray:
        return self.roster.checked[: self.n]

    @property
    def disputed(self) -> np.ndarray:
        return self.roster.disputed[: self.n]

    @property
    def split(self) -> np.ndarray:
        return self.roster.split[: self.n]

    @cached_property
    def out(self) -> np.ndarray:
        """(n,) bool: unusable, or none of these kinds."""
        return IS_OUT[self.roster.kind[: self.n]]

    @cached_property
    def locked(self) -> np.ndarray:
        """(n,) bool: gold with a label; nobody answers here about these."""
        return self.roster.locked(slice(self.n))

    @cached_property
    def unchecked(self) -> np.ndarray:
        """(n,) bool: labels that nobody has checked."""
        return ~self.checked & (self.taxon >= 0)

    @cached_property
    def looks_wrong(self) -> np.ndarray:
        """(n,) bool: unchecked labels that are likelier wrong than right."""
        return self.unchecked & (np.nan_to_num(self.suspicion) > DOUBTFUL)

    def labelled_as(self, taxon: str) -> np.ndarray:
        """(n,) bool: labelled as this leaf, or as this group or anything below it."""
        return self._below(taxon, self.roster.taxa)[self.taxon]

    def taken_for(self, taxon: str) -> np.ndarray:
        """(n,) bool: the model's likeliest leaf is this one, or lies below this group."""
        return self._below(taxon, self.taxa)[self.suggested]

    def _below(self, taxon: str, taxa: Sequence[str]) -> np.ndarray:
        """(len(taxa) + 1,) bool; the last one, which is also −1, serves pictures without any."""
        known = self.taxonomy.by_id
        found = [other in known and any(step.id == taxon for step in self.taxonomy.path(other)) for other in taxa]
        return np.array([*found, False])


def snapshot(roster: Roster, ranking: Ranking | None, taxonomy: Taxonomy, hidden_images: set[str]) -> Snapshot:
    """Pictures that came after the ranking was made get no entries from it; without a ranking none has any."""
    n = len(roster)
    hidden = np.zeros(n, bool)
    hidden[[row for row in map(roster.row_of.get, hidden_images) if row is not None and row < n]] = True
    hidden &= roster.checked[:n] & ~roster.disputed[:n]

    def padded(name: str, empty: float, dtype: type[np.generic]) -> np.ndarray:
        column = np.full(n, empty, dtype)
        if ranking is not None:
            ranked = getattr(ranking, name)[:n]
            column[: len(ranked)] = ranked
        return column

    none = np.zeros((0, 0), np.int32)
    return Snapshot(
        n=n,
        roster=roster,
        taxonomy=taxonomy,
        taxa=ranking.taxa if ranking else (),
        suspicion=padded("suspicion", np.nan, np.float32),
        suggested=padded("suggested", -1, np.int32),
        suggested_prob=padded("suggested_prob", np.nan, np.float32),
        given_prob=padded("given_prob", np.nan, np.float32),
        rival=padded("rival", -1, np.int32),
        uncertainty=padded("uncertainty", np.nan, np.float32),
        confusion=ranking.confusion if ranking else none,
        val_confusion=ranking.val_confusion if ranking else none,
        hidden=hidden,
        removed=roster.removed[:n],
    )
