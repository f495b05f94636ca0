"""The six invented species: two groups of three."""

import csv
from dataclasses import dataclass
from pathlib import Path

from fgdemo.values.taxonomy import Taxon, Taxonomy

PARTS = ("body", "tail", "head", "beak", "wing")
"""In the order they are drawn; part `PARTS[i]` has the value `i + 1` in the masks that are written."""


@dataclass(frozen=True)
class Species:
    id: str
    name: str
    group: str
    wing_spot: bool = False
    tail_band: bool = False
    long_beak: bool = False

    @property
    def marks(self) -> frozenset[str]:
        """The parts in which it differs from the plain species of its group."""
        marks = {"wing": self.wing_spot, "tail": self.tail_band, "beak": self.long_beak}
        return frozenset(part for part, marked in marks.items() if marked)


SPECIES = (
    Species("plain_marshling", "Plain Marshling", "marshling"),
    Species("spot_winged_marshling", "Spot-winged Marshling", "marshling", wing_spot=True),
    Species("band_tailed_marshling", "Band-tailed Marshling", "marshling", tail_band=True),
    Species("plain_duneling", "Plain Duneling", "duneling"),
    Species("spot_winged_duneling", "Spot-winged Duneling", "duneling", wing_spot=True),
    Species("long_billed_duneling", "Long-billed Duneling", "duneling", long_beak=True),
)


def taxonomy() -> Taxonomy:
    """The six species under their two groups."""
    groups = dict.fromkeys(species.group for species in SPECIES)
    taxa = [Taxon("drawn_bird", "drawn bird")]
    for group in groups:
        taxa.append(Taxon(group, group, "drawn_bird"))
        taxa.extend(Taxon(species.id, species.name, group) for species in SPECIES if species.group == group)
    return Taxonomy(tuple(taxa))


def differing_part(a: Species, b: Species) -> str | None:
    """The one part in which two species of a group differ; None if it is not exactly one, or the groups differ."""
    parts = a.marks ^ b.marks
    return next(iter(parts)) if a.group == b.group and len(parts) == 1 else None


def write_taxonomy(path: Path) -> None:
    """The species and their groups as the table that `fit --taxonomy` reads. Raises OSError."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("id", "name", "parent"))
        writer.writerows((taxon.id, taxon.name, taxon.parent or "") for taxon in taxonomy().taxa)
