"""The model looks at pictures of the workspace that it has not seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PIL import Image

from fgdemo.errors import PictureError, StorageError
from fgdemo.storage.embeddings import Embeddings, Looks
from fgdemo.storage.images import decode_reduced
from fgdemo.storage.labelled import Progress, no_progress
from fgdemo.storage.originals import ImageStore

BATCH = 32
MODEL_PX = 960


def look_at_missing(
    embeddings: Embeddings,
    images: ImageStore,
    image_ids: Sequence[str],
    look: Callable[[Sequence[Image.Image]], Looks],
    max_picture_mp: int = 60,
    progress: Progress = no_progress,
) -> list[tuple[str, str]]:
    """Keep the looks of those of these pictures of which `embeddings` has none: another model saw them, or they were
    lost. It goes on where it was interrupted.

    Returns:
        (beginning of the id, reason) of the pictures that cannot be read.

    Raises:
        StorageError: the embeddings cannot be written.
    """
    missing = embeddings.missing(image_ids)
    skipped: list[tuple[str, str]] = []
    for start in range(0, len(missing), BATCH):
        kept, pictures = [], []
        for image in missing[start : start + BATCH]:
            try:
                original = images.read(image)
                pictures.append(
                    decode_reduced(original, MODEL_PX, name=f"{image[:12]}…", max_picture_mp=max_picture_mp)[0]
                )
                kept.append(image)
            except (PictureError, StorageError) as error:
                skipped.append((image[:12], str(error)))
        if kept:
            embeddings.append(kept, look(pictures))
        progress("looking at pictures", min(start + BATCH, len(missing)), len(missing))
    return skipped
