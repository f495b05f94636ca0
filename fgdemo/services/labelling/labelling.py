"""Labelling sessions: what is asked next and why, answers that are durable and learned from at once, undo."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import get_args

from sqlalchemy.engine import Engine

from fgdemo.services.classify.suggestions import clean_text
from fgdemo.services.classify.taxon_search import TaxonSearch
from fgdemo.services.labelling.dealing import Dealer
from fgdemo.services.labelling.disputes import require_third
from fgdemo.services.labelling.explainer import Explainer
from fgdemo.services.labelling.gold import Gold, GoldNow, leaving_gold
from fgdemo.services.labelling.items import Choice, Given, Item, Items
from fgdemo.services.labelling.open_sessions import OpenSessions
from fgdemo.services.labelling.session_report import SessionReport, report_on
from fgdemo.services.labelling.session_words import ORDERS
from fgdemo.storage.database.database import utc_now
from fgdemo.storage.history.checks import Checks
from fgdemo.storage.history.events import EventLog, LabelEvent
from fgdemo.storage.history.leases import Leases
from fgdemo.storage.history.roster import Roster
from fgdemo.storage.history.sessions import LabellingSession, Sessions
from fgdemo.storage.history.taxa import TaxonStore
from fgdemo.values.annotation import DECIDING, AnswerKind, Learner, Order, Person, Reason
from fgdemo.values.classification.answers import TaxonHit
from fgdemo.values.errors import ForbiddenError, StaleError, StorageError, TaxonomyError
from fgdemo.values.limits import LARGEST_GOAL, LONGEST_COMMENT
from fgdemo.values.taxonomy import Taxon, Taxonomy
from fgdemo.values.types import Classifier

PAIRS = 12


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


class Labelling:
    """Safe for many threads, and for several servers on one database.

    Args:
        learner: learns from every answer; it follows the same roster.
        classifier: names the model version and the look-alikes.
        explainer: draws the maps, or None.
        gold: which gold pictures are to be checked, and when.
    """

    def __init__(
        self,
        engine: Engine,
        roster: Roster,
        learner: Learner,
        taxa: TaxonStore,
        classifier: Classifier,
        explainer: Explainer | None = None,
        gold: Gold | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self.explainer = explainer
        self._log = EventLog(engine, clock)
        self._sessions, self._leases, self._checks = Sessions(engine, clock), Leases(engine, clock), Checks(engine)
        self._roster, self._learner, self._taxa = roster, learner, taxa
        self._clock = clock
        self._sittings = OpenSessions(engine, self._log, self._sessions)
        self._gold = gold or Gold(roster, lambda: None)
        self._dealer = Dealer(roster, self._leases, self._gold)
        self._items = Items(roster, learner, taxa, classifier, self._log)
        self._undoing = threading.Lock()
        self._search: tuple[Taxonomy | None, TaxonSearch | None] = (None, None)

    # --- sessions -----------------------------------------------------------------------------------------

    def starting(self, person: Person) -> tuple[int, int] | None:
        """(done, of) while the model still learns from the workspace, before anything can be asked; then None."""
        person.require("expert")
        return None if self._learner.ranking() is not None else self._learner.progress

    def works(self, person: Person) -> tuple[Work, ...]:
        """The orders of work, with how many pictures each has left."""
        person.require("expert")
        self._roster.follow()
        ranking, seconded = self._learner.ranking(), self._log.seconded_by(person.name)
        return tuple(
            Work(order, name, about, self._dealer.left(ranking, order, None, person, seconded) or 0)
            for order, (name, about) in ORDERS.items()
            if order != "pair" and (order != "gold" or person.role == "maintainer")
        )

    def pairs(self, person: Person) -> tuple[Pair, ...]:
        """The pairs of kinds that are most often taken for each other, most confused first."""
        person.require("expert")
        ranking = self._learner.ranking()
        if ranking is None:
            return ()
        taxonomy = self._taxa.load()
        both = ranking.confusion + ranking.confusion.T
        cells = ((int(a), int(b)) for a, b in zip(*both.nonzero(), strict=True))
        found = sorted(((int(both[a, b]), a, b) for a, b in cells if a < b), reverse=True)[:PAIRS]
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
        if order == "gold":
            person.require("maintainer")
            self._gold.require_quiet()
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
        self._sittings.own(person, session)
        self._leases.release(person.name)
        self._sessions.close(session)

    def report(self, person: Person, session: int) -> SessionReport:
        """How far the session is, and what it has brought."""
        open_session, plan = self._sittings.of(person, session), self._sessions.get(session)
        self._roster.follow()
        left = self._dealer.left(self._learner.ranking(), plan.order, plan.pair, person, open_session.seconded)
        before = self._sittings.before(open_session)
        accuracy, now = self._learner.accuracy(), self._clock()
        return report_on(plan, open_session.events, before, self._checks, self._roster, accuracy, left, now)

    def done(self, person: Person, session: int) -> int:
        """How many answers of the session stand."""
        return len(self._sittings.of(person, session).events)

    def gold_now(self, person: Person) -> GoldNow:
        """How many gold labels there are, look wrong, and are disputed."""
        self._roster.follow()
        return self._gold.now(person)

    # --- items --------------------------------------------------------------------------------------------

    def next_items(self, person: Person, session: int, have: Sequence[str], count: int) -> tuple[Item, ...]:
        """Lease the next pictures for this person, in addition to those the page holds (`have`)."""
        open_session, ranking = self._sittings.of(person, session), self._learner.ranking()
        if ranking is None:
            return ()
        if open_session.session.order == "gold":
            person.require("maintainer")
            self._gold.require_quiet()
        self._learner.catch_up()
        return self._items.of(self._dealer.deal(person, open_session, ranking, have, count))

    def is_waiting(self, person: Person, session: int) -> bool:
        """Whether there is more to do but not now: it lies with others, or the model is not ready yet."""
        open_session, ranking = self._sittings.of(person, session), self._learner.ranking()
        return ranking is None or self._dealer.is_waiting(person, open_session, ranking)

    def item(self, person: Person, image: str) -> Item:
        """A picture as it stands now, to be shown again for the reason for which this person was dealt it."""
        person.require("expert")
        self._learner.catch_up()
        return self._items.of([(image, _reason(self._leases.reason_of(image, person.name)))])[0]

    # --- answers ------------------------------------------------------------------------------------------

    def answer(self, person: Person, session: int, said: LabelEvent) -> LabelEvent:
        """Keep an answer, as it was dealt: it is durable when this returns, and the head has learned from it.

        Raises:
            StaleError: somebody else was faster; show the item again.
            ForbiddenError, StorageError, TaxonomyError: it was not kept; the message says why.
        """
        self._sittings.own(person, session)
        if said.kind not in get_args(AnswerKind) or said.reason not in (None, *get_args(Reason)):
            raise StorageError("This is not an answer to a picture.")
        if said.taxon is not None and said.taxon not in self._taxa.load().by_id:
            raise TaxonomyError("This kind is not in the workspace: load the page again.")
        if said.comment and len(said.comment) > LONGEST_COMMENT:
            raise StorageError(f"The comment has more than {LONGEST_COMMENT} characters.")
        if said.annotator != person.name or said.session != session:
            raise ForbiddenError("An answer is given in one's own name.")
        if said.image not in self._roster:  # it may have come only now
            self._roster.follow()
        if said.kind in DECIDING and not said.blind:
            self._require_say(person, said)
        out = leaving_gold(self._roster, person, said, self._clock())
        kept = self._log.answer(self._as_dealt(person, said), out)
        self._learner.catch_up()
        return kept

    def _as_dealt(self, person: Person, said: LabelEvent) -> LabelEvent:
        """The answer with what the server knows better: random checks stand for all pictures only if the server chose
        them, and second opinions are independent only if it hid the first. A last word is what its giver calls it.

        Raises ForbiddenError where it calls itself a blind second opinion, and none was asked."""
        dealt = self._leases.reason_of(said.image, person.name)
        if dealt == "second" and said.kind != "adjudication":
            return replace(said, reason=dealt, blind=True)
        if said.blind and (said.answer_key is None or self._log.by_answer_key(said.answer_key) is None):
            raise ForbiddenError(
                "You were not asked for a second opinion about this picture, so it cannot be a blind one: "
                "ask for the next picture."
            )
        claimed = said.reason if said.reason == "adjudication" else None
        return replace(said, reason=claimed if dealt in (None, "second") or (claimed and dealt != "audit") else dealt)

    def _require_say(self, person: Person, said: LabelEvent) -> None:
        """Raises ForbiddenError where an expert settles what nobody disputes, or what they dispute themselves."""
        self._roster.follow()
        standing = self._roster.standing(said.image)
        if standing.version != (said.shown_version or 0) or person.role == "maintainer":
            return  # the log refuses it as stale, unless it was kept before
        if standing.disputed:
            require_third(self._log, person, [said.image])
        elif said.kind == "adjudication":
            raise ForbiddenError("Nobody disputes the label of this picture, so there is nothing to adjudicate.")

    def undo(self, person: Person, session: int, answer: int | None = None) -> tuple[Item, LabelEvent] | None:
        """Take back this person's last answer of the session that stands; None where there is none.

        Args:
            answer: take back this one. Where it was taken back already, as by a request whose reply was lost, nothing
                happens, and what is given is the same.

        Raises:
            StaleError: somebody said something newer about that picture.
        """
        with self._undoing:  # else two at once would both take back the same answer
            open_session = self._sittings.of(person, session)
            last = open_session.undone.get(answer or 0)
            if last is None:
                standing = [said for said in open_session.events if answer in (None, said.id)]
                if not standing:
                    return None
                last = standing[-1]
                back = leaving_gold(self._roster, person, last, self._clock(), is_undone=True)
                self._log.undo([last.id or 0], person, session, back)
        reason = _reason(None if last.reason == "second" and not last.blind else last.reason)
        self._leases.take([last.image], person.name, session, 1, {last.image}, {last.image: reason})
        return self.item(person, last.image), last

    # --- kinds --------------------------------------------------------------------------------------------

    def new_taxon(self, person: Person, name: str, latin: str | None, parent: str | None) -> Taxon:
        """A kind that nobody has named yet; it can be given at once. Raises TaxonomyError."""
        person.require("expert")
        return self._taxa.add(clean_text(name), parent, clean_text(latin or "") or None)

    def search(self, person: Person, query: str, limit: int = 20) -> tuple[TaxonHit, ...]:
        """Kinds and groups of the workspace by name, alias or Latin name."""
        person.require("expert")
        taxonomy = self._taxa.load()
        known, search = self._search
        if search is None or known is not taxonomy:
            search = TaxonSearch(taxonomy)
            self._search = taxonomy, search
        return search.find(query, limit)

    def taxonomy(self) -> Taxonomy:
        return self._taxa.load()


def _reason(dealt: str | None) -> Reason:
    return dealt if dealt in get_args(Reason) else "new"  # type: ignore[return-value]


__all__ = ["Choice", "Given", "Item", "Labelling", "Pair", "StaleError", "Work"]
