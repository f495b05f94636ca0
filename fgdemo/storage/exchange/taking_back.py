"""An import is taken back whole, as events: pictures that it brought are removed, labels that it gave are undone.

What an import wrote carries its name as `batch`. A picture that another import has brought since, or that a visitor had
left before, stays, without what this import said of it. What people said stays as history.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from fgdemo.storage.database.database import reading, sortable, utc_now, writing
from fgdemo.storage.database.schema import audit_table, image_table, label_event_table
from fgdemo.storage.history.event_rows import AT_ONCE, histories_of, row_of
from fgdemo.storage.history.label_event import BRINGS, FROM_VISITOR, IMPORT, PUBLISHING, REMOVED, LabelEvent
from fgdemo.storage.history.removing import mark_removed, removed_among
from fgdemo.storage.people.audit import note
from fgdemo.values.annotation import DECIDING, Person
from fgdemo.values.batches import batches
from fgdemo.values.counting import counted
from fgdemo.values.errors import StaleError, StorageError


@dataclass(frozen=True)
class PastImport:
    """One import of the workspace.

    Attributes:
        run: its name, the moment at which it began (ISO 8601, UTC).
        person, about: who brought what, where that is known.
        pictures: that it brought or labelled; there: those of them that are still there.
    """

    run: str
    person: str
    about: str
    pictures: int
    there: int


@dataclass(frozen=True)
class TakingBack:
    """What taking back an import would do.

    Attributes:
        pictures: that would be removed; gold: those of them that are gold and have a label.
        labelled: of the removed, how many people have said something about since; people: who, the busiest first.
        relabelled: pictures that were here before, of which only its labels would be undone.
    """

    run: str
    pictures: int
    gold: int
    labelled: int
    people: tuple[str, ...]
    relabelled: int


@dataclass
class _Plan:
    removed: list[str] = field(default_factory=list[str])
    undone: list[LabelEvent] = field(default_factory=list[LabelEvent])
    visitors: list[str] = field(default_factory=list[str])
    labelled: int = 0
    said: dict[str, int] = field(default_factory=dict[str, int])


def past_imports(engine: sa.Engine) -> tuple[PastImport, ...]:
    """All imports, the newest first. Those of an older fgdemo are known by the pictures that they brought."""
    said, images = label_event_table, image_table
    here = said.c.batch.like(f"{IMPORT}%")
    by_batch = (
        sa.select(said.c.batch, sa.func.count(said.c.image.distinct()))
        .where(here & (said.c.kind == "import"))
        .group_by(said.c.batch)
    )
    over = (
        sa.select(said.c.batch, sa.func.count(said.c.image.distinct()))
        .where(here & ((said.c.kind == "undo") | (said.c.reason == REMOVED)))
        .group_by(said.c.batch)
    )
    marked = sa.select(said.c.image).where(here & (said.c.kind == "import"))
    by_row = (
        sa.select(images.c.imported_in, sa.func.count(), sa.func.count(sa.case((images.c.name != "", 1))))
        .where(images.c.imported_in.is_not(None) & images.c.id.not_in(marked))
        .group_by(images.c.imported_in)
    )
    with reading(engine) as connection:
        gone = {row[0]: row[1] for row in connection.execute(over)}
        counts = {batch.removeprefix(IMPORT): (n, n - gone.get(batch, 0)) for batch, n in connection.execute(by_batch)}
        for run, n, there in connection.execute(by_row):
            counts.setdefault(run, (n, there))
        notes = connection.execute(
            sa.select(audit_table.c.at, audit_table.c.person, audit_table.c.about)
            .where(audit_table.c.action == "import")
            .order_by(audit_table.c.id)
        ).all()
    found = [PastImport(run, *_noted(run, notes), n, max(0, there)) for run, (n, there) in counts.items()]
    return tuple(sorted(found, key=lambda one: one.run, reverse=True))


def _noted(run: str, notes: Sequence[Any]) -> tuple[str, str]:
    """Who began it and of what: the first note that was made when it had begun."""
    minute = run[:16]
    return next(((row.person, row.about) for row in notes if row.at >= run and row.at[:16] == minute), ("", ""))


def about_taking_back(engine: sa.Engine, run: str) -> TakingBack:
    """What it would do now. Raises StorageError where there is nothing of such an import to take back."""
    with reading(engine) as connection:
        return _told(connection, run, _plan(connection, run))


def take_back(
    engine: sa.Engine, person: Person, run: str, labelled: int = 0, clock: Callable[[], datetime] = utc_now
) -> tuple[TakingBack, list[str]]:
    """Take an import back, all or nothing; durable when it returns. Gives what was done, and the pictures whose files
    have to be cleared away (`fgdemo.storage.history.removing.clear_removed`).

    Args:
        labelled: so many pictures that people have labelled since may be removed with it.

    Raises:
        StaleError: more were labelled since; nothing was taken back.
        StorageError: there is nothing to take back, or nothing can be written.
    """
    batch = f"{IMPORT}{run}"
    with writing(engine) as connection:
        plan = _plan(connection, run)
        told = _told(connection, run, plan)
        if told.labelled > labelled:
            were = "was" if told.labelled == 1 else "were"
            raise StaleError(
                f"{counted(told.labelled, 'picture')} of this import {were} labelled since, so nothing was taken back: "
                "look once more, and say that they may go, too."
            )
        why = f"The import of {run[:16].replace('T', ' ')} was taken back."
        mark_removed(connection, plan.removed, person.name, why, batch, clock)
        now = sortable(clock())
        undoing = [LabelEvent(one.image, "undo", person.name, undoes=one.id, batch=batch) for one in plan.undone]
        for some in batches(undoing, AT_ONCE):
            rows = [{**row_of(one), "created_at": now} for one in some]
            connection.execute(label_event_table.insert(), rows)
        for some in batches(plan.visitors, AT_ONCE):
            bare = {"source": FROM_VISITOR, "split": None, "imported_in": None, "twin_of": None}
            connection.execute(image_table.update().where(image_table.c.id.in_(some)).values(bare))
        note(connection, clock(), person, "import taken back", f"of {run[:16]}: {counted(told.pictures, 'picture')}")
    return told, plan.removed


def _plan(connection: sa.Connection, run: str) -> _Plan:
    said, batch, plan = label_event_table, f"{IMPORT}{run}", _Plan()
    images = list(connection.execute(sa.select(said.c.image).where(said.c.batch == batch).distinct()).scalars())
    old = sa.select(image_table.c.id).where(image_table.c.imported_in == run)
    marked = sa.select(said.c.image).where(said.c.batch.like(f"{IMPORT}%") & (said.c.kind == "import"))
    images += list(connection.execute(old.where(image_table.c.id.not_in(marked))).scalars())
    removed = removed_among(connection, images)
    for some in batches([image for image in images if image not in removed], AT_ONCE):
        for image, history in histories_of(connection, some).items():
            _plan_one(plan, image, history, batch)
    if not plan.removed and not plan.undone:
        raise StorageError("There is nothing of this import to take back: it was taken back already, or never was.")
    return plan


def _plan_one(plan: _Plan, image: str, history: Sequence[LabelEvent], batch: str) -> None:
    """What becomes of one picture, by all that was said about it, oldest first."""
    begins = max((at + 1 for at, one in enumerate(history) if one.reason == REMOVED), default=0)
    history = history[begins:]
    undone = {one.undoes for one in history}
    own = [one for one in history if one.batch == batch and one.kind != "undo"]
    own = own or [one for one in history if one.kind == "import"][:1]
    ids = {one.id for one in own}
    before = [one for one in history if (one.id or 0) < (own[0].id or 0)]
    since = [one for one in history if one.id not in ids and one.kind in BRINGS and one.id not in undone]
    if before or any(one.kind == "import" and one not in before for one in since):
        plan.undone += [one for one in own if one.kind in DECIDING and one.id not in undone]
        if before and all(one.kind not in DECIDING or one.id in undone for one in before):
            plan.visitors.append(image)
        return
    plan.removed.append(image)
    spoke = [
        one
        for one in history
        if one.id not in ids and one.kind not in (*BRINGS, *PUBLISHING, "undo", "skip") and one.id not in undone
    ]
    plan.labelled += bool(spoke)
    for name in {one.annotator for one in spoke}:
        plan.said[name] = plan.said.get(name, 0) + 1


def _told(connection: sa.Connection, run: str, plan: _Plan) -> TakingBack:
    gold = 0
    for some in batches(plan.removed, AT_ONCE):
        query = sa.select(sa.func.count()).where(image_table.c.id.in_(some) & (image_table.c.split == "gold"))
        gold += connection.execute(query).scalar_one()
    people = tuple(sorted(plan.said, key=lambda name: (-plan.said[name], name)))
    return TakingBack(run, len(plan.removed), gold, plan.labelled, people, len({one.image for one in plan.undone}))
