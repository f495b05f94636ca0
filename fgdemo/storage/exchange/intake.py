"""From a source of pictures into the workspace, batch by batch; can be stopped at any moment and begun again."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import repeat

import numpy as np
import sqlalchemy as sa
from PIL import Image

from fgdemo.storage.database.database import utc_now, writing
from fgdemo.storage.embeddings.embeddings import Embeddings, Looks
from fgdemo.storage.embeddings.looking import look_at_missing
from fgdemo.storage.exchange.believed import believed
from fgdemo.storage.exchange.imported import Imported
from fgdemo.storage.exchange.kinds import Kinds, settle_kinds
from fgdemo.storage.exchange.known import bare_pictures, gone_pictures, known_twins
from fgdemo.storage.exchange.splits import in_import_order
from fgdemo.storage.history.event_rows import store_picture
from fgdemo.storage.history.events import EventLog
from fgdemo.storage.history.label_event import IMPORT
from fgdemo.storage.history.roster import SPLITS, Roster
from fgdemo.storage.pictures.images import has_more
from fgdemo.storage.pictures.originals import ImageStore, image_id_of
from fgdemo.storage.pictures.twins import AreTwins, TwinFinder, alike, dhash
from fgdemo.storage.records.fields import Row
from fgdemo.storage.records.merging import Merger, merge_sessions
from fgdemo.values.annotation import Split
from fgdemo.values.batches import batches
from fgdemo.values.counting import counted
from fgdemo.values.errors import BusyError, PictureError, StorageError
from fgdemo.values.labelled import LabelledPicture, SourceEvent, SourceSession, plain_text
from fgdemo.values.limits import MODEL_PX
from fgdemo.values.progress import Progress, no_progress
from fgdemo.values.taxonomy import Taxon

BATCH = 32
READERS = 4
LONGEST_FILE_NAME = 1000


@dataclass(frozen=True)
class _Ready:
    """A picture that was read, but not stored yet; `picture` is None where it is in the workspace already."""

    listed: LabelledPicture
    image: str
    original: bytes = b""
    picture: Image.Image | None = None
    size: tuple[int, int] = (0, 0)
    has_more: bool = False


@dataclass(frozen=True)
class _Run:
    """One import: its name, what its labels and sessions mean here, and the pictures met until now."""

    name: str
    kinds: Kinds
    sessions: dict[tuple[str, str], int]
    finder: TwinFinder
    report: Imported
    bare: set[str]
    """Pictures of visitors, of which only their bytes are known."""
    removed: set[str]
    """Pictures that were removed for good: they begin anew."""
    met: dict[str, LabelledPicture] = field(default_factory=dict[str, LabelledPicture])
    cut: list[str] = field(default_factory=list[str])
    renamed: dict[str, str] = field(default_factory=dict[str, str])
    """Ids here of pictures of another workspace, which differ where metadata was taken away."""


class Intake:
    """Takes pictures into one workspace.

    Args:
        look: the model's one pass over a few upright pictures.
        are_twins: tells near-duplicates, see `fgdemo.storage.pictures.twins`.
    """

    def __init__(
        self,
        engine: sa.Engine,
        images: ImageStore,
        roster: Roster,
        embeddings: Embeddings,
        look: Callable[[Sequence[Image.Image]], Looks],
        are_twins: AreTwins = alike,
    ) -> None:
        self.engine = engine
        self._log = EventLog(engine)
        self._images = images
        self._roster = roster
        self._embeddings = embeddings
        self._look = look
        self._are_twins = are_twins

    def take_in(
        self,
        pictures: Sequence[LabelledPicture],
        run: str,
        *,
        has_splits: bool,
        taxa: tuple[Sequence[Taxon], frozenset[str]] = ((), frozenset()),
        sessions: Sequence[SourceSession] = (),
        groups: Mapping[str, Sequence[str]] | None = None,
        report: Imported | None = None,
        progress: Progress = no_progress,
    ) -> Imported:
        """Store pictures that are not there yet, and what was said about all of them, as events.

        A label that is no kind of the workspace makes a new kind. An empty label is none. Near-duplicates of a
        picture join its group in its split. Each batch is stored whole or not at all, its files first, so nothing is
        half there wherever this stops; servers that follow the log see each batch as it comes.

        Args:
            run: a name for this import.
            has_splits: the source says what is held out (val, and test, which becomes gold); what it does not say is
                drawn, see `fgdemo.storage.exchange.splits`.
            taxa: of another workspace, and the ids of those that are retired.
            groups: what new kinds lie below, names from the root down, by their labels.
            report: filled as the import goes on; a new one by default.

        Raises:
            StorageError: nothing more can be written; what was taken in stays.
        """
        report = report or Imported()
        pictures, ignored = believed(pictures, utc_now())
        report.notes += ignored
        self._roster.follow()
        labels = {said.label for p in pictures for said in p.history if isinstance(said.label, str)}
        kinds = settle_kinds(self.engine, labels, *taxa, groups)
        report.new_kinds += kinds.new
        report.notes += map(plain_text, kinds.notes)
        report.skipped += [(plain_text(label), reason) for label, reason in kinds.faults]
        taxon_of = {taxon.id: here for taxon, here in kinds.taxon_of.items() if isinstance(taxon, Taxon)}
        past: dict[tuple[str, str], int] = {}
        if sessions:
            with writing(self.engine) as connection:
                past, _ = merge_sessions(connection, sessions, taxon_of, close_at=utc_now().isoformat())
        listed = in_import_order(pictures, has_splits)
        # What another workspace knows to be near-duplicates is taken from there.
        theirs = {picture.origin.image for picture in pictures if picture.origin}
        bare, removed = bare_pictures(self.engine), gone_pictures(self.engine)
        twins = known_twins(self.engine, self._embeddings, self._are_twins, theirs | removed)
        this = _Run(run, kinds, past, twins, report, bare, removed)
        with ThreadPoolExecutor(READERS) as pool:
            for done, batch in enumerate(batches(listed, BATCH)):
                read = zip(batch, pool.map(self._read, batch, repeat(this)), strict=True)
                self._store([one for one in (self._usable(p, r, this) for p, r in read) if one], this, pool)
                progress("taking in pictures", done * BATCH + len(batch), len(listed))
        if this.cut:
            cut = f"{counted(len(this.cut), 'file')} with several pages or frames"
            report.notes.append(plain_text(f"Of {cut} only the first is read: {', '.join(this.cut[:5])}."))
        there = self._roster.there()
        report.skipped += look_at_missing(self._embeddings, self._images, there, self._look, progress)
        return report

    def _read(self, listed: LabelledPicture, run: _Run) -> _Ready | str:
        """Read one picture, and decode it if it is new; or why that cannot be."""
        if listed.label and listed.label not in run.kinds.taxon_of:
            return f"its class {plain_text(listed.label)} has no usable name"
        try:
            loaded = listed.load()
            if listed.origin is not None and listed.origin.image != image_id_of(loaded):
                return "is not the picture that it was when it was exported"
            original = self._images.decoder.without_metadata(loaded, name=listed.name)
            image = image_id_of(original)
            if listed.origin is not None:
                run.renamed[listed.origin.image] = image
            still_bare = listed.origin is not None and listed.origin.split is None
            if image in self._roster and image not in run.removed and (image not in run.bare or still_bare):
                self._images.put(original)  # in case that somebody has deleted the file
                return _Ready(listed, image)
            picture, size = self._images.decoder.decode(original, MODEL_PX, name=listed.name)
        except (PictureError, StorageError, BusyError) as error:
            return str(error)
        except OSError as error:
            return f"cannot be read ({error.strerror or 'input/output error'})"
        return _Ready(listed, image, original, picture, size, has_more(loaded))

    def _usable(self, listed: LabelledPicture, read: _Ready | str, run: _Run) -> _Ready | None:
        """What is to be stored; a fault, and the same picture under another label, is named in the report."""
        if isinstance(read, str):
            run.report.skipped.append((plain_text(listed.name), read))
            return None
        if read.has_more:
            run.cut.append(listed.name)
        first = run.met.setdefault(read.image, listed)
        if first is listed or listed.said or (listed.label and not first.label):
            return read
        if listed.label and first.label != listed.label:
            reason = f"is the same picture as {first.name}, which has another label"
            run.report.skipped.append((plain_text(listed.name), plain_text(reason)))
        elif listed.split != first.split and listed.origin is None:
            reason = f"is the same picture as {first.name}, which is in {first.split}: that counts"
            run.report.skipped.append((plain_text(listed.name), plain_text(reason)))
        else:
            run.report.known += 1
        return None

    def _store(self, ready: Sequence[_Ready], run: _Run, pool: ThreadPoolExecutor) -> None:
        fresh = {one.image: one for one in reversed(ready) if one.picture is not None}
        new = list(reversed(fresh.values()))
        rows: dict[str, Row] = {}
        run.report.known += len(ready) - len(new)
        if new:
            looks = self._look([one.picture for one in new if one.picture is not None])
            for one, embedding in zip(new, looks.embeddings, strict=True):
                rows[one.image] = self._row(one, embedding, rows, run)
            # Files and looks before rows, so that whoever follows the log finds them.
            list(pool.map(self._images.put, [one.original for one in new]))
            self._embeddings.append([one.image for one in new], looks)
            run.finder.settle()
        try:
            with writing(self.engine) as connection:
                answers = sum(self._write(connection, one, rows, run) for one in ready)
        except StorageError:
            self._log.remove_orphans(list(rows), self._images)
            raise
        for one in new:
            if one.picture is not None:
                self._images.make_thumbnail(one.image, one.picture)
        self._roster.follow()
        run.report.answers += answers
        run.report.added += len(new)
        run.report.splits.update(row["split"] or "none" for row in rows.values())
        run.report.twins += sum(row["twin_of"] is not None for row in rows.values())

    def _write(self, connection: sa.Connection, one: _Ready, rows: dict[str, Row], run: _Run) -> int:
        """The row of a new picture, and what its history adds; gives how many events that is."""
        merger = Merger(connection, run.kinds.taxon_of, run.sessions, utc_now().isoformat(), f"{IMPORT}{run.name}")
        row = rows.get(one.image)
        if row is not None and one.image not in self._images:  # removed meanwhile by one who could not store it
            self._images.put(one.original)
        known = store_picture(connection, one.image, row)
        split: Split = known.split if known and known.split in SPLITS else _split(one.listed)
        written = merger.merge(one.image, one.listed.history, split)
        if known is None and not written:  # nothing of its history can be understood here
            written = merger.merge(one.image, (SourceEvent("import", None),), split)
        return written

    def _row(self, one: _Ready, embedding: np.ndarray, rows: dict[str, Row], run: _Run) -> Row:
        """The row of a new picture, in the split of its group."""
        assert one.picture is not None
        hashed, origin = dhash(one.picture), one.listed.origin
        split: str | None = _split(one.listed)
        twin = run.finder.find(hashed, embedding)
        if origin is not None:
            split = None if origin.split is None else split
            theirs = run.renamed.get(origin.twin_of or "", origin.twin_of)
            if twin is None and theirs is not None and (theirs in self._roster or theirs in rows):
                twin = theirs
        if twin is not None:
            split = self._split_beside(twin, split, rows, run)
        if origin is None:
            run.finder.add(one.image, hashed, twin, embedding)
        row = {
            "id": one.image,
            "width_px": one.size[0],
            "height_px": one.size[1],
            "source": "import",
            "split": split,
            "name": plain_text(one.listed.name)[:LONGEST_FILE_NAME],
            "created_at": utc_now().isoformat(),
            "dhash": f"{hashed:016x}",
            "twin_of": twin,
            "imported_in": run.name,
        }
        if origin is not None:
            row |= {"source": origin.source, "created_at": origin.created_at, "imported_in": origin.imported_in}
        return row

    def _split_beside(self, twin: str, wanted: str | None, rows: dict[str, Row], run: _Run) -> str | None:
        """The split of the twin; the wanted one where both come from the same workspace and nothing has changed."""
        here = rows[twin]["split"] if twin in rows else self._roster.standing(twin).split
        listed = run.met.get(twin)
        same = listed is not None and listed.origin is not None and here in (listed.origin.split, _split(listed))
        return wanted if same else here


def _split(listed: LabelledPicture) -> Split:
    return "gold" if listed.split == "test" else listed.split
