"""The whole page on a free port, over real services and a workspace in a folder; only the classifier is a fake."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from fgdemo.services.suggestions import Suggestions
from fgdemo.services.workbench import Workbench
from fgdemo.settings import Settings
from fgdemo.storage.database import open_database, register_taxa
from fgdemo.storage.events import EventLog
from fgdemo.storage.library import Library
from fgdemo.storage.originals import ImageStore
from fgdemo.types import CropBox, Trust
from fgdemo.ui import build_app, launch_options
from tests.fakes import COLOURS, FakeClassifier

YELLOW, LIME, BLUE, MAGENTA = (
    COLOURS["nashville_warbler"],
    COLOURS["mourning_warbler"],
    COLOURS["eskimo_dog"],
    (255, 0, 255),
)


@dataclass(frozen=True)
class RunningApp:
    url: str
    events: EventLog
    images: ImageStore


def measured_trust(picture: Image.Image, box: CropBox | None, a: str, b: str) -> dict[str, Trust]:
    """One faithful map and one that is not."""
    return {"class": Trust(0.71, 0.2, 0.9, 0.0), "contrast": Trust(-0.04, 0.5, 0.5, 0.04)}


def settings_in(home: Path) -> Settings:
    """A workspace in `home`, and no real checkpoint."""
    return Settings(home, home, f"sqlite:///{home / 'fgdemo.sqlite'}", "cpu", max_upload_mb=2, max_picture_mp=60)


@contextmanager
def running_app(home: Path) -> Iterator[RunningApp]:
    """Serve the page from `home` until the block ends."""
    settings = settings_in(home)
    engine = open_database(settings.database_url)
    classifier = FakeClassifier()
    register_taxa(engine, classifier.taxonomy)
    images, events = ImageStore(home / "pictures"), EventLog(engine)
    workbench = Workbench(classifier, Library(engine, images, home / "embeddings"), measured_trust)
    suggestions = Suggestions(events, images, classifier.taxonomy)
    app = build_app(workbench, suggestions, settings)
    _, url, _ = app.launch(**launch_options(settings), prevent_thread_lock=True, quiet=True)
    try:
        yield RunningApp(url, events, images)
    finally:
        app.close()
        engine.dispose()


def picture(
    path: Path, left: tuple[int, int, int], right: tuple[int, int, int], size: tuple[int, int] = (600, 400)
) -> Path:
    """A picture of two halves, with something dark in the upper left so that maps are not flat."""
    image = Image.new("RGB", size, left)
    image.paste(right, (size[0] // 2, 0, *size))
    image.paste((40, 40, 20), (size[0] // 8, size[1] // 8, size[0] // 5, size[1] // 4))
    image.save(path)
    return path
