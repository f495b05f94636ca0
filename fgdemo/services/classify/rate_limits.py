"""How much one visitor may ask for, so that one cannot take the page away from all the others."""

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from fgdemo.values.annotation import Role
from fgdemo.values.errors import BusyError

Deed = Literal["ask", "look", "trust", "suggest", "upload", "sign-in"]
FREER = 10
"""Experts and maintainers may do so many times as much; signing in is the same for all."""
MOST_VISITORS = 20_000
"""So many are remembered; the one that has been quiet for longest is forgotten first, and was rested by then."""


@dataclass(frozen=True)
class Rate:
    """A token bucket: `burst` at once, and `per_minute` in the long run."""

    burst: int
    per_minute: float


@dataclass(frozen=True)
class Visitor:
    """Who is held to a limit: a person by name, whoever has not signed in by address."""

    key: str
    role: Role = "visitor"


def rates(asks_per_minute: int) -> dict[Deed, Rate]:
    """What one visitor may do when that many pictures a minute may be asked about."""
    return {
        "ask": Rate(asks_per_minute, asks_per_minute),
        "look": Rate(10 * asks_per_minute, 10 * asks_per_minute),  # at published pictures, of which one shows many
        "upload": Rate(asks_per_minute, asks_per_minute),
        "trust": Rate(max(asks_per_minute // 2, 1), asks_per_minute / 2),  # seconds of the model each
        "suggest": Rate(max(asks_per_minute // 6, 1), asks_per_minute / 6),
        "sign-in": Rate(30, 10),
    }


class Limits:
    """Buckets of all visitors; safe to use from many threads.

    Args:
        rates: how much of what a visitor may do.
        clock_s: seconds that only ever grow.
    """

    def __init__(self, rates: Mapping[Deed, Rate], clock_s: Callable[[], float] = time.monotonic) -> None:
        self._rates, self._clock_s = rates, clock_s
        self._buckets: OrderedDict[tuple[str, Deed], tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def spend(self, visitor: Visitor, deed: Deed) -> None:
        """Count one deed. Raises BusyError where the visitor has done too much of it; that one does not count."""
        freer = FREER if visitor.role != "visitor" and deed != "sign-in" else 1
        burst, per_s = freer * self._rates[deed].burst, freer * self._rates[deed].per_minute / 60
        key = (visitor.key, deed)
        with self._lock:
            now_s = self._clock_s()
            tokens, since_s = self._buckets.get(key, (float(burst), now_s))
            tokens = min(burst, tokens + (now_s - since_s) * per_s)
            enough = tokens >= 1
            self._buckets[key] = (tokens - 1 if enough else tokens), now_s
            self._buckets.move_to_end(key)
            while len(self._buckets) > MOST_VISITORS:
                self._buckets.popitem(last=False)
        if not enough:
            wait_s = max(1, math.ceil((1 - tokens) / per_s))
            seconds = f"{wait_s} second{'' if wait_s == 1 else 's'}"
            raise BusyError(f"That is a lot at once from one place: try again in {seconds}.", wait_s)
