"""`convert`: a checkpoint for other programs."""

from __future__ import annotations

import argparse
from typing import Any

from fgdemo.commands.console import picture_bytes, speaker
from fgdemo.settings import Settings


def convert(arguments: argparse.Namespace, settings: Settings) -> dict[str, Any]:
    """Write the file or folder, and say how far its answers differ on pictures: given ones, or drawn ones."""
    from fgdemo.model.classifier import Classifier
    from fgdemo.model.convert import to_onnx, to_timm
    from fgdemo.specimens import SPECIES, draw_specimen
    from fgdemo.storage.images import decode_picture

    classifier = Classifier.load(arguments.checkpoint, "cpu")
    pictures = [
        decode_picture(picture_bytes(path), name=path.name, max_picture_mp=settings.max_picture_mp)
        for path in arguments.check
    ] or [draw_specimen(species, seed).picture for seed, species in enumerate(SPECIES)]
    written = {"onnx": to_onnx, "timm": to_timm}[arguments.format](classifier, arguments.out, pictures)
    speaker(arguments)(
        f"Written: {written.path}. Its logits differ from the checkpoint's by at most {written.difference:.1e} nats "
        f"on {written.pictures} {'picture' if written.pictures == 1 else 'pictures'}."
    )
    return {
        "out": str(written.path), "format": arguments.format, "checkpoint": classifier.version,
        "pictures": written.pictures, "difference": written.difference, "classes": len(classifier.taxonomy.leaves),
    }  # fmt: skip
