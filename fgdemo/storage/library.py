"""The labelled pictures of a workspace, and which of them look most like a given one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fgdemo.storage.embeddings import Embeddings
from fgdemo.storage.originals import ImageStore
from fgdemo.storage.roster import Roster

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
    """Labelled pictures by likeness.

    Args:
        images: where the originals are.
        embeddings: what the served model saw in each.
    """

    def __init__(self, roster: Roster, embeddings: Embeddings, images: ImageStore) -> None:
        self.images = images
        self._roster = roster
        self._embeddings = embeddings

    def nearest(self, embedding: np.ndarray, taxon: str, limit: int = 4) -> tuple[Similar, ...]:
        """The pictures labelled as this taxon whose embeddings are nearest to `embedding` (D,), nearest first.

        Raises:
            StorageError: the workspace cannot be read.
        """
        roster, known = self._roster, self._embeddings.rows
        roster.follow()
        if taxon not in roster.taxa:
            return ()
        labelled = np.flatnonzero(roster.taxon == roster.taxa.index(taxon))
        images = [image for image in (roster.image_ids[row] for row in labelled) if image in known][-MOST_COMPARED:]
        if not images:
            return ()
        vectors = self._embeddings.vectors([known[image] for image in images])
        lengths = np.linalg.norm(vectors, axis=1) * np.linalg.norm(embedding)
        similarities = np.clip(vectors @ embedding / np.maximum(lengths, 1e-12), -1.0, 1.0)
        return tuple(
            Similar(images[i], float(similarities[i]), bool(roster.checked[roster.row_of[images[i]]]))
            for i in np.argsort(-similarities, kind="stable")[:limit]
        )
