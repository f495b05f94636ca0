"""The only place where the parts are put together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from fgdemo.learn.pictures import Progress, no_progress
from fgdemo.model.classifier import Classifier
from fgdemo.services.suggestions import Suggestions
from fgdemo.services.workbench import Workbench
from fgdemo.settings import Settings
from fgdemo.storage.database import open_database, register_taxa
from fgdemo.storage.events import EventLog
from fgdemo.storage.library import Library
from fgdemo.storage.originals import ImageStore


@dataclass(frozen=True)
class Services:
    """What the entry points (page, API, command line) work with."""

    workbench: Workbench
    suggestions: Suggestions
    settings: Settings


@dataclass(frozen=True)
class Workspace:
    """The opened workspace on disk."""

    events: EventLog
    images: ImageStore
    library: Library


def open_workspace(settings: Settings, classifier: Classifier) -> Workspace:
    """Open (or make) the workspace and let it know the classifier's taxa. Raises StorageError."""
    engine = open_database(settings.database_url)
    register_taxa(engine, classifier.taxonomy)
    images = ImageStore(settings.home / "pictures")
    return Workspace(EventLog(engine), images, Library(engine, images, settings.home / "embeddings"))


def build_services(settings: Settings) -> Services:
    """Load the served checkpoint and open the workspace.

    Raises:
        CheckpointError: the checkpoint cannot be used.
        StorageError: the workspace cannot be opened.
    """
    from fgdemo.explain.faithfulness import trust

    classifier = Classifier.load(settings.checkpoint, settings.device)
    workspace = open_workspace(settings, classifier)
    return Services(
        workbench=Workbench(classifier, workspace.library, partial(trust, classifier), settings.max_picture_mp),
        suggestions=Suggestions(workspace.events, workspace.images, classifier.taxonomy, settings.max_picture_mp),
        settings=settings,
    )


def import_into_library(
    classifier: Classifier, settings: Settings, locations: Sequence[str], progress: Progress = no_progress
) -> tuple[int, list[tuple[str, str]]]:
    """Put labelled pictures into the workspace and embed those that this model has not seen yet.

    Importing the same folder again adds nothing twice and goes on where an interrupted import stopped.

    Returns:
        How many labelled pictures could be used, and (name, reason) of those left out.
    """
    from fgdemo.errors import PictureError
    from fgdemo.storage.images import decode_picture
    from fgdemo.storage.sources import read_sources

    library = open_workspace(settings, classifier).library
    source = read_sources(locations, fewest_classes=1)
    skipped = list(source.skipped)
    added = 0
    for done, picture in enumerate(source.pictures, 1):
        leaf = classifier.taxonomy.match(picture.label)
        try:
            if leaf is None:
                skipped.append((picture.name, f"its class {picture.label} is not one the model knows"))
            else:
                library.add(picture.load(), taxon=leaf, split=picture.split, source="import", name=picture.name)
                added += 1
        except PictureError as error:
            skipped.append((picture.name, str(error)))
        progress("taking in pictures", done, len(source.pictures))
    missing = library.without_embedding(classifier.version)
    for start in range(0, len(missing), 256):
        some = missing[start : start + 256]
        pictures = (decode_picture(library.images.read(image), name=image) for image in some)
        library.add_embeddings(classifier.version, some, classifier.embed(pictures))
        progress("looking at pictures", start + len(some), len(missing))
    return added, skipped
