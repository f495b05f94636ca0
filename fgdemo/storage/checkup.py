"""Whether a workspace is whole: its database, its pictures, its log, its mirror. Nothing is changed."""

from dataclasses import dataclass

import sqlalchemy as sa

from fgdemo.storage.database.database import reading, schema_version
from fgdemo.storage.database.migrations import MIGRATIONS
from fgdemo.storage.database.schema import image_table, label_event_table
from fgdemo.storage.history.label_event import REMOVED
from fgdemo.storage.mirror.sending import Mirror
from fgdemo.storage.pictures.images import decode_picture
from fgdemo.storage.pictures.originals import ImageStore, image_id_of
from fgdemo.values.counting import counted
from fgdemo.values.errors import FgdemoError, PictureError, StorageError
from fgdemo.values.progress import Progress, no_progress


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes:
        told: one line for a person where all is well.
        faults: a sentence for each thing that is wrong.
    """

    name: str
    told: str
    faults: tuple[str, ...] = ()


def check_database(engine: sa.Engine) -> Finding:
    """Whether the schema is the one that this version knows. Raises StorageError if the database cannot be read."""
    with reading(engine) as connection:
        found = schema_version(connection)
    newest = MIGRATIONS[-1].version
    if found == 0:
        return Finding("database", "", ("There is no workspace here yet: check FGDEMO_HOME and DATABASE_URL.",))
    if found < newest:
        told = f"The database has schema {found}, this fgdemo {newest}: the next start brings it up to date."
        return Finding("database", "", (told,))
    if found > newest:
        return Finding(
            "database", "", (f"The database has schema {found}, this fgdemo knows {newest}: update fgdemo.",)
        )
    return Finding("database", f"schema {found}, which is the newest")


def check_pictures(engine: sa.Engine, images: ImageStore, progress: Progress = no_progress) -> Finding:
    """Whether every picture is there, is what its name says, and has a thumbnail that can be shown."""
    removed = sa.select(label_event_table.c.image).where(label_event_table.c.reason == REMOVED)
    with reading(engine) as connection:
        gone = {image for image in connection.execute(removed).scalars() if image not in images}
        ids = [image for image in connection.execute(sa.select(image_table.c.id)).scalars() if image not in gone]
    faults: list[str] = []
    for at, image in enumerate(ids):
        try:
            if image_id_of(images.read(image)) != image:
                raise StorageError(f"The picture {image[:12]}… is damaged: its bytes are not those it was stored with.")
            decode_picture(images.thumbnail(image), name=f"the thumbnail of {image[:12]}…")
        except (StorageError, PictureError) as error:
            faults.append(str(error))
        progress("looking at pictures", at + 1, len(ids))
    return Finding("pictures", f"{len(ids)} are there, whole, with thumbnails", tuple(faults))


def check_events(engine: sa.Engine) -> Finding:
    """Whether each event is about a picture that there is, and each undo takes back something."""
    said, images = label_event_table, image_table
    undone = said.alias("undone")
    lost = sa.select(said.c.id).join_from(said, images, images.c.id == said.c.image, isouter=True)
    empty = sa.select(said.c.id).join_from(said, undone, undone.c.id == said.c.undoes, isouter=True)
    with reading(engine) as connection:
        count = connection.execute(sa.select(sa.func.count(said.c.id))).scalar_one()
        without = list(connection.execute(lost.where(images.c.id.is_(None))).scalars())
        nothing = list(connection.execute(empty.where(said.c.kind == "undo", undone.c.id.is_(None))).scalars())
    faults = [f"Event {event} is about a picture that is not in the workspace." for event in without]
    faults += [f"Event {event} takes back an event that is not there." for event in nothing]
    return Finding("events", f"{count}, each about a picture of the workspace", tuple(faults))


def check_mirror(mirror: Mirror | None) -> Finding:
    """Whether the mirror can be reached, and how far it is behind."""
    if mirror is None:
        return Finding("mirror", "none is set (FGDEMO_MIRROR), so nothing is backed up")
    try:
        backed, was_sent = mirror.state.backed(), mirror.state.has_sent()
        is_there = mirror.is_marked()
    except FgdemoError as error:
        return Finding("mirror", "", (str(error),))
    if was_sent and not is_there:
        return Finding("mirror", "", ("The mirror is empty, though it was written: python -m fgdemo backup",))
    if backed.waiting:
        return Finding("mirror", f"reachable; {backed.waiting} of {counted(backed.answers, 'answer')} not there yet")
    return Finding("mirror", f"reachable; nothing waits ({counted(backed.answers, 'answer')})")
