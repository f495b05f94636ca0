"""Labelled pictures of the workspace: those that look most like one that was read, and published ones to begin with."""

from collections.abc import Sequence

import numpy as np

from fgdemo.services.classify.readings import Read
from fgdemo.storage.embeddings.library import Library, Similar
from fgdemo.storage.pictures.images import data_url
from fgdemo.values.classification.answers import Example, Neighbour

NEIGHBOURS = 4
EXAMPLES = 8
SAME_PICTURE = 0.9999
"""Cosine from which two embeddings are of the same pixels: half precision costs 1e-7, the next frame of a burst more
than 1e-3. Files differ where their metadata were taken out, so ids tell less."""


def nearest_others(
    library: Library,
    read: Read,
    whole: np.ndarray | None,
    taxon: str,
    only_public: bool,
    limit: int = NEIGHBOURS,
) -> list[Similar]:
    """The pictures labelled as this taxon that look most like what was read, nearest first, never itself.

    Args:
        whole: (D,) embedding of the whole picture, by which it is known among those of the workspace; None: unknown.
        only_public: only those that visitors may see.

    Raises:
        StorageError: the workspace cannot be read.
    """
    nearest = () if whole is None else library.nearest(whole, taxon, 1, only_public)
    itself = {read.image_id, *(found.image_id for found in nearest if found.similarity > SAME_PICTURE)}
    similar = library.nearest(read.reading.embedding, taxon, limit + len(itself), only_public)
    return [found for found in similar if found.image_id not in itself][:limit]


def neighbours(library: Library, taxon: str, found: Sequence[Similar]) -> tuple[Neighbour, ...]:
    """Pictures of a taxon as a page shows them. Raises StorageError."""
    credits = library.publications([one.image_id for one in found])
    return tuple(
        Neighbour(
            image_id=one.image_id,
            taxon=taxon,
            thumbnail=data_url(library.images.thumbnail(one.image_id)),
            similarity=round(one.similarity, 4),
            checked=one.checked,
            publication=credits.get(one.image_id),
        )
        for one in found
    )


def examples(library: Library, limit: int = EXAMPLES) -> tuple[Example, ...]:
    """Published pictures for whoever has none at hand, of as many kinds as there are. Raises StorageError."""
    images = library.published(limit)
    said = library.publications(images)
    return tuple(Example(image, said[image]) for image in images if image in said)
