"""From pictures to a calibrated classifier, and the scores it is given."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fgdemo.learn.candidate import same_places
from fgdemo.learn.candidate.fit import Fitted, find_lookalikes, fit_classifier, label_indices
from fgdemo.learn.candidate.same_places import shown_from
from fgdemo.learn.measure.evaluate import answer_rows, auroc, choose_sure_prob, fpr_at_95, worst_pairs
from fgdemo.model.calibration import softmax
from fgdemo.services.classify.wording import answer_for
from fgdemo.specimens import taxonomy as specimen_taxonomy
from fgdemo.values.classification.same_place import LEAST_SURENESS
from fgdemo.values.errors import DatasetError
from fgdemo.values.taxonomy import Taxon, Taxonomy
from tests.support.tiny import specimen_pictures, tiny_backbone, tiny_fit

TREE = Taxonomy(
    (
        Taxon("bird", "bird"),
        Taxon("warbler", "warbler", "bird"),
        Taxon("nashville", "Nashville", "warbler"),
        Taxon("mourning", "Mourning", "warbler"),
        Taxon("owl", "owl", "bird"),
        Taxon("dog", "dog"),
        Taxon("spitz", "spitz", "dog"),
        Taxon("lowchen", "lowchen", "dog"),
    )
)


@pytest.fixture(scope="module")
def fitted() -> Fitted:
    return tiny_fit(per_class=12)


def test_a_frozen_fit_is_calibrated_on_what_it_left_out(fitted: Fitted) -> None:
    assert fitted.held_out.source == "leave-one-out"
    assert len(fitted.held_out.labels) == 54
    assert fitted.scores.n == 18
    mean, low, high = fitted.scores.top1
    assert low <= mean <= high
    assert set(fitted.scores.groups) == {"drawn_bird"}
    assert fitted.classifier.parts.of_group(fitted.classifier.taxonomy.root(fitted.classifier.taxonomy.leaves[0]))
    assert np.isfinite(fitted.classifier.origin).all()
    probs = softmax(fitted.held_out.logits / fitted.classifier.calibration.temperature)
    covered = [
        label in fitted.classifier.prediction_set(row) for row, label in zip(probs, fitted.held_out.labels, strict=True)
    ]
    assert np.mean(covered) >= fitted.classifier.coverage


def test_a_fit_says_from_which_sureness_a_place_is_the_same(fitted: Fitted, monkeypatch: pytest.MonkeyPatch) -> None:
    """By matches that find each other; with one picture a kind there are none, and it is that of all such models."""
    classifier, pictures = fitted.classifier, specimen_pictures(per_class=12)
    labels = label_indices(pictures.labels, classifier.taxonomy)
    assert shown_from(classifier, pictures, labels) == LEAST_SURENESS, "too few places to tell"
    monkeypatch.setattr(same_places, "ENOUGH", 1)
    told = shown_from(classifier, pictures, labels)
    assert told == shown_from(classifier, pictures, labels)
    assert -1 < told < 1
    assert told != LEAST_SURENESS
    alone = specimen_pictures(per_class=1)
    assert shown_from(classifier, alone, label_indices(alone.labels, classifier.taxonomy)) == LEAST_SURENESS


def test_the_same_pictures_give_the_same_classifier() -> None:
    one, other = tiny_fit(per_class=4).classifier, tiny_fit(per_class=4).classifier
    np.testing.assert_array_equal(one.head.gram, other.head.gram)
    np.testing.assert_array_equal(one.parts.prototypes.numpy(), other.parts.prototypes.numpy())
    assert one.calibration == other.calibration


def test_a_trained_backbone_is_calibrated_on_val_and_needs_it() -> None:
    backbone, config = tiny_backbone()
    taxonomy = specimen_taxonomy()
    pictures = specimen_pictures(8)
    labels = label_indices(pictures.labels, taxonomy)
    fitted = fit_classifier(backbone, config, pictures, labels, taxonomy, name="t", trained=True, parts_per_group=2)
    assert fitted.held_out.source == "val"
    without = specimen_pictures(3)  # every fourth would be held out
    labels = label_indices(without.labels, taxonomy)
    with pytest.raises(DatasetError, match="needs val pictures"):
        fit_classifier(backbone, config, without, labels, taxonomy, name="t", trained=True)
    # Frozen features need none: what was left out serves.
    frozen = fit_classifier(backbone, config, without, labels, taxonomy, name="t", trained=False, parts_per_group=2)
    assert frozen.scores.n == 18


def test_taxa_without_pictures_and_grids_too_coarse_for_parts_are_survived() -> None:
    backbone, config = tiny_backbone("test_convnext", 64)
    taxonomy = Taxonomy((*specimen_taxonomy().taxa, Taxon("dog", "dog"), Taxon("pug", "pug", "dog")))
    pictures = specimen_pictures(4)
    labels = label_indices(pictures.labels, taxonomy)
    fitted = fit_classifier(backbone, config, pictures, labels, taxonomy, name="t", trained=False, parts_per_group=2)
    reading = fitted.classifier.read_tokens(
        fitted.classifier.network.tokens(fitted.classifier.pixels(_picture(pictures.pixels[0]))[None])
    )
    assert np.isfinite(reading.logits).all()
    assert np.isfinite(reading.evidence).all()


def _picture(pixels: np.ndarray):
    from PIL import Image

    return Image.fromarray(pixels)


def test_labels_that_are_in_no_taxonomy_are_named() -> None:
    with pytest.raises(DatasetError, match=r"not in the taxonomy: kiwi, moa\."):
        label_indices(["nashville", "moa", "kiwi"], TREE)
    assert label_indices(["Nashville", "owl"], TREE).tolist() == [0, 2]


# --- answers and scores -------------------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(st.lists(st.floats(0.001, 1), min_size=5, max_size=5), st.floats(0.51, 0.95))
def test_scored_answers_are_those_that_people_are_given(weights: list[float], sure_prob: float) -> None:
    probs = np.array(weights) / sum(weights)
    row = answer_rows(probs[None], TREE, sure_prob)[0]
    answer, _ = answer_for(TREE, probs, sure_prob, is_unknown=False)
    assert (TREE.taxa[row].id if row >= 0 else None) == answer.taxon


def test_a_group_may_be_sure_whose_likeliest_leaf_is_elsewhere() -> None:
    probs = np.array([[0.3, 0.3, 0.0, 0.4, 0.0]])
    assert TREE.taxa[answer_rows(probs, TREE, 0.55)[0]].id == "warbler"


def test_auroc_known_answers() -> None:
    assert auroc(np.array([1, 2, 3]), np.array([4, 5])) == 1
    assert auroc(np.array([4, 5]), np.array([1, 2, 3])) == 0
    assert auroc(np.array([1, 1]), np.array([1, 1, 1])) == 0.5
    # Of the six pairs (known, unknown): 3 right, 1 tie.
    assert auroc(np.array([1, 2, 4]), np.array([2, 3])) == pytest.approx(3.5 / 6)


def test_fpr_known_answers() -> None:
    unknown = np.arange(0, 101) / 100  # 95 % of them lie above 0.05
    assert fpr_at_95(np.array([0.01, 0.02, 0.04]), unknown) == 0
    assert fpr_at_95(np.array([0.01, 0.02, 0.06, 0.9]), unknown) == 0.5


def test_worst_pairs_count_both_ways() -> None:
    labels = np.array([0, 0, 0, 1, 1, 2, 3])
    predicted = np.array([1, 1, 0, 0, 1, 3, 3])
    pairs = worst_pairs(predicted, labels, TREE)
    assert [(pair.a, pair.b, pair.mistaken, pair.of) for pair in pairs] == [
        ("nashville", "mourning", 3, 5),
        ("owl", "spitz", 1, 2),
    ]
    assert worst_pairs(labels, labels, TREE) == ()
    assert len(worst_pairs(predicted, labels, TREE, most=1)) == 1


def test_the_surest_threshold_is_the_lowest_that_is_right_often_enough() -> None:
    # Of 40 answers of 0.72 every fifth is wrong; those of 0.92 are right.
    low, high = [0.72, 0.28], [0.92, 0.08]
    flat = Taxonomy((Taxon("a", "a"), Taxon("b", "b")))
    probs = np.array([low] * 40 + [high] * 40)
    labels = np.array([1, 0, 0, 0, 0] * 8 + [0] * 40)
    assert choose_sure_prob(probs, labels, flat) == 0.75
    assert choose_sure_prob(probs, np.zeros(80, int), flat) == 0.5
    assert choose_sure_prob(probs, np.ones(80, int), flat) == 0.95


def test_lookalikes_share_probability_most_confused_first() -> None:
    probs = np.array([[0.7, 0.2, 0.1, 0, 0], [0.3, 0.7, 0, 0, 0], [0.05, 0, 0.95, 0, 0], [0, 0, 0, 0.995, 0.005]])
    found = find_lookalikes(probs, np.array([0, 1, 2, 3]), TREE)
    assert found["nashville"] == ("mourning", "owl")
    assert found["mourning"] == ("nashville",)
    assert "spitz" not in found
