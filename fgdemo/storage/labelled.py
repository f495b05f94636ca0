"""One labelled picture, and what a reader of some kind of source hands back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

Split = Literal["train", "val", "test"]

SPLIT_NAMES: dict[str, Split] = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
}


@dataclass(frozen=True)
class LabelledPicture:
    """One picture and the label it was found with."""

    name: str
    """Its path within the source, for messages."""
    label: str
    """The class as the source writes it (a folder name); empty in an unlabelled source."""
    split: Split
    load: Callable[[], bytes]
    """Reads the encoded bytes. Can be pickled. Raises OSError if the file has gone."""
    size_bytes: int | None = None
    """Length of those bytes where it is known without reading them."""
    annotator: str | None = None
    """Who gave the label, where the source says so."""


@dataclass(frozen=True)
class Found:
    """What a reader collects: pictures, and (name, reason) of what it left out."""

    pictures: list[LabelledPicture] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)

    def skip(self, name: str, reason: str) -> None:
        self.skipped.append((name, reason))

    def extend(self, other: Found, prefix: str) -> None:
        self.pictures.extend(replace(picture, name=prefix + picture.name) for picture in other.pictures)
        self.skipped.extend((prefix + name, reason) for name, reason in other.skipped)
