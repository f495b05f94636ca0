"""Sessions that are in use: Gradio keeps something for each, so one address has so many and pushes out no other's."""

import time
from collections import Counter, OrderedDict
from collections.abc import Callable

from fgdemo.values.errors import BusyError

KEPT_S = 120.0
"""So long after its last question a session counts."""
COME_BACK_S = 60


class GradioSessions:
    """The sessions of each address; to be used from the server's event loop.

    Args:
        most_of_one: how many one address may have in use.
        clock_s: seconds that only ever grow.
    """

    def __init__(self, most_of_one: int, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._most_of_one, self._clock_s = most_of_one, clock_s
        self._used_at_s: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._of_one: Counter[str] = Counter()

    def use(self, session: str, address: str) -> None:
        """A question is asked in a session. Raises BusyError where it is one too many of its address."""
        now_s = self._clock_s()
        self._forget_before(now_s - KEPT_S)
        mine = (address, session)
        if mine not in self._used_at_s:
            if self._of_one[address] >= self._most_of_one:
                raise BusyError("Too many pages from one place are in use: try again in a minute.", COME_BACK_S)
            self._of_one[address] += 1
        self._used_at_s[mine] = now_s
        self._used_at_s.move_to_end(mine)

    def _forget_before(self, then_s: float) -> None:
        while self._used_at_s and next(iter(self._used_at_s.values())) <= then_s:
            (address, _), _ = self._used_at_s.popitem(last=False)
            self._of_one[address] -= 1
            if not self._of_one[address]:
                del self._of_one[address]
