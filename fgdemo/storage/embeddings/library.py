"""The labelled pictures of a workspace, and which of them look most like a given one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from fgdemo.storage.embeddings.embeddings import Embeddings
from fgdemo.storage.history.references import fit_to_show
from fgdemo.storage.history.roster import Roster
from fgdemo.storage.pictures.originals import ImageStore
from fgdemo.values.annotation import Publication

MOST_COMPARED = 5000
"""Of a kind with more pictures than this, the newest are compared."""


@dataclass(frozen=True)
class Similar:
    """A labelled picture and how much it looks like the one asked about."""

    image_id: str
    similarity: float
    """Cosine in [-1, 1], 1 is the same."""
    checked: bool
    """True if an expert gave or confirmed the label, False if the picture came with it."""


class Library:
    """Labelled pictures by likeness, without doubtful ones as long as there are others.

    Args:
        suspicion: of the first rows of the roster, as it is now; None where nothing has doubted them yet.
        images: where the originals are.
        embeddings: what the served model saw in each.
    """

    def __init__(
        self,
        roster: Roster,
        embeddings: Embeddings,
        images: ImageStore,
        suspicion: Callable[[], np.ndarray | None] = lambda: None,
    ) -> None:
        self.images = images
        self._suspicion = suspicion
        self.roster = roster
        self._embeddings = embeddings

    def is_public(self, image: str) -> bool:
        """Whether visitors may see this picture, as of now. Raises StorageError."""
        roster = self.roster
        roster.follow()
        row = roster.row_of.get(image)
        return row is not None and bool(roster.is_public[row])

    def publications(self, images: Sequence[str]) -> dict[str, Publication]:
        """Credit and licence of those of these pictures that are published. Raises StorageError."""
        return self.roster.publications(images)

    def published(self, limit: int) -> tuple[str, ...]:
        """Pictures that visitors may see, one of each kind in turn, the oldest of a kind first. Raises StorageError."""
        roster = self.roster
        roster.follow()
        rows = np.flatnonzero(roster.is_public)
        by_kind = np.argsort(roster.taxon[rows], kind="stable")
        kinds = roster.taxon[rows][by_kind]
        turn = np.empty(len(rows), np.int64)
        turn[by_kind] = np.arange(len(rows)) - np.searchsorted(kinds, kinds)
        return tuple(roster.image_ids.at(rows[np.lexsort((rows, turn))][:limit]))

    def nearest(
        self, embedding: np.ndarray, taxon: str, limit: int = 4, only_public: bool = False
    ) -> tuple[Similar, ...]:
        """The pictures labelled as this taxon whose embeddings are nearest to `embedding` (D,), nearest first.

        Args:
            only_public: only those that visitors may see.

        Raises:
            StorageError: the workspace cannot be read.
        """
        roster = self.roster
        roster.follow()
        if taxon not in roster.taxa:
            return ()
        rows = np.flatnonzero(roster.taxon == roster.taxa.index(taxon))
        if only_public:
            rows = rows[roster.is_public[rows]]
        rows = fit_to_show(roster, rows, self._suspicion())
        places = self._embeddings.rows_of(roster.image_ids.raw(rows))
        rows, places = rows[places >= 0][-MOST_COMPARED:], places[places >= 0][-MOST_COMPARED:]
        vectors = self._embeddings.vectors(places)
        lengths = np.linalg.norm(vectors, axis=1) * np.linalg.norm(embedding)
        similarities = np.clip(vectors @ embedding / np.maximum(lengths, 1e-12), -1.0, 1.0)
        best = np.argsort(-similarities, kind="stable")[:limit]
        return tuple(
            Similar(image, float(similarities[at]), bool(roster.checked[rows[at]]))
            for image, at in zip(roster.image_ids.at(rows[best]), best, strict=True)
        )
