"""Pictures of the workspace as a model reads them: read when they are asked for, the newest ones kept."""

import threading
from collections import OrderedDict
from dataclasses import fields

import numpy as np

from fgdemo.services.classify.aside import Aside
from fgdemo.storage.pictures.originals import ImageStore
from fgdemo.values.limits import MODEL_PX
from fgdemo.values.types import Classifier, CropBox, Reading

MOST = 128
MOST_BYTES = 96 * 2**20
"""Of one reading the bundled model makes 0.4 MB, the largest vision transformers 5."""


class WorkspaceReadings:
    """Readings with their tokens and mid tokens, the least recently used ones forgotten. Safe to use from many threads.

    Args:
        aside: where pictures are decoded and read, one after another.
        most, most_bytes: so many readings are kept, of so many bytes together; the newest one always.
    """

    def __init__(self, images: ImageStore, aside: Aside, most: int = MOST, most_bytes: int = MOST_BYTES) -> None:
        self._images, self._aside = images, aside
        self._most, self._most_bytes = most, most_bytes
        self._kept: OrderedDict[tuple[str, CropBox | None], Reading] = OrderedDict()
        self._by: Classifier | None = None
        self._lock = threading.Lock()

    def of(self, image: str, classifier: Classifier, box: CropBox | None = None) -> Reading:
        """The reading of a picture, or of the part in `box`, by this classifier. Those by another one are forgotten.

        Raises:
            StorageError, PictureError: the picture has gone or is damaged.
        """
        known = self._recent((image, box), classifier)
        return self._aside.do(self._read, image, classifier, box) if known is None else known

    def _recent(self, key: tuple[str, CropBox | None], classifier: Classifier) -> Reading | None:
        if key[0] not in self._images:  # one that was removed is not shown any more, however lately it was read
            return None
        with self._lock:
            known = self._kept.get(key) if self._by is classifier else None
            if known is not None:
                self._kept.move_to_end(key)
            return known

    def _read(self, image: str, classifier: Classifier, box: CropBox | None) -> Reading:
        known = self._recent((image, box), classifier)  # somebody may have asked the same while we waited
        if known is not None:
            return known
        picture, _ = self._images.decoder.decode(self._images.read(image), MODEL_PX, box, name=f"{image[:12]}…")
        reading = classifier.read(picture)
        with self._lock:
            if self._by is not classifier:
                self._kept.clear()
                self._by = classifier
            self._kept[image, box] = reading
            while len(self._kept) > 1 and self._is_too_much():
                self._kept.popitem(last=False)
        return reading

    def _is_too_much(self) -> bool:
        return len(self._kept) > self._most or sum(map(_size_bytes, self._kept.values())) > self._most_bytes


def _size_bytes(reading: Reading) -> int:
    values = (getattr(reading, field.name) for field in fields(reading))
    return sum(value.nbytes for value in values if isinstance(value, np.ndarray))
