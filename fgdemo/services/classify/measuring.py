"""Measurements of maps: seconds each, one at a time, and only when nobody waits for an answer."""

import threading
from collections.abc import Callable
from typing import TypeVar

from fgdemo.services.classify.aside import Aside
from fgdemo.services.classify.waiting_room import MANY_HERE, TRY_AGAIN_S, WaitingRoom
from fgdemo.values.errors import BusyError

PATIENCE_S = 10.0
MOST_MEASURING = 4
"""So many wait for a trust figure, which takes seconds and is no answer that anybody needs."""
T = TypeVar("T")


class Measuring:
    """Safe for many threads.

    Args:
        room: where those wait who want an answer.
    """

    def __init__(self, room: WaitingRoom) -> None:
        self._room = room
        self._aside = Aside("trust", niceness=10)
        self._asked = threading.BoundedSemaphore(MOST_MEASURING)

    def do(self, measure: Callable[[], T]) -> T:
        """What it returns. Raises BusyError where too many wait to have theirs measured."""

        def in_turn() -> T:
            self._room.wait_until_empty(PATIENCE_S)  # where somebody always waits, measurements come slowly
            return measure()

        if not self._asked.acquire(blocking=False):
            raise BusyError(MANY_HERE, TRY_AGAIN_S)
        try:
            return self._aside.do(in_turn)
        finally:
            self._asked.release()
