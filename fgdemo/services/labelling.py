"""Labelling sessions: what is asked next and why, answers that are durable and learned from at once, undo."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.engine import Engine

from fgdemo.annotation import Learner, Order, Person, Ranking, Reason, Standing
from fgdemo.errors import ForbiddenError, StaleError, StorageError, TaxonomyError
from fgdemo.services.explainer import Explainer
from fgdemo.services.item_queue import AUDIT_EVERY, count_open, first_open, is_open, rows_to_ask, to_second
from fgdemo.services.session_report import SessionReport, report_on
from fgdemo.services.session_words import ORDERS, reason_sentence
from fgdemo.services.suggestions import LONGEST_COMMENT, clean_text
from fgdemo.services.taxon_search import TaxonSearch
from fgdemo.storage.database import utc_now
from fgdemo.storage.events import EventLog, LabelEvent
from fgdemo.storage.leases import Leases
from fgdemo.storage.roster import Roster
from fgdemo.storage.sessions import LabellingSession, Sessions
from fgdemo.storage.taxa import TaxonStore
from fgdemo.taxonomy import Taxon, Taxonomy
from fgdemo.types import Classifier, TaxonHit

MOST_AHEAD = 6
"""So many items may a page hold."""
PAIRS = 12
DOUBTFUL = 0.5
"""From this suspicion on the model holds another kind for likelier than the given one."""
PATIENCE = 20
"""So often another picture is drawn where somebody else was faster."""
LARGEST_GOAL = 100_000


@dataclass(frozen=True)
class Given:
    """What stands about a picture, and who said so."""

    taxon: str | None
    name: str
    latin: str | None
    annotator: str
    checked: bool


@dataclass(frozen=True)
class Choice:
    taxon: str
    name: str
    latin: str | None
    prob: float
    look_alike: bool


@dataclass(frozen=True)
class Item:
    """A picture as it is asked. `version` is to be named by the answer."""

    image: str
    version: int
    name: str
    reason: Reason
    sentence: str
    blind: bool
    given: Given | None
    choices: tuple[Choice, ...]
    suggestions: tuple[tuple[str, str], ...]
    """(name, comment) of what visitors said."""
    opinions: tuple[tuple[str, str], ...]
    """(annotator, name) where experts disagree."""


@dataclass(frozen=True)
class Work:
    """An order of work with what is left of it."""

    order: Order
    name: str
    about: str
    left: int


@dataclass(frozen=True)
class Pair:
    a: str
    b: str
    name_a: str
    name_b: str
    confused: int


@dataclass
class _Sitting:
    """What one session has answered; kept in memory, read from the log where it is not."""

    events: list[LabelEvent] = field(default_factory=list)
    seconded: set[str] = field(default_factory=set)


class Labelling:
    """Safe for many threads, and for several servers on one database.

    Args:
        learner: learns from every answer; it follows the same roster.
        classifier: names the model version and the look-alikes.
        explainer: draws the maps, or None.
    """

    def __init__(
        self,
        engine: Engine,
        roster: Roster,
        learner: Learner,
        taxa: TaxonStore,
        classifier: Classifier,
        explainer: Explainer | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self.explainer = explainer
        self._log = EventLog(engine, clock)
        self._sessions, self._leases = Sessions(engine, clock), Leases(engine, clock)
        self._roster, self._learner, self._taxa, self._classifier = roster, learner, taxa, classifier
        self._clock = clock
        self._sittings: dict[int, _Sitting] = {}
        self._lock = threading.RLock()

    # --- sessions -----------------------------------------------------------------------------------------

    def works(self, person: Person) -> tuple[Work, ...]:
        """The orders of work, with how many pictures each has left."""
        person.require("expert")
        self._roster.follow()
        ranking = self._learner.ranking()
        return tuple(
            Work(order, name, about, self._left(ranking, order, None))
            for order, (name, about) in ORDERS.items()
            if order != "pair"
        )

    def pairs(self, person: Person) -> tuple[Pair, ...]:
        """The pairs of kinds that are most often taken for each other, most confused first."""
        person.require("expert")
        ranking = self._learner.ranking()
        if ranking is None:
            return ()
        taxonomy = self._taxa.load()
        both = ranking.confusion + ranking.confusion.T
        found = sorted(((int(both[a, b]), a, b) for a, b in zip(*both.nonzero(), strict=True) if a < b), reverse=True)[
            :PAIRS
        ]
        return tuple(
            Pair(ranking.taxa[a], ranking.taxa[b], taxonomy[ranking.taxa[a]].name, taxonomy[ranking.taxa[b]].name, n)
            for n, a, b in found
        )

    def start(
        self, person: Person, order: Order, pair: tuple[str, str] | None, goal: int | None, blind_share: float
    ) -> LabellingSession:
        """Begin a session. Raises StorageError where the plan makes no sense."""
        person.require("expert")
        if order not in ORDERS or (order == "pair") != (pair is not None):
            raise StorageError("Choose what to work on; for a pair of kinds choose the two.")
        if pair is not None:
            pair = (self._taxa.load()[pair[0]].id, self._taxa.load()[pair[1]].id)
        if goal is not None and not 1 <= goal <= LARGEST_GOAL:
            raise StorageError(f"The goal is a number of pictures from 1 to {LARGEST_GOAL}.")
        if not 0 <= blind_share <= 1:
            raise StorageError("The share of second opinions lies between 0 and 100 %.")
        return self._sessions.open(person.name, order, pair, goal, blind_share, self._learner.accuracy())

    def current(self, person: Person) -> LabellingSession | None:
        person.require("expert")
        return self._sessions.current(person.name)

    def close(self, person: Person, session: int) -> None:
        self._own(person, session)
        self._leases.release(person.name)
        self._sessions.close(session)

    def report(self, person: Person, session: int) -> SessionReport:
        """How far the session is, and what it has brought."""
        sitting = self._own(person, session)
        self._roster.follow()
        left = self._left(self._learner.ranking(), sitting.order, sitting.pair)
        return report_on(
            sitting, self._events(sitting), self._log, self._roster, self._learner.accuracy(), left, self._clock()
        )

    def done(self, person: Person, session: int) -> int:
        """How many answers of the session stand."""
        return len(self._events(self._own(person, session)))

    # --- items --------------------------------------------------------------------------------------------

    def next_items(self, person: Person, session: int, have: Sequence[str], count: int) -> tuple[Item, ...]:
        """Lease the next pictures for this person, in addition to those the page holds (`have`)."""
        sitting = self._own(person, session)
        self._learner.catch_up()
        ranking = self._learner.ranking()
        if ranking is None:
            return ()
        events = self._events(sitting)
        count = max(0, min(count, MOST_AHEAD - len(have)))
        done = {said.image for said in events}
        seconded = self._sitting(sitting).seconded
        others = {image for image, holders in self._leases.held().items() if holders - {person.name}}
        if have:
            self._leases.take(list(have)[:MOST_AHEAD], person.name, session, MOST_AHEAD)
        items: list[tuple[str, Reason]] = []
        for turn in range(len(events) + len(have), len(events) + len(have) + count):
            for _ in range(PATIENCE):
                found = self._draw(
                    person, sitting, ranking, turn, done | set(have) | {i for i, _ in items}, others, seconded
                )
                if found is None:
                    break
                image, reason = found
                if self._leases.take([image], person.name, session, 1, {image} if reason == "second" else ()):
                    self._roster.follow()  # somebody may have answered between our look and our lease
                    if is_open(self._roster, image, reason):
                        items.append(found)
                        break
                    self._leases.release(person.name, [image])
                others.add(image)  # somebody was faster
        return tuple(self._item(image, reason, ranking) for image, reason in items)

    def _draw(
        self,
        person: Person,
        sitting: LabellingSession,
        ranking: Ranking,
        turn: int,
        skip: set[str],
        others: set[str],
        seconded: set[str],
    ) -> tuple[str, Reason] | None:
        """The picture of one turn: mostly of the order of work, now and then an audit or a second opinion."""
        roster = self._roster
        if sitting.order not in ("suggestion", "adjudication"):
            if sitting.blind_share and int((turn + 1) * sitting.blind_share) > int(turn * sitting.blind_share):
                second = to_second(roster, ranking.orders["audit"], skip | seconded, 1, person)
                if second:
                    return second[0], "second"
            if turn % AUDIT_EVERY == AUDIT_EVERY - 1 and sitting.order != "audit":
                audit = first_open(roster, ranking.orders["audit"], "audit", skip | others, 1, person)
                if audit:
                    return audit[0], "audit"
        rows = rows_to_ask(roster, ranking, sitting.order, sitting.pair)
        found = first_open(roster, rows, sitting.order, skip | others, 1, person)
        return (found[0], sitting.order) if found else None

    def item(self, person: Person, image: str, reason: Reason) -> Item:
        """A picture as it stands now, to be shown again."""
        person.require("expert")
        self._learner.catch_up()
        return self._item(image, reason, self._learner.ranking())

    def _item(self, image: str, reason: Reason, ranking: Ranking | None) -> Item:
        standing, taxonomy = self._roster.standing(image), self._taxa.load()
        chances = self._learner.chances(image) or ()
        alike = set(self._classifier.lookalikes(chances[0].taxon)) if chances else set()
        blind = reason == "second"
        history = self._log.history(image) if standing.suggested or standing.disputed else []
        return Item(
            image=image,
            version=standing.version,
            name=self._roster.names([image]).get(image, ""),
            reason=reason,
            sentence=reason_sentence(reason, standing, chances, taxonomy),
            blind=blind,
            given=None if blind or standing.taxon is None else _given(standing, taxonomy),
            choices=tuple(
                Choice(c.taxon, taxonomy[c.taxon].name, taxonomy[c.taxon].latin, c.prob, c.taxon in alike)
                for c in chances
            ),
            suggestions=tuple(
                (said.new_name or (taxonomy[said.taxon].name if said.taxon else ""), said.comment or "")
                for said in history
                if said.kind == "suggestion"
            ),
            opinions=_opinions(history, taxonomy) if reason == "adjudication" else (),
        )

    # --- answers ------------------------------------------------------------------------------------------

    def answer(self, person: Person, session: int, said: LabelEvent) -> LabelEvent:
        """Keep an answer: it is durable when this returns, and the head has learned from it.

        Raises:
            StaleError: somebody else was faster; show the item again.
            ForbiddenError, StorageError, TaxonomyError: it was not kept; the message says why.
        """
        sitting = self._own(person, session)
        if said.kind not in ("label", "unsure", "skip", "unusable", "none", "adjudication"):
            raise StorageError("This is not an answer to a picture.")
        if said.taxon is not None and said.taxon not in self._taxa.load().by_id:
            raise TaxonomyError("This kind is not in the workspace: load the page again.")
        if said.comment and len(said.comment) > LONGEST_COMMENT:
            raise StorageError(f"The comment has more than {LONGEST_COMMENT} characters.")
        if said.annotator != person.name or said.session != session:
            raise ForbiddenError("An answer is given in one's own name.")
        self._roster.follow()
        before = self._roster.standing(said.image)
        kept = self._log.answer(said)
        with self._lock:
            events = self._events(sitting)
            if all(known.id != kept.id for known in events):
                events.append(kept)
                if kept.reason == "second":
                    self._sitting(sitting).seconded.add(kept.image)
        self._leases.release(person.name, [kept.image])
        self._note(before, kept)
        self._learner.catch_up()
        return kept

    def _note(self, before: Standing, kept: LabelEvent) -> None:
        ranking, row = self._learner.ranking(), self._roster.row_of[kept.image]
        if ranking is None or row >= len(ranking.suggested) or kept.kind != "label" or kept.reason == "second":
            return
        if before.taxon is not None and kept.taxon is not None and not before.checked:
            first, rival = ranking.suggested[row], ranking.rival[row]
            other = rival if first >= 0 and ranking.taxa[first] == before.taxon else first
            if other >= 0:
                self._learner.note_check(kept.image, before.taxon, kept.taxon, ranking.taxa[other])

    def undo(self, person: Person, session: int) -> tuple[Item, LabelEvent] | None:
        """Take back this person's last answer of the session that stands; None where there is none.

        Raises:
            StaleError: somebody said something newer about that picture.
        """
        sitting = self._own(person, session)
        with self._lock:
            events = self._events(sitting)
            if not events:
                return None
            last = events[-1]
            self._log.undo([last.id or 0], person, session)
            events.pop()
            self._sitting(sitting).seconded.discard(last.image)
        self._leases.take([last.image], person.name, session, 1, {last.image})
        reason: Reason = last.reason or "new"  # type: ignore[assignment]
        return self.item(person, last.image, reason), last

    # --- kinds --------------------------------------------------------------------------------------------

    def new_taxon(self, person: Person, name: str, latin: str | None, parent: str | None) -> Taxon:
        """A kind that nobody has named yet; it can be given at once. Raises TaxonomyError."""
        person.require("expert")
        return self._taxa.add(clean_text(name), parent, clean_text(latin or "") or None)

    def search(self, person: Person, query: str, limit: int = 20) -> tuple[TaxonHit, ...]:
        """Kinds and groups of the workspace by name, alias or Latin name."""
        person.require("expert")
        taxonomy = self._taxa.load()
        with self._lock:
            if getattr(self, "_searched", None) is not taxonomy:
                self._searched, self._search = taxonomy, TaxonSearch(taxonomy)
            return self._search.find(query, limit)

    def taxonomy(self) -> Taxonomy:
        return self._taxa.load()

    def history(self, person: Person, image: str) -> list[LabelEvent]:
        """All that was said about a picture, oldest first."""
        person.require("expert")
        return self._log.history(image)

    # --- inside -------------------------------------------------------------------------------------------

    def _own(self, person: Person, session: int) -> LabellingSession:
        person.require("expert")
        sitting = self._sessions.get(session)
        if sitting.annotator != person.name:
            raise ForbiddenError("This session belongs to somebody else.")
        return sitting

    def _sitting(self, session: LabellingSession) -> _Sitting:
        with self._lock:
            if session.id not in self._sittings:
                events = self._log.by_session(session.id)
                undone = {said.undoes for said in events if said.kind == "undo"}
                standing = [said for said in events if said.kind != "undo" and said.id not in undone]
                self._sittings[session.id] = _Sitting(standing, self._log.seconded_by(session.annotator))
            return self._sittings[session.id]

    def _events(self, session: LabellingSession) -> list[LabelEvent]:
        return self._sitting(session).events

    def _left(self, ranking: Ranking | None, order: Order, pair: tuple[str, str] | None) -> int:
        if ranking is None:
            return 0
        rows = rows_to_ask(self._roster, ranking, order, pair)
        if order == "suspicion":  # the others stay in the queue behind them, but need no checking
            rows = rows[ranking.suspicion[rows] > DOUBTFUL]
        return count_open(self._roster, rows, order)


def _given(standing: Standing, taxonomy: Taxonomy) -> Given:
    taxon = taxonomy[standing.taxon or ""]
    return Given(taxon.id, taxon.name, taxon.latin, standing.annotator, standing.checked)


def _opinions(history: Sequence[LabelEvent], taxonomy: Taxonomy) -> tuple[tuple[str, str], ...]:
    """The newest answer of each expert."""
    undone = {said.undoes for said in history}
    newest = {said.annotator: said for said in history if said.kind == "label" and said.id not in undone}
    return tuple((name, taxonomy[said.taxon or ""].name) for name, said in newest.items())


__all__ = ["Choice", "Given", "Item", "Labelling", "Pair", "StaleError", "Work"]
