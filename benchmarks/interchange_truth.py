"""What `interchange.py` sends out and expects back: drawn pictures with awkward names, labelled by two people."""

from __future__ import annotations

import hashlib
import io
import sys
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fgdemo.services.exchange.exchange import ImportReport
from fgdemo.specimens import SPECIES, draw_specimen
from fgdemo.storage.records.inventory import Inventory
from fgdemo.values.labelled import LabelledPicture, SourceEvent, SourceSplit
from tests.support.exchanging import MAINTAINER, exchange_of
from tests.support.workspace import FakeWorkspace, open_fake_workspace

KINDS = (
    "Mallard ♂",
    "Mallard ♀",
    "Grade A+",
    "Grade A-",
    "Saxifraga × urbium",
    "Wilson's Storm-Petrel",
    'the "big" one',
    "Grünfink",
    unicodedata.normalize("NFD", "Zaunkönig"),
    "ציפור שיר",
    "عصفور (أ)",
    "🦉 owl",
    "a.b. sp.",
    "<5 mm",
    "C++",
    "C#",
    "50 % & more",
    "A very long name " + "of a kind " * 7 + "indeed",
)
NAMES = (
    "{n} plain",
    "{n} ♂ × ♀",
    "{n}+plus",
    "{n} it's",
    "{n} é",
    "{n} e\u0301",
    "{n} שיר",
    "{n} 🦉",
    "{n} .dots. ..x",
    "{n}%20",
    "{n}#1",
    "{n}&a=b",
    "{n}, comma; semi",
    "{n} " + "long" * 30,
)
PEOPLE = ("ada", "bo × zoë")
PICTURES = 72


@dataclass(frozen=True)
class Known:
    """One picture as it is: what identifies it are its pixels."""

    name: str
    kind: str
    annotator: str
    split: SourceSplit
    content: bytes

    @property
    def pixels(self) -> str:
        return digest(self.content)


@dataclass(frozen=True)
class Seen:
    """What somebody made of a picture. `label` may be a kind's name or its id; "" where nothing was said."""

    pixels: str
    label: str
    annotator: str | None = None


@dataclass(frozen=True)
class Score:
    """Of one format: pictures that came through, how many of their labels and annotators are right (None: the format
    has no annotators), and `silently_lost`, what is missing or wrong, and nobody named."""

    pictures: int
    labels_right: int
    annotators_right: int | None
    silently_lost: int


def digest(content: bytes) -> str:
    with Image.open(io.BytesIO(content)) as picture:
        return hashlib.sha256(np.asarray(picture.convert("RGB")).tobytes()).hexdigest()


def truth() -> list[Known]:
    """The same pictures every time."""
    listed = []
    for number in range(PICTURES):
        file = io.BytesIO()
        draw_specimen(SPECIES[number % len(SPECIES)], 4000 + number, (72, 64)).picture.save(file, "PNG")
        split: SourceSplit = "val" if number % 9 == 7 else "test" if number % 9 == 8 else "train"
        name = unicodedata.normalize("NFC", NAMES[number % len(NAMES)].format(n=number))
        name = NAMES[number % len(NAMES)].format(n=number) if "e\u0301" in NAMES[number % len(NAMES)] else name
        kind = KINDS[number * 5 % len(KINDS)]
        listed.append(Known(f"{name}.png", kind, PEOPLE[number % 2], split, file.getvalue()))
    return listed


def workspace_of(pictures: Iterable[Known], home: Path) -> FakeWorkspace:
    """A workspace that knows all of it."""
    workspace = open_fake_workspace(home)
    said = [
        LabelledPicture(
            one.name,
            "",
            one.split,
            lambda one=one: one.content,
            len(one.content),
            (SourceEvent("label", one.kind, one.annotator, f"2026-05-01T10:00:{number % 60:02d}+00:00"),),
        )
        for number, one in enumerate(pictures)
    ]
    workspace.take_in(said)
    return workspace


def taken_in(location: Path | str, home: Path) -> tuple[list[Seen], ImportReport]:
    """What another, empty workspace makes of a source, and what it named as left out."""
    workspace = open_fake_workspace(home)
    report = exchange_of(workspace, home).import_from(MAINTAINER, [location])
    inventory, seen = Inventory(workspace.engine), []
    for held in inventory:
        standing, (_, taxon) = held.standing, inventory.answer(held)
        pixels = digest(workspace.images.read(held.image))
        seen.append(Seen(pixels, taxon.name if taxon else "", standing.annotator if standing else None))
    workspace.engine.dispose()
    return seen, report


def score(
    expected: Iterable[Known],
    ids: Mapping[str, str],
    sightings: Iterable[Iterable[Seen]],
    named: int,
    annotators: bool = True,
) -> Score:
    """Hold what was seen, there and back, against what is true.

    Args:
        ids: the id of the kind of each name, which folders have instead.
        named: how many were named as left out.
        annotators: whether those who read here last were given annotators.
    """
    expected, through = list(expected), [{one.pixels: one for one in seen} for seen in sightings]
    present = [one for one in expected if all(one.pixels in seen for seen in through)]
    right = [one for one in present if all(_same(seen[one.pixels].label, one, ids) for seen in through)]
    by_whom = [one for one in present if plain(through[-1][one.pixels].annotator or "") == plain(one.annotator)]
    lost = len(expected) - len(right) + (len(present) - len(by_whom) if annotators else 0)
    return Score(len(present), len(right), len(by_whom) if annotators else None, max(0, lost - named))


def _same(label: str, one: Known, ids: Mapping[str, str]) -> bool:
    return plain(label) in (plain(one.kind), plain(ids.get(plain(one.kind), one.kind)))


def plain(text: str) -> str:
    """Letters that are written in two forms of Unicode are the same."""
    return unicodedata.normalize("NFC", text)
