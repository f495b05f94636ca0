"""The rows of a mirror in the database, within one transaction."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from fgdemo.annotation import Split
from fgdemo.errors import StorageError
from fgdemo.storage.dialects import next_serial
from fgdemo.storage.events import LabelEvent, event_of
from fgdemo.storage.mirror_content import MirrorContent
from fgdemo.storage.mirror_records import (
    ACCOUNT,
    PROMOTION,
    SESSION,
    TAXON,
    TOKEN,
    Columns,
    Identity,
    Row,
    Told,
    ToldModel,
    digest_of,
    record_of,
)
from fgdemo.storage.mirror_state import note_in
from fgdemo.storage.mirror_tables import GROWING, all_sent, promotion_name
from fgdemo.storage.replay import Replay, in_order
from fgdemo.storage.schema import (
    account_table,
    event_origin_table,
    image_table,
    job_epoch_table,
    job_table,
    label_event_table,
    model_version_table,
    promotion_table,
    session_table,
    taxon_table,
    token_table,
)
from fgdemo.storage.segments import Damage

AT_ONCE = 5000
Key = tuple[str, int, str, str]


class Rows:
    """Adds what is missing. `events`, `taxa` and `accounts` say how many that were.

    Args:
        own: the origin of this workspace.
    """

    def __init__(self, connection: Connection, own: str, damage: Damage) -> None:
        self._connection, self._own, self._damage = connection, own, damage
        self.events = self.taxa = self.accounts = 0
        self._digests: dict[tuple[str, str], str] = {}
        self._numbers: dict[Identity, int] = {}
        self._was_fresh = True

    def add(self, content: MirrorContent, models: Sequence[tuple[ToldModel, str]]) -> None:
        """Raises StorageError where something does not fit together; then the transaction must not be kept."""
        known = self._known_events()
        self._was_fresh = not known
        self._add_taxa(content.taxa)
        splits = self._add_pictures(content.pictures)
        sessions = self._add_sessions(content.sessions)
        fresh = [told for key, told in content.events.items() if key not in known]
        self._add_events(fresh, splits, sessions)
        self._add_people(content.accounts, account_table, "account", ACCOUNT, failures=0)
        self._add_people(content.tokens, token_table, "token", TOKEN)
        self._add_models(models)
        self._add_promotions(content.promotions)
        self._add_grown(content.grown)

    def note(self, destination: str, now: str) -> None:
        """What came from this destination, as it is here now, need not be sent there again."""
        newest = None
        if self._was_fresh:
            newest = self._connection.execute(sa.select(sa.func.max(label_event_table.c.id))).scalar()
        note_in(self._connection, destination, newest, self._digests, now)

    # --- small tables -------------------------------------------------------------------------------------

    def _add_taxa(self, taxa: Mapping[str, Row]) -> None:
        here = set(self._connection.execute(sa.select(taxon_table.c.id)).scalars())
        waiting = {taxon: row for taxon, row in taxa.items() if taxon not in here}
        while waiting:
            ready = [row for row in waiting.values() if row["parent"] is None or row["parent"] in here]
            if not ready:
                for row in waiting.values():
                    self._damage.name(f"the taxon {row['id']}", f"lies below {row['parent']}, which is nowhere")
                ready = [{**row, "parent": None} for row in waiting.values()]
            self._connection.execute(taxon_table.insert(), ready)
            self.taxa += len(ready)
            for row in ready:
                here.add(row["id"])
                del waiting[row["id"]]
                self._remember("taxon", row["id"], row, TAXON)

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

    def _add_sessions(self, sessions: Mapping[tuple[str, str], Row]) -> dict[tuple[str, str], int]:
        """Gives the number of every session."""
        columns = (session_table.c.annotator, session_table.c.opened_at, session_table.c.id)
        numbers = {(row.annotator, row.opened_at): row.id for row in self._connection.execute(sa.select(*columns))}
        for key, row in sorted(sessions.items(), key=lambda one: one[0][1]):
            if key not in numbers:
                numbers[key] = self._insert_one(session_table, row)
                self._remember("session", " ".join(key), row, SESSION)
        return numbers

    def _add_people(
        self, people: Mapping[str, Row], table: sa.TableClause, kind: str, columns: Columns, **more: int
    ) -> None:
        """Who is here stays as they are, and nobody gets the name of another."""
        taken = {
            folded
            for one in (account_table, token_table)
            for folded in self._connection.execute(sa.select(one.c.folded)).scalars()
        }
        for name, row in people.items():
            if row["folded"] not in taken:
                self._connection.execute(table.insert().values(**row, **more))
                taken.add(row["folded"])
                self.accounts += kind == "account"
                self._remember(kind, name, row, columns)

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
        keys = set()
        for row in self._connection.execute(query):
            identity = (self._own, row.id) if row.origin is None else (row.origin, row.number)
            self._numbers[identity] = row.id
            keys.add((*identity, row.created_at, row.image))
        return keys

    def _add_events(
        self, told: Sequence[Told], splits: Mapping[str, Split], sessions: Mapping[tuple[str, str], int]
    ) -> None:
        usable = self._usable(told, splits)
        if not usable:
            return
        histories = self._histories({one.event.image for one in usable}) if self._numbers else {}
        replay = Replay(
            self._numbers, histories, splits, sessions, next_serial(self._connection, label_event_table.name)
        )
        keys = set(self._connection.execute(sa.select(label_event_table.c.answer_key)).scalars()) - {None}
        rows, origins = [], []
        for one in in_order(usable, self._numbers):
            placed = replay.place(one)
            if placed is None:
                continue
            row = _event_row(placed)
            if row["answer_key"] in keys:
                row["answer_key"] = None
            elif row["answer_key"] is not None:
                keys.add(row["answer_key"])
            rows.append(row)
            origins.append({"event": placed.id, "origin": one.identity[0], "number": one.identity[1]})
        self._insert(label_event_table, rows)
        newest = self._connection.execute(sa.select(sa.func.max(label_event_table.c.id))).scalar()
        if rows and newest != replay.next - 1:  # what they name would be something else
            raise StorageError("The database numbered the events in another way than was expected: nothing was stored.")
        self._insert(event_origin_table, origins)
        self.events = len(rows)

    def _usable(self, told: Iterable[Told], splits: Mapping[str, Split]) -> list[Told]:
        """Those whose picture and taxon are known, and which take back something that is."""
        taxa = set(self._connection.execute(sa.select(taxon_table.c.id)).scalars())
        listed = list(told)
        identities = {one.identity for one in listed} | set(self._numbers)
        usable = []
        for one in listed:
            if one.event.image not in splits:
                fault = "is about a picture that no line describes"
            elif one.event.taxon is not None and one.event.taxon not in taxa:
                fault = "names a taxon that no line describes"
            elif one.undoes is not None and one.undoes not in identities:
                fault = "takes back something that is not there"
            else:
                usable.append(one)
                continue
            self._damage.name(f"event {one.identity[1]} of {one.identity[0][:8]}", fault)
        return usable

    def _histories(self, images: set[str]) -> dict[str, list[LabelEvent]]:
        """What is said here of these pictures, oldest first."""
        found: dict[str, list[LabelEvent]] = {}
        query = sa.select(label_event_table).order_by(label_event_table.c.id)
        for row in self._connection.execute(query).mappings():
            if row["image"] in images:
                found.setdefault(row["image"], []).append(event_of(row))
        return found

    # --- models -------------------------------------------------------------------------------------------

    def _add_models(self, models: Sequence[tuple[ToldModel, str]]) -> None:
        for told, folder in models:
            event = self._numbers.get(told.event, 0) if told.event else 0
            job = None if told.job is None else self._add_job(told, event)
            row = {**told.row, "metrics": told.row["metrics"] or "{}"}
            self._connection.execute(model_version_table.insert().values(**{
                **row, "folder": folder, "event": event, "job": job,
            }))  # fmt: skip
            mark = digest_of({"files": dict(told.files), "deleted_at": told.row["deleted_at"]})
            self._digests["model", told.row["version"]] = mark

    def _add_job(self, told: ToldModel, event: int) -> int:
        """The training that left a model; it is over, whatever it was when the model was sent."""
        assert told.job is not None
        job = dict(told.job)
        if job["state"] not in ("done", "cancelled"):
            job |= {"state": "done", "ended_at": told.row["created_at"]}
        job |= {
            "event": event, "candidate": told.row["version"], "stage": job["stage"] or "{}",
            "sentence": job["sentence"] or "", "cancel_requested": False,
        }  # fmt: skip
        number = self._insert_one(job_table, job)
        epochs = [{"job": number, "number": at, "epoch": epoch} for at, epoch in sorted(told.epochs.items())]
        self._insert(job_epoch_table, epochs)
        return number

    def _add_promotions(self, promotions: Sequence[Row]) -> None:
        """What went live, after all that did so here."""
        models = set(self._connection.execute(sa.select(model_version_table.c.version)).scalars())
        here = {promotion_name(row) for row in self._connection.execute(sa.select(promotion_table)).mappings()}
        for row in promotions:
            if row["version"] is not None and row["version"] not in models:
                self._damage.name(f"the promotion of {row['version']}", "is of a model that is not there")
            elif promotion_name(row) not in here:
                self._connection.execute(promotion_table.insert().values(**row))
                self._remember("promotion", promotion_name(row), row, PROMOTION)

    # --- rows ---------------------------------------------------------------------------------------------

    def _insert(self, table: sa.TableClause, rows: Sequence[Row]) -> None:
        for start in range(0, len(rows), AT_ONCE):
            self._connection.execute(table.insert(), list(rows[start : start + AT_ONCE]))

    def _insert_one(self, table: sa.TableClause, row: Mapping[str, Any]) -> int:
        return self._connection.execute(table.insert().values(**row).returning(table.c.id)).scalar_one()

    def _remember(self, kind: str, name: str, row: Row, columns: Columns) -> None:
        self._digests[kind, name] = digest_of(record_of(kind, row, columns))


def _event_row(event: LabelEvent) -> Row:
    row = {name: value for name, value in vars(event).items() if name != "id"}
    return {**row, "box": json.dumps(asdict(event.box)) if event.box else None}
