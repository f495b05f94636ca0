"""Which labelled pictures may stand for their kind beside one that is in question."""

import numpy as np

from fgdemo.storage.history.roster import Roster
from fgdemo.values.annotation import DOUBTFUL


def fit_to_show(roster: Roster, rows: np.ndarray, suspicion: np.ndarray | None) -> np.ndarray:
    """Those of some labelled rows that nothing speaks against: checked by an expert, or not doubted by the model, and
    neither disputed nor said to be wrong by a visitor. All of them where there is no such one.

    Args:
        suspicion: of the first rows of the roster, as `Ranking.suspicion`; None where there is no ranking.
    """
    doubted = np.zeros(len(rows), bool)
    if suspicion is not None:
        known = rows < len(suspicion)
        doubted[known] = suspicion[rows[known]] > DOUBTFUL  # never of nan, which is no doubt
    doubted &= ~roster.checked[rows]
    doubted |= roster.disputed[rows] | roster.suggested[rows]
    return rows if doubted.all() else rows[~doubted]
