"""Answers that nobody has collected: Gradio keeps them for ever, so they are counted for each address, and dropped."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fgdemo.values.errors import BusyError

MOST_OF_ONE = 40
"""So many questions of one address may wait, be answered, or lie ready to be collected."""
MOST = 400
KEPT_S = 120.0
"""So long an answer lies ready."""
COME_BACK_S = 10


@dataclass
class _Left:
    """A question that was left in the queue."""

    session: str
    address: str
    ready_since_s: float | None = None


class Uncollected:
    """All questions in Gradio's queue and answers that lie ready; to be used from the server's event loop.

    Args:
        clock_s: seconds that only ever grow.
    """

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._left: dict[str, _Left] = {}

    def require_room(self, queue: Any, address: str) -> None:
        """Raises BusyError where an address, or all together, have left too many."""
        self._forget_collected(queue)
        of_one = Counter(left.address for left in self._left.values())[address]
        if of_one >= MOST_OF_ONE or len(self._left) >= MOST:
            raise BusyError("Many answers have not been collected: collect them, or ask again later.", COME_BACK_S)

    def note(self, event: str, session: str | None, address: str) -> None:
        """A question was put into the queue; without a session of its own, the event is one."""
        self._left[event] = _Left(session or event, address)

    def sweep(self, queue: Any) -> None:
        """Drop the answers that have lain ready for long, and what Gradio keeps of sessions that have none."""
        self._forget_collected(queue)
        now_s = self._clock_s()
        for event, left in list(self._left.items()):
            if event in queue.event_ids_to_events:
                continue
            left.ready_since_s = now_s if left.ready_since_s is None else left.ready_since_s
            if now_s - left.ready_since_s >= KEPT_S:
                queue.pending_event_ids_session[left.session].discard(event)
                _drop_messages(queue, left.session, event)
                del self._left[event]
        for session in [one for one, events in queue.pending_event_ids_session.items() if not events]:
            del queue.pending_event_ids_session[session]
            queue.pending_messages_per_session.pop(session, None)

    def _forget_collected(self, queue: Any) -> None:
        for event, left in list(self._left.items()):
            if event not in queue.pending_event_ids_session.get(left.session, ()):
                del self._left[event]


def _drop_messages(queue: Any, session: str, event: str) -> None:
    """Take those of one event out of a session's messages; the others keep their order."""
    messages = queue.pending_messages_per_session.get(session)
    if messages is None:
        return
    for message in [messages.get_nowait() for _ in range(messages.qsize())]:
        if message.event_id != event:
            messages.put_nowait(message)
