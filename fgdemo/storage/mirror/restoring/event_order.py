"""In which order the events of a mirror happened, whoever wrote them.

Each workspace's events keep their order, and nothing comes before what it names: an event comes after those that were
known of its picture, an answer after the one that it was shown, an undo after what it takes back. Only where neither
knew of the other the clock decides. Where two workspaces spoke about a
picture without knowing of each other, the later answer counts as it does after an import
(`fgdemo.storage.exchange.merging.how_it_enters`): a label that a picture came with overrules nobody, and an answer
about a gold picture that has a label becomes a second opinion, to be adjudicated.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from fgdemo.storage.exchange.merging import how_it_enters
from fgdemo.storage.history.label_event import LabelEvent, standing_of
from fgdemo.storage.mirror.records import Identity, Told
from fgdemo.values.annotation import DECIDING, Split


def in_order(told: Iterable[Told], here: Collection[Identity] = ()) -> list[Told]:
    """All of these in the order in which they are replayed.

    Args:
        here: events that are in the workspace already, and so come before all others.
    """
    lanes: dict[str, list[Told]] = defaultdict(list)
    for one in told:
        lanes[one.identity[0]].append(one)
    for lane in lanes.values():
        lane.sort(key=lambda one: one.identity[1], reverse=True)  # the next one is last
    to_come = {one.identity for lane in lanes.values() for one in lane}.difference(here)
    waiting: dict[Identity, list[str]] = defaultdict(list)
    heads = [(_time(lane), origin) for origin, lane in lanes.items()]
    heapq.heapify(heads)
    ordered: list[Told] = []
    while heads or any(lanes.values()):
        if not heads:  # only a mirror that somebody has made up names in a circle
            waiting.clear()
            to_come.clear()
            heads = [(_time(lane), origin) for origin, lane in lanes.items() if lane]
            heapq.heapify(heads)
        _, origin = heapq.heappop(heads)
        head = lanes[origin][-1]
        needed = [
            named for named in (head.undoes, head.shown, head.after) if named in to_come and named != head.identity
        ]
        if needed:
            waiting[needed[0]].append(origin)  # type: ignore[index]
            continue
        ordered.append(lanes[origin].pop())
        to_come.discard(head.identity)
        for other in {origin, *waiting.pop(head.identity, ())}:
            if lanes[other]:
                heapq.heappush(heads, (_time(lanes[other]), other))
    return ordered


def _time(lane: Sequence[Told]) -> str:
    return lane[-1].event.created_at or ""


class Replay:
    """Gives events their numbers in a workspace, one after the other.

    Args:
        numbers: of the events that are in the workspace already, by identity.
        histories: of the pictures, as far as they are in the workspace already, oldest first. Grows.
        splits: of the pictures.
        sessions: the workspace's session for each (annotator, opened_at).
        first: the number that the next event gets.
    """

    def __init__(
        self,
        numbers: dict[Identity, int],
        histories: dict[str, list[LabelEvent]],
        splits: Mapping[str, Split],
        sessions: Mapping[tuple[str, str], int],
        first: int,
    ) -> None:
        self._numbers, self._histories, self._splits, self._sessions = numbers, histories, splits, sessions
        self._origins = {number: identity[0] for identity, number in numbers.items()}
        self.next = first

    def place(self, told: Told) -> LabelEvent | None:
        """The event as it enters the workspace, with its number; None if it adds nothing."""
        event, history = told.event, self._histories.setdefault(told.event.image, [])
        if told.undoes is not None and told.undoes not in self._numbers:
            return None
        if event.kind in DECIDING and not event.blind and history and self._is_apart(told, history):
            event = self._as_told_elsewhere(event, history)
            if event is None:
                return None
        placed = replace(
            event,
            id=self.next,
            undoes=self._numbers.get(told.undoes) if told.undoes else None,
            shown_version=self._numbers.get(told.shown) if told.shown else None,
            session=self._sessions.get(told.session) if told.session else None,
        )
        history.append(placed)
        self._numbers[told.identity], self._origins[self.next] = self.next, told.identity[0]
        self.next += 1
        return placed

    def _is_apart(self, told: Told, history: Sequence[LabelEvent]) -> bool:
        """Whether the newest word about the picture is of another workspace, and was not known to who said this."""
        deciding = [one.id or 0 for one in history if one.kind in (*DECIDING, "undo") and not one.blind]
        if not deciding or self._origins.get(deciding[-1]) == told.identity[0]:
            return False
        known = [self._numbers.get(name, 0) for name in (told.shown, told.after) if name is not None]
        return deciding[-1] not in known and history[-1].id not in known

    def _as_told_elsewhere(self, event: LabelEvent, history: Sequence[LabelEvent]) -> LabelEvent | None:
        split = self._splits.get(event.image, "train")
        undone = {one.undoes for one in history}
        standing = [one for one in history if one.kind in DECIDING and not one.blind and one.id not in undone]
        decided_at = standing[-1].created_at or "" if standing else ""
        how = how_it_enters(event.kind, event.blind, event.created_at, standing_of(history, split), decided_at)
        if how == "as it is":
            return event
        if how == "not at all":
            return None
        return replace(event, kind="label" if event.kind == "adjudication" else event.kind, blind=True, reason="second")
