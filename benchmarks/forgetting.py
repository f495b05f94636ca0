"""What is left of birds when dogs have been learned: three sessions, of which only the newest pictures are at hand.

Sessions: the first 50 kinds of ../shared/data/birds100, the other 50, then dogs64; start weights from ImageNet. After
each session a fifth of its training pictures are held out to choose by; the `val` pictures are never trained on and
are what is measured. Methods:

  ours         `train_candidate` from the classifier before: soft labels of it, a memory of `--memory` pictures a kind
               (a fifth of them to choose by), the sums of all other pictures carried to the new features, blend
  ours_bare    the same without memory and soft labels: the sums carried and the blend alone
  naive        the network and a new linear classifier trained on the newest pictures, as a plain script does
  ridge        frozen features and the closed-form head, which adds every session to its sums

Prints one JSON line last, {method: value} each:

  final_accuracy   mean over the sessions, after the last, of top-1 among all kinds seen; high is good
  forgetting       mean over the earlier sessions of their best accuracy less the last one (Chaudhry 2018); low is good
  auac             area under the error in % after 0, 1, 2, 5, 10 pictures a kind seen again, their number scaled to
                   [0, 1] (Inamdar 2026); low is good. The head learns them, the network stays
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import torch
from plain import train_plainly
from torch.nn import functional

from fgdemo.learn.candidate import train_candidate
from fgdemo.learn.continual import SHOTS, auac, forgetting
from fgdemo.learn.corpus import Corpus
from fgdemo.learn.drift import with_columns
from fgdemo.learn.embed import embed
from fgdemo.learn.fit import fit_classifier
from fgdemo.learn.pictures import Pictures, decode_all
from fgdemo.learn.recipe import Recipe
from fgdemo.learn.replay import choose_memory
from fgdemo.model.backbone import Backbone, DataConfig, start_backbone
from fgdemo.model.classifier import Classifier
from fgdemo.model.head import RidgeHead
from fgdemo.storage.sources import read_source
from fgdemo.taxonomy import Taxonomy

REMINDED_LR = 1e-3
SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@dataclass(frozen=True)
class Session:
    """Pictures whose splits are train, val (to choose by) and test, with their class indices over all sessions."""

    pictures: Pictures
    class_index: np.ndarray

    def rows(self, *splits: str) -> np.ndarray:
        return np.flatnonzero(np.isin(self.pictures.splits, splits))


class Way(Protocol):
    """One method, session after session."""

    def learn(self, number: int) -> None: ...

    def backbone(self) -> Backbone: ...

    def linear(self) -> tuple[np.ndarray, np.ndarray]:
        """(D, C) and (C,) over the kinds seen so far; those to come are never asked."""
        ...

    def reminded(self, embeddings: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The same after some pictures more."""
        ...


@dataclass(frozen=True)
class Course:
    """What all methods are given."""

    sessions: Sequence[Session]
    classes: Sequence[str]
    start: Backbone
    config: DataConfig
    recipe: Recipe
    memory_each: int
    device: str

    def seen(self, number: int) -> int:
        """How many kinds there are up to a session."""
        return int(max(session.class_index.max() for session in self.sessions[: number + 1])) + 1


class Ridge:
    """Frozen features; the sums grow."""

    def __init__(self, course: Course) -> None:
        self._course, self._head = course, None

    def learn(self, number: int) -> None:
        session = self._course.sessions[number]
        rows, classes = session.rows("train", "val"), self._course.seen(number)
        embeddings = embed(self._course.start, session.pictures.pixels[rows], self._course.config)
        labels = session.class_index[rows]
        if self._head is None:
            self._head = RidgeHead.fit(embeddings, labels, classes)
        else:
            self._head = added(with_columns(self._head, np.arange(len(self._head.counts)), classes), embeddings, labels)

    def backbone(self) -> Backbone:
        return self._course.start

    def linear(self) -> tuple[np.ndarray, np.ndarray]:
        assert self._head is not None
        return self._head.linear()

    def reminded(self, embeddings: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        assert self._head is not None
        return added(self._head, embeddings, labels).linear()


class Ours:
    """The product's own training, with a small memory of what was."""

    def __init__(self, course: Course, recipe: Recipe, memory_each: int) -> None:
        self._course, self._recipe, self._memory_each = course, recipe, memory_each
        self._live: Classifier | None = None
        self._kept: list[tuple[Session, np.ndarray]] = []

    def learn(self, number: int) -> None:
        course, session = self._course, self._course.sessions[number]
        taxonomy = Taxonomy.flat(course.classes[: course.seen(number)])
        if self._live is None:
            rows = session.rows("train")
            pictures = joined([(session, rows)])
            backbone = copy.deepcopy(course.start)
            self._live = fit_classifier(
                backbone, course.config, pictures, session.class_index[rows], taxonomy, name="session 0", trained=False
            ).classifier
        pieces = [*self._kept, (session, session.rows("train", "val"))]
        labels = np.concatenate([one.class_index[rows] for one, rows in pieces])
        corpus = Corpus(joined(pieces), labels, np.zeros(len(labels), bool), taxonomy)
        with tempfile.TemporaryDirectory() as folder:
            self._live = train_candidate(
                self._live, corpus, self._recipe, name=f"session {number + 1}", snapshot=Path(folder) / "snapshot.pt",
                device=course.device,
            )  # fmt: skip
        print(f"  blend {self._live.card['blend']}", file=sys.stderr, flush=True)
        self._keep(session)

    def _keep(self, session: Session) -> None:
        """Of the newest pictures a few stay: a fifth of them to choose by, the rest to train on."""
        assert self._live is not None
        held = self._memory_each // 5
        for split, each in (("train", self._memory_each - held), ("val", held)):
            pool = session.rows(split)
            if not each:
                continue
            # Not leave-one-out, for which all that the head has learned would have to be at hand.
            embeddings = embed(self._live.backbone, session.pictures.pixels, self._course.config)
            weight, bias = self._live.head.linear()
            budget = each * len(np.unique(session.class_index))
            rows = choose_memory(embeddings, session.class_index, embeddings @ weight + bias, pool, budget)
            self._kept.append((session, rows))

    def backbone(self) -> Backbone:
        assert self._live is not None
        return self._live.backbone

    def linear(self) -> tuple[np.ndarray, np.ndarray]:
        assert self._live is not None
        return self._live.head.linear()

    def reminded(self, embeddings: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        assert self._live is not None
        return added(self._live.head, embeddings, labels).linear()


class Naive:
    """All layers and a new linear classifier, on the newest pictures only.

    New each time: one that is sure of kinds that no longer come starts at a loss of 16, whose gradients left the
    network no features at all (a ninth of their spread, and 0.02 right of the newest kinds).
    """

    def __init__(self, course: Course) -> None:
        self._course, self._backbone = course, copy.deepcopy(course.start)

    def learn(self, number: int) -> None:
        course, session = self._course, self._course.sessions[number]
        rows, recipe = session.rows("train", "val"), course.recipe
        self._linear = train_plainly(
            self._backbone, course.config, session.pictures.pixels[rows], session.class_index[rows],
            len(course.classes), epochs=recipe.epochs, side_px=recipe.train_px, seed=recipe.seed, device=course.device,
        )  # fmt: skip

    def backbone(self) -> Backbone:
        return self._backbone

    def linear(self) -> tuple[np.ndarray, np.ndarray]:
        return self._linear.weight.numpy().T, self._linear.bias.numpy()

    def reminded(self, embeddings: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        linear = copy.deepcopy(self._linear).requires_grad_(True)
        optimizer = torch.optim.AdamW(linear.parameters(), lr=REMINDED_LR)
        seen, wanted = torch.from_numpy(embeddings), torch.from_numpy(labels)
        for _ in range(100):
            optimizer.zero_grad()
            functional.cross_entropy(linear(seen), wanted).backward()
            optimizer.step()
        return linear.weight.detach().numpy().T, linear.bias.detach().numpy()


def added(head: RidgeHead, embeddings: np.ndarray, labels: np.ndarray) -> RidgeHead:
    """The head with some pictures more, λ the same share of its sums."""
    return head.with_pictures(embeddings, labels).with_penalty_share(head.penalty_share)


def joined(pieces: Sequence[tuple[Session, np.ndarray]]) -> Pictures:
    return Pictures(
        pixels=np.concatenate([session.pictures.pixels[rows] for session, rows in pieces]),
        names=tuple(session.pictures.names[row] for session, rows in pieces for row in rows),
        labels=tuple(session.pictures.labels[row] for session, rows in pieces for row in rows),
        splits=tuple(session.pictures.splits[row] for session, rows in pieces for row in rows),
        skipped=(),
        keys=np.concatenate([session.pictures.keys[rows] for session, rows in pieces]),
    )


def measure(way: Way, course: Course, seed: int) -> dict[str, float]:
    count = len(course.sessions)
    accuracy = np.zeros((count, count))
    for number in range(count):
        way.learn(number)
        way.backbone().eval()
        for before in range(number + 1):
            session = course.sessions[before]
            test = session.rows("test")
            seen = embed(way.backbone(), session.pictures.pixels[test], course.config)
            accuracy[number, before] = right(seen, session.class_index[test], way.linear(), course.seen(number))
        print(f"  {np.round(accuracy[number], 3).tolist()}", file=sys.stderr, flush=True)
    return {
        "final_accuracy": float(accuracy[-1].mean()),
        "forgetting": forgetting(accuracy),
        "auac": mean_auac(way, course, seed),
    }


def right(seen: np.ndarray, labels: np.ndarray, linear: tuple[np.ndarray, np.ndarray], classes: int) -> float:
    return float(((seen @ linear[0] + linear[1])[:, :classes].argmax(1) == labels).mean())


def mean_auac(way: Way, course: Course, seed: int) -> float:
    """Mean over the sessions; each is reminded of its own training pictures, from the end of the course again."""
    areas, generator, classes = [], np.random.default_rng(seed), len(course.classes)
    for session in course.sessions:
        seen = embed(way.backbone(), session.pictures.pixels, course.config)
        labels, test = session.class_index, session.rows("test")
        order = generator.permutation(session.rows("train"))
        errors = []
        for shots in SHOTS:
            rows = [row for kind in np.unique(labels) for row in order[labels[order] == kind][:shots]]
            linear = way.reminded(seen[rows], labels[rows]) if rows else way.linear()
            errors.append(100 * (1 - right(seen[test], labels[test], linear, classes)))
        areas.append(auac(errors, SHOTS))
    return float(np.mean(areas))


def read_sessions(
    kinds: int | None, each: int | None, config: DataConfig, seed: int
) -> tuple[list[Session], list[str]]:
    """The three sessions; `kinds` of each and `each` training pictures of a kind, or all."""
    sessions, classes = [], []
    for folder, part in (("birds100", slice(0, 50)), ("birds100", slice(50, None)), ("dogs64", slice(None))):
        source, generator = read_source(SHARED / folder), np.random.default_rng(seed)
        names = list(source.labels[part])[:kinds]
        chosen = []
        for name in names:
            train = [p for p in source.pictures if p.label == name and p.split == "train"]
            test = [p for p in source.pictures if p.label == name and p.split == "val"]
            train = [train[i] for i in generator.permutation(len(train))[:each]]
            held = max(1, len(train) // 5)
            chosen += [replace(p, split="val" if i < held else "train") for i, p in enumerate(train)]
            chosen += [replace(p, split="test") for p in test[: None if each is None else max(4, each)]]
        pictures = decode_all(chosen, config)
        index = {name: len(classes) + at for at, name in enumerate(names)}
        classes += names
        sessions.append(Session(pictures, np.array([index[label] for label in pictures.labels])))
    return sessions, classes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--each", type=int, metavar="N", help="training pictures a kind (default: all)")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--size", type=int, default=160, help="side of the training pictures")
    parser.add_argument("--memory", type=int, default=20, help="pictures a kind that ours keeps")
    parser.add_argument("--replay", type=float, default=0.5)
    parser.add_argument("--retention", type=float, default=0.5)
    parser.add_argument("--lr", type=float, default=3e-4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--methods", nargs="+", default=["ours", "ours_bare", "naive", "ridge"])
    parser.add_argument("--small", action="store_true", help="5 kinds a session, 10 pictures a kind, 2 epochs")
    arguments = parser.parse_args()
    kinds = 5 if arguments.small else None
    if arguments.small:
        arguments.each, arguments.epochs, arguments.size, arguments.memory = 10, 2, 96, 5
    torch.manual_seed(arguments.seed)
    backbone, config = start_backbone(
        "mobilenetv2_100", weights=str(SHARED / "weights" / "mobilenetv2_100_tf2_ptq_in1k.pth"),
        size_px=128 if arguments.small else 224, options={"pad_type": "same"}, mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5),
    )  # fmt: skip
    sessions, classes = read_sessions(kinds, arguments.each, config, arguments.seed)
    recipe = Recipe(
        epochs=arguments.epochs, train_px=arguments.size, lr=arguments.lr, seed=arguments.seed,
        retention=arguments.retention, replay=arguments.replay, memory=10**6,
    )  # fmt: skip
    start = backbone.to(arguments.device).eval()
    course = Course(sessions, classes, start, config, recipe, arguments.memory, arguments.device)
    bare = replace(recipe, retention=0.0, replay=0.0)
    ways: dict[str, Any] = {
        "ours": lambda: Ours(course, recipe, arguments.memory),
        "ours_bare": lambda: Ours(course, bare, 0),
        "naive": lambda: Naive(course),
        "ridge": lambda: Ridge(course),
    }
    found: dict[str, dict[str, float]] = {}
    for name in arguments.methods:
        print(name, file=sys.stderr, flush=True)
        found[name] = measure(ways[name](), course, arguments.seed)
    keys = ("final_accuracy", "forgetting", "auac")
    figures = {key: {name: round(values[key], 4) for name, values in found.items()} for key in keys}
    print(json.dumps({**figures, **{k: v for k, v in vars(arguments).items() if k != "methods"}}))


if __name__ == "__main__":
    main()
