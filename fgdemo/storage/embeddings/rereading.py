"""What is made anew once pictures are read in another way: only for the pictures that this concerns.

Since reading 2 colour profiles are applied, and deep grey that counts from white to black is. What was computed of
such a picture before shows other colours than the picture has.
"""

import contextlib
import logging
from collections.abc import Callable, Iterable
from pathlib import Path

from fgdemo.storage.disk.durable import write_whole
from fgdemo.storage.embeddings.embeddings import Embeddings
from fgdemo.storage.pictures.originals import ImageStore
from fgdemo.values.errors import StorageError

log = logging.getLogger(__name__)

READING = b"2"
HEAD_BYTES = 65_536
_COLOURS = (b"ICC_PROFILE\0", b"iCCP", b"ICCP", b"cICP", b"cHRM")
_TIFFS = (b"II*\0", b"MM\0*")
_SRGB = (b"sRGB", "sRGB".encode("utf-16-be"))


def reread(home: Path, images: ImageStore, embeddings: Embeddings, image_ids: Callable[[], Iterable[str]]) -> int:
    """Forget thumbnails and looks of pictures that are read in another way now; once for a workspace.

    They are made again when they are next needed; the first start of a page looks at the pictures in the background.
    What models that are not live have seen is left: it is of use only if one of them goes live again.

    Args:
        image_ids: gives all pictures; only asked the first time.

    Returns:
        Of how many pictures.
    """
    mark = home / "pictures" / "reading"
    with contextlib.suppress(OSError):
        if mark.read_bytes() == READING:
            return 0
    changed = [image for image in image_ids() if _may_have_changed(images.path(image))]
    try:
        embeddings.forget(changed)
        for image in changed:
            images.path(image, "thumbnails").unlink(missing_ok=True)
        write_whole(mark, READING, durable=True)
    except (OSError, StorageError):  # a disk that is full or read-only: at another start
        log.exception("pictures with colour profiles could not be made anew")
        return 0
    if changed:
        log.info(
            "%d pictures state colours of their own, which are applied now: what was computed of them is made anew.",
            len(changed),
        )
    return len(changed)


def _may_have_changed(path: Path) -> bool:
    """Told by its first bytes. One too many costs a second look, no more."""
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError:
        return False
    return head.startswith(_TIFFS) or (any(one in head for one in _COLOURS) and not any(one in head for one in _SRGB))
