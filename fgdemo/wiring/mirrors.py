"""The mirror of an installation, put together: what sends to it, and what restores from it."""

import logging
import time
from collections.abc import Iterable
from pathlib import Path

from sqlalchemy.engine import Engine

from fgdemo.model.checkpoint.folder import read_checkpoint
from fgdemo.settings import Settings
from fgdemo.storage.database.database import open_database
from fgdemo.storage.embeddings.embeddings import Embeddings
from fgdemo.storage.mirror.destinations import open_destination
from fgdemo.storage.mirror.looks import restore_looks
from fgdemo.storage.mirror.restoring.restore import Restored, is_fresh, restore
from fgdemo.storage.mirror.segments import Damage
from fgdemo.storage.mirror.sending import Mirror
from fgdemo.storage.mirror.state import MirrorState
from fgdemo.storage.pictures.originals import ImageStore
from fgdemo.storage.trainings.models import Models
from fgdemo.values.errors import StorageError
from fgdemo.values.progress import Progress, no_progress

log = logging.getLogger(__name__)


def open_mirror(settings: Settings, engine: Engine | None = None) -> Mirror | None:
    """What sends this workspace to its mirror; None where the settings name none. Raises SettingsError, StorageError.

    Nothing is sent yet.
    """
    if not settings.mirror:
        return None
    engine = engine or open_database(settings.database_url)
    models = Models(engine, settings.home / "models", settings.checkpoint)
    return Mirror(
        engine,
        ImageStore(settings.home / "pictures"),
        models,
        settings.home,
        open_destination(settings.mirror),
        MirrorState(engine, settings.mirror),
    )


def restore_from(
    settings: Settings, engine: Engine, url: str, progress: Progress = no_progress, accept_rights: bool = False
) -> Restored:
    """Add all that the mirror at `url` holds to the workspace. Raises as
    `fgdemo.storage.mirror.restoring.restore.restore`."""
    return restore(
        engine,
        ImageStore(settings.home / "pictures"),
        Path(settings.home / "models"),
        open_destination(url),
        MirrorState(engine, url).name,
        read_checkpoint,
        progress,
        accept_rights,
    )


def restore_if_fresh(settings: Settings, engine: Engine) -> bool:
    """Where nothing was ever said here, begin with what the mirror holds; gives whether that was so.

    Raises:
        UnavailableError: it cannot be reached. To begin without it would show people an empty workspace.
    """
    if not settings.mirror or not is_fresh(engine):
        return False
    began = time.monotonic()
    found = restore_from(settings, engine, settings.mirror)
    _tell(found.faults)
    for right in () if found.accepted else found.raised:
        log.warning("not taken from the mirror, as nobody has said yes (restore --accept-rights): %s", right)
    if found.segments:
        log.warning(
            "restored from the mirror: %d events, %d pictures, %d models in %.1f s",
            found.events,
            found.pictures,
            found.models,
            time.monotonic() - began,
        )
    return True


def restore_seen(settings: Settings, embeddings: Embeddings) -> None:
    """Take what the live model has seen from the mirror, as far as it is there; the rest can be looked at again."""
    damage = Damage()
    try:
        restore_looks(open_destination(settings.mirror), embeddings, damage)
    except StorageError as error:
        log.warning("the mirror: %s", error)
    _tell(damage.faults)


def _tell(faults: Iterable[tuple[str, str]]) -> None:
    for where, what in faults:
        log.warning("the mirror: %s %s", where, what)
