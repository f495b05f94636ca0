"""The workbench: answers in words, maps that add up, many visitors at once."""

from __future__ import annotations

import base64
import dataclasses
import io
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from fgdemo.services.classify.readings import READINGS_KEPT
from fgdemo.services.classify.wording import answer_for, known_kinds, percent, plural, unknown_verdict, with_article
from fgdemo.services.classify.workbench import Workbench
from fgdemo.storage.embeddings.library import Library
from fgdemo.storage.pictures.decoding import Decoder
from fgdemo.storage.pictures.originals import image_id_of
from fgdemo.values.errors import PictureError, TaxonomyError
from fgdemo.values.labelled import LabelledPicture
from fgdemo.values.taxonomy import KnownGroup, Taxon, Taxonomy
from fgdemo.values.types import CropBox, Trust
from tests.support.fakes import COLOURS, TAXONOMY, FakeClassifier
from tests.support.workspace import open_fake_workspace


def photo(colour, size=(64, 48), kind="PNG", **options) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, kind, **options)
    return file.getvalue()


def colour_of(number: int) -> tuple[int, int, int]:
    return (number * 37 % 256, number * 91 % 256, number * 53 % 256)


@pytest.fixture
def classifier():
    return FakeClassifier()


@pytest.fixture
def workbench(classifier):
    return Workbench(classifier)


# --- words ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prob", "words"),
    [(0, "<1 %"), (0.0099, "<1 %"), (0.01, "1 %"), (0.814, "81 %"), (0.994, "99 %"), (0.995, ">99 %"), (1, ">99 %")],
)
def test_percent(prob, words):
    assert percent(prob) == words


@pytest.mark.parametrize(
    "words",
    [
        "a Nashville Warbler",
        "an owl",
        "an Eskimo Dog",
        "a Eurasian Eagle-Owl",
        "a European Goldfinch",
        "an Emu",
        "an Upland Sandpiper",
        "a Ural Owl",
        "a Unicorn",
        "an hourglass",
        "an Umbrellabird",
        "a one-eyed cat",
        "Sports Cars",
        "a moss",
        "a Hippopotamus",
        "an iris",
        "an Ölvogel",
        "a Ewe",
    ],
)
def test_articles(words):
    assert with_article(words.removeprefix("an ").removeprefix("a ")) == words


TREE = Taxonomy(
    (
        Taxon("bird", "bird"),
        Taxon("warbler", "Warbler", "bird"),
        Taxon("nashville", "Nashville Warbler", "warbler"),
        Taxon("mourning", "Mourning Warbler", "warbler"),
        Taxon("owl", "Tawny Owl", "bird"),
        Taxon("asterales", "Asterales", latin="Asterales"),
        Taxon("aster", "Aster", "asterales"),
    )
)


@pytest.mark.parametrize(
    ("probs", "kind", "taxon", "sentence"),
    [
        ([0.81, 0.09, 0.05, 0.05], "leaf", "nashville", "Looks like a Nashville Warbler, 81 %"),
        ([0.58, 0.36, 0.03, 0.03], "group", "warbler", "A warbler (94 %), probably a Nashville Warbler (58 %)"),
        (
            [0.31, 0.39, 0.2, 0.1],
            "group",
            "warbler",
            "A warbler (70 %), probably a Mourning Warbler (39 %)",
        ),
        (
            [0.3, 0.25, 0.4, 0.05],
            "group",
            "bird",
            "A bird (95 %), perhaps a Tawny Owl (40 %) or a Nashville Warbler (30 %)",
        ),
        ([0.3, 0.1, 0.15, 0.45], "unsure", None, "Not sure even of the group; closest is an Aster (45 %)"),
        ([0.0, 0.0, 0.0, 1.0], "leaf", "aster", "Looks like an Aster, >99 %"),
    ],
)
def test_the_answer_is_at_the_deepest_level_that_is_sure(probs, kind, taxon, sentence):
    answer, leaf = answer_for(TREE, np.array(probs), 0.6, is_unknown=False)
    assert (answer.kind, answer.taxon, answer.sentence) == (kind, taxon, sentence)
    assert leaf in TREE.leaf_index


def test_the_leaf_named_in_a_group_is_one_of_the_group():
    wide = Taxonomy((Taxon("g", "gull"), *(Taxon(f"g{n}", f"Gull {n}", "g") for n in range(8)), Taxon("x", "Tern")))
    probs = np.array([*[0.1] * 8, 0.2])
    answer, leaf = answer_for(wide, probs, 0.6, is_unknown=False)
    assert (answer.taxon, leaf) == ("g", "g0")
    assert answer.sentence == "A gull (80 %), perhaps a Gull 0 (10 %) or a Gull 1 (10 %)"


def test_the_answer_when_unknown_and_without_groups():
    answer, _ = answer_for(TREE, np.array([0.9, 0.1, 0, 0]), 0.6, is_unknown=True)
    assert (answer.kind, answer.taxon) == ("unknown", None)
    assert answer.sentence == "Probably none of the 4 kinds I know"
    flat = Taxonomy.flat(["emu", "kea"])
    answer, _ = answer_for(flat, np.array([0.51, 0.49]), 0.6, is_unknown=False)
    assert answer.sentence == "Not sure; closest is an emu (51 %)"  # as its folder is written


@given(arrays(float, len(TREE.leaves), elements=st.floats(0.001, 1)), st.floats(0.2, 0.99))
@settings(deadline=None)
def test_an_answer_is_as_sure_as_asked_and_no_child_of_it_is(weights, sure_prob):
    probs = weights / weights.sum()
    answer, _ = answer_for(TREE, probs, sure_prob, is_unknown=False)
    rolled = TREE.roll_up(probs)
    below = [t for t in TREE.taxa if t.parent == answer.taxon]
    assert all(rolled[t.id] < sure_prob for t in below if rolled[t.id] == max(rolled[u.id] for u in below))
    if answer.taxon is not None:
        assert answer.prob == rolled[answer.taxon] >= sure_prob


def test_the_unknown_verdict_in_words():
    assert unknown_verdict(0.999, 0.97).sentence.startswith("Stranger than 99 %")
    assert unknown_verdict(0.9, 0.97).sentence.startswith("Unusual, but within what I know")
    assert not unknown_verdict(0.97, 0.97).is_unknown


@pytest.mark.parametrize(
    "words", ["birds", "butterflies", "finches", "foxes", "grasses", "monkeys", "fish", "sheep", "Aves", "Löwen", "鳥"]
)
def test_plurals(words):
    singular = {"butterflies": "butterfly", "finches": "finch", "foxes": "fox", "grasses": "grass"}
    singular |= {"birds": "bird", "monkeys": "monkey"}
    assert plural(singular.get(words) or words) == words


@pytest.mark.parametrize(
    ("total", "groups", "sentence"),
    [
        (174, {"bird": 100, "Dog": 64, "butterfly": 10}, "Knows 174 kinds: 100 birds, 64 dogs and 10 butterflies."),
        (5, {"bird": 3}, "Knows 5 kinds: 3 birds and 2 others."),
        (5, {"bird": 5}, "Knows 5 kinds of bird."),
        (3, {"bird": 2, "dog": 1}, "Knows 3 kinds: 2 birds and 1 dog."),
        (15, {"a": 5, "b": 4, "c": 3, "d": 2, "e": 1}, "Knows 15 kinds: 5 as, 4 bs, 3 cs, 2 ds and 1 other."),
        (12, {}, "Knows 12 kinds."),
        (1, {}, "Knows 1 kind."),
    ],
)
def test_what_is_known_in_words(total, groups, sentence):
    assert known_kinds(total, [KnownGroup(name, name, kinds) for name, kinds in groups.items()]) == sentence


# --- about ---------------------------------------------------------------------------------------------------------


def test_a_model_says_what_it_knows(workbench, classifier):
    found = workbench.about()
    assert (found.model_version, found.kinds_known, classifier.reads) == ("fake-00000000", 5, 0)
    assert [(group.taxon, group.kinds) for group in found.groups] == [("bird", 3), ("dog", 2)]
    assert found.sentence == "Knows 5 kinds: 3 birds and 2 dogs."


def test_the_largest_group_comes_first_and_kinds_without_one_are_counted():
    class Mixed(FakeClassifier):
        taxonomy = Taxonomy(
            (
                Taxon("emu", "Emu"),
                Taxon("b", "bird"),
                Taxon("kea", "Kea", "b"),
                Taxon("d", "dog"),
                *(Taxon(f"d{n}", f"Dog {n}", "d") for n in range(3)),
            )
        )

    found = Workbench(Mixed()).about()
    assert [(group.taxon, group.kinds) for group in found.groups] == [("d", 3), ("b", 1)]
    assert found.sentence == "Knows 5 kinds: 3 dogs, 1 bird and 1 other."


# --- classify ------------------------------------------------------------------------------------------------------


def test_a_classification_is_whole_and_adds_up(workbench, classifier):
    data = photo(COLOURS["nashville_warbler"])
    found = workbench.classify(data, name="a.png")
    reading = classifier.read(Image.new("RGB", (64, 48), COLOURS["nashville_warbler"]))
    assert (found.image_id, found.width_px, found.height_px) == (image_id_of(data), 64, 48)
    assert found.answer.sentence == "Looks like a Nashville Warbler, 82 %"
    assert [step.taxon for step in found.path] == ["bird", "warbler", "nashville_warbler"]
    assert found.path[1].prob == pytest.approx(sum(c.prob for c in found.candidates if c.taxon.endswith("warbler")))
    assert (found.asked, found.rival, found.kinds_known) == ("nashville_warbler", "mourning_warbler", 5)
    assert [hit.taxon for hit in found.prediction_set] == ["nashville_warbler", "mourning_warbler"]
    assert found.grid == (14, 14)
    assert [part.name for part in found.parts] == ["crown", "breast", "part 3"]
    for candidate in found.candidates:
        index = TAXONOMY.leaf_index[candidate.taxon]
        assert sum(candidate.evidence) + candidate.bias == pytest.approx(reading.logits[index], abs=1e-3)
        assert candidate.evidence == pytest.approx(reading.evidence[..., index].ravel(), abs=1e-3)
    shares = np.array([part.share for part in found.parts]).T.reshape(14, 14, 3)
    assert shares == pytest.approx(reading.assignment[..., :3], abs=1e-3)
    assert found.candidates[0].lookalikes == ("mourning_warbler",)


@given(arrays(np.float64, (4, 5, 5), elements=st.floats(-30, 30)), st.integers(-6, 0))
@settings(max_examples=40, deadline=None)
def test_rounded_maps_still_sum_to_their_logit(evidence, power):
    evidence = evidence * 10.0**power

    class Scripted(FakeClassifier):
        def read(self, picture, box=None):
            reading = super().read(picture, box)
            logits = evidence.sum((0, 1)) + reading.bias
            return dataclasses.replace(reading, evidence=evidence, logits=logits)

    found = Workbench(Scripted()).classify(photo("red"), name="a")
    for candidate in found.candidates:
        column = evidence[..., TAXONOMY.leaf_index[candidate.taxon]]
        bias = FakeClassifier().read(Image.new("RGB", (9, 9))).bias[TAXONOMY.leaf_index[candidate.taxon]]
        assert sum(candidate.evidence) + candidate.bias == pytest.approx(column.sum() + bias, abs=1e-3)
        assert candidate.evidence == pytest.approx(column.ravel(), abs=float(np.abs(evidence).max()) / 1000 + 1e-9)


def test_the_json_stays_small(workbench):
    file = io.BytesIO()
    Image.effect_noise((300, 300), 90).convert("RGB").save(file, "PNG")
    found = dataclasses.asdict(workbench.classify(file.getvalue(), name="a"))
    assert found.pop("display").startswith("data:image/jpeg;base64,")
    assert len(json.dumps(found)) < 60_000


def test_asked_and_rival(workbench):
    data = photo(COLOURS["nashville_warbler"])
    found = workbench.classify(data, name="a", asked="lowchen")
    assert (found.asked, found.rival) == ("lowchen", "nashville_warbler")
    found = workbench.classify(data, name="a", rival="nashville_warbler")
    assert (found.asked, found.rival) == ("mourning_warbler", "nashville_warbler")
    for wrong, words in (
        ({"asked": "no_such"}, "no taxon"),
        ({"rival": "warbler"}, "group of kinds"),
        ({"asked": "lowchen", "rival": "lowchen"}, "two different"),
    ):
        with pytest.raises(TaxonomyError, match=words):
            workbench.classify(data, name="a", **wrong)


def test_where_all_others_are_out_of_the_question_the_rival_is_a_known_lookalike():
    class Confused(FakeClassifier):
        def lookalikes(self, leaf):
            return ("lowchen", "mourning_warbler") if leaf == "eurasian_eagle_owl" else ()

    sure = Workbench(Confused()).classify(photo(COLOURS["eurasian_eagle_owl"]), name="a")
    assert sure.candidates[1].prob < 0.01
    birds = [one.taxon for one in sure.candidates[1:] if "warbler" in one.taxon]
    assert birds[0] != "mourning_warbler"  # else the test shows nothing
    assert (sure.asked, sure.rival) == ("eurasian_eagle_owl", "mourning_warbler")
    torn = Workbench(Confused()).classify(photo((158, 178, 255)), name="a")  # midway between the dogs
    assert {torn.asked, torn.rival} == {"eskimo_dog", "lowchen"}


def test_the_rival_is_of_the_same_group_where_all_others_are_out_of_the_question():
    class Mistaken(FakeClassifier):
        def lookalikes(self, leaf):
            return ("eurasian_eagle_owl",)

    found = Workbench(Mistaken()).classify(photo(COLOURS["eskimo_dog"]), name="a")
    assert (found.asked, found.rival) == ("eskimo_dog", "lowchen")

    class Flat(Mistaken):
        taxonomy = Taxonomy(tuple(dataclasses.replace(TAXONOMY[leaf], parent=None) for leaf in TAXONOMY.leaves))

    found = Workbench(Flat()).classify(photo(COLOURS["eskimo_dog"]), name="a")
    assert (found.asked, found.rival) == ("eskimo_dog", "eurasian_eagle_owl")


def test_taxa_asked_for_are_added_to_the_eight_likeliest(classifier):
    many = Taxonomy(tuple(Taxon(f"k{n:02}", f"Kind {n}") for n in range(12)))

    class Many(FakeClassifier):
        taxonomy = many

        def read(self, picture, box=None):
            logits = -np.arange(12.0)
            probs = np.exp(logits) / np.exp(logits).sum()
            return dataclasses.replace(
                classifier.read(picture, box), logits=logits, probs=probs, evidence=np.zeros((2, 2, 12)), bias=logits
            )

    found = Workbench(Many()).classify(photo("red"), name="a", asked="k10", rival="k11")
    assert [candidate.taxon for candidate in found.candidates] == [*(f"k{n:02}" for n in range(8)), "k10", "k11"]


def test_a_group_an_unsure_and_an_unknown_picture(workbench):
    assert workbench.classify(photo((238, 238, 0)), name="a").answer.sentence.startswith(
        "A warbler (>99 %), probably a "
    )
    unsure = workbench.classify(photo((180, 170, 140)), name="a")
    assert (unsure.answer.kind, unsure.answer.name) == ("unsure", "Löwchen")
    unknown = workbench.classify(photo((255, 0, 255)), name="a")
    assert unknown.unknown.is_unknown
    assert unknown.answer.sentence == "Probably none of the 5 kinds I know"


def test_a_box_is_what_is_read(workbench):
    half = Image.new("RGB", (64, 48), COLOURS["lowchen"])
    half.paste(COLOURS["eurasian_eagle_owl"], (0, 0, 32, 48))
    file = io.BytesIO()
    half.save(file, "PNG")
    left, right = CropBox(0, 0, 0.5, 1), CropBox(0.5, 0, 1, 1)
    assert workbench.classify(file.getvalue(), name="a", box=left).answer.taxon == "eurasian_eagle_owl"
    found = workbench.classify(file.getvalue(), name="a", box=right)
    assert (found.answer.taxon, found.box) == ("lowchen", right)


def test_the_page_gets_a_small_upright_picture_and_its_full_size(workbench):
    exif = Image.Exif()
    exif[0x0112] = 6
    found = workbench.classify(photo("blue", (4000, 3000), "JPEG", exif=exif), name="a")
    shown = Image.open(io.BytesIO(base64.b64decode(found.display.partition(",")[2])))
    assert (found.width_px, found.height_px) == (3000, 4000)
    assert (shown.format, shown.size) == ("JPEG", (960, 1280))


def test_a_path_is_read_and_a_missing_one_is_said(workbench, tmp_path):
    path = tmp_path / "upload"
    path.write_bytes(photo(COLOURS["lowchen"]))
    assert workbench.classify(path, name="a").answer.taxon == "lowchen"
    with pytest.raises(PictureError, match="send it again") as caught:
        workbench.classify(tmp_path / "gone", name="a.jpg")
    assert str(tmp_path) not in str(caught.value)


def test_bad_pictures_never_reach_the_model(classifier):
    workbench = Workbench(classifier, decoder=Decoder(max_picture_mp=1))
    for bad in (b"", b"<svg/>", photo("red", (2000, 1000))):
        with pytest.raises(PictureError):
            workbench.classify(bad, name="a")
    assert classifier.reads == 0


# --- asked again, and many at once -----------------------------------------------------------------------------------


def test_asking_again_needs_no_second_forward_pass(classifier, monkeypatch):
    workbench = Workbench(classifier)
    data = photo("red")
    first = workbench.classify(data, name="a")
    monkeypatch.setattr(workbench._readings, "_decoder", None)
    again = workbench.classify(data, name="a", asked="lowchen", rival="eskimo_dog")
    assert classifier.reads == 1
    assert (again.display, again.answer) == (first.display, first.answer)


def test_only_the_latest_readings_are_kept(classifier):
    workbench = Workbench(classifier)
    for number in range(READINGS_KEPT + 1):
        workbench.classify(photo(colour_of(number)), name="a")
    workbench.classify(photo(colour_of(READINGS_KEPT)), name="a")
    assert classifier.reads == READINGS_KEPT + 1
    workbench.classify(photo(colour_of(0)), name="a")
    assert classifier.reads == READINGS_KEPT + 2


def test_eight_visitors_get_their_own_answers_one_forward_pass_at_a_time():
    class Watchful(FakeClassifier):
        inside = 0

        def read(self, picture, box=None):
            self.inside += 1
            assert self.inside == 1, "two forward passes at once"
            reading = super().read(picture, box)
            self.inside -= 1
            return reading

    classifier = Watchful()
    workbench = Workbench(classifier)
    pictures = [photo(colour_of(n)) for n in range(60)]
    alone = [Workbench(FakeClassifier()).classify(data, name="a") for data in pictures]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda data: workbench.classify(data, name="a"), pictures * 2))
    for found, expected in zip(together, alone * 2, strict=True):
        assert dataclasses.replace(found, elapsed_ms=0) == dataclasses.replace(expected, elapsed_ms=0)


def test_the_same_picture_from_eight_visitors_is_read_once(classifier):
    workbench = Workbench(classifier)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: workbench.classify(photo("red"), name="a"), range(8)))
    assert classifier.reads == 1


# --- trust and neighbours --------------------------------------------------------------------------------------------

FAITHFUL = {"class": Trust(0.5, 0.1, 0.7, 0.1), "contrast": Trust(0.4, 0.2, 0.7, 0.1)}


def test_trust_gets_the_picture_and_the_pair(classifier):
    asked = []

    def measure(picture, box, a, b):
        asked.append((picture.size, box, a, b))
        return FAITHFUL

    workbench = Workbench(classifier, trust=measure)
    box = CropBox(0, 0, 0.5, 1)
    assert workbench.maps.trust(photo("red"), name="a", box=box, a="lowchen", b="eskimo_dog") == FAITHFUL
    assert asked == [((32, 48), None, "lowchen", "eskimo_dog")]
    for a, b in (("lowchen", "no_such"), ("lowchen", "lowchen"), ("warbler", "lowchen")):
        with pytest.raises(TaxonomyError):
            workbench.maps.trust(photo("red"), name="a", box=None, a=a, b=b)


def test_without_a_measurement_there_is_no_trust(workbench):
    assert workbench.maps.trust(photo("red"), name="a", box=None, a="lowchen", b="eskimo_dog") == {}


def test_a_running_measurement_does_not_hold_up_an_answer_and_only_one_runs(classifier):
    started, go_on, running = threading.Event(), threading.Event(), []

    def measure(*_):
        running.append(1)
        assert len(running) == 1, "two measurements at once"
        started.set()
        assert go_on.wait(60)
        running.pop()
        return FAITHFUL

    workbench = Workbench(classifier, trust=measure)
    with ThreadPoolExecutor(2) as pool:
        measured = [
            pool.submit(workbench.maps.trust, photo("red"), name="a", box=None, a="lowchen", b=b)
            for b in ("eskimo_dog", "nashville_warbler")
        ]
        assert started.wait(60)
        assert workbench.classify(photo(COLOURS["lowchen"]), name="a").answer.taxon == "lowchen"
        assert not any(future.done() for future in measured)
        go_on.set()
        assert [future.result(60) for future in measured] == [FAITHFUL, FAITHFUL]


def test_a_measurement_waits_for_answers_under_way(monkeypatch):
    reading, waiting, go_on, order = threading.Event(), threading.Event(), threading.Event(), []

    class Slow(FakeClassifier):
        def read(self, picture, box=None):
            reading.set()
            assert go_on.wait(60)
            order.append("answer")
            return super().read(picture, box)

    class Condition(threading.Condition):
        def wait_for(self, predicate, timeout=None):
            waiting.set()
            return super().wait_for(predicate, timeout)

    monkeypatch.setattr("fgdemo.services.classify.readings.threading.Condition", Condition)
    workbench = Workbench(Slow(), trust=lambda *_: order.append("trust") or FAITHFUL)
    monkeypatch.undo()
    with ThreadPoolExecutor(2) as pool:
        answer = pool.submit(workbench.classify, photo("red"), name="a")
        assert reading.wait(60)
        trust = pool.submit(workbench.maps.trust, photo("red"), name="a", box=None, a="lowchen", b="eskimo_dog")
        assert waiting.wait(60)
        go_on.set()
        answer.result(60)
        assert trust.result(60) == FAITHFUL
    assert order == ["answer", "trust"]


def test_neighbours_are_the_nearest_labelled_pictures_but_never_the_picture_itself(tmp_path):
    workspace = open_fake_workspace(tmp_path)
    shades = [(60, 100, 255), (70, 110, 240), (0, 0, 90), (200, 200, 255), (30, 30, 30), (90, 0, 90)]
    listed = [LabelledPicture(f"{at}.png", "eskimo_dog", "train", partial(photo, c)) for at, c in enumerate(shades)]
    workspace.take_in(listed)
    images = [image_id_of(photo(c)) for c in shades]
    workbench = Workbench(workspace.classifier, Library(workspace.roster, workspace.embeddings, workspace.images))
    near = partial(workbench.neighbours, name="a", only_public=False)
    found = near(photo(shades[0]), box=None, taxon_ids=("eskimo_dog", "lowchen"))
    assert found["lowchen"] == ()
    nearest = found["eskimo_dog"]
    assert len(nearest) == 4
    assert nearest[0].image_id == images[1]
    assert images[0] not in [neighbour.image_id for neighbour in nearest]
    assert [n.similarity for n in nearest] == sorted((n.similarity for n in nearest), reverse=True)
    thumbnail = Image.open(io.BytesIO(base64.b64decode(nearest[0].thumbnail.partition(",")[2])))
    assert thumbnail.format == "JPEG"
    exif = Image.Exif()
    exif[0x010E] = "as it came from the camera"
    file = io.BytesIO()
    Image.open(io.BytesIO(photo(shades[0]))).save(file, "PNG", exif=exif)
    for box in (None, CropBox(0, 0, 0.5, 0.5)):
        (again,) = near(file.getvalue(), box=box, taxon_ids=("eskimo_dog",)).values()
        assert [n.image_id for n in again] == [n.image_id for n in nearest], "the file differs, the picture does not"
    with pytest.raises(TaxonomyError):
        workbench.neighbours(photo(shades[0]), name="a", box=None, taxon_ids=("no_such",))
    workspace.engine.dispose()


def test_without_a_library_there_are_no_neighbours(workbench, classifier):
    assert workbench.neighbours(photo("red"), name="a", box=None, taxon_ids=("lowchen",)) == {"lowchen": ()}
    assert classifier.reads == 0


# --- search --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("warbler", ["warbler", "mourning_warbler", "nashville_warbler"]),
        ("WARB", ["warbler", "mourning_warbler", "nashville_warbler"]),
        ("warb nash", ["nashville_warbler"]),
        ("lowch", ["lowchen"]),
        ("LÖWCHEN", ["lowchen"]),
        ("urasian", ["eurasian_eagle_owl"]),
        ("eagle owl", ["eurasian_eagle_owl"]),
        ("uhu", ["eurasian_eagle_owl"]),
        ("geothlypis", ["mourning_warbler"]),
        ("bubo", ["eurasian_eagle_owl"]),
        ("zzz", []),
        ("?!", []),
        ("owl", ["owl", "eurasian_eagle_owl"]),
    ],
)
def test_search(workbench, query, found):
    assert [hit.taxon for hit in workbench.search_taxa(query)] == found


def test_search_says_what_it_found_and_keeps_to_its_limit(workbench):
    (owl,) = workbench.search_taxa("bubo")
    assert (owl.name, owl.latin, owl.is_leaf) == ("Eurasian Eagle-Owl", "Bubo bubo", True)
    assert not workbench.search_taxa("bird")[0].is_leaf
    assert len(workbench.search_taxa("", limit=3)) == 3
    assert len(workbench.search_taxa("")) == len(TAXONOMY.taxa)
    assert workbench.search_taxa("a" * 100_000) == ()
