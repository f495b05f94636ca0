"""How accuracy rises with the number of checks, for different orders of asking.

    python benchmarks/correction_study.py [--data DIR] [--seeds 0 1 2] [--checks N] [--plot OUT.svg] [--finetune WHAT]

Real pictures (`../shared/data/birds100`), frozen ImageNet features, 15 % of the training labels flipped to the most
confused rival of their class, as in label_errors.py. Whatever the order, an expert answers through a real log and the
live head of the Label page learns; it is asked for its accuracy on `val`. Orders, ranked again after every ten answers:

  suspicion  the Label page's own
  margin     leave-one-out margin of the ridge head, least first
  typical    typical of groups nobody has checked (TypiClust, Hacohen et al. 2022)
  random

Then all layers are trained (`--preset`) on the labels as planted and as corrected in our order; `--finetune` names
which of the two, or neither.
Prints one JSON line last:

  accuracy   {order: {checks: [one a seed]}}; 0 checks are the planted labels
  found      {order: [wrong labels found, one a seed]} of `errors`, after all checks
  area       {order: mean accuracy over the checks, [mean, low, high] over the seeds}
  finetuned  {"planted" or "corrected": [top-1 on `val`, one a seed]}
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from label_errors import SHARE, SHARED, WEIGHTS, Photographs, Session, most_confused, say

from fgdemo.learn.live.acquisition import typical
from fgdemo.learn.measure.plots import Axis, Line, line_plot, percent_axis, standalone
from fgdemo.model.head import RidgeHead
from fgdemo.statistics.bootstrap import mean_interval

EVERY, POINTS = 10, 10
Ranker = Callable[[Session, np.ndarray, np.ndarray], np.ndarray]
"""(session, labels now, checked) → rows of the training pictures, to be asked in this order."""


def rankers(photographs: Photographs, seed: int) -> dict[str, Ranker]:
    shuffled = np.random.default_rng(1000 + seed).permutation(len(photographs.train_labels))

    def by_suspicion(session: Session, now: np.ndarray, checked: np.ndarray) -> np.ndarray:
        place = {image: row for row, image in enumerate(session.images)}
        ranking = session.learner.refresh()
        return np.array([place[session.roster.image_ids[row]] for row in ranking.orders["suspicion"]])

    def by_margin(session: Session, now: np.ndarray, checked: np.ndarray) -> np.ndarray:
        head = RidgeHead.fit(photographs.train, now, len(photographs.classes))
        logits, rows = head.leave_one_out(photographs.train, now), np.arange(len(now))
        own = logits[rows, now].copy()
        logits[rows, now] = -np.inf
        return np.argsort(own - logits.max(1), kind="stable")

    return {
        "suspicion": by_suspicion,
        "margin": by_margin,
        "typical": lambda session, now, checked: typical(photographs.train, checked, seed),
        "random": lambda session, now, checked: shuffled,
    }


def work_through(
    photographs: Photographs, given: np.ndarray, rank: Ranker, checks: int
) -> tuple[dict[int, float], np.ndarray]:
    """(accuracy by checks, labels at the end)."""
    truth, now, checked = photographs.train_labels, given.copy(), np.zeros(len(given), bool)
    wanted = {round(checks * step / POINTS) for step in range(POINTS + 1)}
    curve: dict[int, float] = {}
    with tempfile.TemporaryDirectory() as home:
        session = Session(Path(home), photographs, given)
        session.learner.catch_up()
        order: list[int] = []
        for done in range(checks + 1):
            if done in wanted:
                curve[done] = session.accuracy()
            if done == checks:
                break
            if done % EVERY == 0:
                order = [row for row in rank(session, now, checked).tolist() if not checked[row]]
            row = order.pop(0)
            session.check(row, int(truth[row]))
            now[row], checked[row] = truth[row], True
        session.close()
    return curve, now


def train_on(folder: Path, labels: np.ndarray, classes: Sequence[str], preset: Any, seed: int) -> float:
    """Top-1 on val of all layers trained on these labels of the train pictures, from the frozen start."""
    from fgdemo.learn.data.pictures import decode_all
    from fgdemo.learn.study.tuned import finetuned
    from fgdemo.model.backbone import start_backbone
    from fgdemo.storage.formats.sources import read_source

    backbone, config = start_backbone(
        "mobilenetv2_100",
        weights=str(WEIGHTS),
        options={"pad_type": "same", "output_stride": 16},
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5),
    )
    pictures = decode_all(read_source(folder).pictures, config)
    train = pictures.where("train")
    truth = np.searchsorted(classes, np.array(pictures.labels))
    given = truth.copy()
    given[train] = labels
    pictures = replace(pictures, labels=tuple(classes[index] for index in given))
    with tempfile.TemporaryDirectory() as beside:
        run_file = Path(beside) / "run_file"
        _, scores = finetuned(backbone, config, pictures, classes, preset, run_file=run_file, seed=seed)
    test = np.array(pictures.splits) != "train"
    return float((scores.argmax(1) == truth[test]).mean())


def drawn(curves: dict[str, list[dict[int, float]]]) -> str:
    """The mean curve of each order as SVG."""
    lines, low, high = [], 1.0, 0.0
    for name, rows in curves.items():
        checks = sorted(rows[0])
        points = [(float(done), float(np.mean([row[done] for row in rows]))) for done in checks]
        low, high = min(low, *(y for _, y in points)), max(high, *(y for _, y in points))
        lines.append(Line(name, points))
    ticks = [(float(done), str(done)) for done in sorted(curves["random"][0])]
    axis = Axis("checked labels", ticks[0][0], ticks[-1][0], ticks)
    return standalone(line_plot(lines, axis, percent_axis("top-1 on val", low, high), "Accuracy against checks", 640))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=SHARED / "birds100", help="train and val folders of class folders")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--checks", type=int, help="default: as many as there are errors, the fewest of any seed")
    parser.add_argument("--cache", type=Path, metavar="NPZ", help="keep the embeddings here, and take them from here")
    parser.add_argument("--plot", type=Path, metavar="OUT.svg")
    parser.add_argument("--finetune", nargs="*", choices=("planted", "corrected"), default=["planted", "corrected"])
    parser.add_argument("--preset", choices=("quick", "standard", "thorough"), default="quick")
    options = parser.parse_args()
    photographs = Photographs.of(options.data, options.cache)
    truth = photographs.train_labels
    curves: dict[str, list[dict[int, float]]] = {}
    found: dict[str, list[int]] = {}
    tuned: dict[str, list[float]] = {}
    planted = [np.random.default_rng(seed).random(len(truth)) < SHARE for seed in options.seeds]
    errors = [int(wrong.sum()) for wrong in planted]
    checks = min(options.checks or min(errors), len(truth))
    for seed, wrong in zip(options.seeds, planted, strict=True):
        given = np.where(wrong, most_confused(photographs)[truth], truth)
        for name, rank in rankers(photographs, seed).items():
            curve, labels = work_through(photographs, given, rank, checks)
            curves.setdefault(name, []).append(curve)
            found.setdefault(name, []).append(int((wrong & (labels == truth)).sum()))
            gain = f"top-1 {curve[0]:.3f} → {curve[checks]:.3f}"
            say(f"seed {seed}, {name}: {found[name][-1]} of {int(wrong.sum())} found, {gain}")
            if name == "suspicion":
                for what in options.finetune:
                    these = {"planted": given, "corrected": labels}[what]
                    top1 = train_on(options.data, these, photographs.classes, options.preset, seed)
                    tuned.setdefault(what, []).append(round(top1, 4))
                    say(f"seed {seed}: all layers trained on the {what} labels, top-1 {top1:.3f}")
    if options.plot:
        options.plot.write_text(drawn(curves), encoding="utf-8")
    by_checks = {
        name: {str(step): [round(row[step], 4) for row in rows] for step in sorted(rows[0])}
        for name, rows in curves.items()
    }
    areas = {
        name: [round(value, 4) for value in mean_interval(np.array([np.mean(list(row.values())) for row in rows]))]
        for name, rows in curves.items()
    }
    print(
        json.dumps(
            {
                "accuracy": by_checks,
                "found": found,
                "area": areas,
                "errors": errors,
                "finetuned": tuned,
                "data": options.data.name,
                "seeds": options.seeds,
            }
        )
    )


if __name__ == "__main__":
    main()
