"""Leaving in order: what was asked is answered, what is in memory is put away, and that takes no longer than it may."""

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import gradio as gr

FINISH_S = 5.0
"""So long may requests that run take to their end."""
LEAVE_S = 9.0
"""After this the process ends, whatever still runs: container engines kill after ten seconds."""
SIGNALS = (signal.SIGTERM, signal.SIGINT)

log = logging.getLogger(__name__)


class StoppedError(BaseException):
    """Somebody asked the process to end. No `Exception`, so that nothing takes it for a failure on the way out."""


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """The first SIGTERM or SIGINT raises StoppedError in the main thread; a second one ends the process at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}

    def stop(number: int, frame: object) -> None:
        for other in SIGNALS:
            signal.signal(other, signal.SIG_DFL)
        raise StoppedError

    for number in SIGNALS:
        signal.signal(number, stop)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGTERM) is stop:
            for number, handler in before.items():
                signal.signal(number, handler)


def leave(app: gr.Blocks, put_away: Callable[[], None]) -> NoReturn:
    """Take no more requests, finish those that run, call `put_away`, and end the process with code 0.

    Whatever hangs, it ends after LEAVE_S: all that was acknowledged is durable already. It ends without taking down
    Python's modules, which with torch among them was measured to take ten seconds on a busy machine.
    """
    last = threading.Timer(LEAVE_S, os._exit, (0,))
    last.daemon = True
    last.start()
    log.info("Stopping: what runs is finished first.")
    server: Any = getattr(app, "server", None)
    if server is not None:  # else it was stopped before it took any
        _close(app, server)
    put_away()
    log.info("Stopped.")
    logging.shutdown()
    sys.stdout.flush()
    os._exit(0)


def _close(app: gr.Blocks, server: Any) -> None:
    server.config.timeout_graceful_shutdown = FINISH_S
    server.should_exit = True  # no new connections, and no new requests on those that are open
    deadline_s = time.monotonic() + FINISH_S
    while _is_answering(app) and time.monotonic() < deadline_s:
        time.sleep(0.02)
    app.close(verbose=False)  # only now, because it ends the streams on which browsers wait for answers
    server.thread.join(max(0.0, deadline_s - time.monotonic()) + 1)


def _is_answering(app: gr.Blocks) -> bool:
    queue = app._queue
    return len(queue) > 0 or any(job is not None for job in queue.active_jobs)
