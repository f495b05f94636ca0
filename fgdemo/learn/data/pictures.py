"""All pictures of a source, decoded once into one array, so that no epoch ever decodes again."""

import hashlib
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from fgdemo.model.backbone import DataConfig
from fgdemo.storage.pictures.images import decode_picture
from fgdemo.values.errors import PictureError
from fgdemo.values.labelled import LabelledPicture
from fgdemo.values.progress import Progress, no_progress

IN_MEMORY_BYTES = 4 * 2**30
"""A larger array lies in an unlinked temporary file, where the operating system pages it."""


@dataclass(frozen=True)
class Pictures:
    """N decoded pictures.

    Attributes:
        pixels: (N, S, S, 3) uint8, each picture squashed to a square.
        names: N names, for messages.
        labels: N labels as the source writes them.
        splits: N splits ("train", "val", "test").
        skipped: (name, reason) of those that could not be decoded.
        keys: (N,) uint64, the first 8 bytes of the sha256 of each file, by which a picture is known again.
    """

    pixels: np.ndarray
    names: tuple[str, ...]
    labels: tuple[str, ...]
    splits: tuple[str, ...]
    skipped: tuple[tuple[str, str], ...]
    keys: np.ndarray = field(default_factory=lambda: np.empty(0, np.uint64))

    def where(self, split: str) -> np.ndarray:
        """Indices of the pictures of one split."""
        return np.flatnonzero(np.array(self.splits) == split)


def decode_all(
    listed: Sequence[LabelledPicture], config: DataConfig, *, max_picture_mp: int = 60, progress: Progress = no_progress
) -> Pictures:
    """Decode and squash as the weights expect; a damaged file is named in `skipped` and never stops the rest."""
    shape = (len(listed), config.size_px, config.size_px, 3)
    if np.prod(shape) <= IN_MEMORY_BYTES:
        pixels = np.empty(shape, np.uint8)
    else:
        with tempfile.TemporaryFile() as file:
            pixels = np.memmap(file, np.uint8, "w+", shape=shape)
    kept: list[int] = []
    skipped: list[tuple[str, str]] = []
    keys = np.zeros(len(listed), np.uint64)

    def one(index: int) -> str | None:
        picture = listed[index]
        try:
            encoded = picture.load()
            keys[index] = int.from_bytes(hashlib.sha256(encoded).digest()[:8], "big")
            image = decode_picture(encoded, name=picture.name, max_picture_mp=max_picture_mp)
        except PictureError as error:
            return str(error)
        except OSError as error:
            return f"could not be read ({error.strerror or error})"
        pixels[index] = np.asarray(config.squash(image))
        return None

    with ThreadPoolExecutor(4) as pool:
        for index, fault in enumerate(pool.map(one, range(len(listed)))):
            if fault is None:
                kept.append(index)
            else:
                skipped.append((listed[index].name, fault))
            progress("decoding pictures", index + 1, len(listed))
    for row, index in enumerate(kept):  # in place: the array may be larger than the memory
        if row != index:
            pixels[row] = pixels[index]
    return Pictures(
        pixels=pixels[: len(kept)],
        names=tuple(listed[i].name for i in kept),
        labels=tuple(listed[i].label for i in kept),
        splits=tuple(listed[i].split for i in kept),
        skipped=tuple(skipped),
        keys=keys[kept],
    )
