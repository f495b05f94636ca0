"""Maps as they are drawn: on pixels that the picture names, with the sums of the evidence, else as it is."""

from __future__ import annotations

import threading
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image

from fgdemo.explain import drawn
from fgdemo.explain.drawn import drawn_maps, outline, places_of, trust
from fgdemo.explain.methods import method_maps
from fgdemo.explain.pull import pull
from fgdemo.explain.sheet import explain_sheet
from fgdemo.explain.small_multiples import with_methods
from fgdemo.learn.candidate.mid_ground import SUREST, mid_line, otsu
from fgdemo.model.checkpoint.persistence import from_checkpoint, to_checkpoint
from fgdemo.model.classifier import Classifier
from fgdemo.services.classify.workbench import Workbench
from fgdemo.specimens import SPECIES, draw_specimen
from fgdemo.storage.pictures.images import jpeg
from fgdemo.values.evidence import FINE
from fgdemo.values.types import CropBox
from tests.support.tiny import tiny_fit


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return tiny_fit().classifier


@pytest.fixture(scope="module")
def picture() -> Image.Image:
    return draw_specimen(SPECIES[0], 3, (120, 90)).picture


def test_drawn_maps_have_the_sums_of_the_evidence(classifier: Classifier, picture: Image.Image) -> None:
    reading = replace(classifier.read(picture), foreground=half_of(classifier))
    a, b = classifier.taxonomy.leaves[:2]
    evidence = reading.evidence.sum((0, 1), dtype=np.float64)
    of_class, contrast = drawn_maps(classifier, reading, picture, a, b)
    assert of_class.shape == contrast.shape == (FINE, FINE)
    near = 1e-4 * float(np.abs(reading.evidence[..., :2]).sum())
    assert of_class.sum() == pytest.approx(evidence[0], abs=near)
    assert contrast.sum() == pytest.approx(evidence[0] - evidence[1], abs=near)


def half_of(classifier: Classifier) -> np.ndarray:
    """A foreground: the left half."""
    rows, columns = classifier.grid
    foreground = np.zeros((rows, columns), np.float32)
    foreground[:, : columns // 2 or 1] = 1
    return foreground


def test_where_nothing_tells_the_evidence_is_drawn_as_it_is(classifier: Classifier, picture: Image.Image) -> None:
    reading = replace(classifier.read(picture), foreground=None)
    a, b = classifier.taxonomy.leaves[:2]
    np.testing.assert_array_equal(drawn_maps(classifier, reading, picture, a, b)[0], reading.evidence[..., 0])
    for nothing in (np.zeros(classifier.grid), np.ones(classifier.grid)):
        assert outline(replace(reading, foreground=nothing), picture) is None


def pulled(classifier: Classifier, picture: Image.Image, a: int = 0, b: int = 1) -> np.ndarray:
    found = pull(classifier.network, classifier.pixels(picture), a, b)
    assert found is not None
    return found


def test_the_pull_is_activation_times_gradient_of_the_pair(classifier: Classifier, picture: Image.Image) -> None:
    network = classifier.network
    pixels = classifier.pixels(picture)
    found = pulled(classifier, picture)
    np.testing.assert_allclose(pulled(classifier, picture, 1, 0), -found, atol=1e-5 * np.abs(found).max())
    with torch.inference_mode():  # whoever asks may be in it
        again = pulled(classifier, picture)
        before = network(pixels[None])
    np.testing.assert_array_equal(found, again)
    assert not any(value.requires_grad or value.grad is not None for value in network.parameters())
    tap = network.backbone.tap
    assert tap is not None
    assert not network.backbone.net.get_submodule(tap.module)._forward_hooks
    np.testing.assert_array_equal(before, network(pixels[None]).detach())


def test_passes_of_other_threads_are_left_alone(classifier: Classifier, picture: Image.Image) -> None:
    network, pixels = classifier.network, classifier.pixels(picture)
    alone = pulled(classifier, picture)
    apart: list[float] = []
    stop = threading.Event()

    def others() -> None:
        with torch.inference_mode():
            expected = network(pixels[None])
            while not stop.is_set():
                apart.append(float((network(pixels[None]) - expected).abs().max()))

    thread = threading.Thread(target=others)
    thread.start()
    try:
        for _ in range(10):
            np.testing.assert_allclose(pulled(classifier, picture), alone, rtol=1e-4, atol=1e-7)
    finally:
        stop.set()
        thread.join()
    assert max(apart) == 0


def test_the_trust_figure_is_that_of_the_map_that_is_drawn(
    classifier: Classifier, picture: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = classifier.taxonomy.leaves[:2]
    found = trust(classifier, picture, None, a, b)
    box = CropBox(0.1, 0.1, 0.9, 0.9)
    inside = picture.crop(box.pixels(*picture.size))
    assert trust(classifier, picture, box, a, b) == trust(classifier, inside, None, a, b)
    of_class, contrast = drawn_maps(classifier, classifier.read(picture), picture, a, b)
    monkeypatch.setattr(drawn, "drawn_maps", lambda *_: (-of_class, contrast))
    turned = trust(classifier, picture, None, a, b)
    assert turned["contrast"].score == pytest.approx(found["contrast"].score)
    assert turned["class"].score == pytest.approx(-found["class"].score, abs=0.01)


@pytest.mark.parametrize("size", [(40, 40), (400, 40), (40, 400)])
def test_the_workbench_gives_what_is_drawn(classifier: Classifier, size: tuple[int, int]) -> None:
    picture = draw_specimen(SPECIES[0], 3, (160, 160)).picture.resize(size)
    thing = np.eye(FINE)  # somewhere: a network this small tells no outline
    places = replace(places_of(classifier), silhouette=lambda *_: thing)
    workbench = Workbench(classifier, methods=partial(method_maps, classifier), places=places)
    encoded = jpeg(picture, 400)
    answer = workbench.classify(encoded, name="a")
    fine = workbench.maps.spread(encoded, name="a", box=None, a=answer.asked, b=answer.rival)
    assert fine["class"] == answer.spread
    by_taxon = {one.taxon: sum(one.evidence) for one in answer.candidates}
    expected = {"class": by_taxon[answer.asked], "contrast": by_taxon[answer.asked] - by_taxon[answer.rival]}
    for name, one in fine.items():
        assert one.grid == (FINE, FINE)
        assert sum(one.values) == pytest.approx(expected[name], abs=1e-2)
    assert set(fine) == {"class", "contrast"}
    blind = Workbench(classifier, places=replace(places, silhouette=lambda *_: None))
    assert blind.classify(encoded, name="a").spread is None
    assert blind.maps.spread(encoded, name="a", box=None, a=answer.asked, b=answer.rival) == {}
    methods = workbench.maps.methods(
        encoded, name="a", box=None, a=answer.asked, b=answer.rival, methods=("evidence", "GradCAM", "contrast")
    )
    assert [one.spread for one in methods.maps] == [fine["class"], None, fine["contrast"]]
    sheet = explain_sheet(answer, picture, None, fine)
    assert with_methods(sheet, picture, methods).height > sheet.height


def planted() -> tuple[torch.Tensor, torch.Tensor, np.ndarray]:
    """Mid tokens with a thing in them, and a teacher that is wrong in a quarter of its places and too wide."""
    generator = torch.Generator().manual_seed(0)
    thing = torch.zeros(30, 8, 8)
    thing[:, 2:6, 3:6] = 1
    mid = torch.randn(30, 8, 8, 12, generator=generator) * 0.7
    mid[..., 0] += 2 * thing
    mid[..., 1] += 2 * (1 - thing)
    told = thing.clone()
    told[:, 2:6, 6] = 1
    wrong = torch.rand(told.shape, generator=generator) < 0.25
    return mid, torch.where(wrong, 1 - told, told), thing.numpy() > 0


def test_mid_tokens_tell_the_thing_better_than_their_teacher() -> None:
    mid, teacher, thing = planted()
    line = mid_line(mid, teacher)
    assert line is not None
    unit = torch.nn.functional.normalize(mid, dim=-1)
    scores = (unit @ line[:-1] + line[-1]).numpy()
    assert thing[scores > 0].mean() > 0.97  # those that are surest
    assert (scores > 0).mean() == pytest.approx(SUREST * (scores > otsu(scores)).mean(), abs=0.01)
    assert ((scores > otsu(scores)) == thing).mean() > 0.95 > 0.9 > ((teacher.numpy() > 0.5) == thing).mean()


def test_otsu_finds_the_gap() -> None:
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(0, 1, 3000), rng.normal(8, 1, 1000)])
    assert 2.5 < otsu(values) < 5.5


def test_where_there_is_nothing_to_tell_apart_there_is_no_line() -> None:
    mid, teacher, _ = planted()
    assert mid_line(mid, torch.zeros_like(teacher)) is None
    assert mid_line(mid, torch.ones_like(teacher)) is None
    assert mid_line(torch.ones_like(mid), teacher) is None


def test_a_checkpoint_keeps_what_mid_tokens_tell_and_older_ones_go_on_without(
    classifier: Classifier, picture: Image.Image
) -> None:
    assert classifier.parts.mid_ground is not None
    there = to_checkpoint(classifier)
    there = replace(there, card={**there.card, "weights_sha256": "0" * 64})
    back = from_checkpoint("a", there, "cpu")
    np.testing.assert_allclose(seen(back, picture), seen(classifier, picture), atol=2e-2)
    without = {key: value for key, value in there.arrays.items() if key != "parts.mid_ground"}
    told = {key: value for key, value in there.card["parts"].items() if key != "mid_groups"}
    older = replace(there, arrays=without, card={**there.card, "parts": told})
    old = from_checkpoint("a", older, "cpu")
    assert old.parts.mid_ground is None
    np.testing.assert_allclose(seen(old, picture), 1 - old.read(picture).assignment[..., -1], atol=1e-4)
    bad = replace(there, arrays={**without, "parts.mid_ground": np.zeros((1, 3), np.float32)})
    with pytest.raises(ValueError, match="mid_ground"):
        from_checkpoint("a", bad, "cpu")


def seen(classifier: Classifier, picture: Image.Image) -> np.ndarray:
    foreground = classifier.read(picture).foreground
    assert foreground is not None
    return foreground
