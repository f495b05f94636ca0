"""`convert`: a checkpoint for other programs. `push`: the same on the Hugging Face Hub."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from typer import Argument, Option

from fgdemo.commands.console import Say, picture_bytes, quiet, settled
from fgdemo.values.annotation import OWNER
from fgdemo.values.errors import SettingsError

if TYPE_CHECKING:
    from PIL.Image import Image

    from fgdemo.model.classifier import Classifier
    from fgdemo.settings import Settings

MOST_CHECKED = 16
Check = Annotated[
    list[Path] | None,
    Option(
        metavar="PICTURE...",
        help="compare on these (default: gold and val pictures of the workspace for its models, else drawn birds)",
    ),
]


def convert(
    checkpoint: Annotated[str, Argument(metavar="CHECKPOINT", help="a folder, or a version that `models` lists")],
    out: Annotated[Path, Argument(metavar="OUT", help="an .onnx file, or a folder for timm")],
    *,
    format: Annotated[Literal["onnx", "timm"], Option(help="for which program")],
    check: Check = None,
    settings: Settings | None = None,
    say: Say = quiet,
) -> dict[str, Any]:
    """Write a checkpoint as ONNX, or for timm, and check it against itself.

    It is told how far its answers differ on pictures: given ones, those that the workspace does not learn from, or
    drawn ones.
    """
    from fgdemo.model.exporting.to_onnx import to_onnx
    from fgdemo.model.exporting.to_timm import to_timm

    classifier, pictures = _model_and_pictures(checkpoint, check, settled(settings))
    written = {"onnx": to_onnx, "timm": to_timm}[format](classifier, out, pictures)
    say(
        f"Written: {written.path}. Its logits differ from the checkpoint's by at most {written.difference:.1e} nats "
        f"on {written.pictures} {'picture' if written.pictures == 1 else 'pictures'}."
    )
    return {
        "out": str(written.path),
        "format": format,
        "checkpoint": classifier.version,
        "pictures": written.pictures,
        "difference": written.difference,
        "classes": len(classifier.taxonomy.leaves),
    }


def push(
    checkpoint: Annotated[str, Argument(metavar="MODEL", help="a folder, or a version that `models` lists")],
    name: Annotated[str, Argument(metavar="OWNER/NAME")],
    *,
    public: Annotated[
        bool, Option("--public", help="everybody sees it (a model that is there stays as it is)")
    ] = False,
    yes: Annotated[bool, Option("--yes", help="do not ask")] = False,
    check: Check = None,
    settings: Settings | None = None,
    say: Say = quiet,
) -> dict[str, Any]:
    """Put a model on the Hugging Face Hub, for timm; private, and only if confirmed.

    Raises:
        CheckpointError: timm cannot hold this network.
        SettingsError: not confirmed.
        HubError: see `fgdemo.storage.hub.models`.
    """
    from fgdemo.model.exporting.to_timm import FILES, to_timm
    from fgdemo.storage.database.database import open_database
    from fgdemo.storage.hub.models import model_place, push_model
    from fgdemo.storage.people.audit import Audit

    settings = settled(settings)
    place = model_place(name, private=not public)
    classifier, pictures = _model_and_pictures(checkpoint, check, settings)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "model"
        written = to_timm(classifier, out, pictures)
        card = out / "README.md"
        card.write_text(card.read_text(encoding="utf-8").replace("hf-hub:OWNER/NAME", f"hf-hub:{name}"), "utf-8")
        size = sum((out / file).stat().st_size for file in FILES) / 1e6
        seen = "private" if place.private else "everybody can see it"
        change = "a new model" if place.commit is None else "in place of what is there"
        _confirm(yes, f"Push {classifier.version} to {name} ({change}; {seen}; {len(FILES)} files, {size:.1f} MB)?")
        url = push_model(out, place)
    Audit(open_database(settings.database_url)).note(OWNER, "push", f"{classifier.version} to {name}")
    say(f'Pushed: {url} ({seen}). timm.create_model("hf-hub:{name}", pretrained=True) loads it.')
    return {
        "url": url,
        "model": classifier.version,
        "private": place.private,
        "created": place.commit is None,
        "files": list(FILES),
        "difference": written.difference,
    }


def _confirm(yes: bool, question: str) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise SettingsError(f"Nothing was pushed. {question} Say so with --yes.")
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise SettingsError("Nothing was pushed.")


def _model_and_pictures(
    checkpoint: str, check: list[Path] | None, settings: Settings
) -> tuple[Classifier, list[Image]]:
    """The model, and the pictures on which what is written is compared with it."""
    from fgdemo.model.checkpoint.load import load_classifier
    from fgdemo.specimens import SPECIES, draw_specimen
    from fgdemo.storage.pictures.images import decode_picture
    from fgdemo.wiring.assembly import open_models

    folder, files = Path(checkpoint), [(path.name, picture_bytes(path)) for path in check or []]
    if not folder.exists() and "@" in folder.name:  # a model of the workspace, as `models` lists it
        folder = open_models(settings).folder(folder.name)
        files = files or held_out_pictures(settings)
    classifier = load_classifier(folder, "cpu")
    pictures = [decode_picture(file, name=name, max_picture_mp=settings.max_picture_mp) for name, file in files]
    return classifier, pictures or [draw_specimen(species, seed).picture for seed, species in enumerate(SPECIES)]


def held_out_pictures(settings: Settings) -> list[tuple[str, bytes]]:
    """(name, file) of some pictures of the workspace that are gold or val."""
    import numpy as np

    from fgdemo.storage.database.database import open_database
    from fgdemo.storage.history.roster import SPLITS, Roster
    from fgdemo.storage.pictures.originals import ImageStore

    roster, images = Roster(open_database(settings.database_url)), ImageStore(settings.home / "pictures")
    roster.follow()
    rows = np.flatnonzero(np.isin(roster.split[: len(roster)], [SPLITS.index("gold"), SPLITS.index("val")]))
    ids = [roster.image_ids[row] for row in rows[:: max(1, len(rows) // MOST_CHECKED)].tolist()]
    return [(image[:12], images.read(image)) for image in ids[:MOST_CHECKED] if image in images]
