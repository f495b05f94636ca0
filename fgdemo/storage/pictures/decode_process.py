"""A process that decodes one picture after the other, as the server sees it; `decode_worker` is its other end."""

import contextlib
import json
import subprocess
import sys
import time
from typing import IO, Any

from fgdemo.settings import REPOSITORY, bare_variables

PIPE_BYTES = 1 << 20
COMMAND = (sys.executable, "-m", "fgdemo.storage.pictures.decode_worker")


class DecodeProcess:
    """One process. It has no secrets: neither the variables nor an open file of the server.

    Attributes:
        visitor: for whom it works.
        is_ready: whether it has started.
        since_s: on the clock of `time.monotonic`, when it began what it does.
        ended_for: why it was ended; empty where it was not.

    Raises:
        OSError: the system starts no more processes.
    """

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=REPOSITORY, env=bare_variables()
        )
        for pipe in (self._process.stdin, self._process.stdout):
            _widen(pipe)
        self.visitor, self.ended_for = "", ""
        self.is_ready = False
        self.since_s = time.monotonic()

    def begin(self, visitor: str) -> None:
        self.visitor, self.since_s = visitor, time.monotonic()

    def ask(self, question: dict[str, Any], data: bytes) -> tuple[dict[str, Any], bytes]:
        """What it answers, with the bytes that follow. Raises OSError, ValueError where it has ended or was."""
        inward, outward = self._process.stdin, self._process.stdout
        assert inward is not None and outward is not None  # noqa: PT018 both are pipes
        if not self.is_ready:
            if not outward.readline():
                raise OSError("it did not start")
            self.is_ready, self.since_s = True, time.monotonic()
        inward.write(json.dumps({**question, "bytes": len(data)}).encode() + b"\n")
        inward.write(data)
        inward.flush()
        answer = json.loads(outward.readline())
        content = outward.read(answer["bytes"])
        if len(content) != answer["bytes"]:
            raise OSError("it has ended")
        return answer, content

    def kill(self, reason: str = "") -> None:
        """From any thread: whoever waits for its answer learns it."""
        self.ended_for = self.ended_for or reason
        self._process.kill()

    def end(self) -> None:
        """Once nobody waits for it any more."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                if pipe is not None:
                    pipe.close()


def _widen(pipe: IO[bytes] | None) -> None:
    """Fewer turns between both ends: a picture has megabytes, a pipe holds 64 kB unless it is told otherwise."""
    if sys.platform == "linux" and pipe is not None:
        import fcntl

        with contextlib.suppress(OSError):  # the system grants a user only so many
            fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, PIPE_BYTES)
