"""Which pictures of an import are held out, where its source does not say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from fgdemo.storage.labelled import LabelledPicture, Split
from fgdemo.storage.originals import image_id_of

EVERY = 10
"""Of a class without splits each tenth picture becomes val and each tenth gold, beginning with the sixth and the
first of ten; classes with fewer than `FEWEST` pictures only train."""
FEWEST = 10
IMPORT_ORDER: dict[str, int] = {"test": 0, "val": 1, "train": 2}
"""Held-out pictures come first, so that a training picture that is the twin of one joins it there."""


def in_import_order(pictures: Sequence[LabelledPicture], has_splits: bool) -> list[LabelledPicture]:
    """Held-out first, then by name. Pictures of another workspace keep their order, the first of a group leading."""
    if not has_splits:
        pictures = _drawn(pictures)
    return sorted(
        pictures,
        key=lambda p: (
            (1, p.origin.twin_of is not None, "") if p.origin else (0, IMPORT_ORDER[p.split], p.name)
        ),
    )  # fmt: skip


def _drawn(pictures: Sequence[LabelledPicture]) -> list[LabelledPicture]:
    """Stratified: of each labelled class a tenth is held out as val, a tenth locked as gold."""
    sizes = Counter(picture.label for picture in pictures)
    seen: Counter[str] = Counter()
    drawn = []
    for picture in sorted(pictures, key=lambda p: image_id_of(p.name.encode("utf-8", "surrogatepass"))):
        split: Split = "train"
        if picture.label and picture.origin is None and sizes[picture.label] >= FEWEST:
            place = seen[picture.label] % EVERY
            split = "test" if place == 0 else "val" if place == EVERY // 2 else "train"
            seen[picture.label] += 1
        drawn.append(replace(picture, split=split) if picture.origin is None else picture)
    return drawn
