"""What labelling sessions have answered: kept in memory, and read on from the log each time they are asked about."""

import threading
from dataclasses import dataclass, field

from sqlalchemy.engine import Engine

from fgdemo.storage.history.checks import Checks
from fgdemo.storage.history.events import EventLog, LabelEvent
from fgdemo.storage.history.sessions import LabellingSession, Sessions
from fgdemo.values.annotation import Person
from fgdemo.values.errors import ForbiddenError


@dataclass
class OpenSession:
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
    events: list[LabelEvent] = field(default_factory=list[LabelEvent])
    undone: dict[int, LabelEvent] = field(default_factory=dict[int, LabelEvent])
    before: dict[int, str | None] = field(default_factory=dict[int, str | None])
    event: int = 0


class OpenSessions:
    """Safe for many threads, and for several servers that serve one session in turn."""

    def __init__(self, engine: Engine, log: EventLog, sessions: Sessions) -> None:
        self._log, self._sessions, self._checks = log, sessions, Checks(engine)
        self._sittings: dict[int, OpenSession] = {}
        self._lock = threading.Lock()

    def of(self, person: Person, session: int) -> OpenSession:
        """The session with all its answers. Raises ForbiddenError where it is somebody else's."""
        open_session = self.own(person, session)
        self._read_on(open_session)
        return open_session

    def own(self, person: Person, session: int) -> OpenSession:
        """Like `of`, with the answers that were there when somebody asked last."""
        person.require("expert")
        open_session = self._sittings.get(session)
        if open_session is None:
            opened = self._sessions.get(session)
            open_session = OpenSession(opened, self._log.seconded_by(opened.annotator))
            open_session = self._sittings.setdefault(session, open_session)
        if open_session.session.annotator != person.name:
            raise ForbiddenError("This session belongs to somebody else.")
        return open_session

    def before(self, open_session: OpenSession) -> dict[int, str | None]:
        """`OpenSession.before`, complete."""
        shown = {said.shown_version for said in open_session.events if said.shown_version}
        unknown = sorted(shown - open_session.before.keys())
        if unknown:
            open_session.before.update({**dict.fromkeys(unknown), **self._checks.labels_at(unknown)})
        return open_session.before

    def _read_on(self, open_session: OpenSession) -> None:
        with self._lock:
            news = self._log.by_session(open_session.session.id, open_session.event)
            if not news:
                return
            events = list(open_session.events)  # others may be reading the old list
            for said in news:
                if said.kind != "undo":
                    events.append(said)
                    if said.reason == "second":
                        open_session.seconded.add(said.image)
                    continue
                undone = next((one for one in reversed(events) if one.id == said.undoes), None)
                if undone is not None:
                    events.remove(undone)
                    open_session.undone[undone.id or 0] = undone
                    open_session.seconded.discard(undone.image)
            open_session.events, open_session.event = events, news[-1].id or 0
