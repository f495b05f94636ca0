"""A drawn collection to try everything with: some labels are wrong on purpose, and some pictures judge models."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fgdemo.specimens import SPECIES, Species, draw_specimen
from fgdemo.specimens.species import write_taxonomy
from fgdemo.storage.pictures.originals import image_id_of
from fgdemo.values.errors import StorageError
from fgdemo.values.progress import Progress, no_progress

OF_EACH = {"test": 10, "val": 6, "train": 24}
"""Pictures of each species. Those of "test" become gold."""
TO_BEGIN_WITH = 4
"""Pictures of each species, rightly labelled, from which a first model may learn: few, so that a second is better."""
WRONG_SHARE = 0.1
"""Of all labels. The wrong ones lie among train pictures, or no model could be judged or be honest about itself."""
SIDE_PX = 288


@dataclass(frozen=True)
class Collection:
    """Pictures in folders by split and species, as an import reads them.

    Attributes:
        folder: all of them.
        beginning: those that a first model may learn from, which are among them, and the val pictures.
        taxonomy: the table of the species and their groups.
        pictures: how many there are.
        wrong: what each picture with a wrong label shows: the id of the species, by the id of the picture.
    """

    folder: Path
    beginning: Path
    taxonomy: Path
    pictures: int
    wrong: Mapping[str, str]


def write_collection(folder: Path, seed: int = 0, progress: Progress = no_progress) -> Collection:
    """Draw the collection into a new folder. The same seed draws the same pictures with the same labels.

    A wrong label is that of another species of the same group: a mistake that people make.

    Raises:
        StorageError: the folder cannot be written.
    """
    rng = np.random.default_rng(seed)
    listed = [(species, split, at) for species in SPECIES for split, n in OF_EACH.items() for at in range(n)]
    doubtful = [row for row, one in enumerate(listed) if one[1] == "train" and not _begins(*one[1:])]
    chosen = set(rng.choice(doubtful, round(WRONG_SHARE * len(listed)), replace=False).tolist())
    everything, beginning, wrong = folder / "collection", folder / "beginning", dict[str, str]()
    try:
        for row, (species, split, at) in enumerate(listed):
            label = _mistaken_for(species, rng) if row in chosen else species
            file = everything / split / label.name / f"{row:03d}.jpg"
            file.parent.mkdir(parents=True, exist_ok=True)
            # No two share a seed, or they would be one picture but for a part, and count as near-duplicates.
            draw_specimen(species, seed * len(listed) + row, SIDE_PX).picture.save(file, quality=92)
            if row in chosen:
                wrong[image_id_of(file)] = species.id
            if _begins(split, at) or split == "val":
                copy = beginning / file.relative_to(everything)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, copy)
            progress("drawing", row + 1, len(listed))
        write_taxonomy(folder / "taxonomy.csv")
    except OSError as error:
        raise StorageError(f"The specimens cannot be written ({error.strerror or error}).") from error
    return Collection(everything, beginning, folder / "taxonomy.csv", len(listed), wrong)


def _begins(split: str, at: int) -> bool:
    return split == "train" and at < TO_BEGIN_WITH


def _mistaken_for(species: Species, rng: np.random.Generator) -> Species:
    others = [one for one in SPECIES if one.group == species.group and one is not species]
    return others[int(rng.integers(len(others)))]
