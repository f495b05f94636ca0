"""What was said about a picture elsewhere becomes part of its history here: nothing twice, nothing overruled unseen."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from fgdemo.storage.database.database import writing
from fgdemo.storage.database.schema import label_event_table, session_table
from fgdemo.storage.history.events import LabelEvent, event_of, standing_of
from fgdemo.values.annotation import DECIDING, Kind, Split, Standing
from fgdemo.values.labelled import SourceEvent, SourceSession
from fgdemo.values.taxonomy import Taxon


class Merger:
    """Appends histories within one transaction.

    Args:
        taxon_of: the workspace's taxon for each label and each taxon of another workspace.
        sessions: the workspace's session for each (annotator, opened_at).
        now: the time of whatever comes without one.
    """

    def __init__(
        self,
        connection: Connection,
        taxon_of: Mapping[str | Taxon, str],
        sessions: Mapping[tuple[str, str], int],
        now: str,
    ) -> None:
        self._connection, self._taxon_of, self._sessions, self._now = connection, taxon_of, sessions, now

    def merge(self, image: str, said: Sequence[SourceEvent], split: Split) -> int:
        """Append what the history of the picture does not hold yet; gives how much that was.

        Where the one history goes on from the other, it simply goes on. Where both have gone their own ways, an answer
        from elsewhere is a blind second opinion if a person here has spoken later, or if the picture is gold and has a
        label (there in any case, unless it adjudicates), so that a disagreement is put before an expert; a label that a
        picture was imported with gives way to any person.
        """
        query = sa.select(label_event_table).where(label_event_table.c.image == image).order_by(label_event_table.c.id)
        history = [event_of(row) for row in self._connection.execute(query).mappings()]
        known = self._recognise(said, history)
        fresh = [one for at, one in enumerate(said) if at not in known]
        parted = len(set(known.values())) < len(history)
        here = standing_of(history, split)
        taken_back = {one.undoes for one in fresh if one.kind == "undo"}
        stands = not any(said[at].ref in taken_back for at, of in known.items() if of == _deciding_id(history))
        locked = here is not None and here.is_locked and stands
        decided_at = max((e.created_at or "" for e in history if here and e.id == _deciding_id(history)), default="")
        ids = {said[at].ref: event_id for at, event_id in known.items() if said[at].ref is not None}
        written = 0
        for one in fresh:
            if not self._matters(one, history):
                continue
            aside = parted or (locked and not one.is_last_word and one.kind != "undo")
            told = _as_second_opinion(one, here, decided_at) if aside else one
            if told is None or (told.kind == "undo" and ids.get(told.undoes) is None):
                continue
            if history and told.kind == "suggestion":  # its receipt is for the picture there: others left this one here
                told = replace(told, answer_key=None)
            new_id = self._insert(image, told, ids)
            written += 1
            if one.ref is not None:
                ids[one.ref] = new_id
        return written

    def _recognise(self, said: Sequence[SourceEvent], history: Sequence[LabelEvent]) -> dict[int, int]:
        """Index in `said` → id of the event of `history` that is the same."""
        taxa = {at: self._taxon(one) for at, one in enumerate(said)}
        open_events: dict[tuple, list[int]] = {}
        for event in history:
            for key in _keys(event, event.taxon, event.created_at):
                open_events.setdefault(key, []).append(event.id or 0)
        taken: Counter[int] = Counter()
        known: dict[int, int] = {}
        for at, one in enumerate(said):
            for key in _keys(one, taxa[at], one.at):
                free = [event_id for event_id in open_events.get(key, ()) if not taken[event_id]]
                if free:
                    # of the labels that a source gave one after another only the last is what it says now
                    event_id = free[-1] if one.kind == "import" else free[0]
                    if one.kind == "import" and one.at is None and event_id != _last_import(history, one.annotator):
                        continue
                    taken[event_id] += 1
                    known[at] = event_id
                    break
        return known

    def _taxon(self, one: SourceEvent) -> str | None:
        return None if one.label is None else self._taxon_of.get(one.label)

    def _matters(self, one: SourceEvent, history: Sequence[LabelEvent]) -> bool:
        """Whether it adds anything: that a known picture came without a label once more does not."""
        if one.label is None:
            return one.kind != "import" or not history
        return self._taxon(one) is not None

    def _insert(self, image: str, one: SourceEvent, ids: Mapping[int | None, int]) -> int:
        taken = sa.select(label_event_table.c.id).where(label_event_table.c.answer_key == one.answer_key)
        key = one.answer_key
        if key is not None and self._connection.execute(taken).first() is not None:
            key = None
        event = LabelEvent(
            image=image,
            kind=one.kind,
            annotator=one.annotator,
            taxon=self._taxon(one),
            new_name=one.new_name,
            shown_version=ids.get(one.shown),
            model_version=one.model_version,
            seconds_spent=one.seconds_spent,
            comment=one.comment,
            box=one.box,
            undoes=ids.get(one.undoes) if one.undoes is not None else None,
            batch=one.batch,
            answer_key=key,
            blind=one.blind,
            session=self._sessions.get(one.session) if one.session else None,
            reason=one.reason,
            created_at=one.at or self._now,
        )
        row = {name: value for name, value in vars(event).items() if name != "id"}
        row["box"] = json.dumps(asdict(event.box)) if event.box else None
        return self._connection.execute(
            label_event_table.insert().values(row).returning(label_event_table.c.id)
        ).scalar_one()


def settle_sessions(
    engine: Engine, sessions: Sequence[SourceSession], taxon_of: Mapping[str, str], now: str
) -> dict[tuple[str, str], int]:
    """The workspace's session for each session of another one; a session that is here already is not added again.

    One that was open there is closed here, or its owner would find it open.

    Args:
        taxon_of: the workspace's taxon for each taxon id of the other one.
    """
    table, found = session_table, {}
    if not sessions:
        return found
    with writing(engine) as connection:
        for past in sessions:
            same = (table.c.annotator == past.annotator) & (table.c.opened_at == past.opened_at)
            number = connection.execute(sa.select(table.c.id).where(same)).scalar()
            if number is None:
                a, b = (taxon_of.get(taxon) for taxon in past.pair or ("", ""))
                row = {
                    "annotator": past.annotator,
                    "opened_at": past.opened_at,
                    "closed_at": past.closed_at or now,
                    "order_of_work": past.order,
                    "pair_a": a,
                    "pair_b": b,
                    "goal": past.goal,
                    "blind_share": past.blind_share,
                    "accuracy_before": json.dumps(asdict(past.accuracy_before)) if past.accuracy_before else None,
                }
                number = connection.execute(table.insert().values(row).returning(table.c.id)).scalar_one()
            found[past.annotator, past.opened_at] = number
    return found


Entrance = Literal["as it is", "not at all", "as a second opinion"]


def how_it_enters(kind: Kind, blind: bool, at: str | None, here: Standing | None, decided_at: str) -> Entrance:
    """How something from elsewhere enters a history that has gone its own way.

    Args:
        at: when it was said; None where that is not known.
        here: what is true of the picture here, decided at `decided_at`; None where nothing is.
    """
    if kind not in DECIDING or blind or here is None:
        return "as it is"
    spoken = here.checked or here.is_locked
    if kind == "import":
        return "not at all" if spoken else "as it is"
    if not spoken or (not here.is_locked and at is not None and at > decided_at):
        return "as it is"
    return "as a second opinion"


def _as_second_opinion(one: SourceEvent, here: Standing | None, decided_at: str) -> SourceEvent | None:
    """The same for something that was said; None if it does not enter."""
    how = how_it_enters(one.kind, one.blind, one.at, here, decided_at)
    if how != "as a second opinion":
        return one if how == "as it is" else None
    return replace(one, kind="label" if one.kind == "adjudication" else one.kind, blind=True, reason="second")


def _keys(one: SourceEvent | LabelEvent, taxon: str | None, at: str | None) -> list[tuple]:
    """What makes two the same, the surest first. An adjudication that came in as a second opinion is still the same.

    A label that a picture came with is the same whenever it came in, and so is what comes without a time.
    """
    kind = "label" if one.kind == "adjudication" else one.kind
    core = (kind, one.annotator, taxon, one.new_name, one.comment)
    keys: list[tuple] = [(*core, at)] if at is not None else []
    if kind == "import" or at is None or isinstance(one, LabelEvent):
        keys.append(core)
    return keys


def _deciding_id(history: Sequence[LabelEvent]) -> int:
    undone = {event.undoes for event in history}
    return max((e.id or 0 for e in history if e.kind in DECIDING and not e.blind and e.id not in undone), default=0)


def _last_import(history: Sequence[LabelEvent], annotator: str) -> int:
    return max((e.id or 0 for e in history if e.kind == "import" and e.annotator == annotator), default=0)
