"""What strangers hold at this moment: requests that are not over, and the bytes of them that lie in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from fgdemo.values.errors import BusyError

MOST_HELD_BYTES = 200_000_000
"""Of all bodies that are being read, uploads left out: those go to the disk as they come."""
SHARE = 4
"""One address may hold such a part of that."""
COME_BACK_S = 10


class InFlight:
    """Counts for each address; to be used from one event loop.

    Args:
        most_requests: how many one address may have open, streams of events among them.
    """

    def __init__(self, most_requests: int, most_held_bytes: int = MOST_HELD_BYTES) -> None:
        self._most_requests, self._most_held_bytes = most_requests, most_held_bytes
        self._requests: Counter[str] = Counter()
        self._held_bytes: Counter[str] = Counter()

    @contextmanager
    def one(self, address: str) -> Iterator[Held]:
        """While a request is answered. Raises BusyError where its address has too many open."""
        if self._requests[address] >= self._most_requests:
            raise BusyError("Too many requests from one place are open: close some pages first.", COME_BACK_S)
        self._requests[address] += 1
        held = Held(self, address)
        try:
            yield held
        finally:
            self._less(self._requests, address, 1)
            self._less(self._held_bytes, address, held.size_bytes)

    def hold(self, address: str, size_bytes: int) -> None:
        """Count what is read into memory. Raises BusyError where it is too much, of the address or in all."""
        alone, all_bytes = self._held_bytes[address] + size_bytes, self._held_bytes.total() + size_bytes
        if alone > self._most_held_bytes // SHARE or all_bytes > self._most_held_bytes:
            raise BusyError("Too much is being sent at once: try again in a few seconds.", COME_BACK_S)
        self._held_bytes[address] += size_bytes

    @staticmethod
    def _less(counts: Counter[str], address: str, by: int) -> None:
        counts[address] -= by
        if counts[address] <= 0:
            del counts[address]


class Held:
    """How much of one request lies in memory."""

    def __init__(self, in_flight: InFlight, address: str) -> None:
        self._in_flight, self.address = in_flight, address
        self.size_bytes = 0

    def hold(self, size_bytes: int) -> None:
        """Raises BusyError."""
        self._in_flight.hold(self.address, size_bytes)
        self.size_bytes += size_bytes
