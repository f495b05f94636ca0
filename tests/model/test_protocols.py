"""Ways of learning on one split, sessions that follow each other, the choice of a backbone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fgdemo.learn.candidate.fit import label_indices
from fgdemo.learn.measure.protocols import (
    PROTOCOLS,
    FeatureSplit,
    compare,
    held_out_kinds,
    log_area,
    low_shot,
    some_of_each,
)
from fgdemo.learn.study.bench import BackboneChoice, Cell, frozen, recommend
from fgdemo.learn.study.continual import (
    LEARNERS,
    auac,
    backward_transfer,
    draw_sessions,
    forgetting,
    sauce,
    take_course,
)
from fgdemo.specimens import taxonomy as specimen_taxonomy
from fgdemo.statistics.proportions import share_interval
from fgdemo.values.errors import DatasetError
from tests.support.tiny import specimen_pictures, tiny_backbone


def clouds(each: int = 12, classes: int = 6, spread: float = 0.6, seed: int = 0) -> FeatureSplit:
    """Classes as clouds of points around means of their own."""
    generator = np.random.default_rng(seed)
    means = generator.standard_normal((classes, 16))
    labels = np.repeat(np.arange(classes), each)
    rows = [(means[labels] + spread * generator.standard_normal((len(labels), 16))).astype(np.float32) for _ in "ab"]
    return FeatureSplit(rows[0], labels, rows[1], labels, classes)


@pytest.mark.parametrize("name", PROTOCOLS)
def test_each_way_learns_and_never_names_a_class_it_has_not_seen(name: str) -> None:
    split = clouds(spread=0.3)
    scores = PROTOCOLS[name](split)
    assert scores.shape == (72, 6)
    assert (scores.argmax(1) == split.test_labels).mean() > 0.95
    some = split.only(np.flatnonzero(np.isin(split.train_labels, [1, 4])))
    assert set(PROTOCOLS[name](some).argmax(1)) <= {1, 4}


def test_all_ways_are_compared_with_the_best_in_pairs() -> None:
    split = clouds()
    found = compare(split, {"always the first": lambda split: np.eye(split.classes)[np.zeros(len(split.test), int)]})
    assert set(found) == {*PROTOCOLS, "always the first"}
    assert found["always the first"].top1[0] == pytest.approx(1 / 6)
    best = max(outcome.top1[0] for outcome in found.values())
    for outcome in found.values():
        assert outcome.behind[0] == pytest.approx(outcome.top1[0] - best)
    assert found["always the first"].behind[2] < 0


def test_more_pictures_of_each_only_add_to_fewer() -> None:
    labels = np.array([0, 1, 0, 1, 1, 2])
    one, two = (set(some_of_each(labels, size, seed=3).tolist()) for size in (1, 2))
    assert one < two
    assert np.bincount(labels[list(one)]).tolist() == [1, 1, 1]
    assert np.bincount(labels[list(two)]).tolist() == [2, 2, 1]
    assert some_of_each(labels, 9, seed=3).tolist() == [0, 1, 2, 3, 4, 5]


def test_the_low_shot_curve_rises_and_ends_with_all() -> None:
    split = clouds(spread=1.0)
    found = low_shot(split, {"ridge": PROTOCOLS["ridge"]})["ridge"]
    assert found.shots == (1, 2, 5, 10, 12)
    assert found.top1[0][0] < found.top1[-1][0]
    whole = (PROTOCOLS["ridge"](split).argmax(1) == split.test_labels).mean()
    assert found.top1[-1][0] == pytest.approx(whole)
    assert found.top1[0][0] < found.area < found.top1[-1][0]
    assert log_area([1, 2, 4], [0, 0.5, 1]) == pytest.approx(0.5)


def test_kinds_left_out_look_strange() -> None:
    found = held_out_kinds(clouds(each=30, classes=8, spread=0.2))
    assert found["unknown_auroc"][0] > 0.9
    assert 0 <= found["unknown_fpr95"][0] <= 1


def without_tests_of(split: FeatureSplit, *kinds: int) -> FeatureSplit:
    rows = ~np.isin(split.test_labels, kinds)
    return replace(split, test=split.test[rows], test_labels=split.test_labels[rows])


@pytest.mark.parametrize("seed", range(8))
def test_only_kinds_with_test_pictures_are_left_out(seed: int) -> None:
    found = held_out_kinds(without_tests_of(clouds(classes=5), 1, 4), seeds=[seed])
    assert np.isfinite(found["mean_auroc"])
    two = held_out_kinds(without_tests_of(clouds(classes=12), *range(2, 12)), seeds=[seed])
    assert np.isfinite(two["mean_auroc"]), "one is left out and one is kept, though a fifth would be two"
    with pytest.raises(DatasetError, match="at least two kinds"):
        held_out_kinds(without_tests_of(clouds(classes=5), 0, 1, 2, 3), seeds=[seed])


def test_kinds_without_test_pictures_are_in_no_session() -> None:
    split = without_tests_of(clouds(spread=0.4), 2, 5)
    sessions = draw_sessions(split, 4)
    assert sorted(np.concatenate(sessions).tolist()) == [0, 1, 3, 4]
    for make in LEARNERS.values():
        course = take_course(split, sessions, make(6))
        assert np.isfinite([*np.ravel(course.accuracy), *course.errors, course.forgetting, course.auac]).all()
    with pytest.raises(DatasetError, match="4 kinds with pictures to test on cannot be learned in 5 sessions"):
        draw_sessions(split, 5)


def test_areas_by_hand() -> None:
    assert auac([40, 20, 20], [0, 5, 10]) == pytest.approx(25)
    assert auac([40, 20, 30], [0, 5, 10]) == pytest.approx(27.5)
    assert auac([40, 20, 30], [0, 5, 10], clipped=True) == pytest.approx(25)
    assert auac([40, 20], [0, 10]) == pytest.approx(30)
    assert sauce([40, 20, 20], [0, 5, 10]) == pytest.approx(0.25)
    assert sauce([10, 5, 5], [0, 1, 10]) == pytest.approx(0.05)  # soon
    assert sauce([7, 7, 7], [0, 5, 10]) == 0


def test_forgetting_by_hand() -> None:
    accuracy = np.array([[0.9, 0, 0], [0.7, 0.8, 0], [0.6, 0.9, 1.0]])
    assert forgetting(accuracy) == pytest.approx((0.3 - 0.1) / 2)
    assert backward_transfer(accuracy) == pytest.approx((-0.3 + 0.1) / 2)
    assert forgetting(accuracy[:1, :1]) == backward_transfer(accuracy[:1, :1]) == 0


def test_ridge_forgets_nothing_and_naive_steps_do() -> None:
    split = clouds(spread=0.4)
    sessions = [np.array([0, 1]), np.array([2, 3]), np.array([4, 5])]
    ridge, naive = (take_course(split, sessions, LEARNERS[name](6)) for name in ("ridge", "naive"))
    assert ridge.final_accuracy > 0.9
    assert ridge.forgetting < 0.05
    assert naive.forgetting > ridge.forgetting + 0.2
    assert naive.auac > ridge.auac
    assert naive.errors[-1] < naive.errors[0]  # a few pictures bring some of it back
    assert naive.accuracy[0][0] == pytest.approx(1, abs=0.05)
    assert ridge.accuracy[0][1] == 0  # not learned yet


def cell(name: str, picture_s: float, right: np.ndarray) -> BackboneChoice:
    return BackboneChoice(Cell(name, 224, "frozen", 1, picture_s, share_interval(right)), right)


def test_the_fastest_that_is_not_proven_worse_is_recommended() -> None:
    best, as_good, worse = np.ones(100, bool), np.ones(100, bool), np.ones(100, bool)
    as_good[0], worse[:20] = False, False
    cells, chosen = recommend([cell("best", 3, best), cell("good", 2, as_good), cell("quick", 1, worse)])
    assert [one.backbone for one in cells] == ["quick", "good", "best"]
    assert chosen.backbone == "good"
    assert cells[2].behind == (0, 0, 0)
    assert cells[0].behind[2] < 0
    assert chosen.loss_limit == pytest.approx(0.0466, abs=1e-4), "one of a hundred: the exact one-sided limit"


def test_a_real_cell() -> None:
    backbone, config = tiny_backbone()
    pictures = specimen_pictures()
    taxonomy = specimen_taxonomy()
    labels = label_indices(pictures.labels, taxonomy)
    found = frozen(backbone, config, pictures, labels, len(taxonomy.leaves))
    assert len(found.right) == len(pictures.where("val"))
    assert found.cell.picture_s > 0
    assert found.cell.parameters == sum(parameter.numel() for parameter in backbone.parameters())
    assert found.cell.name == "test_resnet at 64 px, frozen"
