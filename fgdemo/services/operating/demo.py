"""A demo as its page sees it: how far it is prepared, who one can be, and what was tried, read from the log."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.engine import Engine

from fgdemo.storage.database.database import reading
from fgdemo.storage.history.answers import tallies
from fgdemo.storage.history.points import PointLog
from fgdemo.storage.history.roster import Roster
from fgdemo.storage.people.accounts import Accounts
from fgdemo.storage.trainings.promotions import promotions
from fgdemo.values.annotation import Role
from fgdemo.values.errors import UnavailableError
from fgdemo.values.training import Stage

STEPS = (
    "drawing the birds",
    "a first model learns from a few of them",
    "all of them come into the workspace",
    "a second model learns from all, and is judged beside the first",
    "opening the workspace",
)
"""In this order; each takes seconds."""
NAMES: Mapping[Role, str] = {"expert": "demo expert", "maintainer": "demo maintainer"}


@dataclass(frozen=True)
class Tried:
    """What people have done until now.

    Attributes:
        answered: answers of people that stand, one a key.
        found: wrong labels that are right now, of `wrong`.
        taught: pictures on which a part was pointed out.
        promoted: whether another model went live; went_back: whether one was rolled back.
        teach: a picture to point out a part on.
    """

    pictures: int
    answered: int
    wrong: int
    found: int
    taught: int
    promoted: bool
    went_back: bool
    teach: str


@dataclass(frozen=True)
class DemoNow:
    """`stage` while it is prepared, of which `number` of `of` steps; `tried` from then on."""

    stage: Stage | None
    number: int
    of: int
    tried: Tried | None


class Demo:
    """Safe for many threads: one prepares it, others ask. Passwords are made anew for each demo and told to nobody."""

    def __init__(self) -> None:
        self._passwords = {role: secrets.token_urlsafe(24) for role in NAMES}
        self._stage, self._number = Stage(STEPS[0]), 1
        self._engine: Engine | None = None
        self._wrong: Mapping[str, str] = {}

    def begin(self, number: int) -> str:
        """This one of `STEPS`, from 1, begins; gives it in words."""
        self._stage, self._number = Stage(STEPS[number - 1]), number
        return f"Step {number} of {len(STEPS)}: {STEPS[number - 1]}."

    def progress(self, what: str, done: int, of: int) -> None:
        """How far the step is that runs."""
        self._stage = Stage(STEPS[self._number - 1], done, of)

    def add_people(self, accounts: Accounts) -> None:
        """The accounts between which a person switches."""
        for role, name in NAMES.items():
            accounts.add(name, role, self._passwords[role])

    def open(self, engine: Engine, wrong: Mapping[str, str], teach: str) -> None:
        """It is prepared.

        Args:
            wrong: the right taxon of each picture whose label was wrong when it came, by its id.
            teach: a picture to point out a part on.
        """
        self._roster, self._wrong, self._teach = Roster(engine), wrong, teach
        self._engine = engine

    def now(self) -> DemoNow:
        """Raises StorageError."""
        tried = None if self._engine is None else self._tried(self._engine)
        return DemoNow(None if tried else self._stage, self._number, len(STEPS), tried)

    def credentials(self, role: Role) -> tuple[str, str]:
        """(name, password) of the one who has this role; there is none of a visitor.

        Raises:
            UnavailableError: it is still being prepared.
        """
        if self._engine is None:
            raise UnavailableError("The demo is still being prepared: a few seconds more.")
        return NAMES[role], self._passwords[role]

    def _tried(self, engine: Engine) -> Tried:
        self._roster.follow()
        with reading(engine) as connection:
            kinds = {one.kind for one in promotions(connection)}
        return Tried(
            pictures=len(self._roster),
            answered=sum(sum(one.kinds.values()) for one in tallies(engine) if one.annotator in NAMES.values()),
            wrong=len(self._wrong),
            found=sum(self._roster.standing(image).taxon == taxon for image, taxon in self._wrong.items()),
            taught=len(PointLog(engine).all()),
            promoted="promote" in kinds,
            went_back="rollback" in kinds,
            teach=self._teach,
        )
