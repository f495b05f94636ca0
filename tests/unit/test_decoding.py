"""Pictures are decoded in processes of their own, which end where one takes too long."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fgdemo.settings import bare_variables
from fgdemo.storage.pictures import decoding
from fgdemo.storage.pictures.decoding import AHEAD, PATIENCE_S, Decoder, DecodingProcesses, decode_for
from fgdemo.storage.pictures.images import decode_reduced
from fgdemo.storage.pictures.metadata import without_metadata
from fgdemo.values.errors import FgdemoError, PictureError, UnavailableError
from tests.support.bombs import encoded, png


def photograph() -> Image.Image:
    return Image.effect_noise((900, 600), 60).convert("RGB")


@pytest.fixture(scope="module")
def slow() -> bytes:
    """Takes seconds, and no header is to blame: 59 megapixels of 16 bits."""
    return png(7700, 7700, depth=16, colour=6)


@pytest.fixture(scope="module")
def decoder() -> Iterator[DecodingProcesses]:
    processes = DecodingProcesses(most=2)
    processes.start()
    yield processes
    processes.stop()


def test_what_comes_back_is_what_would_be_decoded_here(decoder: DecodingProcesses) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    for data in (encoded(photograph(), "JPEG", exif=exif), encoded(photograph().convert("LA"), "PNG")):
        for at_least_px in (None, 100):
            picture, full = decoder.decode(data, at_least_px)
            expected, expected_full = decode_reduced(data, at_least_px)
            assert full == expected_full
            assert np.array_equal(np.asarray(picture), np.asarray(expected))


def test_metadata_go_there_too(decoder: DecodingProcesses) -> None:
    for data in (encoded(photograph(), "TIFF", tiffinfo={315: "Ada Lovelace"}), encoded(photograph(), "AVIF")):
        there, here = decoder.without_metadata(data), without_metadata(data)
        assert b"Ada" not in there
        assert np.array_equal(np.asarray(decode_reduced(there, None)[0]), np.asarray(decode_reduced(here, None)[0]))


def test_sentences_are_the_same(decoder: DecodingProcesses) -> None:
    for data in (b"", b"words", encoded(photograph(), "JPEG")[:3000], encoded(Image.new("1", (20000, 10000)), "PNG")):
        told = []
        for either in (decoder, Decoder()):
            with pytest.raises(PictureError) as caught:
                either.decode(data, name="a \N{OWL}.jpg")
            told.append(str(caught.value))
        assert told[0] == told[1]


def test_a_decode_that_takes_too_long_is_ended_and_the_next_is_not(slow: bytes) -> None:
    processes = DecodingProcesses(most=1, limit_s=0.3)
    processes.start()
    try:
        for _ in range(2):
            with pytest.raises(PictureError, match=r"“bomb.png” takes too long to read: .*"):
                processes.decode(slow, name="bomb.png")
        assert processes.decode(encoded(photograph(), "JPEG"))[1] == (900, 600)
    finally:
        processes.stop()
    with pytest.raises(UnavailableError):
        processes.decode(encoded(photograph(), "JPEG"))


def asked(decoder: DecodingProcesses, visitor: str, data: bytes) -> str:
    decode_for(visitor)
    try:
        decoder.decode(data)
        return "read"
    except FgdemoError as error:
        return str(error)


def test_nobody_waits_for_the_pictures_of_others(slow: bytes) -> None:
    processes = DecodingProcesses(most=1)
    processes.start()
    try:
        with ThreadPoolExecutor(2) as pool:
            first = pool.submit(asked, processes, "a", slow)
            while not processes._working:
                pass
            assert asked(processes, "b", encoded(photograph(), "JPEG")) == "read"
            assert "others are waiting" in first.result()
    finally:
        processes.stop()


def test_one_visitor_never_has_all_processes(slow: bytes) -> None:
    processes = DecodingProcesses(most=2)
    processes.start()
    with ThreadPoolExecutor(2) as pool:
        theirs = [pool.submit(asked, processes, "a", slow) for _ in range(2)]
        while not (processes._working and processes._waiting):
            pass
        assert asked(processes, "b", encoded(photograph(), "JPEG")) == "read"
        assert "read" not in {one.result() for one in theirs if one.done()}
        processes.stop()


class Kept:
    """Threads that decode the same picture and keep it until they are let go."""

    def __init__(self, decoder: DecodingProcesses, visitors: list[str]) -> None:
        self.go, self.inside, self.most_inside = threading.Event(), 0, 0
        self._decoder, self._turn = decoder, threading.Lock()
        self._data = encoded(photograph(), "JPEG")
        self._pool = ThreadPoolExecutor(len(visitors))
        self._results = [self._pool.submit(self._keep, visitor) for visitor in visitors]

    def finish(self) -> None:
        self.go.set()
        for one in self._results:
            one.result()
        self._pool.shutdown()

    def _keep(self, visitor: str) -> None:
        decode_for(visitor)
        with self._decoder.decoded(self._data):
            with self._turn:
                self.inside += 1
                self.most_inside = max(self.most_inside, self.inside)
            assert self.go.wait(60)
            with self._turn:
                self.inside -= 1


@pytest.mark.parametrize("visitors", [[f"visitor {n}" for n in range(12)], [""] * 12])
def test_only_so_many_pictures_lie_decoded_in_memory(visitors: list[str]) -> None:
    processes = DecodingProcesses(most=2)
    processes.start()
    kept = Kept(processes, visitors)
    try:
        room = processes._places - (len(set(visitors)) == 1)
        while kept.inside + len(processes._waiting) < 12 or kept.inside < room:
            time.sleep(0.01)
        assert kept.inside == room
        assert len(processes._waiting) == 12 - room, "the others wait, and nobody is refused"
        kept.finish()
        assert kept.most_inside == room
        assert not processes._held
    finally:
        kept.go.set()
        processes.stop()


def test_one_visitor_never_has_all_places() -> None:
    processes = DecodingProcesses(most=2)
    processes.start()
    kept = Kept(processes, ["a"] * 10)
    try:
        while kept.inside < processes._places - 1:
            time.sleep(0.01)
        assert asked(processes, "b", encoded(photograph(), "JPEG")) == "read"
        assert kept.inside == processes._places - 1
        kept.finish()
    finally:
        kept.go.set()
        processes.stop()


def test_a_picture_that_cannot_be_read_leaves_its_place(decoder: DecodingProcesses) -> None:
    for _ in range(decoder._places + 1):
        with pytest.raises(PictureError), decoder.decoded(b"words"):
            pass
        with pytest.raises(KeyError), decoder.decoded(encoded(photograph(), "JPEG")):
            raise KeyError
    decoder.without_metadata(encoded(photograph(), "AVIF"))
    assert not decoder._held


@pytest.mark.parametrize(("held", "ended"), [(0, True), (AHEAD + 1, False)])
def test_nobody_s_decode_is_ended_where_others_wait_for_the_model(held: int, ended: bool) -> None:
    class Slow:
        visitor, is_ready, since_s, ended_for = "a", True, 0.0, ""

        def kill(self, reason: str) -> None:
            self.ended_for = reason

    processes, slow = DecodingProcesses(most=2), Slow()
    processes._working.append(slow)  # type: ignore[arg-type]
    processes._waiting.append(decoding._Waiting(0.0, "b", True))
    processes._held["c"] = held
    processes._end_overdue(PATIENCE_S + 1)
    assert slow.ended_for == ("others" if ended else "")


def test_a_process_that_dies_costs_nobody_a_picture(decoder: DecodingProcesses) -> None:
    for process in decoder._idle:
        os.kill(process._process.pid, signal.SIGKILL)
    assert decoder.decode(encoded(photograph(), "JPEG"))[1] == (900, 600)


def test_it_has_no_secrets() -> None:
    given = {
        "HF_TOKEN": "x",
        "DATABASE_URL": "y",
        "OAUTH_CLIENT_SECRET": "z",
        "PATH": "/bin",
        "AWS_SECRET_ACCESS_KEY": "k",
    }
    assert set(bare_variables(given)) == {"PATH", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"}


def test_processes_that_rest_give_their_memory_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "REST_S", 0.2)
    processes = DecodingProcesses(most=2)
    processes.start()
    try:
        processes.decode(encoded(photograph(), "JPEG"))
        worked = processes._idle[0]
        while processes._idle and processes._idle[0] is worked:
            time.sleep(0.05)
        assert worked._process.wait(30) != 0, "it was ended"
        (fresh,) = processes._idle
        assert not fresh.is_ready
        assert processes.decode(encoded(photograph(), "JPEG"))[1] == (900, 600)
    finally:
        processes.stop()


def test_what_waits_for_its_turn_is_read_only_then(tmp_path: Path) -> None:
    decoder = DecodingProcesses(most=1)
    first, second = tmp_path / "first.png", tmp_path / "second.png"
    for path in (first, second):
        path.write_bytes(png(40, 30))
    answers: list[object] = []

    def ask(path: Path) -> None:
        decode_for(path.name)
        try:
            answers.append(decoder.decode(path, name=path.name)[1])
        except FgdemoError as error:
            answers.append(str(error))

    try:
        with decoder._turn:  # nobody gets a turn meanwhile
            threads = [threading.Thread(target=ask, args=(path,)) for path in (first, second)]
            for thread in threads:
                thread.start()
            second.unlink()
        for thread in threads:
            thread.join()
        assert sorted(answers, key=str) == sorted([(40, 30), "“second.png” is no longer here: send it again."], key=str)
        assert decoder.decode(first)[1] == (40, 30), "and its process is free again"
    finally:
        decoder.stop()
