"""Work on a thread of its own: in turn, with the caller's context, giving way to the others."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar

import pytest

from fgdemo.services.classify.aside import Aside
from fgdemo.settings import REPOSITORY
from fgdemo.values.errors import PictureError


def test_all_is_done_on_one_thread_one_thing_after_another():
    aside, inside, overlaps, threads = Aside("test", niceness=1), [], [], set()

    def work(number: int) -> int:
        overlaps.extend(inside)
        inside.append(number)
        threads.add(threading.get_ident())
        inside.remove(number)
        return number

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda number: aside.do(work, number), range(200))) == list(range(200))
    assert overlaps == []
    assert len(threads) == 1
    assert threads != {threading.get_ident()}


def test_what_it_raises_reaches_the_caller_and_the_next_one_is_served():
    def refuse() -> None:
        raise PictureError("This is no picture.")

    aside = Aside("test", niceness=1)
    with pytest.raises(PictureError, match="no picture"):
        aside.do(refuse)
    assert aside.do(max, 1, 2) == 2


def test_it_sees_whose_time_it_spends_and_changes_nothing_for_the_caller():
    person: ContextVar[str] = ContextVar("person", default="nobody")
    aside = Aside("test", niceness=1)

    def spend() -> str:
        found = person.get()
        person.set("somebody else")
        return found

    person.set("ada")
    assert [aside.do(spend), aside.do(spend)] == ["ada", "ada"]
    assert person.get() == "ada"


@pytest.mark.skipif(sys.platform != "linux", reason="priorities are those of processes there")
def test_it_and_what_it_starts_give_way_and_the_caller_does_not():
    def niceness() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    def of_a_thread_begun_here() -> int:
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(niceness).result()

    before, aside = niceness(), Aside("test", niceness=7)
    after = min(before + 7, 19)
    assert (aside.do(niceness), aside.do(of_a_thread_begun_here), niceness()) == (after, after, before)


@pytest.mark.skipif(sys.platform != "linux", reason="priorities are those of processes there")
def test_a_process_that_gives_way_already_and_one_that_may_not_are_served_as_well(monkeypatch: pytest.MonkeyPatch):
    program = (
        "import os; from fgdemo.services.classify.aside import Aside; os.getuid() or os.setuid(65534); "
        "print(Aside('x', 1).do(os.nice, 0), Aside('y', 10).do(max, 1, 2))"
    )  # root may give itself any priority, others none that is higher than before
    command = ["nice", "-n", "15", sys.executable, "-c", program]
    told = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=True)
    assert told.stdout.split() == [str(min(os.nice(0) + 16, 19)), "2"]

    def forbidden(_: int) -> int:
        raise PermissionError

    monkeypatch.setattr(os, "nice", forbidden)
    assert Aside("test", niceness=1).do(max, 1, 2) == 2
