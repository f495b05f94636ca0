"""Backing up in the background: what is new goes to the mirror every few seconds, and the page says how far that is."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from fgdemo.storage.database.database import utc_now
from fgdemo.storage.embeddings.embeddings import Embeddings
from fgdemo.storage.mirror.sending import Mirror
from fgdemo.values.annotation import Person
from fgdemo.values.errors import FgdemoError

log = logging.getLogger(__name__)

LONGEST_PAUSE_S = 60.0
"""After a failure it tries again later and later, at most so late."""
WENT_WRONG = "Something went wrong, which is in the server's log."


@dataclass(frozen=True)
class MirrorNow:
    """How far the backup is.

    Attributes:
        answers: all that people said here.
        waiting: how many of these are nowhere but here.
        elapsed_s: since all that there was had last been sent; None where nothing ever was.
        fault: why the last try failed, in a sentence; empty where it did not.
    """

    answers: int
    waiting: int
    elapsed_s: float | None
    fault: str


class Mirroring:
    """Owns the thread that sends. Without a mirror all of it does nothing.

    Args:
        mirror: None where this installation has none.
    """

    def __init__(self, mirror: Mirror | None = None, clock: Callable[[], datetime] = utc_now) -> None:
        self._mirror, self._clock = mirror, clock
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._fault = ""
        self._seen_at: datetime | None = None

    def now(self, person: Person) -> MirrorNow | None:
        """For experts and maintainers; None where there is no mirror."""
        person.require("expert")
        return self.lag()

    def lag(self) -> MirrorNow | None:
        """How far it is; None where there is no mirror. Raises StorageError."""
        if self._mirror is None:
            return None
        backed = self._mirror.state.backed()
        sent_at = self._seen_at or (datetime.fromisoformat(backed.sent_at) if backed.sent_at else None)
        elapsed_s = max((self._clock() - sent_at).total_seconds(), 0.0) if sent_at else None
        return MirrorNow(backed.answers, backed.waiting, elapsed_s, self._fault)

    def use(self, embeddings: Embeddings) -> None:
        """Another model is live: back up what that has seen."""
        if self._mirror is not None:
            self._mirror.use(embeddings)

    def start(self) -> None:
        """Send what is new, now and from now on."""
        if self._mirror is not None:
            self._thread = threading.Thread(target=self._run, args=(self._mirror,), name="mirror", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Send what is new once more, and end."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _run(self, mirror: Mirror) -> None:
        pause_s = mirror.destination.rest_s
        while not self._stop.is_set():
            pause_s = mirror.destination.rest_s if self._send(mirror) else min(2 * pause_s, LONGEST_PAUSE_S)
            self._stop.wait(pause_s)
        self._send(mirror)

    def _send(self, mirror: Mirror) -> bool:
        """Whether that went well. Nothing ends the thread: a backup that stops unseen is none."""
        try:
            if mirror.send() is not None:
                self._seen_at = self._clock()
            self._fault = ""
        except FgdemoError as error:
            if self._fault != str(error):
                log.warning("the mirror: %s", error)
            self._fault = str(error)
        except Exception:
            log.exception("the mirror failed")
            self._fault = WENT_WRONG
        return not self._fault
