"""Gold is checked first: models are judged by it, so a wrong gold label judges wrongly.

An order by the live model alone would favour it: where it is wrong like a label, it holds that label for right. So the
doubts of several readings are pooled, as many other gold pictures drawn at random stand among those in doubt, all are
asked blind, as second opinions, and never between a candidate's training and its verdict.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from fgdemo.storage.history.events import LabelEvent, Note
from fgdemo.storage.history.roster import IS_OUT, SPLITS, Roster
from fgdemo.storage.people.audit import note
from fgdemo.values.annotation import DOUBTFUL, OUT, Kind, Person
from fgdemo.values.counting import counted
from fgdemo.values.errors import ForbiddenError

Doubts = Callable[[], np.ndarray | None]
"""Of the first n rows of the roster how likely each label is wrong, by several readings; None: not known yet."""
TRAINING = (
    "A training runs, or a model is judged anew: gold is not checked between a training and its verdict, or the check "
    "would favour one of the two models. Check it when the verdict is there."
)


@dataclass(frozen=True)
class GoldNow:
    """Labelled gold pictures, how many of them look wrong and nobody has looked at, and how many are disputed."""

    labelled: int
    looks_wrong: int
    disputed: int


def out_of_gold(count: int, kind: Kind) -> str:
    """For the record of who did what."""
    return f"{counted(count, 'picture')} out of gold: {'unusable' if kind == 'unusable' else 'none of these kinds'}"


def back_in_gold(count: int) -> str:
    return f"{counted(count, 'picture')} back in gold"


def leaving_gold(
    roster: Roster, person: Person, said: LabelEvent, at: datetime, is_undone: bool = False
) -> Note | None:
    """What writes into the record that a picture leaves gold by this answer, or comes back where that is taken back;
    None for any other answer. Raises ForbiddenError where it leaves, and the person is no maintainer."""
    if said.kind not in OUT or not said.is_last_word or roster.standing(said.image).split != "gold":
        return None
    if not is_undone:
        person.require("maintainer")
    about = back_in_gold(1) if is_undone else out_of_gold(1, said.kind)
    return lambda connection: note(connection, at, person, "gold", about)


class Gold:
    """Which gold pictures are to be checked. Safe for many threads.

    Args:
        is_judging: whether a training runs, whose verdict is still to come.
    """

    def __init__(self, roster: Roster, doubts: Doubts, is_judging: Callable[[], bool] = lambda: False) -> None:
        self._roster, self._doubts, self._is_judging = roster, doubts, is_judging

    def require_quiet(self) -> None:
        """Raises ForbiddenError between a training and its verdict."""
        if self._is_judging():
            raise ForbiddenError(TRAINING)

    def now(self, person: Person) -> GoldNow:
        person.require("maintainer")
        roster = self._roster
        labelled = (roster.split == SPLITS.index("gold")) & (roster.taxon >= 0)
        return GoldNow(int(labelled.sum()), len(self._in_doubt()), int((labelled & roster.disputed).sum()))

    def rows(self) -> np.ndarray:
        """What to ask: those in doubt, most doubtful first, each beside one drawn at random, in random turn."""
        wrong = self._in_doubt()
        others = np.setdiff1d(self._unread(), wrong)
        keys = self._roster.image_ids.words(others, 1)
        others = others[np.argsort(keys, kind="stable")]
        drawn = others[: len(wrong)]
        pairs = [list(pair) for pair in zip(wrong.tolist(), drawn.tolist(), strict=False)]
        first = np.random.default_rng(len(self._roster)).random(len(pairs)) < 0.5
        turned = [pair[::-1] if turn else pair for pair, turn in zip(pairs, first.tolist(), strict=True)]
        rest = wrong[len(drawn) :].tolist()
        return np.array([row for pair in turned for row in pair] + rest, np.int64)

    def _unread(self) -> np.ndarray:
        """Rows of gold with the label that it came with, about which nobody has given an opinion."""
        roster = self._roster
        gold = (roster.split == SPLITS.index("gold")) & (roster.taxon >= 0) & ~IS_OUT[roster.kind]
        return np.flatnonzero(gold & ~roster.checked & ~roster.disputed & ~roster.seconded)

    def _in_doubt(self) -> np.ndarray:
        doubts, rows = self._doubts(), self._unread()
        if doubts is None:
            return np.empty(0, np.int64)
        rows = rows[rows < len(doubts)]
        rows = rows[doubts[rows] > DOUBTFUL]
        return rows[np.argsort(-doubts[rows], kind="stable")]
