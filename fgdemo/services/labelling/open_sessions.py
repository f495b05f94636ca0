"""What labelling sessions have answered: kept in memory, and read on from the log each time they are asked about."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from sqlalchemy.engine import Engine

from fgdemo.storage.history.checks import Checks
from fgdemo.storage.history.events import EventLog, LabelEvent
from fgdemo.storage.history.sessions import LabellingSession, Sessions
from fgdemo.values.annotation import Person
from fgdemo.values.errors import ForbiddenError


@dataclass
class Sitting:
    """One session as far as this server has read on.

    Attributes:
        events: its answers that stand, oldest first.
        undone: its answers that were taken back, by id.
        seconded: pictures about which this person has given a blind second opinion, in any session.
        before: the label that stood at each `shown_version` of its answers.
        event: id of the newest event read.
    """

    session: LabellingSession
    seconded: set[str]
    events: list[LabelEvent] = field(default_factory=list)
    undone: dict[int, LabelEvent] = field(default_factory=dict)
    before: dict[int, str | None] = field(default_factory=dict)
    event: int = 0


class Sittings:
    """Safe for many threads, and for several servers that serve one session in turn."""

    def __init__(self, engine: Engine, log: EventLog, sessions: Sessions) -> None:
        self._log, self._sessions, self._checks = log, sessions, Checks(engine)
        self._sittings: dict[int, Sitting] = {}
        self._lock = threading.Lock()

    def of(self, person: Person, session: int) -> Sitting:
        """The session with all its answers. Raises ForbiddenError where it is somebody else's."""
        sitting = self.own(person, session)
        self._read_on(sitting)
        return sitting

    def own(self, person: Person, session: int) -> Sitting:
        """Like `of`, with the answers that were there when somebody asked last."""
        person.require("expert")
        sitting = self._sittings.get(session)
        if sitting is None:
            opened = self._sessions.get(session)
            sitting = Sitting(opened, self._log.seconded_by(opened.annotator))
            sitting = self._sittings.setdefault(session, sitting)
        if sitting.session.annotator != person.name:
            raise ForbiddenError("This session belongs to somebody else.")
        return sitting

    def before(self, sitting: Sitting) -> dict[int, str | None]:
        """`Sitting.before`, complete."""
        shown = {said.shown_version for said in sitting.events if said.shown_version}
        unknown = sorted(shown - sitting.before.keys())
        if unknown:
            sitting.before.update({**dict.fromkeys(unknown), **self._checks.labels_at(unknown)})
        return sitting.before

    def _read_on(self, sitting: Sitting) -> None:
        with self._lock:
            news = self._log.by_session(sitting.session.id, sitting.event)
            if not news:
                return
            events = list(sitting.events)  # others may be reading the old list
            for said in news:
                if said.kind != "undo":
                    events.append(said)
                    if said.reason == "second":
                        sitting.seconded.add(said.image)
                    continue
                undone = next((one for one in reversed(events) if one.id == said.undoes), None)
                if undone is not None:
                    events.remove(undone)
                    sitting.undone[undone.id or 0] = undone
                    sitting.seconded.discard(undone.image)
            sitting.events, sitting.event = events, news[-1].id or 0
