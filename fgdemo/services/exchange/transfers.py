"""Imports and exports that run in the background, one at a time, so that the page can be left meanwhile."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from fgdemo.services.exchange.transfer import CancelledError, Transfer, exported, imported
from fgdemo.storage.disk.durable import write_durably
from fgdemo.storage.disk.strict_json import read_object
from fgdemo.values.annotation import Person
from fgdemo.values.errors import FgdemoError, StorageError

if TYPE_CHECKING:
    from fgdemo.services.exchange.exchange import Exchange, ExportFormat

SWAPPING = "Another model is going live, which takes a moment: try again then."
NOT_BROUGHT = "Nothing was brought in."
ESTIMATE_AFTER_S = 2.0
"""Before this an estimate of the time left would be a guess."""


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

    def begin_look(self, person: Person, locations: Sequence[str], about: str) -> Transfer:
        """Begin to find out what an import of `locations` would do; it then waits for `accept` or `decline`.

        Raises as `begin_import`.
        """
        person.require("maintainer")

        def work() -> Transfer:
            self._write_pending(locations, about, is_agreed=False)
            try:
                found = self._exchange.foresee(person, locations, self._progress)
            except BaseException:
                self._pending.unlink(missing_ok=True)
                raise
            return replace(self._now, state="asking", foreseen=found, asked=uuid.uuid4().hex)  # type: ignore[arg-type]

        return self._begin(Transfer("import", about), work)

    def accept(
        self,
        person: Person,
        asked: str,
        unsorted: bool = False,
        after: Callable[[Sequence[str]], None] = lambda _: None,
    ) -> Transfer:
        """Say yes to the import that waits for it, and begin it. Raises as `begin_import`."""
        person.require("maintainer")
        self._require_asked(asked)
        if self._swapping():
            raise StorageError(SWAPPING)
        locations, about, _, _ = self._read_pending()
        return self.begin_import(person, locations, about, lambda: after(locations), unsorted, asked)

    def decline(self, person: Person, asked: str, after: Callable[[Sequence[str]], None] = lambda _: None) -> Transfer:
        """Say no to it: nothing has changed, and what was uploaded is cleared away."""
        person.require("maintainer")
        with self._lock:
            self._require_asked(asked)
            waiting: Transfer = self._now  # type: ignore[assignment]
            ended = self._now = replace(waiting, state="cancelled", foreseen=None, asked="", sentence=NOT_BROUGHT)
        locations = self._read_pending()[0]
        self._pending.unlink(missing_ok=True)
        after(locations)
        return ended

    def begin_import(
        self,
        person: Person,
        locations: Sequence[str],
        about: str,
        after: Callable[[], None] = lambda: None,
        unsorted: bool = False,
        asked: str = "",
    ) -> Transfer:
        """Begin to take in what lies at `locations` (see `Exchange.import_from`).

        Args:
            about: what a person calls it.
            after: called when all of it has come in, to clear away what was uploaded.
            unsorted: see `Exchange.import_from`.
            asked: the question that this is the yes to.

        Raises:
            StorageError: something else runs.
            ForbiddenError: not a maintainer.
        """
        person.require("maintainer")
        if self._swapping():
            raise StorageError(SWAPPING)

        def work() -> Transfer:
            self._write_pending(locations, about, unsorted)
            try:
                report = self._exchange.import_from(person, locations, self._progress, unsorted)
            finally:
                self._pending.unlink(missing_ok=True)
            after()
            return imported(self._now, report)  # type: ignore[arg-type]

        return self._begin(Transfer("import", about), work, asked)

    def go_on(self, person: Person, after: Callable[[Sequence[str]], None] = lambda _: None) -> Transfer:
        """Begin the interrupted import again; what has come in already is passed over quickly."""
        person.require("maintainer")
        if self._now is None or self._now.state != "interrupted":
            raise StorageError("There is no import that was interrupted.")
        locations, about, unsorted, is_agreed = self._read_pending()
        if not is_agreed:
            return self.begin_look(person, locations, about)
        return self.begin_import(person, locations, about, lambda: after(locations), unsorted)

    def begin_export(self, person: Person, format: ExportFormat) -> Transfer:
        """Begin to write the workspace as one file to be downloaded. Raises as `begin_import`."""
        person.require("maintainer")
        out = self._exports / ("fgdemo.csv" if format == "csv" else f"fgdemo-{format}.zip")

        def work() -> Transfer:
            self._exports.mkdir(parents=True, exist_ok=True)
            done = self._exchange.export_to(person, out, format, progress=self._progress)
            return exported(self._now, done, out)  # type: ignore[arg-type]

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

    def _require_asked(self, asked: str) -> None:
        if self._now is None or self._now.state != "asking" or self._now.asked != asked:
            raise StorageError("This import does not wait for an answer any more: here is how it stands.")

    def _begin(self, transfer: Transfer, work: Callable[[], Transfer], asked: str = "") -> Transfer:
        with self._lock:
            if self._now is not None and self._now.state == "asking" and self._now.asked != asked:
                raise StorageError("An import waits for an answer: bring it in, or leave it, before you begin another.")
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
            is_import = running.kind == "import" and self._read_pending()[3]
            raise CancelledError("Cancelled." + (kept if is_import else ""))
        if stage != running.stage:
            self._stage_began_s = now_s
        spent_s = now_s - self._stage_began_s
        left_s = spent_s * (of - done) / done if done and spent_s >= ESTIMATE_AFTER_S else None
        self._now = replace(running, stage=stage, done=done, of=of, elapsed_s=now_s - self._began_s, left_s=left_s)

    def _write_pending(
        self, locations: Sequence[str], about: str, unsorted: bool = False, is_agreed: bool = True
    ) -> None:
        told = {"locations": list(locations), "about": about, "unsorted": unsorted, "is_agreed": is_agreed}
        write_durably(self._pending, json.dumps(told).encode())

    def _read_pending(self) -> tuple[list[str], str, bool, bool]:
        """Locations, what a person calls them, whether they are unsorted, and whether somebody has said yes."""
        try:
            found = read_object(self._pending.read_bytes())
            locations = [str(location) for location in found["locations"]]
            return locations, str(found["about"]), bool(found.get("unsorted")), bool(found.get("is_agreed", True))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StorageError("What the interrupted import was of cannot be read: begin it anew.") from error
