"""What an import must know of the pictures that are in the workspace already."""

from collections.abc import Collection, Sequence

import numpy as np
import sqlalchemy as sa

from fgdemo.storage.database.database import reading
from fgdemo.storage.database.schema import image_table
from fgdemo.storage.embeddings.embeddings import Embeddings
from fgdemo.storage.history.removing import removed_images
from fgdemo.storage.pictures.image_ids import packed
from fgdemo.storage.pictures.twins import AreTwins, TwinFinder


def bare_pictures(engine: sa.Engine) -> set[str]:
    """Pictures of visitors, of which only their bytes are known."""
    with reading(engine) as connection:
        return set(connection.execute(sa.select(image_table.c.id).where(image_table.c.split.is_(None))).scalars())


def gone_pictures(engine: sa.Engine) -> set[str]:
    """Pictures that were removed for good."""
    with reading(engine) as connection:
        return set(connection.execute(removed_images()).scalars())


def known_twins(engine: sa.Engine, embeddings: Embeddings, are_twins: AreTwins, besides: Collection[str]) -> TwinFinder:
    """The pictures that new ones are compared with: all that the model has seen, but for those in `besides`."""
    rows = embeddings.rows

    def vectors(images: Sequence[str]) -> np.ndarray:
        return embeddings.vectors(embeddings.rows_of(packed(images)))

    finder = TwinFinder(vectors, are_twins)
    columns = (image_table.c.id, image_table.c.dhash, image_table.c.twin_of)
    query = sa.select(*columns).where(image_table.c.dhash.is_not(None)).order_by(image_table.c.twin_of.is_not(None))
    with reading(engine) as connection:
        for image, hashed, twin_of in connection.execute(query):
            if image in rows and image not in besides:
                finder.add(image, int(hashed, 16), twin_of)
    return finder
