"""Ways to learn kinds that come session by session, of which only the newest pictures are at hand.

Each is a generator over the sessions of a course that yields what it has learned after each.
"""

from __future__ import annotations

import copy
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from plain import train_plainly
from torch import nn
from torch.nn import functional

from fgdemo.learn.candidate.candidate import train_candidate
from fgdemo.learn.candidate.fit import fit_classifier
from fgdemo.learn.data.corpus import Corpus
from fgdemo.learn.data.embed import embed
from fgdemo.learn.data.pictures import Pictures
from fgdemo.learn.train.recipe import Recipe
from fgdemo.learn.train.rehearsal import choose_memory
from fgdemo.model.backbone import Backbone, DataConfig
from fgdemo.model.classifier import Classifier
from fgdemo.model.drift import with_columns
from fgdemo.model.head import RidgeHead
from fgdemo.values.taxonomy import Taxonomy

REMINDED_LR = 1e-3

Linear = tuple[np.ndarray, np.ndarray]
"""(D, C) weights and (C,) bias."""


@dataclass(frozen=True)
class Session:
    """Pictures whose splits are train, val (to choose by) and test, with their class indices over all sessions."""

    pictures: Pictures
    class_index: np.ndarray

    def rows(self, *splits: str) -> np.ndarray:
        return np.flatnonzero(np.isin(self.pictures.splits, splits))


@dataclass(frozen=True)
class Course:
    """What all methods are given."""

    sessions: Sequence[Session]
    classes: Sequence[str]
    start: Backbone
    config: DataConfig
    recipe: Recipe
    device: str

    def seen(self, number: int) -> int:
        """How many kinds there are up to a session."""
        return int(max(session.class_index.max() for session in self.sessions[: number + 1])) + 1


@dataclass(frozen=True)
class Learned:
    """What a method knows after a session.

    Attributes:
        linear: over the kinds seen so far at least; those to come are never asked.
        reminded: the same after some pictures more, of (N, D) embeddings and (N,) class indices; the network stays.
    """

    backbone: Backbone
    linear: Linear
    reminded: Callable[[np.ndarray, np.ndarray], Linear]


Method = Callable[[Course], Iterator[Learned]]


def ridge(course: Course) -> Iterator[Learned]:
    """Frozen features; the sums grow."""
    head = None
    for number, session in enumerate(course.sessions):
        rows, classes = session.rows("train", "val"), course.seen(number)
        embeddings = embed(course.start, session.pictures.pixels[rows], course.config)
        labels = session.class_index[rows]
        if head is None:
            head = RidgeHead.fit(embeddings, labels, classes)
        else:
            head = added(with_columns(head, np.arange(len(head.counts)), classes), embeddings, labels)
        yield Learned(course.start, head.linear(), partial(reminded_sums, head))


def ours(course: Course, memory_each: int) -> Iterator[Learned]:
    """The product's own training, with a memory of so many pictures a kind, a fifth of them to choose by."""
    live: Classifier | None = None
    memory: list[tuple[Session, np.ndarray]] = []
    for number, session in enumerate(course.sessions):
        taxonomy = Taxonomy.flat(course.classes[: course.seen(number)])
        if live is None:
            rows = session.rows("train")
            live = fit_classifier(
                copy.deepcopy(course.start),
                course.config,
                joined([(session, rows)]),
                session.class_index[rows],
                taxonomy,
                name="session 0",
                trained=False,
            ).classifier
        pieces = [*memory, (session, session.rows("train", "val"))]
        labels = np.concatenate([one.class_index[rows] for one, rows in pieces])
        corpus = Corpus(joined(pieces), labels, np.zeros(len(labels), bool), taxonomy)
        with tempfile.TemporaryDirectory() as folder:
            live = train_candidate(
                live,
                corpus,
                course.recipe,
                name=f"session {number + 1}",
                run_file=Path(folder) / "run_file.pt",
                device=course.device,
            )
        print(f"  blend {live.card['blend']}", file=sys.stderr, flush=True)
        memory += kept(live, session, memory_each, course.config)
        yield Learned(live.backbone, live.head.linear(), partial(reminded_sums, live.head))


def kept(live: Classifier, session: Session, each: int, config: DataConfig) -> list[tuple[Session, np.ndarray]]:
    """Of the pictures of a session so many a kind, a fifth of them of those to choose by."""
    if not each:
        return []
    # Not leave-one-out, for which all that the head has learned would have to be at hand.
    embeddings = embed(live.backbone, session.pictures.pixels, config)
    weight, bias = live.head.linear()
    kinds, held = len(np.unique(session.class_index)), each // 5
    return [
        (
            session,
            choose_memory(
                embeddings, session.class_index, embeddings @ weight + bias, session.rows(split), count * kinds
            ),
        )
        for split, count in (("train", each - held), ("val", held))
        if count
    ]


def naive(course: Course) -> Iterator[Learned]:
    """All layers and a new linear classifier, on the newest pictures only.

    New each time: one that is sure of kinds that no longer come starts at a loss of 16, whose gradients left the
    network no features at all (a ninth of their spread, and 0.02 right of the newest kinds).
    """
    backbone, recipe = copy.deepcopy(course.start), course.recipe
    for session in course.sessions:
        rows = session.rows("train", "val")
        linear = train_plainly(
            backbone,
            course.config,
            session.pictures.pixels[rows],
            session.class_index[rows],
            len(course.classes),
            epochs=recipe.epochs,
            side_px=recipe.train_px,
            seed=recipe.seed,
            device=course.device,
        )
        yield Learned(backbone, as_arrays(linear), partial(reminded_linear, linear))


def added(head: RidgeHead, embeddings: np.ndarray, labels: np.ndarray) -> RidgeHead:
    """The head with some pictures more, λ the same share of its sums."""
    return head.with_pictures(embeddings, labels).with_penalty_share(head.penalty_share)


def reminded_sums(head: RidgeHead, embeddings: np.ndarray, labels: np.ndarray) -> Linear:
    return added(head, embeddings, labels).linear()


def reminded_linear(linear: nn.Linear, embeddings: np.ndarray, labels: np.ndarray) -> Linear:
    linear = copy.deepcopy(linear).requires_grad_(True)
    optimizer = torch.optim.AdamW(linear.parameters(), lr=REMINDED_LR)
    seen, wanted = torch.from_numpy(embeddings), torch.from_numpy(labels)
    for _ in range(100):
        optimizer.zero_grad()
        functional.cross_entropy(linear(seen), wanted).backward()
        optimizer.step()
    return as_arrays(linear)


def as_arrays(linear: nn.Linear) -> Linear:
    return linear.weight.detach().numpy().T, linear.bias.detach().numpy()


def joined(pieces: Sequence[tuple[Session, np.ndarray]]) -> Pictures:
    return Pictures(
        pixels=np.concatenate([session.pictures.pixels[rows] for session, rows in pieces]),
        names=tuple(session.pictures.names[row] for session, rows in pieces for row in rows),
        labels=tuple(session.pictures.labels[row] for session, rows in pieces for row in rows),
        splits=tuple(session.pictures.splits[row] for session, rows in pieces for row in rows),
        skipped=(),
        keys=np.concatenate([session.pictures.keys[rows] for session, rows in pieces]),
    )
