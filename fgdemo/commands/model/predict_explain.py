"""`predict`, `explain`: put questions to a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option

from fgdemo.commands.console import AnyClassifier, Say, load_any, picture_bytes, quiet, settled
from fgdemo.values.classification.closeness import Closeness
from fgdemo.values.errors import PictureError, SettingsError

if TYPE_CHECKING:
    from PIL import Image

    from fgdemo.settings import Settings
    from fgdemo.values.classification.answers import Classification
    from fgdemo.values.types import Trust


HowClose = Annotated[
    Closeness,
    Option(help="read the frame around the thing too: where unsure and the thing is small, always, or never"),
]


def predict(
    pictures: Annotated[list[Path], Argument(metavar="PICTURES")],
    *,
    closer: HowClose = "auto",
    checkpoint: AnyClassifier = None,
    settings: Settings | None = None,
    say: Say = quiet,
) -> dict[str, Any]:
    """Say what is in pictures.

    One line a picture; a bad picture is a sentence in its place and never stops the rest.
    """
    from fgdemo.services.classify.workbench import Workbench
    from fgdemo.storage.pictures.decoding import Decoder

    settings = settled(settings)
    classifier = load_any(checkpoint, settings)
    workbench = Workbench(classifier, decoder=Decoder(settings.max_picture_mp))
    rows = []
    for path in pictures:
        try:
            found = workbench.classify(picture_bytes(path), name=path.name, closer=closer)
        except PictureError as error:
            rows.append({"picture": str(path), "error": str(error)})
            say(f"{path}: {error}")
            continue
        rows.append(
            {
                "picture": str(path),
                "answer": asdict(found.answer),
                "unknown": asdict(found.unknown) if found.unknown else None,
                "top5": [{"taxon": c.taxon, "name": c.name, "prob": c.prob} for c in found.candidates[:5]],
                "prediction_set": [taxon.taxon for taxon in found.prediction_set],
                "closer": asdict(found.closer) if found.closer else None,
            }
        )
        say(f"{path}: {_said(found)}")
    if classifier.caveat:
        say(classifier.caveat)
    return {"checkpoint": classifier.version, "caveat": classifier.caveat, "pictures": rows}


def explain(
    picture: Annotated[Path, Argument(metavar="PICTURE")],
    *,
    out: Annotated[Path | None, Option(help="the PNG to write (default: beside the picture, -why.png)")] = None,
    a: Annotated[str | None, Option("--a", metavar="TAXON", help="the taxon asked about (default: likeliest)")] = None,
    b: Annotated[str | None, Option("--b", metavar="TAXON", help="its rival (default: the second likeliest)")] = None,
    method: Annotated[
        str | None,
        Option(
            metavar="NAME[,NAME]",
            help="also measured maps of GradCAM, GradCAM++, LayerCAM, HiResCAM, EigenCAM, FinerCAM, or all",
        ),
    ] = None,
    closer: HowClose = "auto",
    checkpoint: AnyClassifier = None,
    settings: Settings | None = None,
    say: Say = quiet,
) -> dict[str, Any]:
    """Write a PNG sheet that shows why it says A and not B.

    It has the picture, where A is seen, A versus B, the parts, and the bars that decided.
    """
    from fgdemo.explain.drawn import places_of, trust
    from fgdemo.explain.methods import method_maps
    from fgdemo.explain.sheet import explain_sheet
    from fgdemo.explain.small_multiples import with_methods
    from fgdemo.services.classify.workbench import Workbench
    from fgdemo.storage.pictures.decoding import Decoder
    from fgdemo.storage.pictures.images import decode_picture
    from fgdemo.values.methods import beside_evidence, methods_of

    settings = settled(settings)
    methods = methods_of(method.split(",")) if method else ()
    classifier = load_any(checkpoint, settings)
    workbench = Workbench(
        classifier,
        decoder=Decoder(settings.max_picture_mp),
        methods=partial(method_maps, classifier),
        places=places_of(classifier),
    )
    encoded = picture_bytes(picture)
    found = workbench.classify(encoded, name=picture.name, asked=a, rival=b, closer=closer)
    decoded = decode_picture(encoded, name=picture.name, max_picture_mp=settings.max_picture_mp)
    part = found.closer.box if found.closer and found.closer.is_taken else None  # where more is seen
    measured = trust(classifier, decoded, part, found.asked, found.rival)
    pair = {"a": found.asked, "b": found.rival}
    fine = workbench.maps.spread(encoded, name=picture.name, box=None, closer=closer, **pair)
    out = out or picture.with_name(f"{picture.stem}-why.png")
    sheet = explain_sheet(found, decoded, measured, fine)
    ask = partial(workbench.maps.methods, encoded, name=picture.name, box=None, **pair)
    drawn = ask(methods=beside_evidence(methods), measure=True) if methods else None
    if drawn:
        sheet = with_methods(sheet, decoded, drawn, found.is_sum)
    _write(sheet, out)
    say(f"{_said(found)}\nWritten: {out}")
    methods_drawn = {"methods": asdict(drawn)} if drawn else {}
    return {"sheet": str(out), **_as_json(found, measured), **methods_drawn}


def _as_json(found: Classification, measured: Mapping[str, Trust]) -> dict[str, Any]:
    return {
        "answer": asdict(found.answer),
        "closer": asdict(found.closer) if found.closer else None,
        "asked": found.asked,
        "rival": found.rival,
        "trust": {name: asdict(figure) for name, figure in measured.items()},
    }


def _said(found: Classification) -> str:
    """The answer, and what it was at first sight."""
    closer = found.closer
    if closer is None or not closer.is_taken or closer.first.sentence == found.answer.sentence:
        return found.answer.sentence
    return f"{found.answer.sentence} (at first sight: {closer.first.sentence})"


def _write(sheet: Image.Image, out: Path) -> None:
    try:
        sheet.save(out)
    except OSError as error:
        raise SettingsError(f"The sheet could not be written to {out} ({error.strerror or error}).") from error
