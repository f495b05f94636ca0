"""A content-addressed folder of original picture files and their thumbnails."""

import contextlib
import hashlib
import re
from pathlib import Path

from PIL import Image

from fgdemo.storage.disk.durable import write_durably, write_whole
from fgdemo.storage.disk.free_space import Disk
from fgdemo.storage.pictures.decoding import Decoder
from fgdemo.storage.pictures.images import Encoded, jpeg
from fgdemo.values.errors import StorageError

THUMBNAIL_PX = 224
READ_BYTES = 1 << 20
_JPEG_END = b"\xff\xd9"
_IMAGE_ID = re.compile("[0-9a-f]{64}")


def image_id_of(data: Encoded) -> str:
    """The id of a picture: the sha256 of its file's bytes, 64 lower-case hexadecimal digits.

    Raises:
        OSError: there is no such file.
    """
    if isinstance(data, bytes):
        return hashlib.sha256(data).hexdigest()
    digest = hashlib.sha256()
    with data.open("rb") as file:
        while some := file.read(READ_BYTES):
            digest.update(some)
    return digest.hexdigest()


class ImageStore:
    """A folder of original picture files, each named by the sha256 of its bytes, and their thumbnails.

    A file appears under its name only when it is whole and on the disk, so any number of processes may share a folder.

    Args:
        decoder: decodes what comes in and what lies here; in this process by default.
        reserve_bytes: so much of the disk stays free.
    """

    def __init__(self, root: Path, decoder: Decoder | None = None, reserve_bytes: int = 0) -> None:
        self._root = root
        self._disk = Disk(root, reserve_bytes)
        self.decoder = decoder or Decoder()

    def put(self, data: bytes) -> str:
        """Keep the bytes, unless they are kept already; they are on the disk when this returns. Gives their id.

        Raises:
            UnavailableError: the disk is full but for its reserve, or cannot be written; nothing was stored.
        """
        image_id = image_id_of(data)
        path = self.path(image_id)
        if not path.exists():
            self._disk.require_room(len(data))
            write_durably(path, data)
        return image_id

    def __contains__(self, image_id: str) -> bool:
        return self.path(image_id).exists()

    def holds(self, image_id: str) -> bool:
        """Whether anything of it is here: the original, or its thumbnail."""
        return self.path(image_id).exists() or self.path(image_id, "thumbnails").exists()

    def read(self, image_id: str) -> bytes:
        """The original bytes.

        Raises:
            StorageError: there is no such picture, or it cannot be read.
        """
        try:
            return self.path(image_id).read_bytes()
        except FileNotFoundError as error:
            raise StorageError(f"The picture {image_id[:12]}… is not in the workspace.") from error
        except OSError as error:
            raise StorageError(f"The picture {image_id[:12]}… cannot be read ({error.strerror}).") from error

    def size_bytes(self, image_id: str) -> int:
        """Of the original; 0 where it is not there."""
        try:
            return self.path(image_id).stat().st_size
        except OSError:
            return 0

    def remove(self, image_id: str) -> None:
        """Forget a picture and its thumbnail; nothing happens if it is not there."""
        try:
            self.path(image_id).unlink(missing_ok=True)
            self.path(image_id, "thumbnails").unlink(missing_ok=True)
        except OSError as error:
            raise StorageError(f"The picture {image_id[:12]}… cannot be removed ({error.strerror}).") from error

    def thumbnail(self, image_id: str) -> bytes:
        """A JPEG of at most 224 px on its longer side, made once.

        Raises:
            StorageError: there is no such picture.
            PictureError: the stored file is not a picture.
        """
        path = self.path(image_id, "thumbnails")
        with contextlib.suppress(OSError):
            kept = path.read_bytes()
            if kept.endswith(_JPEG_END):  # a power cut may leave half of it
                return kept
        with self.decoder.decoded(self.read(image_id), 2 * THUMBNAIL_PX, name=f"{image_id[:12]}…") as (picture, _):
            return self.make_thumbnail(image_id, picture)

    def make_thumbnail(self, image_id: str, picture: Image.Image) -> bytes:
        """The thumbnail of a picture that is decoded already, kept for `thumbnail` where the disk has room for it."""
        made = jpeg(picture, THUMBNAIL_PX)
        with contextlib.suppress(StorageError):
            write_whole(self.path(image_id, "thumbnails"), made, durable=False)
        return made

    def path(self, image_id: str, kind: str = "originals") -> Path:
        """Where a picture lies, or would lie. Raises StorageError if that is no id."""
        if not _IMAGE_ID.fullmatch(image_id):
            raise StorageError("A picture's id has 64 hexadecimal digits; this one has not.")
        return self._root / kind / image_id[:2] / image_id
