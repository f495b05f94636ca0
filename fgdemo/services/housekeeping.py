"""What has to be done every now and then while the server runs: old files go, and pictures whose time is over."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fgdemo.errors import FgdemoError

log = logging.getLogger(__name__)

LOOK_EVERY_S = 30.0


@dataclass(frozen=True)
class Chore:
    """Something that is done every `every_s` seconds, first at the start."""

    name: str
    do: Callable[[], object]
    every_s: float


class Housekeeping:
    """Does the chores, one after the other, in a thread of its own; a chore that fails does not stop the next."""

    def __init__(self, chores: Sequence[Chore], clock_s: Callable[[], float] = time.monotonic) -> None:
        self._chores, self._clock_s = chores, clock_s
        self._done_s: dict[str, float] = {}
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
        """Do all chores that are due."""
        for chore in self._chores:
            now_s = self._clock_s()
            if now_s - self._done_s.get(chore.name, -chore.every_s + now_s) < chore.every_s:
                continue
            self._done_s[chore.name] = now_s
            try:
                chore.do()
            except (FgdemoError, OSError) as error:
                log.warning("%s: %s", chore.name, error)

    def _run(self) -> None:
        while not self._stopped.is_set():
            self.tidy()
            self._stopped.wait(LOOK_EVERY_S)
