"""The library's methods beside the exact evidence: of the same reading, measured like it, named where they are one."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from PIL import Image

from fgdemo.explain.drawn import trust
from fgdemo.explain.gradcam import gradcam
from fgdemo.explain.methods import SENTENCES, method_maps
from fgdemo.explain.small_multiples import with_methods
from fgdemo.model.classifier import Classifier
from fgdemo.services.classify.workbench import Workbench
from fgdemo.specimens import SPECIES, draw_specimen
from fgdemo.storage.pictures.images import jpeg
from fgdemo.values.errors import BackboneError, SettingsError
from fgdemo.values.methods import METHODS, MethodMap, methods_of
from tests.support.tiny import tiny_fit


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return tiny_fit().classifier


@pytest.fixture(scope="module")
def picture() -> Image.Image:
    return draw_specimen(SPECIES[0], 3, (120, 90)).picture


def by_method(maps: tuple[MethodMap, ...]) -> dict[str, MethodMap]:
    return {one.method: one for one in maps}


def test_each_map_is_the_librarys_of_the_same_tokens(classifier: Classifier, picture: Image.Image) -> None:
    reading = classifier.read(picture)
    a, b = classifier.taxonomy.leaves[:2]
    found, sentence = method_maps(classifier, reading, METHODS, a, b, None)
    assert [one.method for one in found] == list(METHODS)
    maps = by_method(found)
    tokens = classifier.network.tokens(classifier.pixels(picture)[None])
    grid = reading.evidence.shape[:2]
    for method in ("GradCAM", "GradCAM++", "LayerCAM", "HiResCAM", "EigenCAM"):
        expected = gradcam(classifier.network, tokens, 0, method)
        np.testing.assert_allclose(
            np.reshape(maps[method].values, grid), expected, rtol=1e-2, atol=1e-3 * expected.max()
        )
    finer = gradcam(classifier.network, tokens, (0, 1))
    np.testing.assert_allclose(np.reshape(maps["FinerCAM"].values, grid), finer, rtol=1e-2, atol=1e-3 * finer.max())
    np.testing.assert_allclose(maps["evidence"].values, reading.evidence[..., 0].ravel(), rtol=1e-3)
    assert maps["HiResCAM"].same_as == "GradCAM"
    assert [one.trust for one in found] == [None] * len(found)
    assert (sentence, maps["EigenCAM"].asks, maps["FinerCAM"].asks) == (SENTENCES["background"], "picture", "contrast")


def test_counted_from_zero_gradcam_is_the_positive_part_of_the_evidence(
    classifier: Classifier, picture: Image.Image
) -> None:
    zero = replace(classifier, origin=np.zeros_like(classifier.origin))
    a, b = zero.taxonomy.leaves[:2]
    found, sentence = method_maps(zero, zero.read(picture), METHODS, a, b, None)
    maps = by_method(found)
    for ours, library in (("evidence", "GradCAM"), ("contrast", "FinerCAM")):
        np.testing.assert_allclose(np.maximum(maps[ours].values, 0), maps[library].values, rtol=1e-3, atol=1e-6)
    assert sentence == SENTENCES["linear"]


def test_figures_are_those_of_the_page_and_maps_that_are_one_are_measured_once(
    classifier: Classifier, picture: Image.Image
) -> None:
    a, b = classifier.taxonomy.leaves[:2]
    maps = by_method(method_maps(classifier, classifier.read(picture), METHODS, a, b, picture)[0])
    page = trust(classifier, picture, None, a, b)
    for method, name in (("evidence", "class"), ("contrast", "contrast")):
        figure = maps[method].trust
        assert figure is not None
        assert figure.score == pytest.approx(page[name].score, abs=1e-5)
    assert maps["HiResCAM"].trust == maps["GradCAM"].trust


def test_the_workbench_asks_the_network_for_nothing_more(classifier: Classifier, picture: Image.Image) -> None:
    passes = 0
    backbone = classifier.network.backbone

    def count(*_: object) -> None:
        nonlocal passes
        passes += 1

    handle = backbone.register_forward_hook(count)
    try:
        workbench = Workbench(classifier, methods=partial(method_maps, classifier))
        encoded = jpeg(picture, 120)
        answer = workbench.classify(encoded, name="a")
        ask = partial(workbench.maps.methods, encoded, name="a", box=None, a=answer.asked, b=answer.rival)
        found = ask(methods=METHODS)
        assert (passes, found.grid, len(found.maps)) == (1, answer.grid, len(METHODS))
        measured = ask(methods=["LayerCAM"], measure=True)
        assert [one.trust is None for one in measured.maps] == [False]
    finally:
        handle.remove()
    sheet = Image.new("RGB", (1600, 300))
    assert with_methods(sheet, picture, found).height > 800


def test_a_model_that_keeps_nothing_of_a_picture_says_so(classifier: Classifier, picture: Image.Image) -> None:
    reading = replace(classifier.read(picture), tokens=None)
    a, b = classifier.taxonomy.leaves[:2]
    with pytest.raises(BackboneError, match="keeps nothing"):
        method_maps(classifier, reading, METHODS, a, b, None)
    with pytest.raises(BackboneError, match="No other methods"):
        Workbench(classifier).maps.methods(b"", name="a", box=None, a=a, b=b, methods=METHODS)


@pytest.mark.parametrize(
    ("names", "methods"),
    [
        (None, METHODS),
        (["all"], METHODS),
        (["grad-cam", " LayerCAM "], ("GradCAM", "LayerCAM")),
        (["Finer-CAM", "grad-cam++"], ("GradCAM++", "FinerCAM")),
    ],
)
def test_methods_are_known_however_they_are_written(names: list[str] | None, methods: tuple[str, ...]) -> None:
    assert methods_of(names) == methods


def test_an_unknown_method_is_told_which_there_are() -> None:
    with pytest.raises(SettingsError, match=r"no method “ScoreCAM”.*GradCAM"):
        methods_of(["ScoreCAM"])
