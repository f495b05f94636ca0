"""What of a workspace is new since the last time goes to a mirror: pictures first, then what was said about them.

Everything is appended: segments of records (`fgdemo.storage.mirror.segments`), and files named by their sha256. So any
number of workspaces may share a mirror, and to send something twice does no harm.
"""

import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from filelock import FileLock, Timeout

from fgdemo.storage.database.database import reading, utc_now
from fgdemo.storage.database.schema import (
    image_table,
    job_epoch_table,
    job_table,
    label_event_table,
    model_version_table,
    session_table,
)
from fgdemo.storage.disk.strict_json import read_json
from fgdemo.storage.embeddings.embeddings import Embeddings
from fgdemo.storage.history.label_event import BRINGS, REMOVED
from fgdemo.storage.history.removing import removed_among
from fgdemo.storage.mirror.looks import looks_to_send
from fgdemo.storage.mirror.models import JOB, MODEL
from fgdemo.storage.mirror.protocol import Destination, GoneError, Sending
from fgdemo.storage.mirror.records import IMAGE, PROMOTION, Identity, digest_of, event_record, record_of
from fgdemo.storage.mirror.row_versions import note_changes
from fgdemo.storage.mirror.segments import SegmentWriter
from fgdemo.storage.mirror.state import MirrorState, identities, own_origin
from fgdemo.storage.mirror.tables import changed, changed_rows, new_rows
from fgdemo.storage.pictures.originals import ImageStore
from fgdemo.storage.trainings.models import Models
from fgdemo.storage.trainings.promotions import promotions, row_of_promotion
from fgdemo.values.batches import batches
from fgdemo.values.limits import CHECKPOINT_FILES
from fgdemo.values.progress import Progress, no_progress

log = logging.getLogger(__name__)

EVENTS_AT_ONCE, IMAGES_AT_ONCE = 2000, 500
MARK, MARK_CONTENT = "fgdemo-mirror.json", b'{"type": "fgdemo-mirror", "format": 1}\n'


@dataclass
class Sent:
    """How much went to the mirror."""

    events: int = 0
    pictures: int = 0
    models: int = 0
    rows: int = 0
    """Taxa, sessions, accounts, tokens, remarks, promotions, and who did what."""
    missing: list[str] = field(default_factory=list[str])
    """Ids of pictures whose files are not in the workspace, though nobody removed them."""


@dataclass
class _Batch:
    """What goes in one segment, and what is true once it is there."""

    records: list[Mapping[str, Any]]
    files: list[Sending]
    event: int | None
    digests: dict[tuple[str, str], str]
    sent: Sent
    removed: list[str] = field(default_factory=list[str])
    """Files that shall not be there any more."""


class Mirror:
    """Sends one workspace to one destination. Not safe for threads; several processes take turns.

    Args:
        home: the folder of the workspace.
        state: what of this workspace is at the destination.
    """

    def __init__(
        self,
        engine: sa.Engine,
        images: ImageStore,
        models: Models,
        home: Path,
        destination: Destination,
        state: MirrorState,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self.state, self.destination = state, destination
        self._engine, self._images, self._models = engine, images, models
        self._lock = FileLock(home / "mirror.lock")
        self._segments = SegmentWriter(clock())
        self._hashes: dict[tuple[str, int, int], str] = {}
        self._embeddings: Embeddings | None = None

    def use(self, embeddings: Embeddings) -> None:
        """From now on send what this model has seen, too."""
        self._embeddings = embeddings

    def send(self, wait_s: float = 0, progress: Progress = no_progress) -> Sent | None:
        """Send all that is new; it is at the destination when this returns. None where another process just does that.

        Raises:
            UnavailableError: the mirror, or the workspace, cannot be reached; what was sent until then counts.
            StorageError: the mirror may not be used.
        """
        try:
            with self._lock.acquire(timeout=wait_s):
                return self._send_all(progress)
        except Timeout:
            return None

    def _send_all(self, progress: Progress) -> Sent:
        if not self.is_marked():
            if self.state.has_sent():
                log.warning("the mirror is empty: everything is sent there again")
                self.state.forget()
            self._segments.begin_again()
            self.destination.write([Sending(MARK, MARK_CONTENT)])
        total, of = Sent(), self.state.waiting()
        while (batch := self._said() or self._models_batch()) is not None:
            name, content = self._segments.next(batch.records)
            self.destination.write([*batch.files, Sending(name, content)])
            self._segments.written(content)
            if batch.removed:
                self.destination.remove(batch.removed)
            self.state.note(batch.event, batch.digests)
            total.events += batch.sent.events
            total.pictures += batch.sent.pictures
            total.models += batch.sent.models
            total.rows += batch.sent.rows
            total.missing += batch.sent.missing
            progress("backing up", min(total.events, of), of)
        self._send_looks()
        return total

    def is_marked(self) -> bool:
        """Whether the mirror is where it was; somebody may have emptied it, or a disk is not mounted."""
        try:
            self.destination.read(MARK)
        except GoneError:
            return False
        return True

    def _send_looks(self) -> None:
        """They are no truth but save time, so they come last."""
        embeddings = self._embeddings
        while embeddings is not None:
            mark = ("looks", embeddings.model_version)
            found = looks_to_send(embeddings, int(self.state.digests().get(mark, "0")))
            if found is None:
                return
            self.destination.write([found[0]])
            self.state.note(None, {mark: str(found[1])})

    # --- what was said ------------------------------------------------------------------------------------

    def _said(self) -> _Batch | None:
        """The next events with their pictures, and what is new or has changed in the tables beside them."""
        note_changes(self._engine, self._segments.process)
        cursor, known = self.state.event(), self.state.digests()
        table = label_event_table
        own = own_origin(self._engine)
        with reading(self._engine) as connection:
            small = changed_rows(connection, known)
            grown, marks = new_rows(connection, known)
            query = sa.select(table).where(table.c.id > cursor).order_by(table.c.id).limit(EVENTS_AT_ONCE)
            rows = connection.execute(query).mappings().all()
            if not (rows or small or grown):
                return None
            before = _before(connection, rows)
            named = {row[key] for row in rows for key in ("id", "undoes", "shown_version")} - {None}
            named |= set(before.values())
            origins = identities(connection, named)
            sessions = _sessions(connection, {row["session"] for row in rows} - {None})
            removed = removed_among(connection, {row["image"] for row in rows if row["reason"] == REMOVED})
            brought = {row["image"] for row in rows if row["kind"] in BRINGS}
            pictures = _pictures(connection, brought | removed)

        def identity(event: int) -> Identity:
            return origins.get(event, (own, event))

        there = [row for row in pictures if row["id"] in self._images and row["id"] not in removed]
        files = [Sending(picture_file(row["id"]), self._images.path(row["id"]), is_named_by_hash=True) for row in there]
        missing = [row["id"] for row in pictures if row["id"] not in self._images and row["name"]]
        records: list[Mapping[str, Any]] = [record for _, _, record in small]
        records += grown
        records += [record_of("picture", row, IMAGE) for row in pictures]
        records += [event_record(row, identity, sessions, before.get(row["id"])) for row in rows]
        digests = {(kind, name): digest_of(record) for kind, name, record in small} | marks
        event = rows[-1]["id"] if rows else cursor
        sent = Sent(len(rows), len(files), 0, len(small) + len(grown), missing)
        return _Batch(records, files, event, digests, sent, [picture_file(image) for image in removed])

    # --- models -------------------------------------------------------------------------------------------

    def _models_batch(self) -> _Batch | None:
        """The next model that is new, or was deleted, with its checkpoint; after the models what went live."""
        known, own = self.state.digests(), own_origin(self._engine)
        with reading(self._engine) as connection:
            query = sa.select(model_version_table).order_by(model_version_table.c.created_at)
            models = connection.execute(query).mappings().all()
            events = identities(connection, {row["event"] for row in models})
            went_live = [row_of_promotion(one) for one in promotions(connection)]
        for row in models:
            files = {} if row["deleted_at"] else self._checkpoint(row["folder"])
            digests = {name: digest for name, (digest, _) in files.items()}
            mark = digest_of({"files": digests, "deleted_at": row["deleted_at"]})
            if known.get(("model", row["version"])) == mark or not (files or row["deleted_at"]):
                continue
            told = record_of("model", {**row, "folder": Path(row["folder"]).name}, MODEL)
            told |= {"files": digests, "origin": own, **self._lineage(row["job"])}
            if row["event"]:
                told["event"] = events.get(row["event"], (own, row["event"]))
            sending = [Sending(checkpoint_file(digest), path, is_named_by_hash=True) for digest, path in files.values()]
            return _Batch([told], sending, None, {("model", row["version"]): mark}, Sent(models=1))
        new = changed((("promotion", row["ident"], record_of("promotion", row, PROMOTION)) for row in went_live), known)
        if not new:
            return None
        marks = {(kind, name): digest_of(record) for kind, name, record in new}
        return _Batch([record for _, _, record in new], [], None, marks, Sent(rows=len(new)))

    def _lineage(self, number: int | None) -> dict[str, Any]:
        """The training that left a model, and its epochs."""
        with reading(self._engine) as connection:
            job = connection.execute(sa.select(job_table).where(job_table.c.id == number)).mappings().first()
            query = sa.select(job_epoch_table).where(job_epoch_table.c.job == number)
            epochs = {str(row.number): read_json(row.epoch) for row in connection.execute(query)}
        return {} if job is None else {"job": record_of("job", job, JOB), "epochs": epochs}

    def _checkpoint(self, folder: str) -> dict[str, tuple[str, Path]]:
        """The sha256 and the path of each file of a checkpoint; empty where it is not whole."""
        found: dict[str, tuple[str, Path]] = {}
        for name in CHECKPOINT_FILES:
            path = self._models.root / folder / name
            try:
                about = path.stat()
                key = str(path), about.st_size, about.st_mtime_ns
                if key not in self._hashes:
                    self._hashes[key] = hashlib.sha256(path.read_bytes()).hexdigest()
            except OSError:
                return {}
            found[name] = self._hashes[key], path
        return found


def picture_file(image: str) -> str:
    """Where a mirror keeps a picture."""
    return f"pictures/{image[:2]}/{image}"


def checkpoint_file(digest: str) -> str:
    """Where a mirror keeps a file of a checkpoint, by its sha256."""
    return f"checkpoints/{digest[:2]}/{digest}"


def _before(connection: sa.Connection, rows: Sequence[sa.RowMapping]) -> dict[int, int]:
    """The event before each of these about the same picture, where there is one."""
    table, images, found = label_event_table, sorted({row["image"] for row in rows}), dict[int, int]()
    numbers = {row["id"] for row in rows}
    before = sa.func.lag(table.c.id).over(partition_by=table.c.image, order_by=table.c.id).label("before")
    for some in batches(images, IMAGES_AT_ONCE):
        query = sa.select(table.c.id, before).where(table.c.image.in_(some))
        found |= {row.id: row.before for row in connection.execute(query) if row.before is not None}
    return {number: event for number, event in found.items() if number in numbers}


def _sessions(connection: sa.Connection, numbers: set[int]) -> dict[int, tuple[str, str]]:
    columns = (session_table.c.id, session_table.c.annotator, session_table.c.opened_at)
    query = sa.select(*columns).where(session_table.c.id.in_(numbers))
    return {row.id: (row.annotator, row.opened_at) for row in connection.execute(query)}


def _pictures(connection: sa.Connection, images: set[str]) -> list[sa.RowMapping]:
    query = sa.select(image_table).where(image_table.c.id.in_(images)).order_by(image_table.c.created_at)
    return list(connection.execute(query).mappings())
