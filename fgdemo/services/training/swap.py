"""One model takes the place of another, in the background, one at a time."""

import logging
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager

from fgdemo.values.errors import FgdemoError, TrainingError
from fgdemo.values.training import Stage

log = logging.getLogger(__name__)


class Swap:
    """Safe for many threads.

    Args:
        importing: whether an import runs, which looks at pictures with the model that is live.
        trouble: what went wrong before, with the models that were loaded first.
    """

    def __init__(self, importing: Callable[[], bool], trouble: str = "") -> None:
        self._importing = importing
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self.stage: Stage | None = None
        """How far it is; None where none runs."""
        self.is_comparison = False
        """Whether what runs compares two models, and lets none go live."""
        self.trouble = trouble
        """What went wrong with the last one; empty where nothing did."""

    def begin(self, *steps: Callable[[], object], is_comparison: bool = False) -> None:
        """Do these one after the other. Raises TrainingError where another swap or an import runs."""
        with self.idle():
            if self._importing():
                raise TrainingError("An import runs: wait for its end, or cancel it.")
            self.stage, self.trouble, self.is_comparison = Stage("beginning"), "", is_comparison
        self._thread = threading.Thread(target=self._run, args=(steps,), name="promotion", daemon=True)
        self._thread.start()

    @contextmanager
    def idle(self) -> Generator[None, None, None]:
        """While the block runs, none begins. Raises TrainingError where one runs."""
        with self._lock:
            if self.stage is not None:
                what = "Two models are being compared" if self.is_comparison else "Another model is going live"
                raise TrainingError(f"{what}: wait for the end of that.")
            yield

    def progress(self, what: str, done: int, of: int) -> None:
        self.stage = Stage(what, done, of)

    def wait(self) -> None:
        """Until none runs."""
        if self._thread is not None:
            self._thread.join()

    def _run(self, steps: tuple[Callable[[], object], ...]) -> None:
        trouble = "The model could not be swapped; what went wrong is in the server's log."
        try:
            for step in steps:
                step()
            trouble = ""
        except FgdemoError as error:
            log.exception("the model could not be swapped")
            trouble = str(error)
        finally:
            self.trouble, self.stage = trouble, None
