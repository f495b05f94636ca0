"""All that a mirror holds, read and checked; what is damaged in it is named and left out."""

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial

from fgdemo.storage.mirror.models import MirroredModel, mirrored_model
from fgdemo.storage.mirror.protocol import Destination, GoneError
from fgdemo.storage.mirror.records import (
    ACCOUNT,
    IMAGE,
    PROMOTION,
    REMOVED_TOKEN,
    SESSION,
    TAXON,
    TOKEN,
    TOKEN_REMOVED,
    MirroredEvent,
    digest_of,
    mirrored_event,
    record_of,
)
from fgdemo.storage.mirror.restoring.removals import removed_for_good
from fgdemo.storage.mirror.row_versions import Versioned, versioned_of
from fgdemo.storage.mirror.segments import FOLDER, LARGEST_BYTES, Damage, is_segment, process_of, unpack
from fgdemo.storage.mirror.tables import GROWING
from fgdemo.storage.records.fields import FaultError, Fields, Record, Row, read
from fgdemo.storage.trainings.promotions import Promotion, completed
from fgdemo.values.labelled import SourceSession
from fgdemo.values.progress import Progress, no_progress

READERS = 8
_STRICTNESS = {None: 0, "train": 1, "val": 2, "test": 3, "gold": 3}
"""Where two workspaces disagree about the split of a picture it is held out: gold never trains."""


@dataclass
class MirrorContent:
    """The union of what all workspaces sent. What holds where they differ says `fgdemo.storage.mirror.row_versions`.

    Attributes:
        taxa, accounts: all states of each, by id or by name.
        tokens: rows by hash, without those that were removed.
        removed_tokens: names of removed tokens by their hash.
        sessions: by `SourceSession.key`; one that was closed anywhere is closed.
        pictures: rows by id.
        events: by `MirroredEvent.key`.
        models: by version; one that was deleted anywhere is deleted.
        promotions: by ident.
        grown: rows of the tables that only grow by their digest, for each kind of them.
        removed: ids of pictures whose files were removed for good, as far as nobody brought them again.
        segments: how many were read.
        is_whole: whether every segment was as it was written, and none is missing.
    """

    taxa: dict[str, list[Versioned]] = field(default_factory=dict[str, list[Versioned]])
    accounts: dict[str, list[Versioned]] = field(default_factory=dict[str, list[Versioned]])
    tokens: dict[str, Row] = field(default_factory=dict[str, Row])
    removed_tokens: dict[str, str] = field(default_factory=dict[str, str])
    sessions: dict[tuple[str, str], SourceSession] = field(default_factory=dict[tuple[str, str], SourceSession])
    pictures: dict[str, Row] = field(default_factory=dict[str, Row])
    events: dict[tuple[str, int, str, str], MirroredEvent] = field(
        default_factory=dict[tuple[str, int, str, str], MirroredEvent]
    )
    models: dict[str, MirroredModel] = field(default_factory=dict[str, MirroredModel])
    promotions: dict[str, Promotion] = field(default_factory=dict[str, Promotion])
    grown: dict[str, dict[str, Row]] = field(default_factory=dict[str, dict[str, Row]])
    removed: set[str] = field(default_factory=set[str])
    segments: int = 0
    is_whole: bool = True


def read_mirror(destination: Destination, damage: Damage, progress: Progress = no_progress) -> MirrorContent:
    """Read every segment that is as it was written.

    Raises:
        UnavailableError: the mirror cannot be reached.
    """
    sizes = destination.names(FOLDER)
    names = sorted(name for name in sizes if is_segment(name) and sizes[name] <= LARGEST_BYTES)
    for name in sorted(set(sizes) - set(names)):
        damage.name(name[:200], "is not named like a segment, or is too large: passed over")
    reader, found = _Reader(damage), {""}
    named: dict[str, str] = {}
    broken = 0
    with ThreadPoolExecutor(READERS) as pool:
        for at, (name, content) in enumerate(zip(names, pool.map(_reading(destination), names), strict=True)):
            progress("reading the mirror", at + 1, len(names))
            digest = "" if content is None else hashlib.sha256(content).hexdigest()
            if digest in found:
                damage.name(name, "cannot be read" if content is None else "is a copy of another one: passed over")
                broken += content is None
                continue
            try:
                segment = unpack(content or b"")
            except FaultError as fault:
                damage.name(name, str(fault))
                broken += 1
                continue
            found.add(digest)
            named |= {segment.before: name} if segment.before is not None else {}
            for number, record in segment.records:
                reader.take(record, f"{name}, line {number}", process_of(name))
    for name in sorted(name for before, name in named.items() if before not in found):
        damage.name(name, "was written after one that is missing, or was left out")
        broken += 1
    return reader.finish(len(names), not broken)


def _reading(destination: Destination) -> Callable[[str], bytes | None]:
    def read(name: str) -> bytes | None:
        try:
            return destination.read(name)
        except GoneError:  # it was there a moment ago
            return None

    return read


class _Reader:
    """Takes records one by one, those of each process in the order in which it wrote them.

    An earlier fgdemo said by its clock (`changed_at`) which of two is the later one. That is believed between processes
    only: a clock that is put back within one changes nothing. A token that such a process removed stays so.
    """

    def __init__(self, damage: Damage) -> None:
        self._damage, self._found = damage, MirrorContent()
        self._process, self._clocks = "", dict[str, str]()
        self._by_clock: dict[tuple[str, str], tuple[str, str, Row | None]] = {}
        self._old_promotions: dict[str, tuple[str, Row]] = {}
        self._takers: dict[str, Callable[[Record], None]] = {
            "taxon": partial(self._changing, "taxon", "id", TAXON, self._found.taxa),
            "account": partial(self._changing, "account", "name", ACCOUNT, self._found.accounts),
            "session": self._session,
            "picture": self._picture,
            "event": self._event,
            "model": self._model,
            "promotion": self._promotion,
            "token": self._token,
            TOKEN_REMOVED: self._token_removed,
            **dict.fromkeys(GROWING, self._grown),
        }

    def take(self, record: Record, where: str, process: str) -> None:
        self._process = process
        try:
            taker = self._takers.get(str(record.get("type")))
            if taker is None:
                raise FaultError("is of an unknown type")
            taker(record)
        except FaultError as fault:
            self._damage.name(where, str(fault))

    def finish(self, segments: int, is_whole: bool) -> MirrorContent:
        found = self._found
        for (kind, name), (_, _, row) in self._by_clock.items():
            if kind == "token" and row is not None:
                found.tokens.setdefault(row["token_hash"], row)
            elif row is not None:
                states = {"taxon": found.taxa, "account": found.accounts}[kind]
                states.setdefault(name, []).append(Versioned(row, {}))
        for digest in found.removed_tokens:
            found.tokens.pop(digest, None)
        old = [row for _, row in sorted(self._old_promotions.values(), key=lambda one: one[0])]
        for one in completed(old):
            found.promotions.setdefault(one.ident, one)
        found.removed = removed_for_good(found.events.values())
        for image in found.removed & set(found.pictures):
            found.pictures[image]["name"] = ""
        found.segments, found.is_whole = segments, is_whole
        return found

    # --- rows that change -----------------------------------------------------------------------------------

    def _moment(self, moment: str) -> str:
        """Of an old record, never before that of one that the same process wrote earlier."""
        self._clocks[self._process] = max(moment, self._clocks.get(self._process, ""))
        return self._clocks[self._process]

    def _note_old(self, kind: str, name: str, record: Record, row: Row | None) -> None:
        moment = self._moment(str(record.get("changed_at")))
        if moment >= self._by_clock.get((kind, name), ("",))[0]:
            self._by_clock[kind, name] = moment, self._process, row

    def _changing(
        self, kind: str, key: str, fields: Fields, states: dict[str, list[Versioned]], record: Record
    ) -> None:
        row = read(record, fields)
        if "changed_at" in record:
            self._note_old(kind, row[key], record, row)
        else:
            states.setdefault(row[key], []).append(versioned_of(kind, record, row))

    def _token(self, record: Record) -> None:
        row = read(record, TOKEN)
        if "changed_at" not in record:
            self._found.tokens[row["token_hash"]] = row
            return
        _, process, before = self._by_clock.get(("token", row["name"]), ("", self._process, row))
        if before is not None or process == self._process:  # else it was removed, and who knows when
            self._note_old("token", row["name"], record, row)

    def _token_removed(self, record: Record) -> None:
        row = read(record, REMOVED_TOKEN)
        if row["token_hash"] is not None:
            self._found.removed_tokens[row["token_hash"]] = row["name"]
        else:
            moment = self._moment(str(record.get("changed_at") or ""))
            self._by_clock["token", row["name"]] = moment, self._process, None

    def _session(self, record: Record) -> None:
        one = SourceSession(**read(record, SESSION))
        ends = [known.closed_at for known in (one, self._found.sessions.get(one.key, one)) if known.closed_at]
        self._found.sessions[one.key] = replace(one, closed_at=min(ends, default=None))

    def _model(self, record: Record) -> None:
        told = mirrored_model(record)
        known = self._found.models.get(told.row["version"])
        if known is None or known.row["deleted_at"] is None:
            self._found.models[told.row["version"]] = told

    def _promotion(self, record: Record) -> None:
        row = read(record, PROMOTION)
        if row["ident"] is None or row["depth"] is None:
            row |= {"ident": None, "depth": None}
            name = digest_of(record_of("promotion", row, PROMOTION))
            self._old_promotions.setdefault(name, (self._moment(row["promoted_at"]), row))
            return
        (one,) = completed([row])
        self._found.promotions[one.ident] = one

    # --- rows that only come ---------------------------------------------------------------------------------

    def _grown(self, record: Record) -> None:
        kind = str(record["type"])
        columns = GROWING[kind][1]
        row = read(record, columns)
        self._found.grown.setdefault(kind, {}).setdefault(digest_of(record_of(kind, row, columns)), row)

    def _picture(self, record: Record) -> None:
        row = read(record, IMAGE)
        known = self._found.pictures.get(row["id"])
        if known is None or _STRICTNESS[row["split"]] > _STRICTNESS[known["split"]]:
            self._found.pictures[row["id"]] = row

    def _event(self, record: Record) -> None:
        told = mirrored_event(record)
        known = self._found.events.setdefault(told.key, told)
        if known.after is None and told.after is not None:  # the first was written by an earlier fgdemo
            self._found.events[told.key] = replace(known, after=told.after)
