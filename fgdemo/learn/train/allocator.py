"""What this process keeps of the memory that it frees: between batches of a training, and for a server's threads."""

import contextlib
import ctypes
from collections.abc import Iterator
from typing import Any

TRIM_THRESHOLD, MMAP_MAX, ARENA_MAX = -1, -4, -8
"""Numbers of parameters in glibc's malloc.h."""
KEPT = {TRIM_THRESHOLD: -1, MMAP_MAX: 0}
"""Nothing that is free goes back, and no block has a mapping of its own, which would go when it is freed."""
USUAL = {TRIM_THRESHOLD: 64 << 20, MMAP_MAX: 65_536}
"""What glibc comes to by itself where large blocks come and go. Once it has been told, it no longer does."""


@contextlib.contextmanager
def freed_memory_kept() -> Iterator[None]:
    """While the block runs, memory that is freed stays with this process, for the next batch, which needs as much.

    Else large blocks go back to the kernel, which clears new ones for every layer of every batch. What is free at the
    end is given back. Without glibc nothing happens.
    """
    libc = _glibc()
    if libc is None:
        yield
        return
    for parameter, value in KEPT.items():
        libc.mallopt(parameter, value)
    try:
        yield
    finally:
        for parameter, value in USUAL.items():
            libc.mallopt(parameter, value)
        libc.malloc_trim(0)


def one_arena_for_all_threads() -> None:
    """From now on memory that one thread has freed is there for all others. Without glibc nothing happens.

    Else glibc gives threads arenas of their own. Each keeps at its end what its largest blocks took (decoded pictures,
    hashes of passwords), up to 64 MB, where neither others nor `malloc_trim` get at it. To be called before there are
    threads.
    """
    libc = _glibc()
    if libc is not None:
        libc.mallopt(ARENA_MAX, 1)


def _glibc() -> Any:
    """The C library of this process, or None where it is another one."""
    try:
        libc = ctypes.CDLL(None)
    except (OSError, TypeError):  # Windows
        return None
    return libc if hasattr(libc, "gnu_get_libc_version") else None
