"""Questions about who answered what, each one bounded query over the log."""

from dataclasses import dataclass

import sqlalchemy as sa

from fgdemo.storage.database.database import reading
from fgdemo.storage.database.schema import label_event_table

LONGEST_LOOK_S = 60.0
"""A look at a picture that took longer is a pause, and counts as so long."""
_NOT_ANSWERS = ("import", "suggestion", "undo", "point", "publish", "withdraw")


@dataclass(frozen=True)
class SecondOpinion:
    """A blind second opinion that stands, and the expert's answer it was a second opinion about."""

    image: str
    first: str
    first_taxon: str
    second: str
    second_taxon: str


@dataclass(frozen=True)
class Tally:
    """What one person has answered, without what was taken back.

    Attributes:
        kinds: how many answers of each kind.
        timed, seconds: answers whose looking was timed, and how long that was in all, without pauses.
        compared, changed: labels given to pictures that had one, and how many of them changed it.
        last: ISO 8601 time of the newest answer.
    """

    annotator: str
    kinds: dict[str, int]
    timed: int
    seconds: float
    compared: int
    changed: int
    last: str


def second_opinions(engine: sa.Engine, newest: int) -> list[SecondOpinion]:
    """The newest blind second opinions that name a kind, newest first. Raises StorageError."""
    second, first = label_event_table.alias("second"), label_event_table.alias("first")
    before = label_event_table.alias("before")
    answered = (
        sa.select(sa.func.max(before.c.id))
        .where(
            before.c.image == second.c.image,
            before.c.kind == "label",
            before.c.blind.is_(sa.false()),
            before.c.id < second.c.id,
            _stands(before),
        )
        .scalar_subquery()
    )
    query = (
        sa.select(second.c.image, first.c.annotator, first.c.taxon, second.c.annotator, second.c.taxon)
        .join_from(second, first, first.c.id == answered)
        .where(second.c.reason == "second", second.c.kind == "label", second.c.blind.is_(sa.true()), _stands(second))
        .order_by(second.c.id.desc())
        .limit(newest)
    )
    with reading(engine) as connection:
        return [SecondOpinion(*row) for row in connection.execute(query)]


def tallies(engine: sa.Engine) -> list[Tally]:
    """What everybody has answered, by name. Raises StorageError."""
    said, shown = label_event_table.alias("said"), label_event_table.alias("shown")
    look = sa.case((said.c.seconds_spent > LONGEST_LOOK_S, LONGEST_LOOK_S), else_=said.c.seconds_spent)
    had_label = (said.c.kind == "label") & said.c.blind.is_(sa.false()) & shown.c.taxon.is_not(None)

    def counted(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
        return sa.func.sum(sa.case((condition, 1), else_=0))

    query = (
        sa.select(
            said.c.annotator,
            said.c.kind,
            sa.func.count(),
            sa.func.count(said.c.seconds_spent),
            sa.func.coalesce(sa.func.sum(look), 0.0),
            counted(had_label),
            counted(had_label & (shown.c.taxon != said.c.taxon)),
            sa.func.max(said.c.created_at),
        )
        .select_from(said.outerjoin(shown, shown.c.id == said.c.shown_version))
        .where(said.c.kind.not_in(_NOT_ANSWERS), _stands(said))
        .group_by(said.c.annotator, said.c.kind)
        .order_by(said.c.annotator)
    )
    found: dict[str, Tally] = {}
    with reading(engine) as connection:
        for name, kind, count, timed, seconds, compared, changed, last in connection.execute(query):
            old = found.get(name, Tally(name, {}, 0, 0.0, 0, 0, ""))
            found[name] = Tally(
                name,
                {**old.kinds, kind: count},
                old.timed + timed,
                old.seconds + float(seconds),
                old.compared + compared,
                old.changed + changed,
                max(old.last, last),
            )
    return list(found.values())


def _stands(said: sa.FromClause) -> sa.ColumnElement[bool]:
    """It was not taken back."""
    undo = label_event_table.alias()
    return ~sa.exists().where(undo.c.undoes == said.c.id)
