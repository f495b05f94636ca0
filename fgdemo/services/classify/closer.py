"""A closer look at a picture: the frame around the thing is read too, where that is worth it or where it is wished."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fgdemo.services.classify.readings import Read, Readings
from fgdemo.services.classify.wording import answer_for, verdict_of
from fgdemo.storage.pictures.images import Encoded
from fgdemo.values.classification.answers import Answer, CloserLook
from fgdemo.values.classification.closeness import Closeness
from fgdemo.values.classification.closer import WHOLE, Frames, frames_of, is_worth, placed
from fgdemo.values.errors import BackboneError, PictureError
from fgdemo.values.taxonomy import Taxonomy
from fgdemo.values.types import Classifier, Closer, CropBox, Reading

FINE_BOTH = (84, 84)
"""The grid on which maps of both views are drawn: inside a frame of half the side as fine as those of one view."""


@dataclass(frozen=True)
class Looked:
    """A picture as it is answered about.

    Attributes:
        first: the whole picture, or the part of it that was asked about.
        reading: what the answer is of: `first`, or both views.
        judge: by which it is said how sure that is.
        frames: where to look closer; None where that is nowhere, or is not done.
        second: the frame, where it was read too.
    """

    first: Read
    reading: Reading
    judge: Classifier | Closer
    frames: Frames | None = None
    second: Read | None = None

    def views(self) -> list[tuple[Read, CropBox, float]]:
        """What was read, where it lies, and what its evidence is multiplied by."""
        closer = self.first.by.closer
        if self.second is None or self.frames is None or closer is None:
            return [(self.first, WHOLE, 1.0)]
        return [(self.first, WHOLE, closer.weight), (self.second, self.frames.box, closer.weight)]

    def drawn(self, maps: Sequence[np.ndarray]) -> np.ndarray:
        """(H, W) map of the whole picture, of those of its views as each is drawn."""
        views = self.views()
        return maps[0] if len(views) == 1 else drawn_both(maps, [box for _, box, _ in views], views[0][2])


def look(readings: Readings, data: Encoded, name: str, box: CropBox | None, how: Closeness) -> Looked:
    """Read a picture, and the frame in it.

    Raises:
        PictureError, BusyError: as `Readings.of`; or both a part and a closer look were asked for.
        BackboneError: this model takes no closer look.
    """
    if how == "always" and box is not None:
        raise PictureError("Ask for a part of the picture or for a closer look at it, not for both.")
    first = readings.of(data, name, box)
    closer = first.by.closer
    if closer is None:
        if how == "always":
            raise BackboneError("This model takes no closer look: nothing calibrated it for that. Draw a box instead.")
        return Looked(first, first.reading, first.by)
    frames = None if box else frames_of(first.reading.foreground)
    if frames is None or how == "never" or (how == "auto" and not _helps(first.reading, frames)):
        return Looked(first, first.reading, first.by, frames)
    second = readings.of(data, name, frames.box)
    if second.by is not first.by:  # parts were taught between the two: the newer one answers
        first = readings.of(data, name, None)
        closer = first.by.closer or closer
    return Looked(first, closer.both(first.reading, second.reading, frames.box), closer, frames, second)


def drawn_both(maps: Sequence[np.ndarray], boxes: Sequence[CropBox], weight: float) -> np.ndarray:
    """(H, W) map of both views of their maps, each as it is drawn over its box. `weight`: see `Closer`."""
    return sum(
        (weight * placed(one, box, FINE_BOTH) for one, box in zip(maps, boxes, strict=True)), np.zeros(FINE_BOTH)
    )


def told(looked: Looked, answer: Answer, taxonomy: Taxonomy, sure_prob: float) -> CloserLook | None:
    """What is said of the closer look beside the answer. `sure_prob`: of the first view."""
    if looked.frames is None:
        return None
    probs, verdict = looked.first.reading.probs, verdict_of(looked.first.reading)
    first, _ = answer_for(taxonomy, probs, sure_prob, verdict is not None and verdict.is_unknown)
    leaf = taxonomy.leaves[int(looked.reading.probs.argmax())]
    return CloserLook(
        box=looked.frames.box,
        is_worth=_helps(looked.first.reading, looked.frames),
        is_taken=looked.second is not None,
        first=first,
        first_prob=float(taxonomy.roll_up(probs)[answer.taxon or leaf]),
        others=looked.frames.others,
    )


def _helps(first: Reading, frames: Frames) -> bool:
    return is_worth(float(first.probs.max()), frames.box)
