"""Pictures that were read a moment ago, and the one that is being read."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from fgdemo.services.classify.aside import Aside
from fgdemo.services.classify.waiting_room import WaitingRoom
from fgdemo.storage.pictures.decoding import Decoder, asking_for
from fgdemo.storage.pictures.images import Encoded, data_url, jpeg, shown_name
from fgdemo.storage.pictures.originals import image_id_of
from fgdemo.values.errors import PictureError
from fgdemo.values.evidence import Places
from fgdemo.values.limits import MODEL_PX
from fgdemo.values.types import Classifier, CropBox, Reading

DISPLAY_PX = 1280
READINGS_KEPT = 16
T = TypeVar("T")


@dataclass(frozen=True)
class Read:
    """What is kept of a picture that was read: enough to answer again without decoding or a forward pass."""

    image_id: str
    width_px: int
    height_px: int
    display: str
    reading: Reading
    by: Classifier
    """What read it: parts that were taught since make it another one."""
    silhouette: np.ndarray | None = None
    """Where the thing is, on the fine grid of maps; None where nothing tells."""


class Readings:
    """Safe for many threads. One forward pass runs at a time, because the network itself uses all cores: eight at once
    would only take turns at a worse rate.

    Args:
        live: the classifier with the parts that are taught now; called for each picture, so it should be cheap.
        room: where those wait who want an answer.
        places: says where in a picture the thing is, or None to leave that out.
    """

    def __init__(
        self, live: Callable[[], Classifier], decoder: Decoder, room: WaitingRoom, places: Places | None = None
    ) -> None:
        self._live, self._decoder, self._room, self._places = live, decoder, room, places
        self._recent: OrderedDict[tuple[str, CropBox | None], Read] = OrderedDict()
        self._lock = threading.Lock()
        self._forward = Aside("forward", niceness=1)

    def in_turn(self, ask: Callable[[], T]) -> T:
        """What it returns, when no forward pass runs."""
        return self._forward.do(ask)

    def of(self, data: Encoded, name: str, box: CropBox | None) -> Read:
        """Decode and read the picture, unless that was done a moment ago."""
        image_id = _id_of(data, name)
        key = (image_id, box)
        known = self.recent(*key)
        if known is not None:
            return known
        with self._room.one(asking_for()):
            whole = self._display_of_whole(image_id, data, name) if box else ""
            with self._decoder.decoded(data, MODEL_PX, box, name=name) as (picture, (width, height)):
                display = whole or data_url(jpeg(picture, DISPLAY_PX))

                def read() -> Read:
                    known = self.recent(*key)  # Somebody may have asked the same while we waited.
                    if known is not None:
                        return known
                    classifier = self._live()
                    reading = classifier.read(picture)
                    silhouette = self._places.silhouette(reading, picture) if self._places else None
                    read = Read(image_id, width, height, display, reading, classifier, silhouette)
                    with self._lock:
                        self._recent[key] = read
                        while len(self._recent) > READINGS_KEPT:
                            self._recent.popitem(last=False)
                    return read

                return self._forward.do(read)

    def _display_of_whole(self, image_id: str, data: Encoded, name: str) -> str:
        known = self.recent(image_id, None)
        if known is not None:
            return known.display
        with self._decoder.decoded(data, MODEL_PX, name=name) as (picture, _):
            return data_url(jpeg(picture, DISPLAY_PX))

    def recent(self, image_id: str, box: CropBox | None) -> Read | None:
        """The picture, if it was read a moment ago and nothing was taught since."""
        key, live = (image_id, box), self._live()
        with self._lock:
            known = self._recent.get(key)
            if known is None or known.by is not live:
                return None
            self._recent.move_to_end(key)
            return known


def _id_of(data: Encoded, name: str) -> str:
    """Read once to know what was answered already; the bytes do not stay."""
    try:
        return image_id_of(data)
    except OSError as error:
        raise PictureError(f"{shown_name(name)} is no longer here: send it again.") from error
