"""`predict`, `explain`: put questions to a checkpoint."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from fgdemo.commands.console import load, picture_bytes, speaker
from fgdemo.settings import Settings
from fgdemo.values.errors import PictureError, SettingsError


def predict(arguments: argparse.Namespace, settings: Settings) -> dict[str, Any]:
    """One line a picture; a bad picture is a sentence in its place and never stops the rest."""
    from fgdemo.services.classify.workbench import Workbench
    from fgdemo.storage.pictures.decoding import Decoder

    classifier = load(arguments, settings)
    workbench = Workbench(classifier, decoder=Decoder(settings.max_picture_mp))
    say = speaker(arguments)
    rows = []
    for path in arguments.pictures:
        try:
            found = workbench.classify(picture_bytes(path), name=path.name)
        except PictureError as error:
            rows.append({"picture": str(path), "error": str(error)})
            say(f"{path}: {error}")
            continue
        rows.append(
            {
                "picture": str(path),
                "answer": asdict(found.answer),
                "unknown": asdict(found.unknown),
                "top5": [{"taxon": c.taxon, "name": c.name, "prob": c.prob} for c in found.candidates[:5]],
                "prediction_set": [taxon.taxon for taxon in found.prediction_set],
            }
        )
        say(f"{path}: {found.answer.sentence}")
    return {"checkpoint": classifier.version, "pictures": rows}


def explain(arguments: argparse.Namespace, settings: Settings) -> dict[str, Any]:
    """A PNG sheet: the picture, where A is seen, A versus B, the parts, and the bars that decided."""
    from fgdemo.explain.faithfulness import trust
    from fgdemo.explain.sheet import explain_sheet
    from fgdemo.services.classify.workbench import Workbench
    from fgdemo.storage.pictures.decoding import Decoder
    from fgdemo.storage.pictures.images import decode_picture

    classifier = load(arguments, settings)
    workbench = Workbench(classifier, decoder=Decoder(settings.max_picture_mp))
    encoded = picture_bytes(arguments.picture)
    found = workbench.classify(encoded, name=arguments.picture.name, asked=arguments.a, rival=arguments.b)
    picture = decode_picture(encoded, name=arguments.picture.name, max_picture_mp=settings.max_picture_mp)
    measured = trust(classifier, picture, None, found.asked, found.rival)
    out = arguments.out or arguments.picture.with_name(f"{arguments.picture.stem}-why.png")
    try:
        explain_sheet(found, picture, measured).save(out)
    except OSError as error:
        raise SettingsError(f"The sheet could not be written to {out} ({error.strerror or error}).") from error
    speaker(arguments)(f"{found.answer.sentence}\nWritten: {out}")
    return {
        "sheet": str(out),
        "answer": asdict(found.answer),
        "asked": found.asked,
        "rival": found.rival,
        "trust": {name: asdict(figure) for name, figure in measured.items()},
    }
