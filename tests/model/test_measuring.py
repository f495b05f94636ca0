"""`evaluate` with each of its protocols, and the page it writes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fgdemo.cli import main
from fgdemo.learn.candidate.candidate import train_candidate
from fgdemo.learn.data.corpus import Corpus
from fgdemo.learn.measure.plots import Axis, Line, line_plot, percent_axis, standalone
from fgdemo.learn.measure.report import html_report
from fgdemo.learn.study import tuned
from fgdemo.learn.train.recipe import PRESETS, Recipe
from fgdemo.model.checkpoint.load import save_classifier
from fgdemo.model.classifier import Classifier
from fgdemo.values.taxonomy import Taxon, Taxonomy
from tests.support.tiny import specimen_pictures, tiny_fit

Run = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint, and drawn birds in train and val folders."""
    folder = tmp_path_factory.mktemp("measuring")
    save_classifier(tiny_fit().classifier, folder / "model")
    pictures = specimen_pictures(per_class=8)
    for row, (pixels, label, split) in enumerate(zip(pictures.pixels, pictures.labels, pictures.splits, strict=True)):
        (folder / "birds" / split / label).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / "birds" / split / label / f"{row}.png")
    return folder


@pytest.fixture
def run(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def evaluate(*options: str) -> dict[str, Any]:
        """The one JSON line; the page lies at page.html."""
        capsys.readouterr()
        arguments = ["evaluate", str(place / "birds"), "--checkpoint", str(place / "model"), "--json", *options]
        assert main([*arguments, "--report", str(tmp_path / "page.html")]) == 0
        read_page(tmp_path / "page.html")
        return json.loads(capsys.readouterr().out, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))

    return evaluate


class Page(HTMLParser):
    """Checks that every element is closed, and collects what would be fetched from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fetched: list[str] = []
        self.plots = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.plots += tag == "svg"
        self.fetched += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta",):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert not [value for name, value in attrs if name == "d" and value and "nan" in value]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def read_page(path: Path) -> Page:
    page = Page()
    page.feed(path.read_text(encoding="utf-8"))
    assert page.open == []
    assert page.fetched == []  # it needs nothing else
    return page


def test_score_says_everything_with_intervals(run: Run, place: Path, tmp_path: Path) -> None:
    found = run("--unknown", str(place / "birds" / "train"))
    assert found["protocol"] == "score"
    assert found["n"] == 12
    for name in ("top1", "macro", "ece", "nll", "brier", "coverage", "set_size", "risk_area", "selective"):
        mean, low, high = found["figures"][name]
        assert low <= high
        assert np.isfinite(mean)
    assert found["figures"]["top1"] == pytest.approx(found["top1"], abs=0.02)
    assert found["figures"]["ece"][0] == pytest.approx(found["ece"], abs=1e-5)
    assert found["figures"]["unknown_auroc"][0] == found["unknown_auroc"]
    assert sum(kind["n"] for kind in found["kinds"]) == 12
    assert read_page(tmp_path / "page.html").plots == 3


def test_protocols_compare_ways_of_learning(run: Run) -> None:
    found = run("--protocol", "protocols", "--seeds", "1")
    assert (found["classes"], found["train"], found["test"]) == (6, 36, 12)
    assert set(found["protocols"]) == {"knn", "nearest_mean", "linear", "ridge"}
    assert any(one["behind"] == [0, 0, 0] for one in found["protocols"].values())
    assert 0 <= found["unknown"]["mean_auroc"] <= 1


def test_low_shot_goes_from_one_to_all(run: Run) -> None:
    found = run("--protocol", "lowshot", "--seeds", "2")
    assert found["low_shot"]["ridge"]["shots"] == [1, 2, 5, 6]
    assert all(len(curve["top1"]) == 4 for curve in found["low_shot"].values())


def test_continual_compares_with_forgetting(run: Run) -> None:
    found = run("--protocol", "continual", "--sessions", "3")
    assert set(found["courses"]) == {"ridge", "naive"}
    assert found["courses"]["ridge"]["shots"] == [0, 1, 2, 5, 10]


def test_bench_recommends_a_cell(run: Run) -> None:
    found = run("--protocol", "bench", "--size", "64", "--size", "32")
    assert {cell["size_px"] for cell in found["cells"]} == {64, 32}
    assert found["recommended"] in {cell["name"] for cell in found["cells"]}
    assert found["cells"][0]["picture_s"] <= found["cells"][1]["picture_s"]


def test_fine_tuning_is_one_more_way_of_learning_and_one_more_cell(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    learned: list[Classifier] = []

    def train(base: Classifier, corpus: Corpus, recipe: Recipe, **more: Any) -> Classifier:
        learned.append(train_candidate(base, corpus, recipe, **more))
        return learned[-1]

    monkeypatch.setattr(tuned, "train_candidate", train)
    monkeypatch.setattr(tuned, "PRESETS", {"standard": replace(PRESETS["standard"], epochs=2)})
    compared = run("--protocol", "protocols", "--seeds", "1", "--finetune", "standard")["protocols"]
    bench = run("--protocol", "bench", "--finetune", "standard")
    assert set(compared) == {"knn", "nearest_mean", "linear", "ridge", "fine_tuned"}
    cells = {cell["training"]: cell for cell in bench["cells"]}
    assert set(cells) == {"frozen", "fine-tuned"}
    pictures = specimen_pictures(per_class=8)
    for classifier, told in zip(learned, (compared["fine_tuned"], cells["fine-tuned"]), strict=True):
        assert classifier.card["epochs_done"] == 2
        assert sum(classifier.card["data"][split] for split in ("train", "val")) == 36
        right = [
            classifier.taxonomy.leaves[classifier.read(Image.fromarray(pictures.pixels[row])).probs.argmax()]
            == classifier.taxonomy.match(pictures.labels[row])
            for row in pictures.where("val")
        ]
        assert told["top1"][0] == pytest.approx(np.mean(right))


def test_what_cannot_be_run_is_said_in_a_sentence(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = ["evaluate", str(place / "birds"), "--checkpoint", str(place / "model")]
    assert main([*base, "--protocol", "continual", "--sessions", "7"]) == 1
    assert "6 kinds with pictures to test on cannot be learned in 7 sessions" in capsys.readouterr().err
    assert main([*base, "--seeds", "0"]) == 1
    assert "--seeds must be 1 or more" in capsys.readouterr().err
    assert (
        main(["evaluate", str(place / "birds" / "val"), *base[2:], "--protocol", "lowshot"]) == 0
    )  # a fifth is held out


@pytest.fixture
def one_tested(place: Path, tmp_path: Path) -> Path:
    """Drawn birds of which a single kind can be tested."""
    birds = Path(shutil.copytree(place / "birds", tmp_path / "birds"))
    for folder in sorted((birds / "val").iterdir())[1:]:
        shutil.rmtree(folder)
    return birds


def test_too_few_kinds_to_test_on_are_said_before_anything_is_trained(
    place: Path, one_tested: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fgdemo.learn.study.tuned.finetuned", lambda *_, **__: pytest.fail("trained in vain"))
    base = ["evaluate", str(one_tested), "--checkpoint", str(place / "model"), "--protocol"]
    assert main([*base, "protocols", "--finetune", "quick"]) == 1
    assert "pictures to test on of at least two kinds" in capsys.readouterr().err
    assert main([*base, "continual", "--sessions", "2"]) == 1
    assert "1 kind with pictures to test on cannot be learned in 2 sessions" in capsys.readouterr().err


def test_hostile_names_stay_text() -> None:
    hostile = "<script>alert(1)</script>"
    taxonomy = Taxonomy((Taxon("a", hostile), Taxon("b", '"><img src=x>')))
    interval = [0.5, 0.4, 0.6]
    result = {
        "checkpoint": hostile,
        "protocol": "score",
        "n": 4,
        "figures": {"top1": interval},
        "risk": [(0.5, 0), (1, 0.5)],
        "reliability": [{"confidence": 0.9, "right": 0.5, "n": 4}],
        "pairs": [{"a": "a", "b": "b", "mistaken": 1, "of": 4, "share": [0.5, 0.2, 0.8]}],
        "kinds": [{"taxon": "a", "n": 2, "right": interval, "false": 0}],
    }
    page = html_report(result, taxonomy)
    assert "4 held-out pictures." in page
    flattering = html_report({**result, "learned_from": 3}, taxonomy)
    assert "held-out pictures" not in flattering
    assert "4 pictures, of which it has learned from 3, so these figures flatter it." in flattering
    assert "<script" not in page
    assert "<img" not in page
    assert page.count("&lt;script&gt;") >= 3


def test_names_of_lines_do_not_cover_each_other() -> None:
    lines = [Line(name, [(0, 0.5), (1, 0.5)], [(0, 0.4, 0.6), (1, 0.4, 0.6)]) for name in "abcdef"]
    plot = line_plot(lines, Axis("x", 0, 1, [(0, "0"), (1, "1")]), percent_axis("y"), "six")
    heights = sorted(float(text.split('y="')[1].split('"')[0]) for text in plot.split("<text ")[1:] if "style" in text)
    assert len(heights) == 6
    assert min(np.diff(heights)) >= 13
    assert standalone(plot).startswith('<svg xmlns="http://www.w3.org/2000/svg" viewBox=')


def test_percent_axes_take_in_what_they_must_in_few_round_steps() -> None:
    axis = percent_axis("right", 0.83, 0.97)
    assert (axis.low, axis.high) == pytest.approx((0.8, 1.0))
    assert len(axis.ticks) <= 7
    assert percent_axis("wrong", 0, 0.053).high == pytest.approx(0.06)
