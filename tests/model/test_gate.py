"""Whether a candidate may go live: known answers by hand, and what must hold for any two models."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fgdemo.learn.gate.compared import needed
from fgdemo.learn.gate.conditions import calibration_error, mcnemar, tarone
from fgdemo.learn.gate.gate import Judged, judge, judged
from fgdemo.values.taxonomy import Taxon, Taxonomy
from fgdemo.values.training import Check, Verdict
from tests.support.tiny import specimen_pictures, tiny_fit

KINDS = Taxonomy.flat(["blenheim", "papillon", "pekinese", "pug"])


def sure(answers: np.ndarray, classes: int = 4, prob: float = 0.97, shown: np.ndarray | None = None) -> np.ndarray:
    """(N, C) probabilities of a model that says this and is nearly sure of it; what is `shown` comes second."""
    probs = np.full((len(answers), classes), (1 - prob) / (classes - 1))
    if shown is not None:
        probs[np.arange(len(answers)), shown] += 1e-9
    probs[np.arange(len(answers)), answers] = prob
    return probs


def verdict(was: np.ndarray, now: np.ndarray, class_index: np.ndarray | None = None, **options: object) -> Verdict:
    """Of two models that are right (or say the next kind) of these pictures."""
    shown = np.arange(len(was)) % 4 if class_index is None else class_index
    models = [Judged(sure(np.where(right, shown, (shown + 1) % 4), shown=shown)) for right in (was, now)]
    images = [f"picture{row}" for row in range(len(was))]
    return judge(*models, shown, images, KINDS, **{"old_kinds": KINDS.leaves, **options})  # type: ignore[arg-type]


def check(found: Verdict, name: str) -> Check:
    return next(check for check in found.checks if check.name == name)


rights = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=30, max_size=120).map(np.array)


@pytest.mark.parametrize(
    ("n", "loss", "outcome"),
    [
        (0, 1, "unproven"),
        (1, 0.95, "unproven"),
        (40, 0.0722, "unproven"),
        (82, 0.0359, "unproven"),
        (298, 0.0100024, "unproven"),
        (299, 0.00996911, "not worse"),
        (1000, 0.00299, "not worse"),
    ],
)
def test_the_same_answers_do_not_exclude_a_loss(n: int, loss: float, outcome: str) -> None:
    """By hand: 1 − 0.05^(1/n), which is about 3 / n (the rule of three)."""
    same = np.arange(n) % 5 > 0
    found = verdict(same, same)
    assert found.outcome == outcome
    assert found.loss_limit == pytest.approx(loss, rel=2e-3)
    assert (found.difference[0], found.p_value) == (0, 1)
    assert (found.fixed, found.broken, found.kinds, found.pairs) == ((), (), (), ())
    assert found.may_go_live == (outcome == "not worse")
    assert found.may_go_live_on_word == (outcome == "unproven"), "whoever has 400 pictures is not locked out"
    assert found.open_loss.startswith("a loss of up to ")


def test_an_unproven_one_says_which_loss_is_not_excluded_and_how_many_pictures_would_tell() -> None:
    found = verdict(np.ones(40, bool), np.ones(40, bool))
    assert found.sentence.startswith("Unproven: 0 points on 40 gold pictures; no kind worse. ")
    assert (
        "A loss of up to 7.2 points is not excluded by 40 gold pictures; about 299 gold pictures would tell."
        in found.sentence
    )
    assert found.open_loss == "a loss of up to 7.2 points is not excluded by 40 gold pictures"


@pytest.mark.parametrize("n", [12, 29, 60])
def test_what_is_proven_worse_never_goes_live_be_there_ever_so_few_pictures(n: int) -> None:
    found = verdict(np.ones(n, bool), np.zeros(n, bool))
    assert (found.outcome, found.may_go_live, found.may_go_live_on_word) == ("worse", False, False)


def test_a_word_is_no_way_around_a_kind_that_is_gone_nor_around_dishonest_probabilities() -> None:
    shown = np.r_[np.zeros(57, int), 3, 3, 3]
    was, now = np.ones(60, bool), np.ones(60, bool)
    was[:3], now[57:] = False, False
    found = verdict(was, now, shown)
    assert (found.outcome, check(found, "kinds").open, found.may_go_live_on_word) == ("unproven", False, False)
    was[:3], now[57:] = True, True
    assert verdict(was, now, shown).may_go_live_on_word


def test_a_doubt_about_what_is_forgotten_is_open_and_what_is_proven_forgotten_is_not() -> None:
    few = np.ones(40, bool)
    doubt = check(verdict(few, few), "forgetting")
    assert (doubt.passed, doubt.open) == (False, True)
    assert "Forgetting more than 2% cannot be excluded" in doubt.sentence
    shown = np.arange(400) % 4
    was, now = np.ones(400, bool), np.ones(400, bool)
    was[shown == 3] = False
    now[np.flatnonzero(shown == 0)[:15]] = False
    forgotten = check(verdict(was, now, shown, old_kinds=KINDS.leaves[:3]), "forgetting")
    assert (forgotten.passed, forgotten.open) == (False, False)


@given(rights)
@settings(max_examples=25, deadline=None)
def test_swapping_the_two_turns_everything_round(pairs: np.ndarray) -> None:
    there, back = verdict(pairs[:, 0], pairs[:, 1]), verdict(pairs[:, 1], pairs[:, 0])
    mean, low, high = back.difference
    assert there.difference == pytest.approx((-mean, -high, -low), abs=1e-6)
    assert (there.fixed, there.broken) == (back.broken, back.fixed)
    assert there.p_value == back.p_value
    assert (there.before, there.after, there.ece) == (back.after, back.before, back.ece[::-1])
    assert there.difference[0] == pytest.approx(pairs[:, 1].mean() - pairs[:, 0].mean(), abs=1e-6)


def test_a_better_one_says_by_how_much_and_where() -> None:
    was = np.ones(312, bool)
    was[np.arange(0, 80, 4)] = False  # twenty Blenheims, all of which the candidate has right
    found = verdict(was, np.ones(312, bool))
    assert found.outcome == "better"
    assert found.may_go_live
    assert found.difference[0] == pytest.approx(20 / 312)
    assert found.sentence.startswith("Better by 6.4 points [")
    assert found.sentence.endswith("on 312 gold pictures; no kind worse; blenheim: 20 fixed, 0 broken.")
    assert found.p_value == pytest.approx(2 * 0.5**20)
    (kind,) = found.kinds
    assert (kind.taxon, kind.n, kind.before, kind.after) == ("blenheim", 78, 58, 78)
    (pair,) = found.pairs
    assert (pair.a, pair.b, pair.n, pair.before, pair.after) == ("blenheim", "papillon", 156, 20, 0)
    assert found.fixed[:2] == ("picture0", "picture4")


def test_a_worse_one_stays_out() -> None:
    now = np.ones(200, bool)
    now[:20] = False
    found = verdict(np.ones(200, bool), now)
    assert found.outcome == "worse"
    assert not found.may_go_live
    assert found.sentence.startswith("Worse: −10.0 points [")


def test_few_changes_of_many_are_not_worse_and_of_few_unproven() -> None:
    many, few = np.ones(1000, bool), np.ones(100, bool)
    one_less = many.copy()
    one_less[0] = False
    assert verdict(many, one_less).outcome == "not worse"
    found = verdict(few, one_less[:100])
    assert found.outcome == "unproven"
    assert not found.may_go_live
    three = few.copy()
    three[:3] = False
    mixed = np.roll(three, 3)
    found = verdict(three, mixed)  # as many right as before, but six of a hundred changed
    assert found.outcome == "unproven"
    assert "gold pictures would tell. Label or import more pictures" in found.sentence


def test_too_few_gold_pictures_prove_nothing() -> None:
    found = verdict(np.zeros(29, bool), np.ones(29, bool))
    assert found.outcome == "unproven"
    assert "is not excluded by 29 gold pictures; about 30 gold pictures would tell. Label" in found.sentence
    assert verdict(np.zeros(30, bool), np.ones(30, bool)).outcome == "better"
    empty = verdict(np.zeros(0, bool), np.zeros(0, bool))
    assert (empty.outcome, empty.n, empty.may_go_live) == ("unproven", 0, False)
    assert "Label or import more pictures" in empty.sentence


def test_one_kind_that_suffers_keeps_a_better_model_out() -> None:
    shown = np.arange(400) % 4
    was, now = np.ones(400, bool), np.ones(400, bool)
    was[np.flatnonzero(shown == 0)[:60]] = False
    now[np.flatnonzero(shown == 3)[:12]] = False
    found = verdict(was, now, shown)
    assert found.outcome == "better"
    assert not found.may_go_live
    assert "pug lost 12 of 100" in found.sentence
    now[np.flatnonzero(shown == 3)[2:12]] = True  # two of a hundred may be chance
    assert verdict(was, now, shown).may_go_live


def test_a_kind_that_is_never_right_any_more_is_noticed_from_three_pictures_on() -> None:
    shown = np.r_[np.zeros(397, int), 3, 3, 3]
    was, now = np.ones(400, bool), np.ones(400, bool)
    was[:60] = False
    now[397:] = False
    assert not check(verdict(was, now, shown), "kinds").passed
    now[399] = True
    assert check(verdict(was, now, shown), "kinds").passed


def test_new_kinds_do_not_hide_that_old_ones_are_forgotten() -> None:
    shown = np.arange(400) % 4
    was, now = np.ones(400, bool), np.ones(400, bool)
    was[shown == 3] = False  # the live model does not know the pug
    for kind in (0, 1, 2):
        now[np.flatnonzero(shown == kind)[:5]] = False
    found = verdict(was, now, shown, old_kinds=KINDS.leaves[:3])
    assert found.outcome == "better"
    assert not check(found, "forgetting").passed
    # What a Pekinese is taken for is the pug, which it did not know: five of those fifteen are not forgotten.
    assert "It has forgotten some (the kinds it knew, each counting the same: −3.3 points" in found.sentence
    assert found.sentence.endswith("5 of the 300 pictures of kinds it knew are taken for kinds that are new.")
    now[shown != 3] = True
    assert verdict(was, now, shown, old_kinds=KINDS.leaves[:3]).may_go_live


def beside_a_new_kind(taken: int, of_new: int = 100) -> Verdict:
    """The live model knows two kinds, 100 pictures each. So many of the second are taken for a third, new kind."""
    shown = np.r_[np.repeat([0, 1], 100), np.full(of_new, 2)]
    was, now = shown < 2, np.ones(len(shown), bool)
    now[np.flatnonzero(shown == 1)[:taken]] = False
    return verdict(was, now, shown, old_kinds=KINDS.leaves[:2])


def test_to_be_taken_for_a_new_kind_is_not_to_be_forgotten() -> None:
    found = beside_a_new_kind(20)
    assert found.may_go_live
    assert "no kind clearly worse; pekinese: 100 fixed, 0 broken." in found.sentence
    assert found.sentence.endswith("20 of the 200 pictures of kinds it knew are taken for kinds that are new.")
    assert check(found, "forgetting").sentence.startswith("The kinds it knew, each counting the same: 0.0 points")
    assert beside_a_new_kind(50).may_go_live
    swallowed = beside_a_new_kind(51)
    assert not swallowed.may_go_live
    assert "Taken for kinds that are new: papillon 51 of 100." in swallowed.sentence


def test_what_a_taught_live_model_takes_for_a_new_kind_makes_up_for_nothing_that_is_forgotten() -> None:
    shown = np.r_[np.repeat([0, 1], 100), np.full(100, 2)]
    was, now = np.ones(300, bool), np.ones(300, bool)
    was[100:120] = False  # taught the third kind by key, it takes some of the second for it
    now[:20] = False
    found = verdict(was, now, shown, old_kinds=KINDS.leaves[:2])
    assert "(the kinds it knew, each counting the same: −10.0 points" in check(found, "forgetting").sentence


def test_few_gold_pictures_of_known_kinds_do_not_keep_out_what_brings_many_new_ones() -> None:
    shown = np.r_[np.repeat([0, 1], 10), np.repeat([2, 3], 60)]
    was, now = shown < 2, np.ones(140, bool)
    was[0], now[1] = False, False  # one fixed, one broken: no forgetting, but with twenty pictures none is excluded
    found = verdict(was, now, shown, old_kinds=KINDS.leaves[:2])
    assert found.may_go_live
    assert (
        "cannot be excluded (the kinds it knew, each counting the same: 0.0 points"
        in check(found, "forgetting").sentence
    )
    now[2] = False  # an estimate beyond the margin keeps it out, proven or not
    assert not check(verdict(was, now, shown, old_kinds=KINDS.leaves[:2]), "forgetting").passed


def test_one_new_kind_does_not_pay_for_a_little_from_every_other() -> None:
    kinds = Taxonomy.flat([f"kind{i:02}" for i in range(41)])
    shown = np.r_[np.repeat(np.arange(40), 10), np.full(80, 40)]  # 40 known kinds, and a new one with many pictures
    now = np.where((np.arange(480) % 10 == 0) & (shown < 40), 40, shown)  # one of ten is taken for it
    before = sure(np.where(shown < 40, shown, 0), classes=41)
    before[:, 40] = 0
    models = Judged(before), Judged(sure(now, classes=41, shown=shown))
    found = judge(*models, shown, [str(i) for i in range(480)], kinds, old_kinds=kinds.leaves[:40])
    assert found.outcome == "better"
    assert check(found, "kinds").passed
    assert not found.may_go_live
    assert (
        "New kinds may cost the known ones more than they bring (all kinds, each counting the same: −7.3 points"
        in found.sentence
    )


def test_known_kinds_without_gold_pictures_are_named_for_nobody_can_judge_them() -> None:
    shown = np.arange(400) % 2
    some = verdict(np.ones(400, bool), np.ones(400, bool), shown)
    assert some.may_go_live
    assert some.sentence.endswith(
        "2 of the 4 kinds it knew have no gold pictures, so nothing shows whether it still knows them."
    )
    lost = verdict(np.ones(40, bool), np.arange(40) > 2, shown[:40])
    assert not check(lost, "forgetting").passed
    assert lost.sentence.count("2 of the 4 kinds it knew have no gold pictures") == 1
    none = verdict(np.zeros(400, bool), np.ones(400, bool), shown, old_kinds=KINDS.leaves[2:])
    assert check(none, "forgetting").sentence.startswith("None of the 2 kinds it knew has gold pictures")
    assert "no gold pictures, so" not in verdict(np.ones(400, bool), np.ones(400, bool)).sentence


def test_dishonest_probabilities_and_worse_maps_keep_it_out() -> None:
    shown = np.arange(400) % 4
    right = np.arange(400) % 5 > 0  # four of five
    said = np.where(right, shown, (shown + 1) % 4)
    images = [str(row) for row in range(400)]
    honest, boastful = Judged(sure(said, prob=0.8), np.full(24, 0.7)), Judged(sure(said, prob=0.999), np.full(24, 0.7))
    found = judge(honest, boastful, shown, images, KINDS, old_kinds=KINDS.leaves)
    assert (found.outcome, found.may_go_live) == ("not worse", False)
    assert found.ece == pytest.approx((0.0, 0.199), abs=1e-9)
    assert "Its probabilities are less honest: calibration error 0.000 → 0.199." in found.sentence
    assert judge(boastful, honest, shown, images, KINDS, old_kinds=KINDS.leaves).may_go_live
    blind = replace(honest, trust=np.full(24, 0.6))
    found = judge(honest, blind, shown, images, KINDS, old_kinds=KINDS.leaves)
    assert found.maps == pytest.approx((0.7, 0.6))
    assert not check(found, "maps").passed
    assert judge(honest, replace(honest, trust=None), shown, images, KINDS, old_kinds=KINDS.leaves).maps is None


def test_a_row_without_any_answer_is_wrong_even_for_the_first_kind() -> None:
    shown = np.zeros(40, int)
    none = Judged(np.zeros((40, 4)))
    assert judge(none, none, shown, [""] * 40, KINDS, old_kinds=()).before[0] == 0


def test_known_numbers() -> None:
    assert mcnemar(0, 5) == pytest.approx(2 * 0.5**5)
    assert mcnemar(3, 3) == 1
    assert needed(0, 0, 40) == 299  # 0.95 = 1 − 0.05^(1/299), and 298 leave more than a point
    assert needed(0, 0, 0) is None
    assert needed(2, 0, 100) is None  # two points fewer, however many there are
    assert needed(1, 30, 100) == 30
    assert tarone(np.array([5, 1, 1, 0])) == 0.05  # only one can be significant at all
    assert tarone(np.array([8, 8, 8, 1])) == pytest.approx(0.05 / 3)
    assert calibration_error(np.array([[0.9, 0.1], [0.9, 0.1]]), np.array([0, 1])) == pytest.approx(0.4)


def test_models_of_different_kinds_answer_in_the_columns_of_the_union() -> None:
    classifier = tiny_fit().classifier
    kinds = classifier.taxonomy
    wider = Taxonomy((*kinds.taxa, Taxon("dodo", "Dodo")))
    pictures = list(specimen_pictures(2).pixels)
    told: list[str] = []
    found = judged(classifier, pictures, wider, trusted=2, progress=lambda what, done, of: told.append(what))
    assert found.probs.shape == (len(pictures), len(kinds.leaves) + 1)
    assert (found.probs[:, wider.leaf_index["dodo"]] == 0).all()
    assert found.probs.sum(1) == pytest.approx(np.ones(len(pictures)))
    assert found.trust is not None
    assert found.trust.shape == (2,)
    assert (np.abs(found.trust) <= 1).all()
    assert set(told) == {"answering gold pictures", "testing maps"}
    again = judged(classifier, pictures, wider, trusted=2)
    np.testing.assert_array_equal(found.trust, again.trust)
    gone = kinds.restrict(kinds.leaves[1:])  # what it takes for a kind that is no leaf any more is wrong
    narrowed = judged(classifier, pictures, gone, trusted=0)
    assert narrowed.trust is None
    others = found.probs[:, : len(kinds.leaves)].argmax(1) != 0
    assert ((narrowed.probs.sum(1) > 0) == others).all()
