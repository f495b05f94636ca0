"""Work that takes many milliseconds of processor time, done so that short requests do not wait for it."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class Aside:
    """One thread that does one thing after another, and gives way to the other threads of this process (on Linux).

    Everybody who has torch work on a thread of his own gets a pool of threads and buffers from it, which stay: among
    the forty threads that answer requests that was 700 MB. So the torch work of all of them is done on this one.

    Args:
        name: of the thread, for logs.
        niceness: how readily it gives way, 1 to 19; the other threads have 0.
    """

    def __init__(self, name: str, niceness: int) -> None:
        self._executor = ThreadPoolExecutor(1, name, _give_way, (niceness,))

    def do(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """What the function returns or raises, once those who came before have had theirs.

        It sees the context variables of the caller: ZeroGPU finds in them whose time it spends.
        """
        return self._executor.submit(copy_context().run, function, *args, **kwargs).result()


def _give_way(niceness: int) -> None:
    if sys.platform == "linux":  # where priorities are those of threads, and inherited by the pool that torch starts
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), niceness)
