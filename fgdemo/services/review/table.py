"""Pictures as a CSV table."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence

import numpy as np

from fgdemo.services.review.snapshot import Snapshot
from fgdemo.storage.roster import KINDS, SPLITS
from fgdemo.taxonomy import Taxonomy

COLUMNS = (
    "name", "image", "label", "label_name", "state", "annotator", "checked", "disputed", "suspicion", "suggested",
    "suggested_name", "suggested_prob", "split", "import",
)  # fmt: skip
_ROWS_AT_ONCE = 2000


def table(now: Snapshot, rows: np.ndarray) -> Iterator[bytes]:
    """UTF-8, some thousand lines at a time, in the order of `rows`. `state` is the kind of the event that decides."""
    yield _lines([COLUMNS])
    roster, taxonomy = now.roster, now.taxonomy
    annotators, imports = [_harmless(one) for one in roster.annotators], [_harmless(one) for one in roster.imports]
    given, taken = [_named(one, taxonomy) for one in roster.taxa], [_named(one, taxonomy) for one in now.taxa]
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        some = rows[start : start + _ROWS_AT_ONCE].tolist()
        images = [roster.image_ids[row] for row in some]
        names = roster.names(images)
        yield _lines(
            (
                _harmless(names.get(image, "")), image, *_pick(given, int(now.taxon[row])), KINDS[roster.kind[row]],
                annotators[int(roster.annotator[row])], _yes(now.checked[row]), _yes(now.disputed[row]),
                _number(now.suspicion[row]), *_pick(taken, int(now.suggested[row])), _number(now.suggested_prob[row]),
                SPLITS[now.split[row]], imports[int(roster.imported[row])] if roster.imported[row] >= 0 else "",
            )
            for row, image in zip(some, images, strict=True)
        )  # fmt: skip


def _lines(rows: Sequence[Sequence[str]] | Iterator[Sequence[str]]) -> bytes:
    file = io.StringIO()
    csv.writer(file).writerows(rows)
    return file.getvalue().encode("utf-8")


def _named(taxon: str, taxonomy: Taxonomy) -> tuple[str, str]:
    known = taxonomy.by_id.get(taxon)
    return _harmless(taxon), _harmless(known.name if known else "")


def _pick(pairs: Sequence[tuple[str, str]], index: int) -> tuple[str, str]:
    return pairs[index] if index >= 0 else ("", "")


def _number(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.4f}"


def _yes(value: bool) -> str:
    return "true" if value else "false"


def _harmless(text: str) -> str:
    """A cell that a spreadsheet would take for a formula is made text."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
