"""Which pictures of the workspace look alike."""

import numpy as np

from fgdemo.storage.embeddings.embeddings import Embeddings
from fgdemo.storage.history.references import fit_to_show
from fgdemo.storage.history.roster import Roster

MOST_COMPARED = 5000
"""Of a kind with more pictures than this, the newest are compared."""


class Similar:
    """Cosine similarity of embeddings. Safe for threads.

    Args:
        embeddings: of the pictures of `roster`, as far as the model has seen them.
    """

    def __init__(self, roster: Roster, embeddings: Embeddings) -> None:
        self._roster, self._embeddings = roster, embeddings

    def nearest_labelled(
        self, image: str, taxon: str, limit: int, suspicion: np.ndarray | None = None
    ) -> tuple[tuple[str, float], ...]:
        """See `fgdemo.values.annotation.Learner.similar_labelled`; `suspicion` as for `fit_to_show`."""
        roster = self._roster
        place = self._embeddings.rows.get(image)
        if taxon not in roster.taxa or place is None:
            return ()
        rows = np.flatnonzero(roster.taxon == roster.taxa.index(taxon))
        rows = fit_to_show(roster, rows[rows != roster.row_of.get(image, -1)], suspicion)[-MOST_COMPARED:]
        places = self._embeddings.rows_of(roster.image_ids.raw(rows))
        rows, places = rows[places >= 0], places[places >= 0]
        own = _unit(self._embeddings.vectors([place]))[0]
        cosines = _unit(self._embeddings.vectors(places)) @ own
        best = np.argsort(-cosines, kind="stable")[:limit]
        return tuple(zip(roster.image_ids.at(rows[best]), cosines[best].tolist(), strict=True))

    def order(self, images: tuple[str, ...]) -> tuple[str, ...]:
        """See `fgdemo.values.annotation.Learner.similarity_order`: from the oddest one always on to the nearest that is
        left.

        Takes n² numbers: for some thousand pictures.
        """
        known = self._embeddings.rows
        found = [image for image in images if image in known]
        if len(found) < 3:
            return images
        unit = _unit(self._embeddings.vectors([known[image] for image in found]))
        near = unit @ unit.T
        order, at = [], int(near.mean(1).argmin())
        for _ in found:
            order.append(at)
            near[:, at] = -2
            at = int(near[at].argmax())
        rest = [image for image in images if image not in known]
        return tuple([found[i] for i in order] + rest)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
