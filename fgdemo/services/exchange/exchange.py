"""Pictures and answers into the workspace, and out of it, for the page and the command line alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy.engine import Engine

from fgdemo.storage.database.database import utc_now
from fgdemo.storage.database.dialects import may_write
from fgdemo.storage.disk.left_out import write_left_out
from fgdemo.storage.exchange.export import Exported, ExportFormat, export_workspace
from fgdemo.storage.exchange.foreseen import Foreseen, foresee, without_labels
from fgdemo.storage.exchange.imported import Imported
from fgdemo.storage.exchange.intake import Intake
from fgdemo.storage.formats.sources import read_for_import
from fgdemo.storage.people.audit import Audit
from fgdemo.storage.pictures.originals import ImageStore
from fgdemo.values.annotation import Person
from fgdemo.values.counting import counted
from fgdemo.values.errors import StorageError
from fgdemo.values.progress import Progress, no_progress

__all__ = ["Exchange", "ExportFormat", "Exported", "ImportReport", "Progress"]


@dataclass(frozen=True)
class ImportReport:
    """What an import did.

    Attributes:
        run: the name of this import, the moment at which it began.
        added: pictures that are new; known: those that were here already.
        answers: what was said about pictures, new in this workspace: labels and everything else of a history.
        twins: pictures that are near-duplicates and lie in the split of the first of their group.
        splits: how many of the new pictures are in each split.
        new_kinds: names of kinds that the workspace did not know.
        skipped: (name, reason) of everything that was left out.
        notes: sentences about how the source was understood: columns that were not read, kinds with similar names.
        skipped_file: the table in the workspace that lists them all, or None where nothing was left out.
    """

    run: str
    added: int
    known: int
    answers: int
    twins: int
    splits: Mapping[str, int]
    new_kinds: tuple[str, ...]
    skipped: tuple[tuple[str, str], ...]
    skipped_file: Path | None
    notes: tuple[str, ...] = ()

    @property
    def on_twins(self) -> str:
        """That there are near-duplicates; empty where there are none."""
        if not self.twins:
            return ""
        are = "is a near-duplicate and lies" if self.twins == 1 else "are near-duplicates and lie"
        return f"{self.twins:,} {are} in the split of {'its' if self.twins == 1 else 'their'} twin"


class Exchange:
    """Imports into one workspace and exports from it.

    Both functions take long and are meant to run in the background. They call `progress(what, done, of)` often; to stop
    one, let `progress` raise: whatever it raises comes out here, an import keeps what has come in until then (the same
    import again goes on from there), and an export leaves what stood at `out` as it was.

    Args:
        home: the folder of the workspace, for the lists of what was left out.
        intake: takes pictures into the workspace; None where nothing is imported, which needs no model.
    """

    def __init__(self, home: Path, engine: Engine, images: ImageStore, intake: Intake | None = None) -> None:
        self._home, self._engine, self._images, self._intake = home, engine, images, intake

    def import_from(
        self,
        person: Person,
        locations: Sequence[str | Path],
        progress: Progress = no_progress,
        unsorted: bool = False,
    ) -> ImportReport:
        """Take in pictures, labels and histories: whatever `fgdemo.storage.formats.sources.read_for_import` can read.

        Importing the same again adds nothing twice and goes on where an interrupted import stopped.

        Args:
            unsorted: what folders and tables call the pictures is left: they come without a label.

        Raises:
            ForbiddenError: not a maintainer.
            DatasetError: nothing there that could be read.
            StorageError: the workspace cannot be written; what came in until then stays.
        """
        person.require("maintainer")
        if self._intake is None:
            raise StorageError("Nothing can be imported here, since no model looks at the pictures.")
        run, report = utc_now().isoformat(), Imported()
        source, has_splits = read_for_import(locations)
        source = without_labels(source) if unsorted else source
        Audit(self._engine).note(person, "import", ", ".join(Path(location).name for location in locations))
        report.skipped.extend(source.skipped)
        report.notes.extend(source.notes)
        try:
            self._intake.take_in(
                source.pictures,
                run,
                has_splits=has_splits,
                taxa=source.taxa,
                sessions=source.sessions,
                groups=source.groups,
                report=report,
                progress=progress,
            )
        finally:
            skipped_file = write_left_out(self._home / "imports", run, report.skipped)
        told: dict[str, Any] = {**vars(report), "splits": dict(report.splits), "skipped_file": skipped_file}
        told |= {name: tuple(told[name]) for name in ("new_kinds", "skipped", "notes")}
        return ImportReport(run, **told)

    def foresee(
        self,
        person: Person,
        locations: Sequence[str | Path],
        progress: Progress = no_progress,
        unsorted: bool = False,
    ) -> Foreseen:
        """What `import_from` would do now; nothing is changed. Raises as it does."""
        person.require("maintainer")
        progress("reading what there is", 0, 0)
        source, has_splits = read_for_import(locations)
        source = without_labels(source) if unsorted else source
        return foresee(self._engine, self._images, source, has_splits, progress)

    def export_to(
        self,
        person: Person,
        out: Path,
        format: ExportFormat,
        push_to: str | None = None,
        progress: Progress = no_progress,
    ) -> Exported:
        """Write the workspace to a folder, or to a file if `out` ends in `.zip` (for a download) or `.csv`.

        Args:
            push_to: `owner/name` of a private data set of the Hugging Face Hub, for the format "datasets".

        Raises:
            ForbiddenError: not a maintainer.
            StorageError: the disk is full, or `out` is something that no export made; it stays as it was.
            DatasetError: the data set could not be pushed; what was written to `out` stays.
        """
        person.require("maintainer")
        exported = export_workspace(self._engine, self._images, out, format, push_to=push_to, progress=progress)
        pushed = f", pushed to {push_to}" if push_to else ""
        if may_write(self._engine):  # where nothing can be written down, whoever reads the files can copy them, too
            Audit(self._engine).note(person, "export", f"{counted(exported.pictures, 'picture')} as {format}{pushed}")
        return exported
