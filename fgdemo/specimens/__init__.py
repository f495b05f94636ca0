"""Drawn birds whose distinguishing part is known: known answers for explanations, and a start without a download.

Six invented species in two groups of three. Within a group the first species is plain, and each of the others differs
from it in exactly one part. All chance comes from the seed and none from the species, so two species of one group drawn
with the same seed are the same picture but for that part: exact counterfactuals.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from fgdemo.specimens.bird import BUILDS, Plumage, draw_bird
from fgdemo.specimens.canvas import Canvas, Pose
from fgdemo.specimens.scene import Scene
from fgdemo.specimens.species import PARTS, SPECIES, Species, differing_part, taxonomy, write_taxonomy
from fgdemo.values.errors import SettingsError, StorageError

__all__ = ["PARTS", "SPECIES", "Species", "Specimen", "differing_part", "draw_specimen", "taxonomy", "write_specimens"]


@dataclass(frozen=True)
class Specimen:
    """One drawn bird.

    `masks` maps each of `PARTS` to a (height, width) array of bool: the pixels where that part is seen. Masks do
    not overlap; together they are the bird without its legs.
    """

    species: Species
    picture: Image.Image
    masks: dict[str, np.ndarray]


def draw_specimen(species: Species, seed: int, size_px: int | tuple[int, int] = 224) -> Specimen:
    """Draw one bird; the same arguments give the same pixels.

    Args:
        size_px: the side of a square picture, or (width, height).
    """
    width, height = (size_px, size_px) if isinstance(size_px, int) else size_px
    rng = np.random.default_rng(seed)
    scene = Scene.draw(rng, width, height)
    build = BUILDS[species.group]
    canvas = Canvas(scene.background, Pose.draw(rng, width, height), build.pivots)
    draw_bird(canvas, build, species, Plumage.draw(rng, build))
    picture, labels = canvas.finish()
    masks = {part: labels == value for value, part in enumerate(PARTS, start=1)}
    return Specimen(species, scene.light(picture), masks)


def write_specimens(folder: Path, per_class: int = 40, seed: int = 0, size_px: int = 224) -> int:
    """Write `train` and `val` class folders (three to one), `masks` and `taxonomy.csv`; returns the number of pictures.

    `masks/<split>/<class>/<name>.png` holds 0 for background and legs and the number of the part, from 1 in the order
    of `PARTS`, elsewhere.

    Raises:
        SettingsError: fewer than four pictures a class, so that there would be none to hold out.
        StorageError: the folder is not empty, or cannot be written.
    """
    if per_class < 4:
        raise SettingsError(f"{per_class} specimens a class are too few: at least 4, one of them to hold out.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise StorageError(f"The folder “{folder}” is not empty; name a new one for the specimens.")
        for row, species in enumerate(SPECIES):
            for column in range(per_class):
                part = Path("val" if column % 4 == 3 else "train", species.id)
                specimen = draw_specimen(species, (seed * len(SPECIES) + row) * per_class + column, size_px)
                _write(specimen, folder / part, folder / "masks" / part, f"{species.id}_{column:03d}")
        write_taxonomy(folder / "taxonomy.csv")
    except OSError as error:
        raise StorageError(f"The specimens cannot be written to “{folder}” ({error.strerror or error}).") from error
    return len(SPECIES) * per_class


def _write(specimen: Specimen, picture_folder: Path, mask_folder: Path, name: str) -> None:
    picture_folder.mkdir(parents=True, exist_ok=True)
    mask_folder.mkdir(parents=True, exist_ok=True)
    specimen.picture.save(picture_folder / f"{name}.jpg", quality=92)
    labels = sum(np.uint8(value) * specimen.masks[part] for value, part in enumerate(PARTS, start=1))
    Image.fromarray(np.asarray(labels, dtype=np.uint8)).save(mask_folder / f"{name}.png")
