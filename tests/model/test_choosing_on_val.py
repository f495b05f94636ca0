"""The λ and the readout that val pictures choose, and what they must not choose."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fgdemo.learn.candidate.blend import choose_on_val
from fgdemo.model.calibration import fit_temperature, softmax
from fgdemo.model.head import RidgeHead

DIM, KINDS, EACH = 24, 8, 12


def drawn(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Pictures of eight kinds, of which the last four are tight and far out, as features are that were trained on."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(KINDS), EACH)
    middles = np.random.default_rng(0).normal(size=(KINDS, DIM))
    trained = labels >= KINDS // 2
    spread = np.where(trained, 0.6, 1.3)[:, None]
    return (
        middles[labels] * np.where(trained, 1.5, 1.0)[:, None] + spread * rng.normal(size=(len(labels), DIM))
    ), labels


def right(head: RidgeHead, embeddings: np.ndarray, labels: np.ndarray) -> float:
    weight, bias = head.linear()
    return float(((embeddings @ weight + bias).argmax(1) == labels).mean())


@pytest.fixture
def head() -> RidgeHead:
    embeddings, labels = drawn(1)
    return RidgeHead.fit(embeddings, labels, KINDS)


def test_kinds_that_val_never_shows_are_not_given_away(head: RidgeHead) -> None:
    embeddings, labels = drawn(2)
    shown = np.flatnonzero(labels >= KINDS // 2)
    chosen = choose_on_val(head, embeddings, labels, shown).head
    assert chosen.readout == "discriminant"
    others = labels < KINDS // 2
    leaning = replace(chosen, readout="ridge")
    test, kinds = drawn(3)
    assert right(chosen, test[others], kinds[others]) > right(leaning, test[others], kinds[others]) + 0.05


def test_where_val_shows_every_kind_the_least_brier_score_chooses(head: RidgeHead) -> None:
    embeddings, labels = drawn(2)
    chosen = choose_on_val(head, embeddings, labels, np.arange(len(labels)))
    for other in (head, *(replace(one, readout="discriminant") for one in head.path())):
        weight, bias = other.linear()
        logits = embeddings @ weight + bias
        errors = softmax(logits / fit_temperature(logits, labels)) - np.eye(KINDS)[labels]
        assert chosen.brier <= (errors**2).sum(1).mean() + 1e-9  # every kind has as many pictures
    assert chosen.top1 == pytest.approx(right(chosen.head, embeddings, labels))


def test_a_kind_that_has_not_been_seen_need_not_be_shown(head: RidgeHead) -> None:
    embeddings, labels = drawn(2)
    wider = replace(head, moment=np.pad(head.moment, ((0, 0), (0, 1))), counts=np.append(head.counts, 0.0))
    everything = np.arange(len(labels))
    one, other = (choose_on_val(some, embeddings, labels, everything) for some in (head, wider))
    assert one.head.readout == other.head.readout
