"""What has to be done every now and then while the server runs: old files go, and pictures whose time is over."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fgdemo.settings import Settings
from fgdemo.storage.disk.sweeping import Swept, sweep
from fgdemo.storage.disk.unfinished import clear_unfinished
from fgdemo.storage.exchange.incoming import Incoming
from fgdemo.storage.visitors.pictures import VisitorPictures
from fgdemo.values.errors import FgdemoError

log = logging.getLogger(__name__)

LOOK_EVERY_S = 30.0
UPLOADS_KEPT_S, UPLOADS_MOST_BYTES = 3600, 2_000_000_000
"""The page sends a picture again that it still needs, so nothing is lost by this."""
EXPORTS_KEPT_S, EXPORTS_MOST_BYTES = 86_400, 1_000_000_000_000
"""An export holds pictures as they were; one that a visitor has deleted since must not live on in it."""


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


def chores(
    settings: Settings, incoming: Incoming, pictures: VisitorPictures, clear_removed: Callable[[], object]
) -> list[Chore]:
    """What is tidied up while the page is served."""
    uploads = Swept(uploads_folder(settings), UPLOADS_KEPT_S, UPLOADS_MOST_BYTES)
    exports = Swept(settings.home / "exports", EXPORTS_KEPT_S, EXPORTS_MOST_BYTES)
    return [
        Chore("clearing uploads", lambda: sweep(uploads), 60),
        Chore("clearing exports", lambda: sweep(exports), 3600),
        Chore("clearing half-finished imports", incoming.remove_forgotten, 3600),
        Chore("clearing what a crash has left", lambda: clear_unfinished(settings.home), 86_400),
        Chore("removing visitors' pictures", pictures.expire, 3600),
        Chore("clearing what was removed", clear_removed, 60),
    ]


def uploads_folder(settings: Settings) -> Path:
    """Where Gradio keeps what the browser sends, if `own_process` has told it to."""
    return settings.home / "uploads"
