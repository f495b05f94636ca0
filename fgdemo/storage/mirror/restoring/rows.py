"""The rows of a mirror in the database, within one transaction."""

import secrets
from collections.abc import Iterable, Mapping, Sequence

import sqlalchemy as sa

from fgdemo.storage.database.dialects import next_serial
from fgdemo.storage.database.schema import event_origin_table, image_table, label_event_table, taxon_table
from fgdemo.storage.history.event_rows import histories_of, row_of
from fgdemo.storage.history.events import LabelEvent
from fgdemo.storage.history.label_event import REMOVED
from fgdemo.storage.mirror.models import MirroredModel
from fgdemo.storage.mirror.records import SESSION, TAXON, Identity, MirroredEvent, digest_of, record_of
from fgdemo.storage.mirror.restoring.content import MirrorContent
from fgdemo.storage.mirror.restoring.event_order import Placing, in_order
from fgdemo.storage.mirror.restoring.models import add_models
from fgdemo.storage.mirror.restoring.people import RestoredPeople
from fgdemo.storage.mirror.restoring.removals import removed_for_good
from fgdemo.storage.mirror.row_versions import FACETS, Versioned, merged, note_changes_in, note_version, versions_of
from fgdemo.storage.mirror.segments import Damage
from fgdemo.storage.mirror.state import note_in
from fgdemo.storage.mirror.tables import GROWING, all_sent, with_versions
from fgdemo.storage.records.fields import Row
from fgdemo.storage.records.merging import merge_sessions
from fgdemo.values.annotation import Split
from fgdemo.values.batches import batches
from fgdemo.values.errors import StorageError
from fgdemo.values.labelled import SourceSession

BY = "fgdemo"
REMOVED_ELSEWHERE = "The picture was removed elsewhere, so it is removed here."
AT_ONCE = 5000
Key = tuple[str, int, str, str]


class Rows:
    """Adds what is missing, and takes away what was taken away elsewhere. `events` and `taxa` say how many are new.

    Args:
        own: the origin of this workspace.
        accept_rights: see `RestoredPeople`.
        now: ISO 8601, UTC.

    Attributes:
        removed: ids of pictures whose files must not be there any more.
    """

    def __init__(self, connection: sa.Connection, own: str, damage: Damage, accept_rights: bool, now: str) -> None:
        self._connection, self._own, self._damage, self._now = connection, own, damage, now
        self.people = RestoredPeople(connection, accept_rights)
        self.removed: set[str] = set()
        self.events = self.taxa = 0
        self._digests: dict[tuple[str, str], str] = {}
        self._numbers: dict[Identity, int] = {}
        self._identities: dict[int, Identity] = {}  # two events share one where two copies of a workspace went on
        self._was_fresh, self._newest = True, None

    def add(self, content: MirrorContent, models: Sequence[tuple[MirroredModel, str]]) -> None:
        """Raises StorageError where something does not fit together; then the transaction must not be kept."""
        note_changes_in(self._connection, secrets.token_hex(8))
        known = self._known_events()
        self._was_fresh = not known
        self._add_taxa(content.taxa)
        splits = self._add_pictures(content.pictures)
        sessions = self._add_sessions(content.sessions.values())
        fresh = [told for key, told in content.events.items() if key not in known]
        self._add_events(fresh, splits, sessions)
        self._newest = self._connection.execute(sa.select(sa.func.max(label_event_table.c.id))).scalar()
        self._remove_pictures(content)
        self.people.add(content.accounts, content.tokens, content.removed_tokens)
        self._digests |= self.people.digests
        self._digests |= add_models(self._connection, models, content, self._numbers, self._damage)
        self._add_grown(content.grown)

    def note(self, destination: str) -> None:
        """What came from this destination, as it is here now, need not be sent there again."""
        note_in(self._connection, destination, self._newest if self._was_fresh else None, self._digests, self._now)

    # --- small tables -------------------------------------------------------------------------------------

    def _add_taxa(self, taxa: Mapping[str, Sequence[Versioned]]) -> None:
        """What is missing, parents first; names and what is in use are as they were changed last."""
        rows = self._connection.execute(sa.select(taxon_table)).mappings()
        here = {row["id"]: {**row, "retired": bool(row["retired"])} for row in rows}
        versions = versions_of(self._connection, "taxon")
        states: dict[str, Versioned] = {}
        for taxon, told in taxa.items():
            own = [Versioned(here[taxon], versions.get(taxon, {}))] if taxon in here else []
            states[taxon] = merged("taxon", [*own, *told])
        waiting = {taxon: dict(state.row) for taxon, state in states.items() if taxon not in here}
        known = set(here)
        while waiting:
            ready: list[Row] = [row for row in waiting.values() if row["parent"] is None or row["parent"] in known]
            if not ready:
                for row in waiting.values():
                    self._damage.name(f"the taxon {row['id']}", f"lies below {row['parent']}, which is nowhere")
                ready = [{**row, "parent": None} for row in waiting.values()]
            self._connection.execute(taxon_table.insert(), ready)
            self.taxa += len(ready)
            for row in ready:
                known.add(row["id"])
                del waiting[row["id"]]
        for taxon, state in states.items():
            if taxon in here:
                values = {**state.row, "parent": here[taxon]["parent"]}
                if values != here[taxon]:
                    self._connection.execute(taxon_table.update().where(taxon_table.c.id == taxon).values(values))
            note_version(self._connection, "taxon", taxon, state, list(FACETS["taxon"]))
            record = with_versions(record_of("taxon", state.row, TAXON), state.versions)
            self._digests["taxon", taxon] = digest_of(record)

    def _add_pictures(self, pictures: Mapping[str, Row]) -> dict[str, Split]:
        """Gives the split of every picture."""
        query = sa.select(image_table.c.id, image_table.c.split)
        splits = {row.id: row.split for row in self._connection.execute(query)}
        self._insert(image_table, [row for image, row in pictures.items() if image not in splits])
        for image, row in pictures.items():
            if image in splits and splits[image] is None and row["split"] is not None:  # a visitor was first with it
                brought = {key: value for key, value in row.items() if key not in ("id", "created_at")}
                self._connection.execute(image_table.update().where(image_table.c.id == image).values(brought))
        mirrored = {image: row["split"] for image, row in pictures.items()}
        return {image: split or mirrored.get(image) or "train" for image, split in {**mirrored, **splits}.items()}

    def _add_sessions(self, sessions: Iterable[SourceSession]) -> dict[tuple[str, str], int]:
        """Gives the number of every session."""
        numbers, added = merge_sessions(self._connection, sessions)
        for one in added:
            self._digests["session", " ".join(one.key)] = digest_of(record_of("session", vars(one), SESSION))
        return numbers

    def _add_grown(self, grown: Mapping[str, Mapping[str, Row]]) -> None:
        taxa = set(self._connection.execute(sa.select(taxon_table.c.id)).scalars())
        for kind, rows in grown.items():
            table, columns, moment = GROWING[kind]
            here = {
                digest_of(record_of(kind, row, columns))
                for row in self._connection.execute(sa.select(table)).mappings()
            }
            fresh = sorted((row for digest, row in rows.items() if digest not in here), key=lambda row: row[moment])
            for row in fresh:
                if row.get("taxon") is not None and row["taxon"] not in taxa:
                    self._damage.name(f"a {kind} of {row[moment]}", "names a taxon that no line describes")
                    row["taxon"] = None
            self._insert(table, fresh)
            if not here:
                self._digests |= all_sent(self._connection, kind)

    # --- events -------------------------------------------------------------------------------------------

    def _known_events(self) -> set[Key]:
        """The keys of all events that are here; fills `_numbers`."""
        said, origin = label_event_table, event_origin_table
        query = sa.select(said.c.id, said.c.created_at, said.c.image, origin.c.origin, origin.c.number).join_from(
            said, origin, origin.c.event == said.c.id, isouter=True
        )
        keys: set[Key] = set()
        for row in self._connection.execute(query):
            identity: Identity = (self._own, row.id) if row.origin is None else (row.origin, row.number)
            self._numbers[identity], self._identities[row.id] = row.id, identity
            keys.add((*identity, row.created_at, row.image))
        return keys

    def _add_events(
        self, told: Sequence[MirroredEvent], splits: Mapping[str, Split], sessions: Mapping[tuple[str, str], int]
    ) -> None:
        usable = self._usable(told, splits)
        if not usable:
            return
        histories = histories_of(self._connection, {one.image for one in usable}) if self._numbers else {}
        first = next_serial(self._connection, label_event_table.name)
        placing = Placing(self._numbers, histories, splits, sessions, first)
        keys = set(self._connection.execute(sa.select(label_event_table.c.answer_key)).scalars()) - {None}
        rows, origins = list[Row](), list[Row]()
        for one in in_order(usable, self._numbers):
            placed = placing.place(one)
            if placed is None:
                continue
            row = row_of(placed)
            if row["answer_key"] in keys:
                row["answer_key"] = None
            elif row["answer_key"] is not None:
                keys.add(row["answer_key"])
            rows.append(row)
            self._identities[placing.next - 1] = one.identity
            origins.append({"event": placed.id, "origin": one.identity[0], "number": one.identity[1]})
        self._insert(label_event_table, rows)
        newest = self._connection.execute(sa.select(sa.func.max(label_event_table.c.id))).scalar()
        if rows and newest != placing.next - 1:  # what they name would be something else
            raise StorageError("The database numbered the events in another way than was expected: nothing was stored.")
        self._insert(event_origin_table, origins)
        self.events = len(rows)

    def _remove_pictures(self, content: MirrorContent) -> None:
        """What was removed elsewhere is removed here; what this workspace has said since, unsent, counts too."""
        images = {one.image for one in content.events.values() if one.reason == REMOVED}
        told = {one.identity: one for one in content.events.values() if one.image in images}
        histories = {image: said for image, said in histories_of(self._connection, images).items() if said}
        for history in histories.values():
            before: Identity | None = None
            for event in history:
                identity = self._identities[event.id or 0]
                fact: Row = {"ref": identity, "reason": event.reason, "image": event.image, "after": before}
                told.setdefault(identity, MirroredEvent(event.kind, None, **fact))
                before = identity
        self.removed = removed_for_good(told.values()) & set(histories)
        for image in sorted(self.removed):
            self._connection.execute(image_table.update().where(image_table.c.id == image).values(name=""))
            if histories[image][-1].reason != REMOVED:  # whoever reads the log shall find the removal last
                last = LabelEvent(
                    image, "unusable", BY, comment=REMOVED_ELSEWHERE, reason=REMOVED, created_at=self._now
                )
                self._connection.execute(label_event_table.insert().values(row_of(last)))

    def _usable(self, told: Iterable[MirroredEvent], splits: Mapping[str, Split]) -> list[MirroredEvent]:
        """Those whose picture and taxon are known, and which take back something that is."""
        taxa = set(self._connection.execute(sa.select(taxon_table.c.id)).scalars())
        listed = list(told)
        identities = {one.identity for one in listed} | set(self._numbers)
        usable: list[MirroredEvent] = []
        for one in listed:
            if one.image not in splits:
                fault = "is about a picture that no line describes"
            elif one.label is not None and one.label not in taxa:
                fault = "names a taxon that no line describes"
            elif one.undoes is not None and one.undoes not in identities:
                fault = "takes back something that is not there"
            else:
                usable.append(one)
                continue
            self._damage.name(f"event {one.identity[1]} of {one.identity[0][:8]}", fault)
        return usable

    # --- rows ---------------------------------------------------------------------------------------------

    def _insert(self, table: sa.TableClause, rows: Sequence[Row]) -> None:
        for some in batches(rows, AT_ONCE):
            self._connection.execute(table.insert(), list(some))
