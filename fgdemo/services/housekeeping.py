"""What has to be done every now and then while the server runs: old files go, and pictures whose time is over."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from fgdemo.errors import FgdemoError

log = logging.getLogger(__name__)

EVERY_S = 60.0


class Housekeeping:
    """Does the chores, one after the other, in a thread of its own; a chore that fails does not stop the next.

    Args:
        chores: (name for the log, what to do).
    """

    def __init__(self, chores: Sequence[tuple[str, Callable[[], object]]], every_s: float = EVERY_S) -> None:
        self._chores, self._every_s = chores, every_s
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="housekeeping", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Returns when the chore that is being done is done."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def tidy(self) -> None:
        """All chores, once, now."""
        for name, chore in self._chores:
            try:
                chore()
            except (FgdemoError, OSError) as error:
                log.warning("%s: %s", name, error)

    def _run(self) -> None:
        while not self._stopped.is_set():
            self.tidy()
            self._stopped.wait(self._every_s)
