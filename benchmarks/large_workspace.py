"""Workspaces of very many generated pictures for the benchmarks: rows, files and embeddings written in bulk.

The rows are what `fgdemo import` writes, through the same tables and the same `Embeddings`; only the waiting for the
disk after each picture is left out. The labels are those of the served checkpoint; the embeddings are drawn around one
centre a kind, and a tenth of the labels is wrong. The pictures are a few hundred drawn birds, each file of which has a
comment of its own, so that all are different files with different ids.
"""

from __future__ import annotations

import hashlib
import io
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fgdemo.model.classifier import Classifier
from fgdemo.settings import Settings
from fgdemo.specimens import SPECIES, draw_specimen
from fgdemo.storage.database.database import utc_now, writing
from fgdemo.storage.database.schema import image_table, label_event_table
from fgdemo.storage.embeddings.embeddings import Looks
from fgdemo.storage.pictures.originals import image_id_of
from fgdemo.wiring.assembly import Workspace, open_workspace

DRAWN, SIZE_PX = 120, (192, 144)
WRONG_SHARE, NOISE = 0.1, 0.35
AT_ONCE = 20_000
MAKERS = 4096
"""So many different noise vectors; each picture has one of them, turned."""


@dataclass(frozen=True)
class Plan:
    """What is made: `with_files` False leaves the picture files out."""

    pictures: int
    with_files: bool
    seed: int = 0


def fill(home: Path, classifier: Classifier, plan: Plan) -> Workspace:
    """Make the workspace in `home`, with progress on stderr."""
    settings = Settings.from_env({"FGDEMO_HOME": str(home)})
    workspace = open_workspace(settings, classifier)
    generator = np.random.default_rng(plan.seed)
    originals = [_drawn(number) for number in range(DRAWN if plan.with_files else 1)]
    kinds, dim = len(classifier.taxonomy.leaves), classifier.embedding_dim
    centres = generator.normal(size=(kinds, dim)).astype(np.float32)
    noise = generator.normal(size=(MAKERS, dim)).astype(np.float32) * NOISE * np.sqrt(2)
    began = time.monotonic()
    for start in range(0, plan.pictures, AT_ONCE):
        numbers = range(start, min(start + AT_ONCE, plan.pictures))
        files = [_commented(originals[n % len(originals)], n) for n in numbers]
        images = [image_id_of(data) for data in files]
        truth = generator.integers(0, kinds, len(images))
        given = np.where(generator.random(len(images)) < WRONG_SHARE, (truth + 1) % kinds, truth)
        vectors = centres[truth] + noise[generator.integers(0, MAKERS, len(images))]
        _write_rows(workspace, images, [classifier.taxonomy.leaves[kind] for kind in given])
        if plan.with_files:
            _write_files(home, images, files)
        _write_looks(workspace, images, vectors)
        done, took = numbers.stop, time.monotonic() - began
        print(f"{done} of {plan.pictures} pictures made, {took:.0f} s", file=sys.stderr)
    return workspace


def _drawn(number: int) -> bytes:
    file = io.BytesIO()
    draw_specimen(SPECIES[number % len(SPECIES)], number, SIZE_PX).picture.save(file, "JPEG", quality=85)
    return file.getvalue()


def _commented(jpeg: bytes, number: int) -> bytes:
    """The same picture as another file: a comment segment (JPEG, ISO 10918-1, B.2.4.5) after the start marker."""
    words = hashlib.sha256(str(number).encode()).hexdigest().encode()
    return jpeg[:2] + b"\xff\xfe" + (len(words) + 2).to_bytes(2, "big") + words + jpeg[2:]


def _write_rows(workspace: Workspace, images: list[str], taxa: list[str]) -> None:
    now = utc_now().isoformat()
    pictures = [
        {
            "id": image,
            "width_px": SIZE_PX[0],
            "height_px": SIZE_PX[1],
            "source": "import",
            "split": "train",
            "name": f"{image[:8]}.jpg",
            "created_at": now,
            "imported_in": now,
        }
        for image in images
    ]
    events = [
        {"image": image, "kind": "import", "taxon": taxon, "annotator": "import", "blind": False, "created_at": now}
        for image, taxon in zip(images, taxa, strict=True)
    ]
    with writing(workspace.engine) as connection:
        connection.execute(image_table.insert(), pictures)
        connection.execute(label_event_table.insert(), events)


def _write_files(home: Path, images: list[str], files: list[bytes]) -> None:
    for image, data in zip(images, files, strict=True):
        path = home / "pictures" / "originals" / image[:2] / image
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def _write_looks(workspace: Workspace, images: list[str], vectors: np.ndarray) -> None:
    shape, step = workspace.embeddings.shape, 2000
    for start in range(0, len(images), step):
        some = slice(start, start + step)
        n = len(images[some])
        looks = Looks(
            vectors[some],
            np.ones((n, shape.parts, shape.part_dim), np.float32),
            np.full((n, *shape.grid, shape.parts), 1 / max(1, shape.parts), np.float32),
        )
        workspace.embeddings.append(images[some], looks)
