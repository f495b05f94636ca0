"""In which order the events of a mirror happened, whoever wrote them.

Each workspace's events keep their order, and nothing comes before what it names: an event comes after those that were
known of its picture, an answer after the one that it was shown, an undo after what it takes back. Only where neither
knew of the other the clock decides.

Where two workspaces spoke about a picture without knowing of each other, the later answer counts as it does after an
import (`fgdemo.storage.records.merging.entering`): a label that a picture came with overrules nobody, and an answer
about a gold picture that has a label becomes a second opinion, to be adjudicated.
"""

import heapq
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import cast

from fgdemo.storage.history.label_event import LabelEvent, standing_of
from fgdemo.storage.mirror.records import Identity, MirroredEvent
from fgdemo.storage.records.merging import deciding, entering, placed
from fgdemo.values.annotation import DECIDING, Split


def in_order(told: Iterable[MirroredEvent], here: Collection[Identity] = ()) -> list[MirroredEvent]:
    """All of these in the order in which they are placed.

    Args:
        here: events that are in the workspace already, and so come before all others.
    """
    lanes: dict[str, list[MirroredEvent]] = defaultdict(list)
    for one in told:
        lanes[one.identity[0]].append(one)
    for lane in lanes.values():
        # The next one is last. Two copies of one workspace that went on alone give one number twice.
        lane.sort(key=lambda one: (one.identity[1], one.at or ""), reverse=True)
    to_come = {one.identity for lane in lanes.values() for one in lane}.difference(here)
    waiting: dict[Identity, list[str]] = defaultdict(list)
    heads = [(_time(lane), origin) for origin, lane in lanes.items()]
    heapq.heapify(heads)
    ordered: list[MirroredEvent] = []
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


def _time(lane: Sequence[MirroredEvent]) -> str:
    return lane[-1].at or ""


class Placing:
    """Gives events their numbers in a workspace, one after the other.

    Args:
        numbers: of the events that are in the workspace already, by identity. Grows.
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

    def place(self, told: MirroredEvent) -> LabelEvent | None:
        """The event as it enters the workspace, with its number; None if it adds nothing."""
        history = self._histories.setdefault(told.image, [])
        if told.undoes is not None and told.undoes not in self._numbers:
            return None
        entered: MirroredEvent | None = told
        if told.kind in DECIDING and not told.blind and history and self._is_apart(told, history):
            here = standing_of(history, self._splits.get(told.image, "train"))
            entered = entering(told, here, deciding(history))
        if entered is None:
            return None
        where = {"image": told.image, "taxon": entered.label, "id": self.next}
        event = placed(entered, where, self._numbers, self._sessions)
        history.append(event)
        self._numbers[told.identity], self._origins[self.next] = self.next, told.identity[0]
        self.next += 1
        return event

    def _is_apart(self, told: MirroredEvent, history: Sequence[LabelEvent]) -> bool:
        """Whether the newest word about the picture is of another workspace, and was not known to who said this."""
        words = [one.id or 0 for one in history if one.kind in (*DECIDING, "undo") and not one.blind]
        if not words or self._origins.get(words[-1]) == told.identity[0]:
            return False
        named = [cast(Identity, name) for name in (told.shown, told.after) if name is not None]
        known = [self._numbers.get(name, 0) for name in named]
        return words[-1] not in known and history[-1].id not in known
