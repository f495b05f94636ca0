"""How the server stands, for whoever runs it and for what watches it."""

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlalchemy.engine import Engine

from fgdemo.services.exchange.mirroring import MirrorNow
from fgdemo.storage.database.database import check_database
from fgdemo.storage.disk.free_space import Disk
from fgdemo.storage.history.events import EventLog
from fgdemo.storage.trainings.jobs import OPEN, Jobs
from fgdemo.values.errors import StorageError, UnavailableError


@dataclass(frozen=True)
class Health:
    """Whether questions are answered, and if not, why: in words without a path or an address."""

    ready: bool
    reason: str = ""
    model_version: str | None = None
    mirror: MirrorNow | None = None
    """A mirror that fails is a reason to look, none to send people away."""


@dataclass(frozen=True)
class Figures:
    """The workspace in numbers.

    Attributes:
        events: how many label events there are of each kind.
        trainings: how many jobs wait or run.
        transferring: an import or export runs in this server.
        mirror: how far the mirror is; None where there is none.
    """

    model_version: str
    events: Mapping[str, int]
    trainings: Mapping[str, int]
    transferring: bool
    mirror: MirrorNow | None


class Operations:
    """Safe for many threads.

    Args:
        model_version: of the model that answers.
        transferring: whether an import or export runs.
        mirror: how far the mirror is; None where there is none.
        disk: of the workspace; None where nothing is asked of it.
    """

    def __init__(
        self,
        engine: Engine,
        model_version: str,
        transferring: Callable[[], bool] = lambda: False,
        mirror: Callable[[], MirrorNow | None] = lambda: None,
        disk: Disk | None = None,
    ) -> None:
        self._disk = disk
        self._engine, self._model_version = engine, model_version
        self._transferring, self._mirror = transferring, mirror
        self._log, self._jobs = EventLog(engine), Jobs(engine)
        self._lock = threading.Lock()
        self._counted_to, self._events = 0, Counter[str]()

    def health(self) -> Health:
        """Asks the database, so it takes as long as that."""
        try:
            check_database(self._engine)
            if self._disk is not None and self._disk.is_full():
                raise UnavailableError("The disk of the workspace is full.")
            return Health(True, "", self._model_version, self._mirror())
        except StorageError as error:
            return Health(False, str(error), self._model_version)

    def figures(self) -> Figures:
        """Counts only what is new since the last time. Raises StorageError."""
        with self._lock:
            self._counted_to, news = self._log.tally(self._counted_to)
            self._events.update(news)
            events = dict(self._events)
        states = Counter(job.state for job in self._jobs.open())
        waiting = {state: states[state] for state in OPEN}
        return Figures(self._model_version, events, waiting, self._transferring(), self._mirror())
