"""The models of a workspace, with the trainings that made them, as records of a mirror, and back."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from fgdemo.storage.mirror.fields import (
    any_text,
    json_text,
    like,
    moment,
    moment_or_none,
    needed_text,
    needed_whole,
    one_of,
)
from fgdemo.storage.mirror.records import HASH, ORIGIN, Columns, Identity, Row, identity_of, row_of
from fgdemo.storage.records.fields import FaultError, Record
from fgdemo.values.limits import CHECKPOINT_FILES
from fgdemo.values.training import Preset

_FOLDER = re.compile(r"(?!\.)[\w.@-]{1,80}", re.ASCII)

MODEL: Columns = {
    "version": needed_text,
    "folder": like(_FOLDER),
    "parent": any_text,
    "preset": any_text,
    "created_at": moment,
    "verdict": json_text(dict),
    "metrics": json_text(dict),
    "size_bytes": needed_whole,
    "deleted_at": moment_or_none,
}
JOB: Columns = {
    "state": needed_text,
    "preset": one_of(Preset),
    "asked_by": needed_text,
    "parent": needed_text,
    "created_at": moment,
    "launched_at": moment,
    "device": needed_text,
    "started_at": moment_or_none,
    "ended_at": moment_or_none,
    "stage": json_text(dict),
    "sentence": any_text,
    "candidate": any_text,
}


@dataclass(frozen=True)
class ToldModel:
    """A model of a mirror.

    Attributes:
        row: of `model_version`, without `event` and `job`.
        event: the newest event that it was trained on.
        origin: the workspace that made it.
        job: of `job`, without `event`; None where it is not known.
        epochs: JSON texts by their number.
        files: the sha256 of each file of the checkpoint; empty for a deleted one.
    """

    row: Row
    event: Identity | None
    origin: str
    job: Row | None
    epochs: Mapping[int, str]
    files: Mapping[str, str]


def model_of(record: Record) -> ToldModel:
    """Raises FaultError."""
    row, job, files = row_of(record, MODEL), record.get("job"), record.get("files")
    if not isinstance(files, dict) or (row["deleted_at"] is None and sorted(files) != sorted(CHECKPOINT_FILES)):
        raise FaultError("is a model of other files than a checkpoint has, which are not opened")
    if not all(isinstance(one, str) and HASH.fullmatch(one) for one in files.values()):
        raise FaultError("has an unusable “files”")
    epochs = record.get("epochs") or {}
    if not isinstance(epochs, dict) or not all(n.isdecimal() and isinstance(e, dict) for n, e in epochs.items()):
        raise FaultError("has unusable “epochs”")
    return ToldModel(
        row,
        identity_of(record, "event"),
        str(like(ORIGIN)(record, "origin")),
        row_of(job, JOB) if isinstance(job, dict) else None,
        {int(number): json.dumps(epoch) for number, epoch in epochs.items()},
        files,
    )
