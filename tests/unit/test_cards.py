"""A head as a vote of pictures: votes and the rest are the logit, and without a picture is a fit that never saw it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.random import Generator

from fgdemo.values.classification.cards import (
    Pair,
    View,
    Voting,
    chosen,
    crop_of,
    flat,
    pairs,
    part_totals,
    regions,
)
from fgdemo.values.classification.flip import flip
from fgdemo.values.classification.votes import VotingHead
from fgdemo.values.types import CropBox, Part, Reading

DIM, KINDS, GRID = 12, 4, (3, 5)


def fitted(
    vectors: np.ndarray, labels: np.ndarray, weights: np.ndarray, readout: str, classes: int = KINDS
) -> VotingHead:
    """A fit of the sums as they stand: nothing is updated."""
    mean, scale = np.full(DIM, 0.1), 2.0
    phi = np.concatenate([(vectors - mean) / scale, np.ones((len(vectors), 1))], 1)
    gram = phi.T @ (phi * weights[:, None]) + 0.3 * np.eye(DIM + 1)
    moment = (phi * weights[:, None]).T @ np.eye(classes)[labels]
    inverse = np.linalg.inv(gram)
    counts = np.bincount(labels, weights, classes)
    origin = np.linspace(-0.5, 0.5, DIM)
    leaves = tuple(f"k{c}" for c in range(classes))
    return VotingHead(leaves, mean, scale, origin, inverse, inverse @ moment, moment, counts, 0.7, readout)  # type: ignore[arg-type]


def drawn(rng: Generator, n: int = 30) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    labels = np.arange(n) % KINDS
    return rng.normal(size=(n, DIM)) + np.eye(KINDS, DIM)[labels], labels, rng.uniform(0.5, 3.0, n)


def scratch(head: VotingHead, x: np.ndarray) -> np.ndarray:
    """The logits by the definitions, without Woodbury."""
    phi = head.features(x[None])[0]
    if head.readout == "ridge":
        return phi @ head.solution / head.temperature
    within = np.linalg.inv(head.inverse) - head.moment @ np.diag(1 / head.counts) @ head.moment.T
    means = np.linalg.solve(within, head.moment / head.counts)
    constant = 0.5 * np.einsum("dc,dc->c", head.moment / head.counts, means)
    return head.counts.sum() / head.temperature * (phi @ means - constant)


@pytest.mark.parametrize("readout", ["ridge", "discriminant"])
@pytest.mark.parametrize("at_hand", [1.0, 0.5, 0.0])
def test_votes_and_what_is_not_here_are_the_logit(readout: str, at_hand: float) -> None:
    rng = np.random.default_rng(1)
    vectors, labels, weights = drawn(rng)
    head, x = fitted(vectors, labels, weights, readout), rng.normal(size=DIM)
    assert np.allclose(head.logits(x), scratch(head, x), atol=1e-9)
    for column in range(KINDS):
        rows = np.flatnonzero(labels == column)
        rows = rows[: round(at_hand * len(rows))]
        tally = head.split(x, column, vectors[rows], weights[rows])
        assert len(tally.votes) == len(rows)
        assert tally.total == pytest.approx(scratch(head, x)[column], abs=1e-8)
        if at_hand == 1.0:
            assert tally.absent == pytest.approx(0, abs=1e-8)
    # A picture of nothing but background: nobody has a vote.
    tally = head.split(head.origin, 0, vectors[labels == 0], weights[labels == 0])
    assert np.abs(tally.votes).max() < 1e-12
    assert tally.start == pytest.approx(scratch(head, head.origin)[0] - tally.common, abs=1e-8)


def test_what_discriminants_have_in_common_is_the_same_for_all_kinds() -> None:
    rng = np.random.default_rng(2)
    vectors, labels, weights = drawn(rng)
    head, x = fitted(vectors, labels, weights, "discriminant"), rng.normal(size=DIM)
    common = [head.split(x, c, vectors[labels == c], weights[labels == c]).common for c in range(KINDS)]
    assert np.ptp(common) < 1e-9


@pytest.mark.parametrize("readout", ["ridge", "discriminant"])
def test_without_a_picture_is_the_fit_that_never_saw_it(readout: str) -> None:
    rng = np.random.default_rng(3)
    vectors, labels, weights = drawn(rng)
    head, x = fitted(vectors, labels, weights, readout), rng.normal(size=DIM)
    for gone in range(len(vectors)):
        left = head.without(x, vectors[gone], int(labels[gone]), float(weights[gone]))
        kept = np.arange(len(vectors)) != gone
        never = scratch(fitted(vectors[kept], labels[kept], weights[kept], readout), x)
        assert np.abs(left - never).max() < 1e-6


def test_without_the_only_picture_of_a_kind_the_kind_is_not_known() -> None:
    rng = np.random.default_rng(4)
    vectors, labels, weights = drawn(rng, 12)
    vectors = np.concatenate([vectors, rng.normal(size=(1, DIM))])
    labels, weights = np.append(labels, KINDS), np.append(weights, 1.0)
    head = fitted(vectors, labels, weights, "discriminant", KINDS + 1)
    left = head.without(rng.normal(size=DIM), vectors[-1], KINDS, 1.0)
    assert np.isneginf(left[KINDS])
    assert np.isfinite(left[:KINDS]).all()


# --- cards -------------------------------------------------------------------------------------------------------

PARTS = (Part(3, "crown", "bird"), Part(7, None, "bird"))


def reading_of(tokens: np.ndarray, owner: np.ndarray, foreground: np.ndarray | None, parts=PARTS) -> Reading:
    """`owner`: (h, w) row of the part of each place, the last one is background."""
    share = np.eye(len(parts) + 1)[owner]
    nothing = np.zeros(0)
    return Reading(nothing, nothing, nothing, nothing, share, parts, nothing, None, 0.9, tokens, None, foreground)


def scene(rng: Generator) -> tuple[VotingHead, Reading, Voting, dict[str, Reading]]:
    others = rng.normal(size=(8, *GRID, DIM)) + np.eye(KINDS, DIM)[0]
    owner = np.arange(15).reshape(GRID) % 3
    foreground = (np.arange(15).reshape(GRID) < 12) * 0.8
    pictures = {f"p{at}": reading_of(one, owner, foreground) for at, one in enumerate(others)}
    vectors = np.stack([flat(one).mean(0) for one in others])
    background, labels, weights = drawn(rng, 20)
    head = fitted(
        np.concatenate([vectors, background]),
        np.append(np.zeros(8, int), labels),
        np.append(np.ones(8), weights),
        "discriminant",
    )
    x = reading_of(rng.normal(size=(*GRID, DIM)) + 2 * np.eye(KINDS, DIM)[0], owner, foreground)
    return head, x, Voting(0, tuple(pictures), vectors, np.ones(8)), pictures


def test_a_card_is_a_block_of_the_vote_of_its_picture() -> None:
    rng = np.random.default_rng(5)
    head, x, voting, pictures = scene(rng)
    found = pairs(head, View(x), voting, pictures)
    assert found
    assert [one.value for one in found] == sorted((one.value for one in found), reverse=True)
    assert x.tokens is not None
    seen, where = head.metric(head.against_background(flat(x.tokens))), regions(x)
    tally = head.split(flat(x.tokens).mean(0), 0, voting.vectors, voting.weights)
    for at, (image, picture) in enumerate(pictures.items()):
        assert picture.tokens is not None
        share = head.share(0, 1.0) / (15 * 15)
        everything = share * seen @ head.against_background(flat(picture.tokens)).T
        assert everything.sum() == pytest.approx(tally.votes[at], abs=1e-9)
        for one in (pair for pair in found if pair.image == image):
            assert one.part is not None
            assert one.value == pytest.approx(everything[np.ix_(one.here, one.there)].sum(), abs=1e-12)
            assert set(one.here) <= set(where[one.part.id])
            assert set(one.there) <= set(regions(picture)[one.part.id])
    totals = part_totals(head, View(x), voting)
    says = seen @ (head.share(0, 1.0) * head.against_background(voting.vectors).sum(0)) / 15
    assert totals[3] == pytest.approx(says[where[3]].sum(), abs=1e-12)


def test_parts_that_are_not_on_the_thing_and_models_without_parts() -> None:
    rng = np.random.default_rng(6)
    tokens, owner = rng.normal(size=(*GRID, DIM)), np.zeros(GRID, int)
    assert regions(reading_of(tokens, owner, np.zeros(GRID))) == {}
    bare = regions(reading_of(tokens, owner, np.full(GRID, 0.9), ()))
    assert list(bare) == [None]
    assert len(bare[None]) == 15
    assert len(regions(reading_of(tokens, owner, None))[3]) == 15  # nothing tells where the thing is
    head, x, voting, pictures = scene(rng)
    gone = {image: reading_of(rng.normal(size=(*GRID, DIM)), owner, np.zeros(GRID)) for image in pictures}
    assert pairs(head, View(x), voting, gone) == []
    assert pairs(head, View(x), voting, {}) == []


def test_each_part_and_each_group_of_near_duplicates_is_shown_once() -> None:
    def pair(part: int, image: str, value: float) -> Pair:
        return Pair(Part(part, None, "bird"), image, value, np.zeros(1, int), np.zeros(1, int))

    found = [pair(0, "a", 0.9), pair(0, "b", 0.8), pair(1, "a2", 0.7), pair(1, "b", 0.6), pair(2, "c", 0.5)]
    groups = {"a": 1, "a2": 1, "b": 2, "c": 3}
    totals: dict[int | None, float] = {0: 4.0, 1: 3.0, 2: 3.0, 5: -9.0}
    assert [(one.image, one.value) for one in chosen(found, totals, groups)] == [("a", 0.9), ("b", 0.6)]
    assert [one.image for one in chosen(found, totals, groups, 0.4)] == ["a"]
    assert [one.image for one in chosen(found, totals, groups, 1.0)] == ["a", "b", "c"]
    assert chosen([], totals, groups) == []
    assert len(chosen([pair(n, str(n), 1.0) for n in range(20)], {}, {str(n): n for n in range(20)}, 1.0)) == 1


def test_a_crop_holds_its_places_and_lies_in_the_picture() -> None:
    assert crop_of(np.array([0]), (14, 14)) == CropBox(0, 0, 3 / 14, 3 / 14)
    assert crop_of(np.array([13 * 14 + 13]), (14, 14)) == CropBox(11 / 14, 11 / 14, 1, 1)
    wide = crop_of(np.array([2 * 14, 2 * 14 + 13]), (14, 14))
    assert (wide.left, wide.right) == (0, 1)
    inside = crop_of(np.array([0, 195]), (14, 14), CropBox(0.2, 0.1, 0.7, 0.5))
    assert (inside.left, inside.top, inside.right, inside.bottom) == pytest.approx((0.2, 0.1, 0.7, 0.5))
    assert crop_of(np.array([0]), (2, 2)) == CropBox(0, 0, 1, 1)  # hardly any tokens


# --- the smallest change ------------------------------------------------------------------------------------------


def test_real_cells_flip_an_answer_by_exactly_what_they_say_and_no_fewer_would() -> None:
    rng = np.random.default_rng(7)
    head, x, _, pictures = scene(rng)
    mids = rng.normal(size=(9, *GRID, 6))
    assert x.tokens is not None
    towards = head.direction(0, 1)[:DIM]
    towards /= np.linalg.norm(towards)
    x = replace(x, tokens=x.tokens - 12 * towards, mid=mids[0])  # it is of kind 1, and the pictures of kind 0
    others = {
        image: replace(one, tokens=one.tokens + 20 * towards, mid=mid)
        for (image, one), mid in zip(pictures.items(), mids[1:], strict=True)
        if one.tokens is not None
    }
    assert x.tokens is not None
    logits = head.logits(flat(x.tokens).mean(0))
    before, columns = float(logits[1] - logits[0]), (1, 0)
    assert before > 0
    found = flip(head, View(x), others, before, columns, "k0")
    assert found is not None
    assert 1 < len(found.here) <= 7
    tokens, source = flat(x.tokens).copy(), others[found.image].tokens
    assert source is not None
    tokens[list(found.here)] = flat(source)[list(found.there)]
    changed = head.logits(tokens.mean(0))
    assert changed[columns[0]] - changed[columns[1]] == pytest.approx(found.after, abs=1e-9)
    assert found.after < 0 < found.before
    one_fewer = flat(x.tokens).copy()
    one_fewer[list(found.here[:-1])] = flat(source)[list(found.there[:-1])]
    kept = head.logits(one_fewer.mean(0))
    assert kept[columns[0]] > kept[columns[1]]
    assert set(found.parts) <= {"crown", "part 8"}


def test_nothing_flips_where_there_is_nothing_to_put_in() -> None:
    rng = np.random.default_rng(8)
    head, x, _, pictures = scene(rng)
    assert flip(head, View(x), pictures, 1.0, (1, 0), "k0") is None  # nothing is known of them halfway
    x = replace(x, mid=rng.normal(size=(*GRID, 6)))
    assert flip(head, View(x), {}, 1.0, (1, 0), "k0") is None
    others = {image: replace(one, mid=rng.normal(size=(*GRID, 6))) for image, one in pictures.items()}
    assert flip(head, View(x), others, 1e6, (1, 0), "k0") is None  # too far away
