"""The models of a workspace, with the trainings that made them, as records of a mirror, and back."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from fgdemo.storage.disk.strict_json import as_object
from fgdemo.storage.mirror.records import Identity, identity, origin
from fgdemo.storage.records import fields
from fgdemo.storage.records.fields import FaultError, Fields, Record, Row
from fgdemo.values.limits import CHECKPOINT_FILES
from fgdemo.values.training import Preset

_FOLDER = re.compile(r"(?!\.)[\w.@-]{1,80}", re.ASCII)

_NUMBER = re.compile(r"\d{1,9}", re.ASCII)

MODEL: Fields = {
    "version": fields.needed_text,
    "folder": fields.like(_FOLDER, "the name of a folder"),
    **dict.fromkeys(("parent", "preset"), fields.text),
    "created_at": fields.moment,
    **dict.fromkeys(("verdict", "metrics"), fields.json_object),
    "size_bytes": fields.needed_whole,
    "deleted_at": fields.optional(fields.moment),
}
JOB: Fields = {
    **dict.fromkeys(("state", "asked_by", "parent", "device"), fields.needed_text),
    "preset": fields.one_of(Preset),
    **dict.fromkeys(("created_at", "launched_at"), fields.moment),
    **dict.fromkeys(("started_at", "ended_at"), fields.optional(fields.moment)),
    "stage": fields.json_object,
    **dict.fromkeys(("sentence", "candidate"), fields.text),
}


@dataclass(frozen=True)
class MirroredModel:
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


def mirrored_model(record: Record) -> MirroredModel:
    """Raises FaultError."""
    row, job, files = fields.read(record, MODEL), *(as_object(record.get(key)) for key in ("job", "files"))
    if files is None or (row["deleted_at"] is None and sorted(files) != sorted(CHECKPOINT_FILES)):
        raise FaultError("is a model of other files than a checkpoint has, which are not opened")
    if not all(isinstance(one, str) and fields.HASH.fullmatch(one) for one in files.values()):
        raise FaultError("has an unusable “files”")
    epochs = as_object(record.get("epochs") or {})
    if epochs is None or not all(_NUMBER.fullmatch(n) and isinstance(e, dict) for n, e in epochs.items()):
        raise FaultError("has unusable “epochs”")
    lineage = None if job is None else fields.read(job, JOB)
    told = {int(number): json.dumps(epoch) for number, epoch in epochs.items()}
    return MirroredModel(row, identity(record, "event"), origin(record, "origin"), lineage, told, files)
