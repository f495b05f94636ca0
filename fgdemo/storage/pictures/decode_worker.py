"""python -m fgdemo.storage.pictures.decode_worker: decodes what comes on its standard input until that ends.

A question is a line of JSON and so many bytes as that says; so is an answer, on what was standard output.
"""

import json
import math
import os
import signal
import sys
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from fgdemo.storage.pictures.images import decode_reduced
from fgdemo.storage.pictures.metadata import rewritten
from fgdemo.values.errors import PictureError
from fgdemo.values.types import CropBox

MEMORY_BYTES = 1_500_000_000
BYTES_PER_PX = 40
"""A picture in its own colours, in 32-bit numbers, in RGB, turned, and what the decoder needs for itself."""


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which closes our input
    warnings.simplefilter("ignore")  # Pillow's remarks on damaged metadata
    questions, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints is no answer
    answers.write(b"ready\n")
    answers.flush()
    while line := questions.readline():
        question = json.loads(line)
        _bound(question["max_picture_mp"])
        with _alarm(question["limit_s"]):
            answer, content = _answer(question, questions.read(question["bytes"]))
        answers.write(json.dumps({**answer, "bytes": len(content)}).encode() + b"\n")
        answers.write(content)
        answers.flush()


def _answer(question: dict[str, Any], data: bytes) -> tuple[dict[str, Any], bytes]:
    named = {"name": question["name"], "max_picture_mp": question["max_picture_mp"]}
    try:
        if question["do"] == "rewrite":
            return {}, rewritten(data, **named)
        box = CropBox(**question["box"]) if question["box"] else None
        picture, full = decode_reduced(data, question["at_least_px"], box, **named)
        return {"size": picture.size, "full": full}, picture.tobytes()
    except PictureError as error:
        return {"error": str(error)}, b""


@contextmanager
def _alarm(limit_s: float) -> Generator[None, None, None]:
    """Ends this process where the server that should do so is no longer there."""
    if not hasattr(signal, "alarm"):  # on Windows
        yield
        return
    signal.alarm(math.ceil(limit_s) + 1)
    yield
    signal.alarm(0)


def _bound(max_picture_mp: int) -> None:
    """No more memory than the largest picture takes, no new files: where the system can hold us to it."""
    if sys.platform != "linux":
        return
    import resource

    most = MEMORY_BYTES + BYTES_PER_PX * max_picture_mp * 1_000_000
    resource.setrlimit(resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    main()
