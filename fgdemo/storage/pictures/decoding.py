"""The one door through which a server decodes what strangers send.

Headers bound what a decoder does (see `bounds`); whatever they overlook ends with the process in which it runs.
"""

import os
import threading
import time
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from typing import Any

from PIL import Image

from fgdemo.storage.pictures.decode_process import DecodeProcess
from fgdemo.storage.pictures.images import Encoded, content_of, decode_reduced, shown_name
from fgdemo.storage.pictures.metadata import OddError, cut_out, rewritten
from fgdemo.values.errors import BusyError, PictureError, UnavailableError
from fgdemo.values.types import CropBox

LIMIT_S = 10.0
"""The largest picture that is allowed takes three seconds on a slow machine."""
PATIENCE_S = 1.0
"""Whoever waits for longer ends the decode that has run the longest, if that has run for as long."""
START_S = 30.0
WATCH_EVERY_S = 0.1
REST_S = 60.0
"""A process that has decoded nothing for so long ends, because its memory stays as large as its largest picture."""
TRY_AGAIN_S = 10
TRIES_OF_OURS = 20
"""Imports make way for visitors, and begin the picture again."""
_FEWEST, _MOST = 3, 8
AHEAD = 3
"""So many decoded pictures, of 32 MB at most, may wait for what reads them while all processes decode more."""

_asking_for: ContextVar[str] = ContextVar("decode_for", default="")


def decode_for(visitor: str) -> None:
    """Whatever is decoded in this context from now on is for this visitor; different visitors take turns."""
    _asking_for.set(visitor)


def asking_for() -> str:
    """The visitor of this context; empty for the server's own work."""
    return _asking_for.get()


class Decoder:
    """Decodes here and now: for the command line, where people bring pictures of their own.

    Args:
        max_picture_mp: largest picture that is decoded, in megapixels.
    """

    def __init__(self, max_picture_mp: int = 60) -> None:
        self.max_picture_mp = max_picture_mp

    def decode(
        self, data: Encoded, at_least_px: int | None = None, box: CropBox | None = None, *, name: str = "the picture"
    ) -> tuple[Image.Image, tuple[int, int]]:
        """See `decode_reduced`. Raises PictureError, and BusyError where others wait."""
        return decode_reduced(content_of(data, name), at_least_px, box, name=name, max_picture_mp=self.max_picture_mp)

    @contextmanager
    def decoded(
        self, data: Encoded, at_least_px: int | None = None, box: CropBox | None = None, *, name: str = "the picture"
    ) -> Generator[tuple[Image.Image, tuple[int, int]], None, None]:
        """`decode`, for whoever keeps the picture for a while: only so many lie in memory until their blocks end.

        In the block nothing else may be decoded, lest everybody waits for everybody.
        """
        yield self.decode(data, at_least_px, box, name=name)

    def without_metadata(self, data: Encoded, *, name: str = "the picture") -> bytes:
        """See `fgdemo.storage.pictures.metadata.without_metadata`. Raises PictureError, BusyError."""
        content = content_of(data, name)
        try:
            return cut_out(content, name=name)
        except OddError:
            return self._rewritten(content, name)

    def _rewritten(self, data: bytes, name: str) -> bytes:
        return rewritten(data, name=name, max_picture_mp=self.max_picture_mp)


@dataclass(frozen=True, eq=False)
class _Waiting:
    """A picture that waits for a process.

    Attributes:
        is_kept: whether it lies decoded in memory afterwards.
    """

    since_s: float
    visitor: str
    is_kept: bool


class DecodingProcesses(Decoder):
    """Decodes in a few processes that can be ended: for a server, to which strangers send pictures.

    A decode that takes longer than `LIMIT_S` is ended. So is the longest one where others wait: nobody waits for
    somebody else's picture for much longer than `PATIENCE_S`. A picture is at work from its decode to the end of its
    block in `decoded`. Only so many are, the others wait undecoded; whoever has fewest at work is next, and one visitor
    never has all processes, nor all places.

    Args:
        most: so many processes, of some 50 MB each.
    """

    def __init__(self, max_picture_mp: int = 60, most: int | None = None, limit_s: float = LIMIT_S) -> None:
        super().__init__(max_picture_mp)
        self._most = most or min(max(_FEWEST, (os.cpu_count() or 1) + 1), _MOST)
        self._limit_s = limit_s
        self._turn = threading.Condition()
        self._idle: list[DecodeProcess] = []
        self._working: list[DecodeProcess] = []
        self._waiting: list[_Waiting] = []
        self._held: Counter[str] = Counter()
        self._places = self._most + AHEAD
        self._is_stopped = False

    def start(self) -> None:
        """Start the first process, so that the first picture does not wait for it, and the watch over all."""
        with self._turn:
            self._idle.append(self._started())
        threading.Thread(target=self._watch, name="decoding", daemon=True).start()

    def stop(self) -> None:
        with self._turn:
            self._is_stopped = True
            for process in (*self._idle, *self._working):
                process.kill()
            self._turn.notify_all()

    def decode(
        self, data: Encoded, at_least_px: int | None = None, box: CropBox | None = None, *, name: str = "the picture"
    ) -> tuple[Image.Image, tuple[int, int]]:
        with self.decoded(data, at_least_px, box, name=name) as found:
            return found

    @contextmanager
    def decoded(
        self, data: Encoded, at_least_px: int | None = None, box: CropBox | None = None, *, name: str = "the picture"
    ) -> Generator[tuple[Image.Image, tuple[int, int]], None, None]:
        question = {"do": "decode", "at_least_px": at_least_px, "box": asdict(box) if box else None}
        visitor = asking_for()
        answer, pixels = self._ask(question, data, name, visitor)
        try:
            picture = Image.frombytes("RGB", tuple(answer["size"]), pixels)
            del pixels  # as large again
            yield picture, tuple(answer["full"])
        finally:
            self._let_go(visitor)

    def _rewritten(self, data: bytes, name: str) -> bytes:
        return self._ask({"do": "rewrite"}, data, name, asking_for())[1]

    def _ask(self, question: dict[str, Any], data: Encoded, name: str, visitor: str) -> tuple[dict[str, Any], bytes]:
        """What a process answers. A picture that is decoded keeps the place of its visitor until `_let_go`."""
        whole = {**question, "name": name, "max_picture_mp": self.max_picture_mp, "limit_s": self._limit_s}
        is_kept = question["do"] == "decode"
        for _ in range(2 if visitor else TRIES_OF_OURS):  # a process may have died since its last picture
            process = self._taken(_Waiting(time.monotonic(), visitor, is_kept))
            try:
                answer, content = process.ask(whole, content_of(data, name))
            except PictureError:
                self._given_back(process, False)
                raise
            except (OSError, ValueError):
                self._gone(process)
                if process.ended_for == "too long" or (process.ended_for and visitor):
                    raise self._reason(process.ended_for, name) from None
                continue
            self._given_back(process, is_kept and "error" not in answer)
            if "error" in answer:
                raise PictureError(answer["error"])
            return answer, content
        raise PictureError(f"{shown_name(name)} could not be read: it is damaged, or takes too much memory.")

    def _reason(self, ended_for: str, name: str) -> Exception:
        if ended_for == "others":
            sentence = f"{shown_name(name)} takes long to read, and others are waiting: try again in a few seconds."
            return BusyError(sentence, TRY_AGAIN_S)
        return PictureError(f"{shown_name(name)} takes too long to read: export it again as JPEG or PNG.")

    def _taken(self, me: _Waiting) -> DecodeProcess:
        with self._turn:
            self._waiting.append(me)
            try:
                while True:
                    if self._is_stopped:
                        raise UnavailableError("The server is stopping: try again in a moment.")
                    if self._next() is me and (process := self._free()):
                        process.begin(me.visitor)
                        self._working.append(process)
                        return process
                    self._turn.wait(1)
            finally:
                self._waiting.remove(me)
                self._turn.notify_all()

    def _next(self) -> _Waiting | None:
        decodes = Counter(process.visitor for process in self._working)
        at_work, is_full = decodes + self._held, self._is_full()
        may = [
            one
            for one in self._waiting
            if decodes[one.visitor] < max(1, self._most - 1)
            and not (one.is_kept and (is_full or at_work[one.visitor] >= self._places - 1))
        ]
        return min(may, key=lambda one: (at_work[one.visitor], one.since_s), default=None)

    def _is_full(self) -> bool:
        """Whether as many pictures are decoded, or about to be, as may lie in memory."""
        return len(self._working) + self._held.total() >= self._places

    def _let_go(self, visitor: str) -> None:
        with self._turn:
            self._held[visitor] -= 1
            self._held += Counter()  # without those who have none
            self._turn.notify_all()

    def _free(self) -> DecodeProcess | None:
        if self._idle:
            return self._idle.pop()
        return self._started() if len(self._working) < self._most else None

    def _started(self) -> DecodeProcess:
        try:
            return DecodeProcess()
        except OSError as error:
            sentence = f"No picture can be read just now ({error.strerror}): try again in a minute."
            raise UnavailableError(sentence) from error

    def _given_back(self, process: DecodeProcess, is_kept: bool) -> None:
        with self._turn:
            self._working.remove(process)
            self._idle.append(process)
            if is_kept:
                self._held[process.visitor] += 1
            self._turn.notify_all()

    def _gone(self, process: DecodeProcess) -> None:
        """Forget a process that was ended or has died, and start another for who comes next."""
        process.end()
        with self._turn:
            self._working.remove(process)
            if not self._is_stopped:
                self._idle.append(self._started())
            self._turn.notify_all()

    def _watch(self) -> None:
        while True:
            with self._turn:
                self._turn.wait_for(lambda: self._working or self._is_stopped, REST_S)
                if self._is_stopped:
                    return
                self._end_overdue(time.monotonic())
                rested = self._rested(time.monotonic())
            for process in rested:
                process.end()
            time.sleep(WATCH_EVERY_S)

    def _rested(self, now_s: float) -> list[DecodeProcess]:
        """Those that have had nothing to do for long, taken from the idle; a new one is there for who comes next."""
        rested = [process for process in self._idle if process.is_ready and now_s - process.since_s > REST_S]
        if rested and len(rested) == len(self._idle):
            try:
                self._idle.append(self._started())
            except UnavailableError:  # the old ones serve for longer
                return []
        self._idle = [process for process in self._idle if process not in rested]
        return rested

    def _end_overdue(self, now_s: float) -> None:
        ran = {process: now_s - process.since_s for process in self._working if not process.ended_for}
        for process, ran_s in ran.items():
            if ran_s > (self._limit_s if process.is_ready else START_S):
                process.kill("too long")
        waits = any(one.visitor and now_s - one.since_s > PATIENCE_S for one in self._waiting)
        slow = [one for one in ran if one.is_ready and ran[one] > PATIENCE_S]
        if waits and slow and not self._is_full():  # else they wait for the model, not for a process
            max(slow, key=ran.__getitem__).kill("others")
