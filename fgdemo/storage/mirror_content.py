"""All that a mirror holds, read and checked; what is damaged in it is named and left out."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from fgdemo.storage.destinations import Destination, GoneError
from fgdemo.storage.fields import FaultError, Record
from fgdemo.storage.label_event import REMOVED
from fgdemo.storage.labelled import Progress, no_progress
from fgdemo.storage.mirror_records import (
    ACCOUNT,
    IMAGE,
    PROMOTION,
    SESSION,
    TAXON,
    TOKEN,
    TOKEN_REMOVED,
    Row,
    Told,
    ToldModel,
    digest_of,
    model_of,
    record_of,
    row_of,
    told_of,
)
from fgdemo.storage.mirror_tables import GROWING
from fgdemo.storage.segments import FOLDER, LARGEST_BYTES, Damage, is_segment, unpack

READERS = 8
_STRICTNESS = {None: 0, "train": 1, "val": 2, "test": 3, "gold": 3}
"""Where two workspaces disagree about the split of a picture it is held out: gold never trains."""


@dataclass
class MirrorContent:
    """The union of what all workspaces sent.

    Attributes:
        taxa, accounts, tokens: rows by id or by name, the newest of each; a token that was removed is not among them.
        sessions: rows by (annotator, opened_at), the newest of each.
        pictures: rows by id.
        events: by `Told.key`.
        models: by version.
        promotions: rows, oldest first.
        grown: rows of the tables that only grow by their digest, for each kind of them.
        removed: ids of pictures whose files were removed for good, as far as nobody brought them again.
        segments: how many there are.
    """

    taxa: dict[str, Row] = field(default_factory=dict)
    accounts: dict[str, Row] = field(default_factory=dict)
    tokens: dict[str, Row] = field(default_factory=dict)
    sessions: dict[tuple[str, str], Row] = field(default_factory=dict)
    pictures: dict[str, Row] = field(default_factory=dict)
    events: dict[tuple[str, int, str, str], Told] = field(default_factory=dict)
    models: dict[str, ToldModel] = field(default_factory=dict)
    promotions: list[Row] = field(default_factory=list)
    grown: dict[str, dict[str, Row]] = field(default_factory=dict)
    removed: set[str] = field(default_factory=set)
    segments: int = 0


def read_mirror(destination: Destination, damage: Damage, progress: Progress = no_progress) -> MirrorContent:
    """Read every segment.

    Raises:
        UnavailableError: the mirror cannot be reached.
    """
    sizes = destination.names(FOLDER)
    names = sorted(name for name in sizes if is_segment(name) and sizes[name] <= LARGEST_BYTES)
    for name in sorted(set(sizes) - set(names)):
        damage.name(name[:200], "is not named like a segment, or is too large: passed over")
    reader = _Reader(damage)
    with ThreadPoolExecutor(READERS) as pool:
        for at, (name, content) in enumerate(zip(names, pool.map(_reading(destination), names), strict=True)):
            if content is None:
                damage.name(name, "cannot be read")
                continue
            for number, record in unpack(name, content, damage):
                reader.take(record, f"{name}, line {number}")
            progress("reading the mirror", at + 1, len(names))
    return reader.finish(len(names))


def _reading(destination: Destination) -> Callable[[str], bytes | None]:
    def read(name: str) -> bytes | None:
        try:
            return destination.read(name)
        except GoneError:  # it was there a moment ago
            return None

    return read


class _Reader:
    """Takes records one by one."""

    def __init__(self, damage: Damage) -> None:
        self._damage, self._found = damage, MirrorContent()
        self._changed: dict[tuple[str, Any], str] = {}
        self._promotions: dict[tuple[Any, ...], Row] = {}
        self._takers: dict[str, Callable[[Record], None]] = {
            "taxon": self._taxon, "account": self._account, "session": self._session, "picture": self._picture,
            "event": self._event, "model": self._model, "promotion": self._promotion, "token": self._token,
            TOKEN_REMOVED: self._token_removed, **dict.fromkeys(GROWING, self._grown),
        }  # fmt: skip

    def take(self, record: Record, where: str) -> None:
        try:
            taker = self._takers.get(str(record.get("type")))
            if taker is None:
                raise FaultError("is of an unknown type")
            taker(record)
        except FaultError as fault:
            self._damage.name(where, str(fault))

    def finish(self, segments: int) -> MirrorContent:
        self._found.promotions = [row for _, row in sorted(self._promotions.items(), key=lambda one: one[0][0])]
        self._found.segments = segments
        return self._found

    def _is_newer(self, kind: str, key: Any, record: Record) -> bool:
        changed = str(record.get("changed_at") or "")
        if changed < self._changed.get((kind, key), ""):
            return False
        self._changed[kind, key] = changed
        return True

    def _taxon(self, record: Record) -> None:
        row = row_of(record, TAXON)
        if self._is_newer("taxon", row["id"], record):
            self._found.taxa[row["id"]] = {**row, "aliases": row["aliases"] or "[]"}

    def _account(self, record: Record) -> None:
        row = row_of(record, ACCOUNT)
        if self._is_newer("account", row["name"], record):
            self._found.accounts[row["name"]] = row

    def _token(self, record: Record) -> None:
        row = row_of(record, TOKEN)
        if self._is_newer("token", row["name"], record):
            self._found.tokens[row["name"]] = row

    def _token_removed(self, record: Record) -> None:
        name = row_of(record, {"name": TOKEN["name"]})["name"]
        if self._is_newer("token", name, record):
            self._found.tokens.pop(name, None)

    def _grown(self, record: Record) -> None:
        kind = str(record["type"])
        columns = GROWING[kind][1]
        row = row_of(record, columns)
        self._found.grown.setdefault(kind, {}).setdefault(digest_of(record_of(kind, row, columns)), row)

    def _session(self, record: Record) -> None:
        row = row_of(record, SESSION)
        key = row["annotator"], row["opened_at"]
        if self._is_newer("session", key, record):
            self._found.sessions[key] = {**row, "blind_share": row["blind_share"] or 0.0}

    def _picture(self, record: Record) -> None:
        row = row_of(record, IMAGE)
        known = self._found.pictures.get(row["id"])
        if known is None or _STRICTNESS[row["split"]] > _STRICTNESS[known["split"]]:
            self._found.pictures[row["id"]] = row
        elif not row["name"]:  # it was removed, and its name with it
            known["name"] = ""

    def _event(self, record: Record) -> None:
        told = told_of(record)
        self._found.events.setdefault(told.key, told)
        if told.event.reason == REMOVED:
            self._found.removed.add(told.event.image)

    def _model(self, record: Record) -> None:
        told = model_of(record)
        known = self._found.models.get(told.row["version"])
        if known is None or known.row["deleted_at"] is None:
            self._found.models[told.row["version"]] = told

    def _promotion(self, record: Record) -> None:
        row = row_of(record, PROMOTION)
        self._promotions.setdefault((row["promoted_at"], row["kind"], row["version"] or ""), row)
