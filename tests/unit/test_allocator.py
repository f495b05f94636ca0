"""A training's memory is cleared by the kernel once, not for every batch, and given back at the end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fgdemo.learn.train.allocator import _glibc, freed_memory_kept

ROUNDS = """
import contextlib, resource, sys
import numpy as np
from fgdemo.learn.train.allocator import freed_memory_kept

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def rounds():
    before = faults()
    for _ in range(10):
        np.ones(64 << 20, np.uint8)
    return faults() - before

rounds()
with freed_memory_kept():
    np.ones(64 << 20, np.uint8)
    kept = rounds()
print(kept, rounds())
"""


@pytest.mark.skipif(_glibc() is None, reason="only glibc has what it sets")
def test_freed_memory_is_kept_for_the_block_only() -> None:
    kept, after = map(int, subprocess.check_output([sys.executable, "-c", ROUNDS], text=True).split())
    pages = 64 * 256  # of 4 KiB; with huge pages the kernel is asked less often
    assert kept < pages
    assert after > 5 * kept + 50


THREADS = """
import ctypes, sys, threading
from pathlib import Path
from fgdemo.learn.train.allocator import one_arena_for_all_threads

libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
SIZE = 20 << 20
if sys.argv[1] == "shared":
    one_arena_for_all_threads()
turn, all_done = threading.Lock(), threading.Barrier(9)

def resident():
    rows = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return sum(int(row.split()[1]) * 1024 for row in rows if row.startswith("Private"))

def work():
    with turn:
        for _ in range(2):  # glibc learns from the first that blocks of this size come and go
            block = libc.malloc(SIZE)
            ctypes.memset(block, 1, SIZE)
            libc.free(block)
    all_done.wait()

before = resident()
for _ in range(8):
    threading.Thread(target=work, daemon=True).start()
all_done.wait()
print((resident() - before) / SIZE)
"""


@pytest.mark.skipif(_glibc() is None, reason="only glibc has what it sets")
def test_what_one_thread_has_freed_is_there_for_the_others() -> None:
    kept = {
        how: float(subprocess.check_output([sys.executable, "-c", THREADS, how], text=True))
        for how in ("shared", "alone")
    }
    assert kept["shared"] < 3
    assert kept["alone"] > 6, "else glibc needs no telling any more"


SERVE = """
import sys
from fgdemo.cli import main
from fgdemo.commands.workspace import users_and_serve as keeping

def say():
    sys.exit(" ".join(name for name in ("numpy", "gradio", "torch") if name in sys.modules) or "none")

keeping.one_arena_for_all_threads = say
main(["serve"])
"""


def test_a_server_says_so_before_anything_that_starts_threads_is_imported(tmp_path: Path) -> None:
    env = {**os.environ, "FGDEMO_HOME": str(tmp_path)}
    said = subprocess.run([sys.executable, "-c", SERVE], env=env, stderr=subprocess.PIPE, text=True, timeout=120)
    assert said.stderr.strip() in ("none", "numpy")


def test_what_goes_wrong_inside_is_not_swallowed() -> None:
    with pytest.raises(TypeError, match="inside"), freed_memory_kept():
        raise TypeError("inside")
