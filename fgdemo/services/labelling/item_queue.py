"""Which rows of the roster to ask next. Numpy columns, searched from the front in growing steps."""

from collections.abc import Collection, Iterable, Iterator
from itertools import islice

import numpy as np

from fgdemo.storage.history.roster import IS_OUT, Roster
from fgdemo.values.annotation import Order, Person, Ranking, Reason

AUDIT_EVERY = 10
_FIRST_STEP = 128
_FEW = 20_000


def rows_to_ask(roster: Roster, ranking: Ranking, order: Order, pair: tuple[str, str] | None) -> np.ndarray:
    """All rows that belong to an order of work, best first; those answered since the ranking are still among them."""
    if order == "suggestion":
        rows = np.flatnonzero(roster.suggested)
        return rows[~roster.locked(rows)]
    if order == "adjudication":
        return np.flatnonzero(roster.disputed)
    if order == "pair":
        return _of_pair(roster, ranking, pair)
    return ranking.orders[order]


def first_open(roster: Roster, rows: np.ndarray, order: Order, skip: Collection[str], count: int) -> list[str]:
    """The first `count` pictures of `rows` that nobody has checked yet and that are not in `skip`."""
    return _first(roster, (some[_is_open(roster, some, order)] for some in _steps(rows)), skip, count)


def count_open(roster: Roster, rows: np.ndarray, order: Order) -> int:
    """How many of `rows` are still to be asked."""
    return int(_is_open(roster, rows, order).sum())


def is_open(roster: Roster, image: str, reason: Reason) -> bool:
    """Whether a picture that was drawn for this reason is still to be asked."""
    row = roster.row_of[image]
    if reason == "second":
        return not roster.disputed[row]
    return bool(_is_open(roster, np.array([row]), reason)[0])


def to_second(roster: Roster, audit: np.ndarray, skip: Collection[str], count: int, person: Person) -> list[str]:
    """Pictures that another annotator has checked, for a blind second opinion, in the random order of the audit."""
    mine = roster.annotators.index(person.name) if person.name in roster.annotators else -2
    checked = np.flatnonzero(roster.checked)
    if len(checked) < _FEW:  # too far apart in the order of all to be searched for there
        audit = checked[np.argsort(roster.image_ids.words(checked, 1), kind="stable")]

    def by_others(rows: np.ndarray) -> np.ndarray:
        labelled = roster.checked[rows] & (roster.taxon[rows] >= 0) & (roster.annotator[rows] != mine)
        return rows[labelled & ~roster.disputed[rows]]

    return _first(roster, map(by_others, _steps(audit)), skip, count)


def _first(roster: Roster, pieces: Iterable[np.ndarray], skip: Collection[str], count: int) -> list[str]:
    images = (image for rows in pieces for image in roster.image_ids.at(rows) if image not in skip)
    return list(islice(images, count))


def _steps(rows: np.ndarray) -> Iterator[np.ndarray]:
    """Ever longer pieces: what is near the front is found at once, and nothing needs many steps."""
    start, step = 0, _FIRST_STEP
    while start < len(rows):
        yield rows[start : start + step]
        start, step = start + step, 2 * step


def _is_open(roster: Roster, rows: np.ndarray, order: Order) -> np.ndarray:
    if order == "suggestion":
        return roster.suggested[rows] & ~roster.locked(rows)
    if order == "adjudication":
        return roster.disputed[rows]
    out = roster.checked[rows] | IS_OUT[roster.kind[rows]] | roster.locked(rows) | roster.disputed[rows]
    return ~out & (roster.taxon[rows] < 0) if order == "typical" else ~out


def _of_pair(roster: Roster, ranking: Ranking, pair: tuple[str, str] | None) -> np.ndarray:
    """Rows given or taken for one of the two, suspicious ones first."""
    if pair is None or not set(pair) <= set(ranking.taxa):
        return np.empty(0, np.int64)
    a, b = ranking.taxa.index(pair[0]), ranking.taxa.index(pair[1])
    first, second = ranking.suggested, ranking.rival
    among = (np.isin(first, (a, b))) & (np.isin(second, (a, b)))
    given = [roster.taxa.index(taxon) for taxon in pair if taxon in roster.taxa]
    n = len(first)
    among |= np.isin(roster.taxon[:n], given) & (np.isin(first, (a, b)) | np.isin(second, (a, b)))
    rows = np.flatnonzero(among)
    doubt = np.nan_to_num(ranking.suspicion[rows], nan=0.0) + np.nan_to_num(ranking.uncertainty[rows]) * 0.5
    return rows[np.argsort(-doubt, kind="stable")]
