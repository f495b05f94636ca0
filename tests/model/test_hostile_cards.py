"""Every field of a card, and every array beside it, made something else: one sentence that names it, or it is read."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fgdemo.learn.candidate.fit import Fitted
from fgdemo.model.checkpoint.card_form import MOST_TAXA, require_form
from fgdemo.model.checkpoint.folder import CARD, WEIGHTS, read_checkpoint, write_checkpoint
from fgdemo.model.checkpoint.load import load_classifier
from fgdemo.model.checkpoint.persistence import to_checkpoint
from fgdemo.model.exporting.readme import card_markdown
from fgdemo.settings import REPOSITORY
from fgdemo.specimens import draw_specimen
from fgdemo.specimens.species import SPECIES
from fgdemo.values.errors import CheckpointError, TaxonomyError
from fgdemo.values.taxonomy import Taxon, Taxonomy
from tests.support.tiny import tiny_fit

Path_ = tuple[str | int, ...]
PICTURE = draw_specimen(SPECIES[0], 77, (90, 70)).picture
OTHERS: tuple[Any, ...] = (
    None,
    True,
    -1,
    10**18,
    1e300,
    "",
    "x" * 5000,
    "a\u202e\0b",
    "\ud800",
    [],
    {},
    [[[[]]]],
    {"a": {"b": []}},
    ["a"] * 3,
    [0] * (MOST_TAXA + 1),
)


@pytest.fixture(scope="module")
def fitted() -> Fitted:
    return tiny_fit()


def fields(value: Any, path: Path_ = ()) -> Iterator[Path_]:
    """All of a card; of a list, and of a mapping of kinds, the first and the last."""
    if path:
        yield path
    if isinstance(value, dict):
        names = list(value) if len(value) < 60 else [next(iter(value)), list(value)[-1]]
        for name in names:
            yield from fields(value[name], (*path, name))
    elif isinstance(value, list) and value:
        for at in sorted({0, len(value) - 1}):
            yield from fields(value[at], (*path, at))


def changed(card: dict, path: Path_, change: Callable[[Any, str | int], None]) -> dict:
    """A copy of the card with one field changed; only what leads there is copied."""
    card = inner = dict(card)
    for step in path[:-1]:
        inner[step] = copy.copy(inner[step])  # pyright: ignore[reportArgumentType]
        inner = inner[step]  # pyright: ignore[reportArgumentType]
    change(inner, path[-1])
    return card


def mutations(card: dict, path: Path_) -> Iterator[dict]:
    for other in OTHERS:
        yield changed(card, path, lambda inner, step, other=other: inner.__setitem__(step, other))
    yield changed(card, path, lambda inner, step: inner.__delitem__(step))
    yield changed(card, path, lambda inner, step: inner.__setitem__(step, _more(inner[step])))


def _more(value: Any) -> Any:
    if isinstance(value, dict):
        return {**value, "unknown": 1}
    return [*value, *value] if isinstance(value, list) else [value]


def test_no_field_of_a_card_does_harm(fitted: Fitted, tmp_path: Path) -> None:
    """Of a real card, so that a new field is walked from the day it is written."""
    published = json.loads((REPOSITORY / "checkpoints" / "field-guide" / CARD).read_text())
    write_checkpoint(tmp_path / "kept", to_checkpoint(fitted.classifier))
    found = read_checkpoint(tmp_path / "kept")
    card = {**published, **found.card}
    for path in fields(card):
        accepted = None
        for hostile in mutations(card, path):
            fault = fault_of(hostile) if path[0] in found.card else None
            if fault is None:
                card_markdown(hostile)
                accepted = hostile
            else:
                assert "in its card cannot be used: " in fault
                assert len(fault) < 400
                assert "\n" not in fault
        if accepted is not None and path[0] in found.card and len(path) < 3:
            with suppress(CheckpointError):
                from_card(tmp_path / "kept", {name: accepted[name] for name in accepted if name in found.card})


def fault_of(card: dict) -> str | None:
    try:
        require_form(card)
    except ValueError as error:
        return str(error)
    return None


def from_card(folder: Path, card: dict) -> None:
    (folder / CARD).write_text(json.dumps(card), errors="surrogatepass")
    load_classifier(folder).read(PICTURE)


@pytest.mark.parametrize("other", [np.int64, np.bool_])
def test_arrays_of_another_type_are_refused(fitted: Fitted, tmp_path: Path, other: type) -> None:
    found = to_checkpoint(fitted.classifier)
    for name in ("head.mean", "parts.prototypes", "origin", "head.gram_upper"):
        arrays = {**found.arrays, name: np.zeros_like(found.arrays[name], dtype=other)}
        write_checkpoint(tmp_path / "kept", replace(found, arrays=arrays))
        with pytest.raises(CheckpointError, match=f"{name} has numbers of the type"):
            load_classifier(tmp_path / "kept")
    assert (tmp_path / "kept" / WEIGHTS).is_file()


def test_the_field_is_named(fitted: Fitted) -> None:
    card = dict(to_checkpoint(fitted.classifier).card) | {"weights_sha256": ""}
    wrong = changed(card, ("parts", "parts", 0, "id"), lambda inner, step: inner.__setitem__(step, "wing"))
    with pytest.raises(ValueError, match=r"“parts\.parts\.0\.id” in its card cannot be used: input should be a"):
        require_form(wrong)


def test_groups_lie_below_each_other_to_a_depth() -> None:
    chain = [Taxon(str(n), str(n), str(n - 1) if n else None) for n in range(20_000)]
    with pytest.raises(TaxonomyError, match="more than 100 groups one below the other"):
        Taxonomy(tuple(chain))
