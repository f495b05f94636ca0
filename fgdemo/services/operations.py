"""How the server stands, for whoever runs it and for what watches it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlalchemy.engine import Engine

from fgdemo.errors import StorageError
from fgdemo.storage.database import check_database
from fgdemo.storage.events import EventLog
from fgdemo.storage.jobs import OPEN, Jobs


@dataclass(frozen=True)
class Health:
    """Whether questions are answered, and if not, why: in words without a path or an address."""

    ready: bool
    reason: str = ""
    model_version: str | None = None


@dataclass(frozen=True)
class Figures:
    """The workspace in numbers.

    Attributes:
        events: how many label events there are of each kind.
        trainings: how many jobs wait or run.
        transferring: an import or export runs in this server.
    """

    model_version: str
    events: Mapping[str, int]
    trainings: Mapping[str, int]
    transferring: bool


class Operations:
    """Safe for many threads.

    Args:
        model_version: of the model that answers.
        transferring: whether an import or export runs.
    """

    def __init__(self, engine: Engine, model_version: str, transferring: Callable[[], bool] = lambda: False) -> None:
        self._engine, self._model_version, self._transferring = engine, model_version, transferring
        self._log, self._jobs = EventLog(engine), Jobs(engine)
        self._lock = threading.Lock()
        self._counted_to, self._events = 0, Counter[str]()

    def health(self) -> Health:
        """Asks the database, so it takes as long as that."""
        try:
            check_database(self._engine)
        except StorageError as error:
            return Health(False, str(error), self._model_version)
        return Health(True, "", self._model_version)

    def figures(self) -> Figures:
        """Counts only what is new since the last time. Raises StorageError."""
        with self._lock:
            self._counted_to, news = self._log.tally(self._counted_to)
            self._events.update(news)
            events = dict(self._events)
        states = Counter(job.state for job in self._jobs.open())
        return Figures(self._model_version, events, {state: states[state] for state in OPEN}, self._transferring())
