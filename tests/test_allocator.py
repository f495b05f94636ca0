"""A training's memory is cleared by the kernel once, not for every batch, and given back at the end."""

from __future__ import annotations

import subprocess
import sys

import pytest

from fgdemo.learn.allocator import _glibc, freed_memory_kept

ROUNDS = """
import contextlib, resource, sys
import numpy as np
from fgdemo.learn.allocator import freed_memory_kept

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


def test_what_goes_wrong_inside_is_not_swallowed() -> None:
    with pytest.raises(TypeError, match="inside"), freed_memory_kept():
        raise TypeError("inside")
