"""Pictures as a CSV table."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from fgdemo.services.review.snapshot import Snapshot
from fgdemo.storage.disk.left_out import harmless
from fgdemo.storage.history.roster import KINDS, SPLITS
from fgdemo.values.batches import batches
from fgdemo.values.taxonomy import Taxonomy

COLUMNS = tuple(
    "name image label label_name state annotator checked disputed suspicion suggested suggested_name "
    "suggested_prob split import".split()
)
_ROWS_AT_ONCE = 2000


def table(now: Snapshot, rows: np.ndarray) -> Iterator[bytes]:
    """UTF-8, some thousand lines at a time, in the order of `rows`. `state` is the kind of the event that decides."""
    yield _lines([COLUMNS])
    roster, taxonomy = now.roster, now.taxonomy
    annotators, imports = [harmless(one) for one in roster.annotators], [harmless(one) for one in roster.imports]
    given, taken = [_named(one, taxonomy) for one in roster.taxa], [_named(one, taxonomy) for one in now.taxa]
    for some in batches(rows, _ROWS_AT_ONCE):
        images = roster.image_ids.at(some)
        names = roster.names(images)
        yield _lines(
            zip(
                [harmless(names.get(image, "")) for image in images],
                images,
                *_two(given, now.taxon[some]),
                [KINDS[kind] for kind in roster.kind[some].tolist()],
                [annotators[number] for number in roster.annotator[some].tolist()],
                _yes(now.checked[some]),
                _yes(now.disputed[some]),
                _numbers(now.suspicion[some]),
                *_two(taken, now.suggested[some]),
                _numbers(now.suggested_prob[some]),
                [SPLITS[split] for split in now.split[some].tolist()],
                [imports[number] if number >= 0 else "" for number in roster.imported[some].tolist()],
                strict=True,
            )
        )


def _lines(rows: Iterable[Sequence[str]]) -> bytes:
    file = io.StringIO()
    csv.writer(file).writerows(rows)
    return file.getvalue().encode("utf-8")


def _named(taxon: str, taxonomy: Taxonomy) -> tuple[str, str]:
    known = taxonomy.by_id.get(taxon)
    return harmless(taxon), harmless(known.name if known else "")


def _two(named: Sequence[tuple[str, str]], indices: np.ndarray) -> tuple[list[str], list[str]]:
    """The ids and the names at these places; −1 is neither."""
    found: list[tuple[str, str]] = [named[index] if index >= 0 else ("", "") for index in indices.tolist()]
    return [taxon for taxon, _ in found], [name for _, name in found]


def _numbers(values: np.ndarray) -> list[str]:
    return ["" if value != value else f"{value:.4f}" for value in values.tolist()]


def _yes(values: np.ndarray) -> list[str]:
    return ["true" if value else "false" for value in values.tolist()]
