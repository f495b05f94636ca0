"""One labelled picture with its history, and what a reader of some kind of source hands back."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import Literal

from fgdemo.values.annotation import DECIDING, OUT, Kind, Publication
from fgdemo.values.points import PlacedPoint
from fgdemo.values.taxonomy import Taxon
from fgdemo.values.types import CropBox

SourceSplit = Literal["train", "val", "test"]
"""Where a source has a picture; its `test` comes in as gold, see `fgdemo.values.annotation.Split`."""


def ending_of(name: str) -> str:
    """`.jpg` of `a/b.JPG`; empty where there is none."""
    stem, dot, ending = name.rpartition("/")[2].rpartition(".")
    return f".{ending.lower()}" if dot and stem else ""


def plain_text(text: str, breaks: str = "") -> str:
    """Text that may be stored and shown: no control characters but `breaks`, none that turn it around."""
    if text.isprintable() and text.isascii():
        return text
    return "".join(
        c if c in breaks or (unicodedata.category(c) not in ("Cc", "Cs") and c not in _TURNING) else f"\\x{ord(c):02x}"
        for c in text
    )


def instant(text: object) -> str | None:
    """ISO 8601 in UTC of a point in time as other programs write it; None if it is none."""
    if isinstance(text, (int, float)) and not isinstance(text, bool) and math.isfinite(text):
        seconds = text / 1000 if abs(text) > 1e11 else text
        return datetime.fromtimestamp(seconds, timezone.utc).isoformat() if 0 < seconds < 1e11 else None
    if not isinstance(text, str) or not 10 <= len(text) <= 40:
        return None
    try:
        when = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
        return when.replace(tzinfo=when.tzinfo or timezone.utc).astimezone(timezone.utc).isoformat()
    except (ValueError, OverflowError):
        return None


_TURNING = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

_PICTURES = "jpg jpeg jpe jfif png webp gif bmp tif tiff avif heic heif hif"
PICTURE_ENDINGS = frozenset(f".{name}" for name in _PICTURES.split())
"""Of files that are opened. What is called a HEIC may be the JPEG that a browser has made of it."""

SPLIT_NAMES: dict[str, SourceSplit] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing", "eval", "evaluation"), "test"),
}
"""As the library `datasets` has them."""


Ref = int | tuple[str, int]
"""By which an event is known where it comes from: a number within the history of its picture, or an identity that all
workspaces know (`fgdemo.storage.mirror.records`)."""


@dataclass(frozen=True, slots=True)
class SourceEvent:
    """One thing that was said about a picture where it comes from. See `fgdemo.storage.history.label_event.LabelEvent`.

    Attributes:
        label: the class as the source writes it, or the taxon of another workspace; None where nothing is named.
        at: ISO 8601 in UTC, or None where the source does not say when.
        ref: its own name; undoes: that of what this takes back; shown: that of the newest that its annotator knew.
        session: (annotator, opened_at) of the session it was said in.
    """

    kind: Kind
    label: str | Taxon | None
    annotator: str = "import"
    at: str | None = None
    comment: str | None = None
    seconds_spent: float | None = None
    blind: bool = False
    new_name: str | None = None
    model_version: str | None = None
    box: CropBox | None = None
    point: PlacedPoint | None = None
    publication: Publication | None = None
    reason: str | None = None
    batch: str | None = None
    answer_key: str | None = None
    ref: Ref | None = None
    undoes: Ref | None = None
    shown: Ref | None = None
    session: tuple[str, str] | None = None

    @property
    def is_last_word(self) -> bool:
        """As of an event of the workspace, see `fgdemo.storage.history.label_event.LabelEvent`."""
        return self.kind == "adjudication" or (self.kind in OUT and self.reason == "adjudication" and not self.blind)


@dataclass(frozen=True)
class SourcePicture:
    """The row of a picture in another workspace. `split` and `imported_in` are None for a visitor's picture."""

    image: str
    source: str
    split: str | None
    created_at: str
    twin_of: str | None
    imported_in: str | None


@dataclass(frozen=True)
class SourceSession:
    """A labelling session of another workspace: its row, but for the number. `accuracy_before` is JSON."""

    annotator: str
    opened_at: str
    closed_at: str | None
    order_of_work: str
    pair_a: str | None
    pair_b: str | None
    goal: int | None
    blind_share: float
    accuracy_before: str | None

    @property
    def key(self) -> tuple[str, str]:
        """By which it is known in every workspace."""
        return self.annotator, self.opened_at


@dataclass(frozen=True)
class LabelledPicture:
    """One picture and the label it was found with."""

    name: str
    """Its path within the source, for messages."""
    label: str
    """The class as the source writes it (a folder name); empty in an unlabelled source."""
    split: SourceSplit
    load: Callable[[], bytes]
    """Reads the encoded bytes. Can be pickled. Raises OSError if the file has gone."""
    size_bytes: int | None = None
    """Length of those bytes where it is known without reading them."""
    said: tuple[SourceEvent, ...] = ()
    """What was said about it, oldest first, where the source knows more than `label`."""
    origin: SourcePicture | None = None
    """Where it comes from another workspace."""

    @property
    def history(self) -> tuple[SourceEvent, ...]:
        """What was said about it: at least that it was imported, with a label or without."""
        if not self.said:
            return (SourceEvent("import", self.label or None),)
        decided = self.origin is not None or any(one.kind in DECIDING and not one.blind for one in self.said)
        return self.said if decided else (SourceEvent("import", None), *self.said)


@dataclass(frozen=True)
class SourceContent:
    """What a reader collects: pictures, and (name, reason) of what it left out.

    Another workspace also has taxa, the retired ones among them, and sessions. `groups` holds the groups above a label,
    from the root down, where folders say so; `notes` are sentences about how the source was understood.
    """

    pictures: list[LabelledPicture] = field(default_factory=list[LabelledPicture])
    skipped: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    taxa: list[Taxon] = field(default_factory=list[Taxon])
    retired: set[str] = field(default_factory=set[str])
    sessions: list[SourceSession] = field(default_factory=list[SourceSession])
    groups: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    notes: list[str] = field(default_factory=list[str])

    def note(self, sentence: str) -> None:
        """Say once how something was understood."""
        if sentence not in self.notes:
            self.notes.append(plain_text(sentence))

    def skip(self, name: str, reason: str) -> None:
        self.skipped.append((plain_text(name), reason))

    def extend(self, other: SourceContent, prefix: str) -> None:
        """Add what another reader found; a label that lies below other groups there is another kind."""
        for label, groups in list(other.groups.items()):
            if self.groups.get(label, groups) != groups:
                other._rename(label, " ".join((*groups, label)))
                self.note(
                    f"“{label}” lies below {' / '.join(self.groups[label])} and below {' / '.join(groups)}: two "
                    f"kinds, of which the second is called “{' '.join((*groups, label))}”."
                )
        self.pictures.extend(
            replace(picture, name=prefix + picture.name) if prefix else picture for picture in other.pictures
        )
        self.skipped.extend((prefix + name, reason) for name, reason in other.skipped)
        self.taxa.extend(other.taxa)
        self.retired.update(other.retired)
        self.sessions.extend(other.sessions)
        self.groups.update(other.groups)
        for sentence in other.notes:
            self.note(sentence)

    def _rename(self, label: str, name: str) -> None:
        self.pictures[:] = [replace(p, label=name) if p.label == label else p for p in self.pictures]
        self.groups[name] = self.groups.pop(label)
