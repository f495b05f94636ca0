"""How much one visitor may ask, who that visitor is, how many may wait, and what is swept away meanwhile."""

from __future__ import annotations

import os
import threading
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import MagicMock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.datastructures import Headers

from fgdemo.services.classify.measuring import MOST_MEASURING
from fgdemo.services.classify.rate_limits import FREER, MOST_VISITORS, Deed, Limits, Rate, Visitor, rates
from fgdemo.services.classify.waiting_room import WaitingRoom, places
from fgdemo.services.classify.workbench import Workbench
from fgdemo.services.operating.housekeeping import Chore, Housekeeping
from fgdemo.storage.disk.sweeping import Swept, sweep
from fgdemo.storage.pictures.decoding import Decoder
from fgdemo.values.errors import BusyError, PictureError, StorageError
from fgdemo.values.types import CropBox, Trust
from fgdemo.web.http.visitors import address_of
from fgdemo.web.page import THREADS_BESIDE, launch_options
from tests.support.browser_app import YELLOW, picture, settings_in
from tests.support.fakes import FakeClassifier


class Clock:
    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def refused(limits: Limits, visitor: Visitor, deed: Deed = "ask") -> int | None:
    try:
        limits.spend(visitor, deed)
    except BusyError as error:
        return error.retry_after_s
    return None


def test_a_burst_is_free_and_then_as_much_as_a_minute_allows() -> None:
    clock = Clock()
    limits = Limits({"ask": Rate(5, 6)}, clock)
    ada, bo = Visitor("ada"), Visitor("bo")
    assert [refused(limits, ada) for _ in range(6)] == [None] * 5 + [10]
    assert refused(limits, bo) is None
    clock.now_s += 9.9
    assert refused(limits, ada) == 1
    clock.now_s += 0.2
    assert [refused(limits, ada), refused(limits, ada)] == [None, 10]
    clock.now_s += 3600
    assert [refused(limits, ada) for _ in range(6)] == [None] * 5 + [10]


def test_experts_are_freer_but_nobody_signs_in_more_often() -> None:
    limits = Limits({"ask": Rate(5, 6), "sign-in": Rate(3, 6)}, Clock())
    expert = Visitor("person ada", "expert")
    assert sum(refused(limits, expert) is None for _ in range(100)) == 5 * FREER
    assert sum(refused(limits, expert, "sign-in") is None for _ in range(100)) == 3


def test_memory_stays_bounded_and_who_is_active_is_not_forgotten() -> None:
    limits = Limits({"ask": Rate(2, 1)}, Clock())
    busy = Visitor("busy")
    limits.spend(busy, "ask")
    limits.spend(busy, "ask")
    for number in range(MOST_VISITORS + 50):
        limits.spend(Visitor(str(number)), "ask")
        if number % 1000 == 0:
            assert refused(limits, busy)
    assert len(limits._buckets) == MOST_VISITORS


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(0, 30), max_size=60), st.integers(1, 9), st.integers(1, 60))
def test_never_more_than_the_rate_allows(pauses: list[float], burst: int, per_minute: int) -> None:
    clock = Clock()
    limits, started, taken = Limits({"ask": Rate(burst, per_minute)}, clock), clock.now_s, 0
    for pause in pauses:
        clock.now_s += pause
        taken += refused(limits, Visitor("x")) is None
        assert taken <= burst + (clock.now_s - started) * per_minute / 60 + 1e-6


def test_every_deed_has_a_rate_however_few_are_allowed() -> None:
    assert all(rate.burst >= 1 and rate.per_minute > 0 for rate in rates(1).values())


@pytest.mark.parametrize(
    ("told", "proxies", "address"),
    [
        (None, 0, "10.0.0.9"),
        ("6.6.6.6", 0, "10.0.0.9"),  # anybody may write that
        ("6.6.6.6, 1.2.3.4", 1, "1.2.3.4"),
        ("6.6.6.6, 1.2.3.4, 10.0.0.2", 2, "1.2.3.4"),
        ("1.2.3.4", 2, "1.2.3.4"),
        ("", 1, "10.0.0.9"),
        ("2001:db8:1:2:aaaa::1", 1, "2001:db8:1:2::/64"),
        ("2001:db8:1:2:bbbb::9", 1, "2001:db8:1:2::/64"),
        ("x" * 5000, 1, "x" * 64),
    ],
)
def test_whose_address_is_believed(told: str | None, proxies: int, address: str) -> None:
    headers = Headers({} if told is None else {"x-forwarded-for": told})
    request = SimpleNamespace(client=SimpleNamespace(host="10.0.0.9"), headers=headers)
    assert address_of(request, proxies) == address


class SlowClassifier(FakeClassifier):
    """Reads nothing until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.go, self.reading = threading.Event(), threading.Event()

    def read(self, picture, box=None):
        self.reading.set()
        assert self.go.wait(60)
        return super().read(picture, box)


def test_only_so_many_wait_for_the_model_and_the_next_one_is_told_when_to_come_back(tmp_path: Path) -> None:
    slow = SlowClassifier()
    workbench = Workbench(slow, most_waiting=3)
    paths = [picture(tmp_path / f"{n}.png", YELLOW, (n, n, n)) for n in range(4)]
    waiting = [threading.Thread(target=workbench.classify, args=(path,), kwargs={"name": "a"}) for path in paths[:3]]
    for thread in waiting:
        thread.start()
    assert slow.reading.wait(60)
    while len(workbench._readings._room) < 3:
        pass
    with pytest.raises(BusyError, match=r"Many people are here just now.*in a few seconds\.") as caught:
        workbench.classify(paths[3], name="a")
    assert caught.value.retry_after_s > 0
    slow.go.set()
    for thread in waiting:
        thread.join()
    assert workbench.classify(paths[3], name="a").candidates


def test_no_upload_lies_in_memory_while_it_waits(tmp_path: Path) -> None:
    class Told(Decoder):
        def __init__(self) -> None:
            super().__init__()
            self.kinds: set[type] = set()

        def decode(self, data, *given, **named):
            self.kinds.add(type(data))
            return super().decode(data, *given, **named)

        def without_metadata(self, data, **named):
            self.kinds.add(type(data))
            return super().without_metadata(data, **named)

    decoder, path = Told(), picture(tmp_path / "a.png", YELLOW, YELLOW)
    workbench = Workbench(FakeClassifier(), trust=lambda *_: {}, decoder=decoder)
    whole = workbench.classify(path, name="a")
    assert workbench.classify(path.read_bytes(), name="a").image_id == whole.image_id, "known, so not decoded again"
    workbench.classify(path, name="a", box=CropBox(0, 0, 0.5, 0.5))
    workbench.maps.trust(path, name="a", box=None, a="nashville_warbler", b="mourning_warbler")
    workbench.maps.picture(path, name="a")
    assert decoder.kinds == {type(path)}
    path.unlink()
    for ask in (workbench.classify, workbench.maps.picture):
        with pytest.raises(PictureError, match="no longer here"):
            ask(path, name="a")


def test_those_who_wait_leave_threads_for_the_others(tmp_path: Path) -> None:
    room = WaitingRoom(64)
    with ExitStack() as waiting:
        for n in range(places(64)):
            waiting.enter_context(room.one(f"visitor {n}"))
        with pytest.raises(BusyError):
            waiting.enter_context(room.one("one more"))
        assert len(room) == 80
    services = MagicMock(settings=settings_in(tmp_path))
    assert services.settings.most_waiting == 64
    assert launch_options(services)["max_threads"] == places(64) + THREADS_BESIDE


def test_only_a_few_wait_for_a_trust_figure(tmp_path: Path) -> None:
    go, measuring = threading.Event(), threading.Semaphore(0)

    def trust(*_: object) -> dict[str, Trust]:
        measuring.release()
        assert go.wait(60)
        return {}

    class Decodes(Decoder):
        count = 0

        def decode(self, *given, **named):
            self.count += 1
            return super().decode(*given, **named)

    decoder, path = Decodes(), picture(tmp_path / "a.png", YELLOW, YELLOW)
    workbench = Workbench(FakeClassifier(), trust=trust, decoder=decoder)
    asked = {"name": "a", "box": None, "a": "nashville_warbler", "b": "mourning_warbler"}
    threads = [threading.Thread(target=workbench.maps.trust, args=(path,), kwargs=asked) for _ in range(MOST_MEASURING)]
    for thread in threads:
        thread.start()
    measuring.acquire()
    while workbench.maps._measuring._asked.acquire(blocking=False):
        workbench.maps._measuring._asked.release()
    with pytest.raises(BusyError):
        workbench.maps.trust(path, **asked)
    assert decoder.count == 1, "the others wait undecoded"
    go.set()
    for thread in threads:
        thread.join()
    assert decoder.count == MOST_MEASURING


def test_whoever_has_few_questions_waits_where_another_visitor_fills_the_room() -> None:
    room = WaitingRoom(8)
    with ExitStack() as waiting:
        for _ in range(8):
            waiting.enter_context(room.one("greedy"))
        with pytest.raises(BusyError):
            waiting.enter_context(room.one("greedy"))
        for name in ("a", "b"):
            waiting.enter_context(room.one(name))
        with pytest.raises(BusyError):  # even that is bounded
            waiting.enter_context(room.one("c"))
    assert len(room) == 0
    with room.one("greedy"):
        assert len(room) == 1


def test_a_picture_keeps_its_place_until_the_model_has_read_it_and_never_two(tmp_path: Path) -> None:
    class Places(Decoder):
        inside, entered = 0, 0

        @contextmanager
        def decoded(self, *given, **named):
            assert self.inside == 0, "whoever has a place must not wait for a second one"
            self.inside, self.entered = 1, self.entered + 1
            with super().decoded(*given, **named) as found:
                yield found
            self.inside = 0

    class Reads(FakeClassifier):
        def read(self, picture, box=None):
            assert places.inside == 1
            return super().read(picture, box)

    places = Places()
    workbench, path = Workbench(Reads(), decoder=places), picture(tmp_path / "a.png", YELLOW, YELLOW)
    workbench.classify(path, name="a", box=CropBox(0, 0, 0.5, 0.5))
    workbench.classify(path, name="a")
    assert places.entered == 3


def written(path: Path, size: int, at_s: float) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    os.utime(path, (at_s, at_s))
    os.utime(path.parent, (at_s, at_s))
    return path


def test_what_is_old_or_too_much_is_swept_and_links_are_not_followed(tmp_path: Path) -> None:
    uploads, outside = tmp_path / "uploads", written(tmp_path / "outside" / "kept", 50, 0)
    old, large = written(uploads / "a" / "old", 10, 100), written(uploads / "b" / "large", 90, 990)
    new = written(uploads / "c" / "new", 30, 995)
    (uploads / "link").symlink_to(outside)
    assert sweep(Swept(uploads, 500, 100), now_s=1000) <= 100
    assert (old.exists(), large.exists(), new.exists(), outside.exists()) == (False, False, True, True)
    assert not old.parent.exists()
    assert sweep(Swept(tmp_path / "nowhere", 1, 1)) == 0


def test_a_chore_that_fails_does_not_stop_the_next_and_each_has_its_time() -> None:
    clock, done = Clock(), []

    def fails() -> None:
        done.append("fails")
        raise StorageError("no")

    house = Housekeeping([Chore("one", fails, 60), Chore("two", lambda: done.append("two"), 600)], clock)
    house.tidy()
    house.tidy()
    assert done == ["fails", "two"]
    clock.now_s += 60
    house.tidy()
    assert done == ["fails", "two", "fails"]
    house.start()
    house.stop()
