"""The model looks at pictures of the workspace that it has not seen."""

import contextlib
import logging
import threading
from collections.abc import Callable, Sequence

from PIL import Image

from fgdemo.storage.embeddings.embeddings import Embeddings, Looks
from fgdemo.storage.history.roster import Roster
from fgdemo.storage.pictures.originals import ImageStore
from fgdemo.values.batches import batches
from fgdemo.values.errors import BusyError, FgdemoError, PictureError, StorageError
from fgdemo.values.limits import MODEL_PX
from fgdemo.values.progress import Progress, no_progress

log = logging.getLogger(__name__)

BATCH = 32


def look_at_missing(
    embeddings: Embeddings,
    images: ImageStore,
    image_ids: Sequence[str],
    look: Callable[[Sequence[Image.Image]], Looks],
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
    for at in batches(range(len(missing)), BATCH):
        kept, pictures = list[str](), list[Image.Image]()
        for image in missing[at.start : at.stop]:
            try:
                original = images.read(image)
                pictures.append(images.decoder.decode(original, MODEL_PX, name=f"{image[:12]}…")[0])
                kept.append(image)
            except (PictureError, StorageError, BusyError) as error:
                skipped.append((image[:12], str(error)))
        if kept:
            embeddings.append(kept, look(pictures))
        progress("looking at pictures", at.stop, len(missing))
    return skipped


class _StoppedError(Exception):
    """Somebody wants it to end."""


class Looking:
    """Looks in the background at what is missing when a page starts: a restored workspace, or a lost folder.

    Pictures that come in later are looked at by whoever brings them.
    """

    def __init__(
        self, embeddings: Embeddings, images: ImageStore, roster: Roster, look: Callable[[Sequence[Image.Image]], Looks]
    ) -> None:
        self._embeddings, self._images, self._roster = embeddings, images, roster
        self._look = look
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="looking", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        with contextlib.suppress(_StoppedError):
            try:
                self._roster.follow()
                ids = self._roster.there()
                look_at_missing(self._embeddings, self._images, ids, self._look, self._progress)
            except FgdemoError:
                log.exception("pictures that were not looked at yet could not be looked at")

    def _progress(self, what: str, done: int, of: int) -> None:
        if self._stop.is_set():
            raise _StoppedError
