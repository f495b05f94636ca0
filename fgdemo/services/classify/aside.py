"""Work that takes many milliseconds of processor time, done so that short requests do not wait for it."""

import contextlib
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class Aside:
    """One thread that does one thing after another, and gives way to the other threads of this process (on Linux).

    A thread that has torch work gets a pool of threads and buffers from torch, which stay. With one for each of the
    forty threads that answer requests a busy server took 2.7 GB, with the work of all of them on one such thread 1.6.

    Args:
        name: of the thread, for logs.
        niceness: by how much more readily it gives way than the rest of the process, 1 to 19.
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
        with contextlib.suppress(OSError):  # in a sandbox that forbids it, answers are as right
            os.nice(niceness)  # adds to what the process was started with, and stops at 19
