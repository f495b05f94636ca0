"""Deals pictures to people: the next ones by the order of work, each leased to one person only."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from fgdemo.services.labelling.disputes import own_disputes
from fgdemo.services.labelling.gold import Gold
from fgdemo.services.labelling.item_queue import AUDIT_EVERY, count_open, first_open, is_open, rows_to_ask, to_second
from fgdemo.services.labelling.open_sessions import OpenSession
from fgdemo.storage.history.leases import Leases
from fgdemo.storage.history.roster import Roster
from fgdemo.values.annotation import DOUBTFUL, Order, Person, Ranking, Reason

MOST_AHEAD = 8
"""So many items may a page hold."""
PATIENCE = 20
"""So often others are drawn where somebody else was faster."""

Dealt = list[tuple[str, Reason]]


@dataclass(frozen=True)
class _Table:
    """What one deal looks at: the ranking, what this person has or had, and what lies with others."""

    ranking: Ranking
    mine: set[str]
    others: set[str]


class Dealer:
    """Safe for many threads, and for several servers on one database."""

    def __init__(self, roster: Roster, leases: Leases, gold: Gold) -> None:
        self._roster, self._leases, self._gold = roster, leases, gold
        self._pairs: tuple[Ranking | None, dict[tuple[str, str], np.ndarray]] = (None, {})

    def deal(
        self, person: Person, open_session: OpenSession, ranking: Ranking, have: Sequence[str], count: int
    ) -> Dealt:
        """Lease the next `count` pictures, and renew the leases of those that the page holds (`have`)."""
        have = [image for image in dict.fromkeys(have) if image in self._roster][:MOST_AHEAD]
        count = max(0, min(count, MOST_AHEAD - len(have)))
        table = _Table(ranking, {said.image for said in open_session.events} | set(have), self._with_others(person))
        dealt: Dealt = []
        for _ in range(PATIENCE):
            first = len(open_session.events) + len(have) + len(dealt)
            drawn = self._draw(person, open_session, table, range(first, first + count - len(dealt)))
            if not drawn and not have:
                break
            dealt += self._lease(person, open_session, table, drawn, have)
            have = []  # renewed by the first round
            if not drawn or len(dealt) == count:
                break
        return dealt

    def is_waiting(self, person: Person, open_session: OpenSession, ranking: Ranking) -> bool:
        """Whether pictures of this order of work are left that lie with others now."""
        plan = open_session.session
        rows = self._rows(ranking, plan.order, plan.pair)
        leased = [self._roster.row_of[image] for image in self._with_others(person) if image in self._roster]
        theirs = np.intersect1d(rows, np.array(leased, np.int64))
        return len(theirs) > 0 if plan.order == "gold" else count_open(self._roster, theirs, plan.order) > 0

    def left(
        self,
        ranking: Ranking | None,
        order: Order,
        pair: tuple[str, str] | None,
        person: Person,
        seconded: Collection[str],
    ) -> int | None:
        """How many pictures of an order of work are to be asked; of doubtful labels only those in real doubt. None
        while the model still reads the workspace, as after a start: then nobody knows.

        Args:
            seconded: pictures about which this person has given a blind second opinion.
        """
        if ranking is None:
            return None
        if order == "adjudication":
            return int(self._roster.disputed.sum()) - len(own_disputes(self._roster, person, seconded))
        rows = self._rows(ranking, order, pair)
        if order == "gold":
            return len(rows)
        if order == "suspicion":  # the others stay in the queue behind them, but need no checking
            rows = rows[ranking.suspicion[rows] > DOUBTFUL]
        return count_open(self._roster, rows, order)

    def _with_others(self, person: Person) -> set[str]:
        return {image for image, holders in self._leases.held().items() if holders - {person.name}}

    def _draw(self, person: Person, open_session: OpenSession, table: _Table, turns: range) -> Dealt:
        drawn: Dealt = []
        for turn in turns:
            found = self._draw_one(person, open_session, table, turn, table.mine | {image for image, _ in drawn})
            if found is None:
                break
            drawn.append(found)
        return drawn

    def _draw_one(
        self, person: Person, open_session: OpenSession, table: _Table, turn: int, skip: Collection[str]
    ) -> tuple[str, Reason] | None:
        """The picture of one turn: mostly of the order of work, now and then an audit or a second opinion."""
        roster, plan, audit = self._roster, open_session.session, table.ranking.orders["audit"]
        if plan.order == "gold":
            return self._draw_gold({*skip, *table.others, *open_session.seconded})
        if plan.order not in ("suggestion", "adjudication"):
            if plan.blind_share and int((turn + 1) * plan.blind_share) > int(turn * plan.blind_share):
                second = to_second(roster, audit, {*skip, *open_session.seconded}, 1, person)
                if second:
                    return second[0], "second"
            if turn % AUDIT_EVERY == AUDIT_EVERY - 1 and plan.order != "audit":
                checked = first_open(roster, audit, "audit", {*skip, *table.others}, 1)
                if checked:
                    return checked[0], "audit"
        rows = self._rows(table.ranking, plan.order, plan.pair)
        if plan.order == "adjudication":
            skip = {*skip, *own_disputes(roster, person, open_session.seconded)}
        found = first_open(roster, rows, plan.order, {*skip, *table.others}, 1)
        return (found[0], plan.order) if found else None

    def _draw_gold(self, skip: Collection[str]) -> tuple[str, Reason] | None:
        ids = self._roster.image_ids.at(self._gold.rows())
        image = next((image for image in ids if image not in skip), None)
        return None if image is None else (image, "second")

    def _lease(
        self, person: Person, open_session: OpenSession, table: _Table, drawn: Dealt, have: Sequence[str]
    ) -> Dealt:
        """Those of the drawn ones that nobody was faster with; the others are noted in `table`."""
        wanted = [*have, *(image for image, _ in drawn)]
        shared = {image for image, reason in drawn if reason == "second"}
        taken = set(self._leases.take(wanted, person.name, open_session.session.id, len(wanted), shared, dict(drawn)))
        self._roster.follow()  # somebody may have answered between our look and our lease
        kept: Dealt = [
            (image, reason) for image, reason in drawn if image in taken and is_open(self._roster, image, reason)
        ]
        images = {image for image, _ in kept}
        late = taken - images - set(have)
        if late:
            self._leases.release(person.name, late)
        table.mine.update(images)
        table.others.update(image for image, _ in drawn if image not in images)
        return kept

    def _rows(self, ranking: Ranking, order: Order, pair: tuple[str, str] | None) -> np.ndarray:
        """`rows_to_ask`; those of a pair, which all columns must be searched for, are remembered with their ranking."""
        if order == "gold":
            return self._gold.rows()
        if order != "pair" or pair is None:
            return rows_to_ask(self._roster, ranking, order, pair)
        known_ranking, known = self._pairs
        if known_ranking is not ranking:
            known = {}
            self._pairs = ranking, known
        if pair not in known:
            known[pair] = rows_to_ask(self._roster, ranking, order, pair)
        return known[pair]
