"""`convert`: a checkpoint for other programs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from fgdemo.commands.console import picture_bytes, speaker
from fgdemo.settings import Settings

MOST_CHECKED = 16


def convert(arguments: argparse.Namespace, settings: Settings) -> dict[str, Any]:
    """Write the file or folder, and say how far its answers differ on pictures: given ones, those that the workspace
    does not learn from, or drawn ones."""
    from fgdemo.bootstrap import open_models
    from fgdemo.model.classifier import Classifier
    from fgdemo.model.convert import to_onnx, to_timm
    from fgdemo.specimens import SPECIES, draw_specimen
    from fgdemo.storage.images import decode_picture

    folder, files = Path(arguments.checkpoint), [(path.name, picture_bytes(path)) for path in arguments.check]
    if not folder.exists() and "@" in folder.name:  # a model of the workspace, as `models` lists it
        folder = open_models(settings).folder(folder.name)
        files = files or held_out_pictures(settings)
    classifier = Classifier.load(folder, "cpu")
    pictures = [decode_picture(file, name=name, max_picture_mp=settings.max_picture_mp) for name, file in files]
    pictures = pictures or [draw_specimen(species, seed).picture for seed, species in enumerate(SPECIES)]
    written = {"onnx": to_onnx, "timm": to_timm}[arguments.format](classifier, arguments.out, pictures)
    speaker(arguments)(
        f"Written: {written.path}. Its logits differ from the checkpoint's by at most {written.difference:.1e} nats "
        f"on {written.pictures} {'picture' if written.pictures == 1 else 'pictures'}."
    )
    return {
        "out": str(written.path), "format": arguments.format, "checkpoint": classifier.version,
        "pictures": written.pictures, "difference": written.difference, "classes": len(classifier.taxonomy.leaves),
    }  # fmt: skip


def held_out_pictures(settings: Settings) -> list[tuple[str, bytes]]:
    """(name, file) of some pictures of the workspace that are gold or val."""
    import numpy as np

    from fgdemo.storage.database import open_database
    from fgdemo.storage.originals import ImageStore
    from fgdemo.storage.roster import SPLITS, Roster

    roster, images = Roster(open_database(settings.database_url)), ImageStore(settings.home / "pictures")
    roster.follow()
    rows = np.flatnonzero(np.isin(roster.split[: len(roster)], [SPLITS.index("gold"), SPLITS.index("val")]))
    ids = [roster.image_ids[row] for row in rows[:: max(1, len(rows) // MOST_CHECKED)].tolist()]
    return [(image[:12], images.read(image)) for image in ids[:MOST_CHECKED] if image in images]
