"""What the Review page's questions cost the server, on a generated workspace without pictures.

174 kinds in 20 groups; a sixth of the labels is taken for another kind, mostly of the same group; every twentieth
picture was checked and every hundredth has a second opinion. Prints one JSON line last, milliseconds are medians:

  overview_ms, kinds_ms, matrix_ms, kind_ms, pair_ms, annotators_ms
  grid_ms, grid_filtered_ms, next_page_ms     first 120 pictures; of one group in one state; the 120 after them
  answer_ms, undo_ms                          one answer about 200 pictures, and taking it back
  table_s                                     the CSV of everything
  pictures, second_opinions
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from fgdemo.services.review import Filter, Review, Shown
from fgdemo.storage.database.database import open_database, register_taxa, writing
from fgdemo.storage.database.schema import image_table, label_event_table
from fgdemo.storage.history.roster import Roster
from fgdemo.storage.history.taxa import TaxonStore
from fgdemo.values.annotation import Accuracy, Person, Ranking
from fgdemo.values.taxonomy import Taxon, Taxonomy

GROUPS, KINDS, SEED, TIMES = 20, 174, 0, 7
ADA = Person("ada", "maintainer")
NOW = "2026-01-01T00:00:00+00:00"


class RankedOnce:
    """A learner that follows the roster and always says the same."""

    def __init__(self, roster: Roster, ranking: Ranking) -> None:
        self._roster, self._ranking = roster, ranking

    def catch_up(self) -> None:
        self._roster.follow()

    def ranking(self) -> Ranking:
        return self._ranking

    def accuracy(self) -> Accuracy:
        return Accuracy(0.8, 0.79, 0.81, 1000, "val")

    def similarity_order(self, images: tuple[str, ...]) -> tuple[str, ...]:
        return images


def generated(folder: Path, n: int) -> tuple[Review, int]:
    """A workspace of `n` labelled pictures, and how many have second opinions."""
    generator = np.random.default_rng(SEED)
    taxa = [Taxon(f"group_{at}", f"Group {at}") for at in range(GROUPS)]
    taxa += [Taxon(f"kind_{at}", f"Kind {at}", f"group_{at % GROUPS}") for at in range(KINDS)]
    taxonomy = Taxonomy(tuple(taxa))
    engine = open_database(f"sqlite:///{folder / 'fgdemo.sqlite'}")
    register_taxa(engine, taxonomy)
    given = generator.integers(0, KINDS, n)
    wrong = generator.random(n) < 1 / 6
    akin = (given + GROUPS * generator.integers(1, 8, n)) % KINDS
    suggested = np.where(wrong, akin, given)
    ids = [hashlib.sha256(str(row).encode()).hexdigest() for row in range(n)]
    split = np.array(["train", "val", "gold"])[np.searchsorted([0.8, 0.9], generator.random(n))]
    events = [_event(ids[row], "import", "import", int(given[row])) for row in range(n)]
    checked = np.flatnonzero((np.arange(n) % 20 == 0) & (split != "gold"))
    events += [
        _event(ids[row], "label", ("ada", "bo")[row % 40 > 0], int(suggested[row]), shown=row + 1, seconds=1.5)
        for row in checked.tolist()
    ]
    seconded = checked[::5]
    events += [
        _event(ids[row], "label", "cy", int((given, suggested)[row % 3 > 0][row]), blind=True)
        for row in seconded.tolist()
    ]
    with writing(engine) as connection:
        rows = [
            {
                "id": ids[row],
                "width_px": 200,
                "height_px": 200,
                "source": "import",
                "split": str(split[row]),
                "name": f"{row}.jpg",
                "created_at": NOW,
                "imported_in": "1",
            }
            for row in range(n)
        ]
        connection.execute(image_table.insert(), rows)
        connection.execute(label_event_table.insert(), events)
    roster = Roster(engine)
    roster.follow()
    learner = RankedOnce(roster, _ranking(given, suggested, split, generator))
    return Review(engine, roster, learner, TaxonStore(engine)), len(seconded)  # type: ignore[arg-type]


def _event(
    image: str,
    kind: str,
    annotator: str,
    taxon: int,
    shown: int | None = None,
    blind: bool = False,
    seconds: float | None = None,
) -> dict:
    return {
        "image": image,
        "kind": kind,
        "annotator": annotator,
        "taxon": f"kind_{taxon}",
        "shown_version": shown,
        "created_at": NOW,
        "blind": blind,
        "reason": "second" if blind else None,
        "seconds_spent": seconds,
    }


def _ranking(given: np.ndarray, suggested: np.ndarray, split: np.ndarray, generator: np.random.Generator) -> Ranking:
    n = len(given)
    confusion, val_confusion = np.zeros((KINDS, KINDS), np.int32), np.zeros((KINDS, KINDS), np.int32)
    for part, table in (("train", confusion), ("val", val_confusion)):
        np.add.at(table, (given[split == part], suggested[split == part]), 1)
    doubt = np.where(given == suggested, 0.4, 0.6) + 0.4 * (generator.random(n) - 0.5)
    prob = np.full(n, 0.7, np.float32)
    return Ranking(
        tuple(f"kind_{at}" for at in range(KINDS)),
        doubt.astype(np.float32),
        suggested.astype(np.int32),
        prob,
        (1 - doubt).astype(np.float32),
        ((suggested + GROUPS) % KINDS).astype(np.int32),
        prob,
        {},
        confusion,
        val_confusion,
        n,
    )


def median_ms(act: Callable[[], object], times: int = TIMES) -> float:
    took = []
    for _ in range(times):
        began = time.perf_counter()
        act()
        took.append(time.perf_counter() - began)
    return round(1000 * float(np.median(took)), 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=100_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print("generating the workspace", file=sys.stderr)
        review, seconds = generated(Path(folder), arguments.pictures)
        first = review.grid(ADA, Filter(), limit=120)
        grouped = Filter(given="group_3", state="suspect")
        figures = {
            "overview_ms": median_ms(lambda: review.overview(ADA)),
            "kinds_ms": median_ms(lambda: review.kinds(ADA)),
            "matrix_ms": median_ms(lambda: review.matrix(ADA)),
            "kind_ms": median_ms(lambda: review.kind(ADA, "kind_7")),
            "pair_ms": median_ms(lambda: review.pair(ADA, "kind_7", "kind_27")),
            "annotators_ms": median_ms(lambda: review.annotators(ADA)),
            "grid_ms": median_ms(lambda: review.grid(ADA, Filter(), limit=120)),
            "grid_filtered_ms": median_ms(lambda: review.grid(ADA, grouped, limit=120)),
            "next_page_ms": median_ms(lambda: review.grid(ADA, Filter(), first.view, 120, 120)),
        }
        answered, undone = [], []
        for turn in range(TIMES):
            tiles = review.grid(ADA, Filter(split="train", state="unchecked"), limit=200).tiles
            items = [Shown(tile.image, tile.version) for tile in tiles]
            began = time.perf_counter()
            batch, _ = review.answer(ADA, items, "confirm", None, str(turn))
            answered.append(time.perf_counter() - began)
            began = time.perf_counter()
            review.undo(ADA, batch)
            undone.append(time.perf_counter() - began)
        figures["answer_ms"], figures["undo_ms"] = (round(1000 * float(np.median(x)), 1) for x in (answered, undone))
        figures["table_s"] = round(median_ms(lambda: sum(map(len, review.table(ADA))), 3) / 1000, 2)
    print(json.dumps({**figures, "pictures": arguments.pictures, "second_opinions": seconds}))


if __name__ == "__main__":
    main()
