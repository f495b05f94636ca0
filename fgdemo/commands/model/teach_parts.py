"""`teach-parts`: a checkpoint whose parts are what people named by points on pictures."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option

from fgdemo.commands.console import Say, picture_bytes, quiet, settled
from fgdemo.values.errors import SettingsError

if TYPE_CHECKING:
    from PIL import Image

    from fgdemo.model.classifier import Classifier
    from fgdemo.settings import Settings


def teach_parts(
    checkpoint: Annotated[Path, Argument(metavar="FOLDER")],
    points: Annotated[
        Path, Argument(metavar="TABLE", help="columns path, part, x, y in pixels; the pictures lie beside it")
    ],
    out: Annotated[Path, Argument(metavar="OUT", help="the folder to write; it may be the same")],
    *,
    group: Annotated[str | None, Option(help="whose parts these are (default: the only group there is)")] = None,
    call: Annotated[
        list[str] | None, Option(metavar="NAME=NAME", help='another name, e.g. "left eye=face"; may be given again')
    ] = None,
    settings: Settings | None = None,
    say: Say = quiet,
) -> dict[str, Any]:
    """Teach a checkpoint the parts of a group by points on pictures.

    It says of each part how often it is found in a picture that did not teach it. No answer of the model changes.
    """
    from fgdemo.learn.live.teaching import TaughtPicture, found_left_out, part_names, views_of, with_parts
    from fgdemo.model.checkpoint.load import load_classifier, save_classifier
    from fgdemo.model.taught.fitting import lesson_of, taught_by
    from fgdemo.storage.formats.point_tables import read_points
    from fgdemo.storage.pictures.images import decode_picture
    from fgdemo.storage.trees.tree import FolderTree

    settings = settled(settings)
    classifier = load_classifier(checkpoint, settings.device)
    group = _group_of(classifier, group)

    def opened(path: str) -> Image.Image:
        return decode_picture(picture_bytes(points.parent / path), name=path, max_picture_mp=settings.max_picture_mp)

    @cache
    def size_of(path: str) -> tuple[int, int]:
        return opened(path).size

    placed = read_points(FolderTree(points.parent), points.name, size_of, _names_of(call or []))
    pictures = [TaughtPicture(opened(path), on_it) for path, on_it in placed.items()]
    names, old = part_names(group, classifier.parts, pictures), classifier.parts.to("cpu")
    views = [views_of(classifier, picture, group) for picture in pictures]
    lessons = [tuple(lesson_of(view, old.mean, old.projection, at) for at, view in enumerate(looks)) for looks in views]
    found = found_left_out(lessons, names)
    for part, (right, points_on_it) in found.items():
        say(f"{part}: found under {right} of {points_on_it} points in pictures that did not teach it")
    every = [lesson for one in lessons for lesson in one]
    taught = taught_by(every, group, names, old.mean, old.projection)
    save_classifier(with_parts(classifier, group, names, taught, [view for looks in views for view in looks]), out)
    say(f"Written: {out}")
    return {
        "checkpoint": str(out),
        "group": group,
        "pictures": len(pictures),
        "parts": {part: {"right": right, "points": number} for part, (right, number) in found.items()},
    }


def _group_of(classifier: Classifier, group: str | None) -> str:
    groups = sorted(set(classifier.parts.ground_groups))
    if group is None and len(groups) > 1:
        raise SettingsError(f"Say with --group whose parts these are: {', '.join(groups)}.")
    return groups[0] if group is None else group


def _names_of(pairs: list[str]) -> dict[str, str]:
    names = {}
    for pair in pairs:
        old, equals, new = pair.partition("=")
        if not equals or not old.strip() or not new.strip():
            raise SettingsError(f"“{pair}” must look like “left eye=face”.")
        names[old.strip()] = new.strip()
    return names
