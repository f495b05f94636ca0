"""Wrong passwords slow guessing down: for one place and one name, and for one name from everywhere.

What is counted is the same whether there is such an account or not, so nobody learns that here. It is kept in memory:
a flood of guesses writes nothing, and a start of the server forgets it.
"""

import threading
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from datetime import datetime, timedelta

from fgdemo.values.errors import ForbiddenError

FREE_FROM_ONE_PLACE = 5
"""After so many wrong passwords for a name, each further one makes this place wait twice as long for this name."""
FREE_FROM_EVERYWHERE = 50
"""The same for a name whatever the place, where no place counts more than its free ones; one place alone cannot."""
LONGEST_WAIT_S, LONGEST_WAIT_EVERYWHERE_S = 3600, 60
FORGOTTEN_AFTER = timedelta(days=1)
CLOCK_TOLERANCE = timedelta(days=1)
"""A wrong password from farther in the future was noted by a wrong clock, and counts for nothing."""
MOST_KEPT = 50_000
TOO_MANY = "Too many wrong passwords: wait a while, then try again."


@dataclass(frozen=True)
class _Wrong:
    count: int = 0
    newest: datetime | None = None

    def wait_until(self, free: int, longest_s: int) -> datetime | None:
        if self.newest is None or self.count < free:
            return None
        return self.newest + timedelta(seconds=min(longest_s, 2 ** min(self.count - free, 12)))


class Attempts:
    """Safe for many threads."""

    def __init__(self) -> None:
        self._wrong: OrderedDict[Hashable, _Wrong] = OrderedDict()
        self._known: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._lock = threading.Lock()

    def begin(self, place: str, name: str, now: datetime) -> None:
        """Count an attempt as wrong, until `succeed` says otherwise: so many at once are no way around.

        Raises:
            ForbiddenError: this place has to wait, or all have to that never signed in to this name.
        """
        here, everywhere = (place, name), ("", name)
        with self._lock:
            from_here, from_all = self._of(here, now), self._of(everywhere, now)
            waits = [from_here.wait_until(FREE_FROM_ONE_PLACE, LONGEST_WAIT_S)]
            if here not in self._known:
                waits.append(from_all.wait_until(FREE_FROM_EVERYWHERE, LONGEST_WAIT_EVERYWHERE_S))
            if any(until is not None and now < until for until in waits):
                raise ForbiddenError(TOO_MANY)
            self._note(here, _Wrong(from_here.count + 1, now))
            if from_here.count < FREE_FROM_ONE_PLACE:
                self._note(everywhere, _Wrong(from_all.count + 1, now))

    def succeed(self, place: str, name: str) -> None:
        """The password was right: this place begins anew, and what others do no longer keeps it waiting."""
        here, everywhere = (place, name), ("", name)
        with self._lock:
            before, of_all = self._wrong.pop(here, _Wrong()), self._wrong.get(everywhere)
            if of_all is not None:
                theirs = max(0, of_all.count - min(before.count, FREE_FROM_ONE_PLACE))
                self._wrong[everywhere] = _Wrong(theirs, of_all.newest)
            self._known[here] = None
            self._known.move_to_end(here)
            while len(self._known) > MOST_KEPT:
                self._known.popitem(last=False)

    def _of(self, key: Hashable, now: datetime) -> _Wrong:
        found = self._wrong.get(key, _Wrong())
        stands = found.newest is not None and found.newest - CLOCK_TOLERANCE <= now < found.newest + FORGOTTEN_AFTER
        return found if stands else _Wrong()

    def _note(self, key: Hashable, wrong: _Wrong) -> None:
        self._wrong[key] = wrong
        self._wrong.move_to_end(key)
        while len(self._wrong) > MOST_KEPT:
            self._wrong.popitem(last=False)
