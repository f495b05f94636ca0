"""A stand-in of the package `spaces` on ZeroGPU, for a machine without a GPU.

Like the real one it forks a worker for a decorated function, uses it again while it lives, and sends arguments and
results through pickles; `cuda` is emulated by a torch function mode, which holds in the main thread and in the workers
only: elsewhere `to("cuda")` fails as it does without a driver. Each worker writes a line to SPACES_STAND_IN_LOG.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
from collections.abc import Callable
from functools import partial, wraps
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

_fork = multiprocessing.get_context("fork")


class _Emulated(TorchFunctionMode):
    """`cuda` is the CPU."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.Tensor.to:
            args = tuple("cpu" if str(one).startswith("cuda") else one for one in args)
        return func(*args, **(kwargs or {}))


_emulated = _Emulated()
_emulated.__enter__()


def _note(what: str) -> None:
    if os.environ.get("SPACES_STAND_IN_LOG"):
        with open(os.environ["SPACES_STAND_IN_LOG"], "a", encoding="utf-8") as log:  # noqa: PTH123
            log.write(f"{what} {os.getpid()}\n")


class _Worker:
    def __init__(self, task: Callable[..., Any]) -> None:
        self.ours, theirs = _fork.Pipe()
        self.process = _fork.Process(target=_serve, args=(task, theirs), daemon=True)
        self.process.start()

    def ask(self, given: Any) -> Any:
        self.ours.send_bytes(pickle.dumps(given))
        fine, value = pickle.loads(self.ours.recv_bytes())  # noqa: S301
        if not fine:
            raise RuntimeError(f"ZeroGPU worker error: {value}")
        return value


def _serve(task: Callable[..., Any], theirs: Any) -> None:
    torch.set_num_threads(1)
    _note("worker")
    with _Emulated():
        while True:
            args, kwargs = pickle.loads(theirs.recv_bytes())  # noqa: S301
            try:
                reply = (True, task(*args, **kwargs))
            except Exception as error:  # noqa: BLE001
                reply = (False, type(error).__name__)
            theirs.send_bytes(pickle.dumps(reply))


def GPU(task: Callable[..., Any] | None = None, *, duration: int | None = None) -> Any:  # noqa: N802
    if task is None:
        return partial(GPU, duration=duration)
    _note("decorated")
    workers: list[_Worker] = []

    @wraps(task)
    def ask(*args: Any, **kwargs: Any) -> Any:
        worker = workers.pop() if workers else _Worker(task)
        try:
            return worker.ask((args, kwargs))
        finally:
            workers.append(worker)

    return ask
