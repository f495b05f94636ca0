"""Which pictures of the workspace look alike."""

from __future__ import annotations

import numpy as np

from fgdemo.storage.embeddings import Embeddings
from fgdemo.storage.roster import Roster

CHUNK = 4096
AXIS_SAMPLE = 2000


class Similar:
    """Cosine similarity of embeddings. Safe for threads.

    Args:
        embeddings: of the pictures of `roster`, as far as the model has seen them.
    """

    def __init__(self, roster: Roster, embeddings: Embeddings) -> None:
        self._roster, self._embeddings = roster, embeddings

    def nearest(self, image: str, limit: int) -> tuple[tuple[str, float], ...]:
        """See `fgdemo.annotation.Learner.similar`."""
        return self._nearest(image, np.arange(len(self._roster)), limit)

    def nearest_labelled(self, image: str, taxon: str, limit: int) -> tuple[tuple[str, float], ...]:
        """See `fgdemo.annotation.Learner.similar_labelled`."""
        roster = self._roster
        if taxon not in roster.taxa:
            return ()
        return self._nearest(image, np.flatnonzero(roster.taxon == roster.taxa.index(taxon)), limit)

    def order(self, images: tuple[str, ...]) -> tuple[str, ...]:
        """See `fgdemo.annotation.Learner.similarity_order`: from one end of the main axis always on to the nearest."""
        known = self._embeddings.rows
        found = [image for image in images if image in known]
        if len(found) < 3:
            return images
        unit = _unit(self._embeddings.vectors([known[image] for image in found]))
        centred = unit - unit.mean(0)
        _, _, axes = np.linalg.svd(
            centred[: AXIS_SAMPLE : max(1, len(centred) // AXIS_SAMPLE)], full_matrices=False
        )
        order, at = [], int((centred @ axes[0]).argmin())
        left = np.ones(len(found), bool)
        while True:
            order.append(at)
            left[at] = False
            if not left.any():
                break
            at = int(np.where(left, unit @ unit[at], -2).argmax())
        rest = [image for image in images if image not in known]
        return tuple([found[i] for i in order] + rest)

    def _nearest(self, image: str, rows: np.ndarray, limit: int) -> tuple[tuple[str, float], ...]:
        known, ids = self._embeddings.rows, self._roster.image_ids
        if image not in known:
            return ()
        own = _unit(self._embeddings.vectors([known[image]]))[0]
        others = [ids[row] for row in rows if ids[row] != image and ids[row] in known]
        best: list[tuple[float, str]] = []
        for start in range(0, len(others), CHUNK):
            some = others[start : start + CHUNK]
            cosine = _unit(self._embeddings.vectors([known[other] for other in some])) @ own
            top = np.argsort(-cosine)[:limit]
            best = sorted([*best, *((float(cosine[i]), some[i]) for i in top)], reverse=True)[:limit]
        return tuple((other, cosine) for cosine, other in best)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
