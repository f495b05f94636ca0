"""Who waits for an answer at this moment: not too many, and one visitor does not shut the door on the others."""

import threading
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager

from fgdemo.values.errors import BusyError

MANY_HERE = "Many people are here just now, and their pictures come first: try again in a few seconds."
TRY_AGAIN_S = 5
FEW = 4
"""Whoever has fewer questions waiting than this finds room where those of others have taken all."""
FOR_FEW = 4
"""One more for so many that wait is kept for them."""


def places(most: int) -> int:
    """So many wait at once, those kept for visitors with few among them."""
    return most + most // FOR_FEW


class WaitingRoom:
    """Safe to use from many threads.

    Args:
        most: so many wait at once; further ones only of visitors who have few.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._waiting: Counter[str] = Counter()
        self._changed = threading.Condition()

    def __len__(self) -> int:
        return self._waiting.total()

    @contextmanager
    def one(self, visitor: str) -> Generator[None, None, None]:
        """While a visitor waits for an answer. Raises BusyError where too many do."""
        with self._changed:
            if len(self) >= (places(self._most) if self._waiting[visitor] < FEW else self._most):
                raise BusyError(MANY_HERE, TRY_AGAIN_S)
            self._waiting[visitor] += 1
        try:
            yield
        finally:
            with self._changed:
                self._waiting[visitor] -= 1
                self._waiting += Counter()  # without those who have none
                self._changed.notify_all()

    def wait_until_empty(self, timeout_s: float) -> None:
        """Or until so much time has gone by."""
        with self._changed:
            self._changed.wait_for(lambda: not self._waiting, timeout_s)
