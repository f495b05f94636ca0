"""Labelling sessions: what a person set out to do, and when."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime

import sqlalchemy as sa

from fgdemo.storage.database.database import reading, utc_now, writing
from fgdemo.storage.database.json_columns import read_column
from fgdemo.storage.database.schema import session_table
from fgdemo.values.annotation import Accuracy, Order
from fgdemo.values.errors import StorageError


@dataclass(frozen=True)
class LabellingSession:
    """One open_session of one annotator.

    Attributes:
        order: which pictures are asked first.
        pair: the two leaves of the order "pair".
        goal: how many pictures the person means to do, or None.
        blind_share: share of pictures asked again, in [0, 1], that another annotator has answered.
        accuracy_before: held-out accuracy of the learner when the session began.
    """

    id: int
    annotator: str
    order: Order
    pair: tuple[str, str] | None
    goal: int | None
    blind_share: float
    opened_at: str
    closed_at: str | None
    accuracy_before: Accuracy | None


class Sessions:
    """The sessions of one database."""

    def __init__(self, engine: sa.Engine, clock: Callable[[], datetime] = utc_now) -> None:
        self._engine = engine
        self._clock = clock

    def open(
        self,
        annotator: str,
        order: Order,
        pair: tuple[str, str] | None = None,
        goal: int | None = None,
        blind_share: float = 0.0,
        accuracy_before: Accuracy | None = None,
    ) -> LabellingSession:
        """Begin a session; a former one of this person is closed."""
        now = self._clock().isoformat()
        a, b = pair or (None, None)
        before = json.dumps(asdict(accuracy_before)) if accuracy_before else None
        mine = (session_table.c.annotator == annotator) & session_table.c.closed_at.is_(None)
        with writing(self._engine) as connection:
            connection.execute(session_table.update().where(mine).values(closed_at=now))
            insert = session_table.insert().values(
                annotator=annotator,
                opened_at=now,
                order_of_work=order,
                pair_a=a,
                pair_b=b,
                goal=goal,
                blind_share=blind_share,
                accuracy_before=before,
            )
            number = connection.execute(insert.returning(session_table.c.id)).scalar_one()
        return LabellingSession(number, annotator, order, pair, goal, blind_share, now, None, accuracy_before)

    def close(self, session: int) -> None:
        this_one = (session_table.c.id == session) & session_table.c.closed_at.is_(None)
        with writing(self._engine) as connection:
            connection.execute(session_table.update().where(this_one).values(closed_at=self._clock().isoformat()))

    def get(self, session: int) -> LabellingSession:
        """Raises StorageError if there is no such session."""
        found = self._select(session_table.c.id == session)
        if found is None:
            raise StorageError("This session is not in the workspace: begin a new one.")
        return found

    def current(self, annotator: str) -> LabellingSession | None:
        """The open session of a person."""
        return self._select((session_table.c.annotator == annotator) & session_table.c.closed_at.is_(None))

    def _select(self, condition: sa.ColumnElement[bool]) -> LabellingSession | None:
        query = sa.select(session_table).where(condition).order_by(session_table.c.id.desc()).limit(1)
        with reading(self._engine) as connection:
            row = connection.execute(query).mappings().first()
        if row is None:
            return None
        return LabellingSession(
            id=row["id"],
            annotator=row["annotator"],
            order=row["order_of_work"],
            pair=(row["pair_a"], row["pair_b"]) if row["pair_a"] else None,
            goal=row["goal"],
            blind_share=row["blind_share"],
            opened_at=row["opened_at"],
            closed_at=row["closed_at"],
            accuracy_before=read_column(Accuracy, row["accuracy_before"]),
        )
