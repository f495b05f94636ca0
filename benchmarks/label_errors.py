"""How many wrong labels are found when the number of checks equals the number of errors.

Real pictures (`../shared/data/birds100`), frozen ImageNet features (MobileNetV2, `output_stride=16` as the bundled
model has it). Of the training labels 15 % are flipped to the most confused rival of their class, by seed. Orders:

  ours       the Label page's own: the real `LiveLearner` over a real log, ranked again after every answer
  cleanlab   its label quality (normalised margin) on 5-fold cross-validated logistic regression over the same
             features at unit length: of the settings tried on another seed the ones that find most
  margin     leave-one-out margin of the ridge head, once
  random

Prints one JSON line last, with {order: [one a seed]} each for

  found      wrong labels among the first checks; `errors` is how many there are, and how many checks
  seconds    one ranking (ours: median of all)
  accuracy   top-1 on `val` of the LiveLearner's head fitted to the labels after those checks; `before` them, and with
  all
             labels `right`

and `curve`, {checks: [one a seed]}: the same accuracy while our order is worked through.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from cleanlab.rank import get_label_quality_scores
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from fgdemo.learn.data.embed import embed
from fgdemo.learn.data.pictures import decode_all
from fgdemo.learn.live.live_learner import LiveLearner
from fgdemo.model.backbone import start_backbone
from fgdemo.model.head import RidgeHead
from fgdemo.storage.database.database import open_database, register_taxa
from fgdemo.storage.embeddings.embeddings import Embeddings, Looks, LooksShape
from fgdemo.storage.formats.sources import read_source
from fgdemo.storage.history.events import EventLog, LabelEvent, NewPicture
from fgdemo.storage.history.roster import Roster
from fgdemo.storage.pictures.originals import ImageStore, image_id_of
from fgdemo.values.taxonomy import Taxonomy

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
WEIGHTS = SHARED / "weights" / "mobilenetv2_100_tf2_ptq_in1k.pth"
SHARE = 0.15
CURVE = (0, 50, 100, 200, 400)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Photographs:
    """(N, D) embeddings with class indices (N,) of the training pictures, and the same of val."""

    classes: tuple[str, ...]
    train: np.ndarray
    train_labels: np.ndarray
    val: np.ndarray
    val_labels: np.ndarray

    @classmethod
    def of(cls, folder: Path, cache: Path | None) -> Photographs:
        if cache is not None and cache.exists():
            kept = np.load(cache)
            embeddings, labels, splits = kept["embeddings"], kept["labels"], kept["splits"]
        else:
            backbone, config = start_backbone(
                "mobilenetv2_100",
                weights=str(WEIGHTS),
                options={"pad_type": "same", "output_stride": 16},
                mean=(0.5, 0.5, 0.5),
                std=(0.5, 0.5, 0.5),
            )
            pictures = decode_all(read_source(folder).pictures, config)
            say(f"{len(pictures.names)} pictures are looked at …")
            embeddings = embed(backbone, pictures.pixels, config)
            labels, splits = np.array(pictures.labels), np.array(pictures.splits)
            if cache is not None:
                np.savez(cache, embeddings=embeddings, labels=labels, splits=splits)
        classes, index = np.unique(labels, return_inverse=True)
        train, val = splits == "train", splits == "val"
        return cls(tuple(classes.tolist()), embeddings[train], index[train], embeddings[val], index[val])


def most_confused(photographs: Photographs) -> np.ndarray:
    """(C,) the class that each is most often taken for by leave-one-out; of equal ones the one with more votes."""
    labels, n = photographs.train_labels, len(photographs.classes)
    logits = RidgeHead.fit(photographs.train, labels, n).leave_one_out(photographs.train, labels)
    counts, votes = np.zeros((n, n)), np.zeros((n, n))
    np.add.at(counts, (labels, logits.argmax(1)), 1)
    np.add.at(votes, labels, logits)
    votes /= np.bincount(labels, minlength=n)[:, None]
    np.fill_diagonal(counts, -1)
    return (counts + 1e-3 * votes).argmax(1)


def by_margin(photographs: Photographs, given: np.ndarray) -> np.ndarray:
    logits = RidgeHead.fit(photographs.train, given, len(photographs.classes)).leave_one_out(photographs.train, given)
    rows = np.arange(len(given))
    own = logits[rows, given].copy()
    logits[rows, given] = -np.inf
    return np.argsort(own - logits.max(1), kind="stable")


def by_cleanlab(photographs: Photographs, given: np.ndarray, seed: int) -> np.ndarray:
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    unit = photographs.train / np.linalg.norm(photographs.train, axis=1, keepdims=True)
    model = LogisticRegression(C=10, max_iter=300)
    probs = np.asarray(cross_val_predict(model, unit, given, cv=folds, method="predict_proba"))
    return np.argsort(get_label_quality_scores(given, probs, method="normalized_margin"), kind="stable")


class Session:
    """A workspace in a folder with these labels as imported, and the learner of its Label page."""

    def __init__(self, home: Path, photographs: Photographs, given: np.ndarray) -> None:
        self._photographs = photographs
        taxonomy = Taxonomy.flat(photographs.classes)
        self.taxa = taxonomy.leaves
        engine = open_database(f"sqlite:///{home / 'fgdemo.sqlite'}")
        register_taxa(engine, taxonomy)
        self.events, roster, images = EventLog(engine), Roster(engine), ImageStore(home / "pictures")
        dim = photographs.train.shape[1]
        embeddings = Embeddings(home / "embeddings", "frozen", LooksShape(dim, (1, 1), 1, 1))
        entries = [
            (
                LabelEvent(image_id_of(str(n).encode()), "import", "import", taxon=self.taxa[label]),
                NewPicture(str(n).encode(), 224, 224, "import", "train", str(n)),
            )
            for n, label in enumerate(given)
        ]
        self.images = [event.image for event in self.events.append_many(entries, images)]
        n = len(given)
        embeddings.append(self.images, Looks(photographs.train, np.zeros((n, 1, 1)), np.zeros((n, 1, 1, 1))))
        prior = RidgeHead.fit(photographs.train, given, len(self.taxa))
        nothing = RidgeHead(prior.mean, prior.scale, 0 * prior.gram, 0 * prior.moment, 0 * prior.counts, prior.penalty)
        self.learner = LiveLearner(nothing, self.taxa, 1.0, roster, embeddings, lambda: taxonomy)
        self.roster, self._engine = roster, engine

    def check(self, n: int, label: int) -> None:
        """An expert says what picture n shows."""
        version = self.roster.standing(self.images[n]).version
        said = LabelEvent(self.images[n], "label", "expert", taxon=self.taxa[label], shown_version=version)
        self.events.answer(said)
        self.learner.catch_up()

    def accuracy(self) -> float:
        weight, bias, taxa = self.learner.weights_now()
        classes = np.array([self.taxa.index(taxon) for taxon in taxa])
        answers = classes[(self._photographs.val @ weight + bias).argmax(1)]
        return float((answers == self._photographs.val_labels).mean())

    def close(self) -> None:
        self._engine.dispose()


def accuracy_of(photographs: Photographs, labels: np.ndarray) -> float:
    with tempfile.TemporaryDirectory() as home:
        session = Session(Path(home), photographs, labels)
        session.learner.catch_up()
        accuracy = session.accuracy()
        session.close()
    return accuracy


def work_through(photographs: Photographs, given: np.ndarray) -> tuple[int, float, dict[int, float]]:
    """(found, seconds a ranking, accuracy by checks) of a whole session in our order."""
    truth = photographs.train_labels
    checks = int((given != truth).sum())
    found, seconds, curve = 0, [], {}
    with tempfile.TemporaryDirectory() as home:
        session = Session(Path(home), photographs, given)
        for done in range(checks + 1):
            began = time.perf_counter()
            ranking = session.learner.refresh()
            seconds.append(time.perf_counter() - began)
            if done in CURVE or done == checks:
                curve[done] = session.accuracy()
            if done < checks:
                row = int(ranking.orders["suspicion"][0])
                n = session.images.index(session.roster.image_ids[row])
                found += int(given[n] != truth[n])
                session.check(n, int(truth[n]))
        session.close()
    return found, float(np.median(seconds)), curve


def one_seed(photographs: Photographs, seed: int, result: dict[str, dict[str, list[float]]]) -> None:
    truth = photographs.train_labels
    wrong = np.random.default_rng(seed).random(len(truth)) < SHARE
    given = np.where(wrong, most_confused(photographs)[truth], truth)
    checks = int(wrong.sum())

    def note(kind: str, name: str, value: float) -> None:
        result[kind].setdefault(name, []).append(round(value, 4))

    note("errors", "all", checks)
    found, seconds, curve = work_through(photographs, given)
    note("found", "ours", found)
    note("seconds", "ours", seconds)
    for done, accuracy in curve.items():
        note("curve", "all" if done == checks else str(done), accuracy)
    note("accuracy", "before", curve[0])
    note("accuracy", "ours", curve[checks])
    orders = {
        "cleanlab": lambda: by_cleanlab(photographs, given, seed),
        "margin": lambda: by_margin(photographs, given),
        "random": lambda: np.random.default_rng(1000 + seed).permutation(len(given)),
    }
    for name, order_of in orders.items():
        began = time.perf_counter()
        first = order_of()[:checks]
        note("seconds", name, time.perf_counter() - began)
        note("found", name, int(wrong[first].sum()))
        corrected = given.copy()
        corrected[first] = truth[first]
        note("accuracy", name, accuracy_of(photographs, corrected))
    note("accuracy", "right", accuracy_of(photographs, truth))
    say(f"seed {seed}: " + json.dumps({kind: {k: v[-1] for k, v in rows.items()} for kind, rows in result.items()}))


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=SHARED / "birds100", help="train and val folders of class folders")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--cache", type=Path, metavar="NPZ", help="keep the embeddings here, and take them from here")
    arguments = parser.parse_args(argv)
    photographs = Photographs.of(arguments.data, arguments.cache)
    result: dict[str, dict[str, list[float]]] = {
        "errors": {},
        "found": {},
        "seconds": {},
        "accuracy": {},
        "curve": {},
    }
    for seed in arguments.seeds:
        one_seed(photographs, seed, result)
    mean = {name: float(np.mean(counts)) for name, counts in result["found"].items()}
    spent = {name: float(np.mean(times)) for name, times in result["seconds"].items()}
    print(
        json.dumps(
            {
                **{key: result[key] for key in ("found", "seconds", "accuracy", "curve")},
                "errors": result["errors"]["all"],
                "found_over_cleanlab": round(mean["ours"] / mean["cleanlab"], 3),
                "cleanlab_seconds_over_ours": round(spent["cleanlab"] / spent["ours"]),
                "data": arguments.data.name,
                "seeds": arguments.seeds,
            }
        )
    )


if __name__ == "__main__":
    main()
