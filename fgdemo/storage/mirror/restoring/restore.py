"""A workspace from a mirror: what is missing is added, what was taken away elsewhere goes, damage is left out.

Pictures and checkpoints come first, each checked against its hash; then all rows in one transaction. So nothing is half
there wherever this stops, and the same again goes on from there. Nobody is signed in afterwards: sign-ins, leases and
trainings that run are not mirrored.
"""

import hashlib
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from fgdemo.storage.database.database import reading, sortable, utc_now, writing
from fgdemo.storage.database.schema import label_event_table, model_version_table
from fgdemo.storage.disk.durable import disk_complaint, write_durably
from fgdemo.storage.disk.unfinished import clear_unfinished, held_folder
from fgdemo.storage.mirror.models import MirroredModel
from fgdemo.storage.mirror.protocol import Destination, GoneError
from fgdemo.storage.mirror.restoring.content import MirrorContent, read_mirror
from fgdemo.storage.mirror.restoring.people import has_people
from fgdemo.storage.mirror.restoring.rows import Rows
from fgdemo.storage.mirror.segments import Damage
from fgdemo.storage.mirror.sending import checkpoint_file, picture_file
from fgdemo.storage.mirror.state import own_origin
from fgdemo.storage.pictures.originals import ImageStore, image_id_of
from fgdemo.values.errors import CheckpointError, UnavailableError
from fgdemo.values.progress import Progress, no_progress

WORKERS = 8


@dataclass(frozen=True)
class Restored:
    """What came from a mirror, new in this workspace.

    Attributes:
        faults: (where, what) of everything that was damaged and left out.
        raised: a sentence for each right that somebody gets by it.
        accepted: whether they have these rights now; else the same again with a yes is needed.
    """

    segments: int
    pictures: int
    events: int
    taxa: int
    accounts: int
    models: int
    faults: tuple[tuple[str, str], ...]
    raised: tuple[str, ...] = ()
    accepted: bool = True


def is_fresh(engine: sa.Engine) -> bool:
    """Whether nothing was ever said in this workspace."""
    with reading(engine) as connection:
        return connection.execute(sa.select(label_event_table.c.id).limit(1)).first() is None


def restore(
    engine: sa.Engine,
    images: ImageStore,
    models_root: Path,
    destination: Destination,
    state: str,
    check: Callable[[Path], object],
    progress: Progress = no_progress,
    accept_rights: bool = False,
) -> Restored:
    """Add to a workspace all that a mirror holds.

    A workspace in which there is nothing and nobody yet takes the rights of people, too, where all segments of the
    mirror are whole: whoever named the mirror has said yes by that.

    Args:
        accept_rights: whether somebody may get a higher role, an open account, a password or a token by the mirror.
        state: `MirrorState.name` of the destination. What comes from there need not be sent there again.
        check: raises CheckpointError where a folder is no checkpoint that may be loaded.

    Raises:
        UnavailableError: the mirror cannot be reached, or the disk is full; the same again goes on from there.
        StorageError: the workspace cannot be written, or what the mirror holds does not fit together.
    """
    damage = Damage()
    clear_unfinished(models_root.parent)
    content = read_mirror(destination, damage, progress)
    own = own_origin(engine)
    pictures = _fetch_pictures(content, images, destination, damage, progress)
    with reading(engine) as connection:
        known = set(connection.execute(sa.select(model_version_table.c.version)).scalars())
    models = [
        (told, folder)
        for told in content.models.values()
        if told.row["version"] not in known
        if (folder := _fetch_model(told, models_root, destination, check, damage)) is not None
    ]
    progress("writing the workspace", 0, 1)
    is_untouched = is_fresh(engine)
    with writing(engine) as connection:
        accepted = accept_rights or (content.is_whole and is_untouched and not has_people(connection))
        rows = Rows(connection, own, damage, accepted, sortable(utc_now()))
        rows.add(content, models)
        if content.segments:
            rows.note(state)
    for image in rows.removed:
        images.remove(image)
    progress("writing the workspace", 1, 1)
    return Restored(
        content.segments,
        pictures,
        rows.events,
        rows.taxa,
        rows.people.accounts,
        len(models),
        tuple(damage.faults),
        tuple(rows.people.raised),
        accepted,
    )


def _fetch_pictures(
    content: MirrorContent, images: ImageStore, destination: Destination, damage: Damage, progress: Progress
) -> int:
    """The files that are not here yet; gives how many came."""
    missing = [image for image in content.pictures if image not in images and image not in content.removed]

    def fetch(image: str) -> str:
        try:
            original = destination.read(picture_file(image))
        except GoneError:
            return "is not in the mirror"
        if image_id_of(original) != image:
            return "is another file than its name says, so it was not taken"
        images.put(original)
        return ""

    came = 0
    with ThreadPoolExecutor(WORKERS) as pool:
        for at, (image, fault) in enumerate(zip(missing, pool.map(fetch, missing), strict=True)):
            if fault:
                damage.name(picture_file(image), fault)
            came += image in images
            progress("fetching pictures", at + 1, len(missing))
    return came


def _fetch_model(
    told: MirroredModel, root: Path, destination: Destination, check: Callable[[Path], object], damage: Damage
) -> str | None:
    """The folder of a checkpoint below `root`, written whole; empty for a deleted model, None where it is damaged.

    It lies in a folder named after the workspace that made it, so that a new training never meets its name.
    """
    version, name = told.row["version"], told.row["folder"]
    if told.row["deleted_at"] is not None:
        return f"{told.origin[:8]}/{name}"
    try:
        if version != f"{name}@{told.files['model.safetensors'][:8]}":
            raise CheckpointError("its name and its weights do not belong together")
        with held_folder(root) as beside:
            folder = beside / name
            for file, digest in told.files.items():
                content = destination.read(checkpoint_file(digest))
                if hashlib.sha256(content).hexdigest() != digest:
                    raise CheckpointError(f"{file} is another file than its hash says")
                write_durably(folder / file, content)
            check(folder)
            target = root / told.origin[:8] / name
            shutil.rmtree(target, ignore_errors=True)
            target.parent.mkdir(parents=True, exist_ok=True)
            folder.replace(target)
    except CheckpointError as error:
        damage.name(f"the model {version}", f"was not taken: {error}")
        return None
    except OSError as error:
        raise UnavailableError(disk_complaint(error)) from error
    except GoneError:
        damage.name(f"the model {version}", "is not whole in the mirror")
        return None
    return f"{told.origin[:8]}/{name}"
