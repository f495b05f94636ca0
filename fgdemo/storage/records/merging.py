"""What was said about a picture elsewhere becomes part of its history here: nothing twice, nothing overruled unseen.

An import recognises events by their content, since a source need not name them (`Merger`); a mirror by their identity
(`fgdemo.storage.mirror.restoring.event_order`). How an event enters a history is the same for both.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, TypeVar

import sqlalchemy as sa

from fgdemo.storage.database.schema import label_event_table, session_table
from fgdemo.storage.history.event_rows import event_of, row_of
from fgdemo.storage.history.events import LabelEvent, standing_of
from fgdemo.storage.history.label_event import IMPORT, is_removed
from fgdemo.values.annotation import DECIDING, Split, Standing
from fgdemo.values.labelled import SourceEvent, SourceSession
from fgdemo.values.taxonomy import Taxon

Event = TypeVar("Event", bound=SourceEvent)
_SAME = ({one.name for one in fields(SourceEvent)} & {one.name for one in fields(LabelEvent)}) - {"session", "undoes"}


# --- how an event enters -----------------------------------------------------------------------------------------


def entering(one: Event, here: Standing | None, last: LabelEvent | None) -> Event | None:
    """The event as it enters a history that has gone its own way: as it is, as a second opinion, or not at all (None).

    Args:
        here: what is true of the picture here, as `last` has decided it; None where nothing is.
    """
    if one.kind not in DECIDING or one.blind or here is None:
        return one
    spoken = here.checked or here.is_locked
    if one.kind == "import":
        return None if spoken else one
    is_later = one.at is not None and one.at > ((last and last.created_at) or "")
    if not spoken or (is_later and not here.is_locked):
        return one
    return replace(one, kind="label" if one.kind == "adjudication" else one.kind, blind=True, reason="second")


def deciding(history: Sequence[LabelEvent]) -> LabelEvent | None:
    """The event of a history, oldest first, that says what is true of the picture."""
    undone = {event.undoes for event in history}
    said = (one for one in reversed(history) if one.kind in DECIDING and not one.blind and one.id not in undone)
    return next(said, None)


def placed(
    one: SourceEvent, where: Mapping[str, Any], numbers: Mapping[Any, int], sessions: Mapping[tuple[str, str], int]
) -> LabelEvent:
    """The event of this workspace that an event from elsewhere becomes.

    Args:
        where: what only this workspace knows of it, by the names of `LabelEvent`: its picture, its taxon.
        numbers: of the events that are here, by their names elsewhere.
        sessions: the workspace's session for each (annotator, opened_at).
    """
    here: dict[str, Any] = {"created_at": one.at, **where}
    here["session"] = sessions.get(one.session) if one.session else None
    shown, undoes = (None if name is None else numbers.get(name) for name in (one.shown, one.undoes))
    return LabelEvent(**{name: getattr(one, name) for name in _SAME}, shown_version=shown, undoes=undoes, **here)


# --- of sources that need not name their events ------------------------------------------------------------------


class Merger:
    """Appends histories within one transaction.

    Args:
        taxon_of: the workspace's taxon for each label and each taxon of another workspace.
        sessions: the workspace's session for each (annotator, opened_at).
        now: the time of whatever comes without one.
        batch: what an import calls all that it brings, but for what was one answer about many pictures elsewhere.
    """

    def __init__(
        self,
        connection: sa.Connection,
        taxon_of: Mapping[str | Taxon, str],
        sessions: Mapping[tuple[str, str], int],
        now: str,
        batch: str | None = None,
    ) -> None:
        self._connection, self._taxon_of, self._sessions, self._now = connection, taxon_of, sessions, now
        self._batch = batch

    def merge(self, image: str, said: Sequence[SourceEvent], split: Split) -> int:
        """Append what the history of the picture does not hold yet; gives how much that was.

        Where the one history goes on from the other, it simply goes on. Where both have gone their own ways, an answer
        from elsewhere is a blind second opinion if a person here has spoken later, or if the picture is gold and has a
        label (there in any case, unless it adjudicates), so that a disagreement is put before an expert; a label that a
        picture was imported with gives way to any person. A picture that was removed begins anew.
        """
        query = sa.select(label_event_table).where(label_event_table.c.image == image).order_by(label_event_table.c.id)
        history = [event_of(row) for row in self._connection.execute(query).mappings()]
        history = [] if is_removed(history) else history
        known = self._recognise(said, history)
        fresh = [one for at, one in enumerate(said) if at not in known]
        parted = len(set(known.values())) < len(history)
        here, last = standing_of(history, split), deciding(history)
        taken_back = {one.undoes for one in fresh if one.kind == "undo"}
        stands = not any(said[at].ref in taken_back for at, of in known.items() if last and of == last.id)
        locked = here is not None and here.is_locked and stands
        numbers = {ref: event_id for at, event_id in known.items() if (ref := said[at].ref) is not None}
        written = 0
        for one in fresh:
            if not self._matters(one, history):
                continue
            aside = parted or (locked and not one.is_last_word and one.kind != "undo")
            told = entering(one, here, last) if aside else one
            if told is None or (told.kind == "undo" and (told.undoes is None or told.undoes not in numbers)):
                continue
            if history and told.kind == "suggestion":  # its receipt is for the picture there: others left this one here
                told = replace(told, answer_key=None)
            if self._batch and (told.batch is None or told.kind == "import" or told.batch.startswith(IMPORT)):
                told = replace(told, batch=self._batch)
            where = {"image": image, "taxon": self._taxon(told), "created_at": told.at or self._now}
            new_id = self._insert(placed(told, where, numbers, self._sessions))
            written += 1
            if one.ref is not None:
                numbers[one.ref] = new_id
        return written

    def _recognise(self, said: Sequence[SourceEvent], history: Sequence[LabelEvent]) -> dict[int, int]:
        """Index in `said` → id of the event of `history` that is the same."""
        taxa = {at: self._taxon(one) for at, one in enumerate(said)}
        open_events: dict[tuple[object, ...], list[int]] = {}
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

    def _insert(self, event: LabelEvent) -> int:
        """Its number. A key that another answer has is left out."""
        taken = sa.select(label_event_table.c.id).where(label_event_table.c.answer_key == event.answer_key)
        row = row_of(event)
        if event.answer_key is not None and self._connection.execute(taken).first() is not None:
            row["answer_key"] = None
        insert = label_event_table.insert().values(row).returning(label_event_table.c.id)
        return self._connection.execute(insert).scalar_one()


def _keys(one: SourceEvent | LabelEvent, taxon: str | None, at: str | None) -> list[tuple[object, ...]]:
    """What makes two the same, the surest first. An adjudication that came in as a second opinion is still the same.

    A label that a picture came with is the same whenever it came in, and so is what comes without a time.
    """
    kind = "label" if one.kind == "adjudication" else one.kind
    core = (kind, one.annotator, taxon, one.new_name, one.comment, one.point, one.publication)
    keys: list[tuple[object, ...]] = [(*core, at)] if at is not None else []
    if kind == "import" or at is None or isinstance(one, LabelEvent):
        keys.append(core)
    return keys


def _last_import(history: Sequence[LabelEvent], annotator: str) -> int:
    return max((e.id or 0 for e in history if e.kind == "import" and e.annotator == annotator), default=0)


# --- sessions ----------------------------------------------------------------------------------------------------


def merge_sessions(
    connection: sa.Connection,
    sessions: Iterable[SourceSession],
    taxon_of: Mapping[str, str] | None = None,
    close_at: str | None = None,
) -> tuple[dict[tuple[str, str], int], list[SourceSession]]:
    """The workspace's session for each (annotator, opened_at), and those that are new; one that was closed elsewhere
    is closed.

    Args:
        taxon_of: the workspace's taxon for each of the other one, where they may differ.
        close_at: when those that are new and still open end, or their owners would find them open.
    """
    table, added = session_table, list[SourceSession]()
    columns = (table.c.annotator, table.c.opened_at, table.c.id, table.c.closed_at)
    here = {(row.annotator, row.opened_at): row for row in connection.execute(sa.select(*columns))}
    numbers = {key: row.id for key, row in here.items()}
    for one in sorted(sessions, key=lambda one: one.opened_at):
        if one.key not in numbers:
            row = {**vars(one), "closed_at": one.closed_at or close_at}
            if taxon_of is not None:
                row |= {"pair_a": taxon_of.get(one.pair_a or ""), "pair_b": taxon_of.get(one.pair_b or "")}
            numbers[one.key] = connection.execute(table.insert().values(row).returning(table.c.id)).scalar_one()
            added.append(one)
        elif one.key in here and here[one.key].closed_at is None and one.closed_at is not None:
            closing = table.update().where(table.c.id == numbers[one.key])
            connection.execute(closing.values(closed_at=one.closed_at))
    return numbers, added
