"""An interrupted training goes on from here: everything that changes during a run, in one file."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch

from fgdemo.values.errors import CheckpointError


class Stateful(Protocol):
    """A module, an optimizer, a learning-rate schedule."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state_dict: dict[str, Any]) -> Any: ...


def save_run(
    path: Path, identity: Mapping[str, Any], history: Sequence[dict[str, Any]], run: Mapping[str, Stateful]
) -> None:
    """Written beside and renamed, so that the last whole one always stands.

    Args:
        identity: plain values that say which run this is; no other one may go on from here.
        history: one row of plain values for each epoch done.

    Raises:
        CheckpointError: it cannot be written.
    """
    beside = path.with_suffix(".part")
    state = {
        "identity": dict(identity),
        "history": list(history),
        **{name: one.state_dict() for name, one in run.items()},
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(state, beside)
        beside.replace(path)
    except (OSError, RuntimeError) as error:  # torch's writer raises RuntimeError when the disk is full
        beside.unlink(missing_ok=True)
        reason = (isinstance(error, OSError) and error.strerror) or "the disk may be full"
        raise CheckpointError(f"The state of the training could not be written to {path.name} ({reason}).") from error


def resume(path: Path, identity: Mapping[str, Any], run: Mapping[str, Stateful]) -> list[dict[str, Any]]:
    """Put everything back as it was, if there is a run file; returns the rows of the epochs already done.

    Raises:
        CheckpointError: it is damaged, or belongs to another run.
    """
    if not path.exists():
        return []
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        if state["identity"] != identity:
            raise CheckpointError(
                f"{path.name} belongs to a run with other options, start weights or pictures: remove it to begin anew."
            )
        for name, one in run.items():
            one.load_state_dict(state[name])
        return list(state["history"])
    except (OSError, RuntimeError, EOFError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path.name} is damaged or belongs to another network or data: remove it.") from error
