"""Imports and exports that run in the background, one at a time, so that the page can be left meanwhile."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from fgdemo.storage.disk.durable import write_durably
from fgdemo.storage.disk.strict_json import read_object
from fgdemo.values.annotation import Person
from fgdemo.values.bidi import isolated
from fgdemo.values.counting import counted
from fgdemo.values.errors import FgdemoError, StorageError

if TYPE_CHECKING:
    from fgdemo.services.exchange.exchange import Exchange, Exported, ExportFormat, ImportReport

SHOWN_LEFT_OUT = 20
SHOWN_NOTES = 5
ESTIMATE_AFTER_S = 2.0
"""Before this an estimate of the time left would be a guess."""
State = Literal["running", "done", "cancelled", "failed", "interrupted"]


class CancelledError(FgdemoError):
    """A person has stopped the transfer."""


@dataclass(frozen=True)
class Transfer:
    """One import or export as it stands.

    Attributes:
        about: what is transferred, in a person's words.
        state: interrupted: the server ended in the middle of an import, which can go on.
        stage: what is being done now; `done` of `of` of it are done.
        left_s: how many seconds this stage is likely to take still; None where nothing can be said yet.
        sentence: how it ended; empty while it runs.
        left_out: the first (name, reason) of what was left out, `left_out_count` in all, listed in `left_out_file`.
        file: what an export wrote, ready to be downloaded.
    """

    kind: Literal["import", "export"]
    about: str
    state: State = "running"
    stage: str = "beginning"
    done: int = 0
    of: int = 0
    elapsed_s: float = 0.0
    left_s: float | None = None
    sentence: str = ""
    left_out: tuple[tuple[str, str], ...] = ()
    left_out_count: int = 0
    left_out_file: Path | None = None
    file: Path | None = None


class Transfers:
    """Safe for many threads. An import that was under way when the server ended is offered again.

    Args:
        home: the folder of the workspace: exports are written there, and which import is under way.
        swapping: whether another model is going live, which must see all pictures before; nothing is imported then.
    """

    def __init__(
        self,
        exchange: Exchange,
        home: Path,
        clock_s: Callable[[], float] = time.monotonic,
        swapping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._exchange, self._clock_s, self._swapping = exchange, clock_s, swapping
        self._pending, self._exports = home / "import-under-way.json", home / "exports"
        self._lock = threading.Lock()
        self._cancelled = threading.Event()
        self._thread: threading.Thread | None = None
        self._now: Transfer | None = None
        if self._pending.is_file():
            self._now = Transfer("import", self._read_pending()[1], "interrupted")

    @property
    def is_running(self) -> bool:
        return self._now is not None and self._now.state == "running"

    def use(self, exchange: Exchange) -> None:
        """From now on, for what begins later: another model looks at new pictures."""
        self._exchange = exchange

    def now(self, person: Person) -> Transfer | None:
        """The transfer that runs, or else the last one. Raises ForbiddenError for others than maintainers."""
        person.require("maintainer")
        return self._now

    def begin_import(
        self, person: Person, locations: Sequence[str], about: str, after: Callable[[], None] = lambda: None
    ) -> Transfer:
        """Begin to take in what lies at `locations` (see `Exchange.import_from`).

        Args:
            about: what a person calls it.
            after: called when all of it has come in, to clear away what was uploaded.

        Raises:
            StorageError: something else runs.
            ForbiddenError: not a maintainer.
        """
        person.require("maintainer")
        if self._swapping():
            raise StorageError("Another model is going live, which takes a moment: try again then.")

        def work() -> Transfer:
            self._write_pending(locations, about)
            try:
                report = self._exchange.import_from(person, locations, self._progress)
            finally:
                self._pending.unlink(missing_ok=True)
            after()
            return _imported(self._now, report)  # type: ignore[arg-type]

        return self._begin(Transfer("import", about), work)

    def go_on(self, person: Person, after: Callable[[Sequence[str]], None] = lambda _: None) -> Transfer:
        """Begin the interrupted import again; what has come in already is passed over quickly."""
        person.require("maintainer")
        if self._now is None or self._now.state != "interrupted":
            raise StorageError("There is no import that was interrupted.")
        locations, about = self._read_pending()
        return self.begin_import(person, locations, about, lambda: after(locations))

    def begin_export(self, person: Person, format: ExportFormat) -> Transfer:
        """Begin to write the workspace as one file to be downloaded. Raises as `begin_import`."""
        person.require("maintainer")
        out = self._exports / ("fgdemo.csv" if format == "csv" else f"fgdemo-{format}.zip")

        def work() -> Transfer:
            self._exports.mkdir(parents=True, exist_ok=True)
            exported = self._exchange.export_to(person, out, format, progress=self._progress)
            return _exported(self._now, exported, out)  # type: ignore[arg-type]

        return self._begin(Transfer("export", format), work)

    def cancel(self, person: Person) -> None:
        """Stop what runs; what an import has brought in stays."""
        person.require("maintainer")
        self._cancelled.set()

    def wait(self) -> None:
        """Until nothing runs."""
        if self._thread is not None:
            self._thread.join()

    # --- inside -------------------------------------------------------------------------------------------

    def _begin(self, transfer: Transfer, work: Callable[[], Transfer]) -> Transfer:
        with self._lock:
            if self._now is not None and self._now.state == "running":
                raise StorageError(f"Another {self._now.kind} runs: wait for its end, or cancel it.")
            self._cancelled.clear()
            self._began_s = self._stage_began_s = self._clock_s()
            self._now = transfer
        self._thread = threading.Thread(target=self._run, args=(work,), name="transfer", daemon=True)
        self._thread.start()
        return transfer

    def _run(self, work: Callable[[], Transfer]) -> None:
        state, sentence = "failed", "Something went wrong on the server, and is in its log."
        ended: Transfer | None = None
        try:
            ended = work()
        except CancelledError as error:
            state, sentence = "cancelled", str(error)
        except FgdemoError as error:
            sentence = str(error)
        finally:  # whatever happened, nobody is left to wait for it
            running: Transfer = self._now  # type: ignore[assignment]
            elapsed_s = self._clock_s() - self._began_s
            ended = ended or replace(running, state=state, sentence=sentence)
            self._now = replace(ended, elapsed_s=elapsed_s, left_s=None)

    def _progress(self, stage: str, done: int, of: int) -> None:
        now_s = self._clock_s()
        running: Transfer = self._now  # type: ignore[assignment]
        if self._cancelled.is_set():
            kept = " What had come in until then stays; the same import goes on from there."
            raise CancelledError("Cancelled." + (kept if running.kind == "import" else ""))
        if stage != running.stage:
            self._stage_began_s = now_s
        spent_s = now_s - self._stage_began_s
        left_s = spent_s * (of - done) / done if done and spent_s >= ESTIMATE_AFTER_S else None
        self._now = replace(running, stage=stage, done=done, of=of, elapsed_s=now_s - self._began_s, left_s=left_s)

    def _write_pending(self, locations: Sequence[str], about: str) -> None:
        write_durably(self._pending, json.dumps({"locations": list(locations), "about": about}).encode())

    def _read_pending(self) -> tuple[list[str], str]:
        try:
            found = read_object(self._pending.read_bytes())
            return [str(location) for location in found["locations"]], str(found["about"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StorageError("What the interrupted import was of cannot be read: begin it anew.") from error


def _imported(running: Transfer, report: ImportReport) -> Transfer:
    splits = ", ".join(f"{count:,} {split}" for split, count in sorted(report.splits.items()) if count)
    words = [f"{counted(report.added, 'picture')} came in{f' ({splits})' if splits else ''}"]
    if report.known:
        words.append(f"{report.known:,} {'was' if report.known == 1 else 'were'} here already")
    if report.twins:
        words.append(report.on_twins)
    if report.new_kinds:
        named = ", ".join(map(isolated, report.new_kinds[:8]))
        words.append(f"new kinds: {named}{' …' if len(report.new_kinds) > 8 else ''}")
    sentence = " ".join(["; ".join(words) + ".", *report.notes[:SHOWN_NOTES]])
    return replace(
        running,
        state="done",
        sentence=sentence,
        left_out=report.skipped[:SHOWN_LEFT_OUT],
        left_out_count=len(report.skipped),
        left_out_file=report.skipped_file,
    )


def _exported(running: Transfer, exported: Exported, out: Path) -> Transfer:
    return replace(
        running,
        state="done",
        sentence=f"{counted(exported.pictures, 'picture')} {'is' if exported.pictures == 1 else 'are'} ready.",
        file=out,
    )
