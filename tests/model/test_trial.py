"""The two heavy steps of a job as they are: the size that is trained at, and who is judged beside whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fgdemo.learn.candidate.fit import label_indices
from fgdemo.learn.candidate.trial import Trial
from fgdemo.learn.data.corpus import Corpus
from fgdemo.learn.data.pictures import Pictures
from fgdemo.learn.train import recipe as recipe_module
from fgdemo.learn.train.recipe import PRESETS
from fgdemo.model.backbone import DataConfig
from fgdemo.model.classifier import Classifier
from fgdemo.values.progress import no_progress
from tests.support.tiny import specimen_pictures, tiny_fit


@pytest.mark.parametrize(
    ("name", "options", "own_px", "train_px"),
    [("test_resnet", {}, 192, 160), ("test_resnet", {}, 64, 64), ("vit_tiny_patch16_224", {"depth": 2}, 224, 224)],
    ids=["larger", "made for smaller pictures", "takes no others"],
)
def test_a_preset_trains_every_network_at_a_size_that_it_takes(
    name: str, options: dict[str, int], own_px: int, train_px: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recipe_module, "PRESETS", {"quick": replace(PRESETS["quick"], epochs=1)})
    base = tiny_fit(name, own_px, per_class=4, **options).classifier
    pictures = specimen_pictures(4, own_px)
    corpus = Corpus(pictures, label_indices(pictures.labels, base.taxonomy), np.zeros(24, bool), base.taxonomy)
    said: list[str] = []
    candidate = Trial().train(
        base,
        corpus,
        "quick",
        name="m",
        run_file=tmp_path / "s.pt",
        device="cpu",
        on_epoch=lambda epoch: None,
        progress=no_progress,
        stop=lambda: False,
        say=said.append,
    )
    assert candidate.card["epochs_done"] == 1
    assert candidate.card["recipe"]["train_px"] == train_px
    assert candidate.data_config == base.data_config
    other = f"It learns from pictures of {train_px} px, the network's own size, and not of 160 px."
    assert said == [other] * (train_px != 160)


# --- the gate -----------------------------------------------------------------------------------------------------


def answer(classifier: Classifier, picture: np.ndarray) -> str:
    return classifier.taxonomy.leaves[classifier.read(Image.fromarray(picture)).probs.argmax()]


@pytest.fixture(scope="module")
def models() -> Mapping[str, Classifier]:
    """One takes every kind for the next one; of another size too, so that it takes the gold pictures in anew."""
    before, after = tiny_fit().classifier, tiny_fit(size_px=48).classifier
    head = after.head
    rolled = replace(head, moment=np.roll(head.moment, 1, axis=1), counts=np.roll(head.counts, 1))
    return {"before": before, "after": replace(after, head=rolled)}


class Gold:
    """Gold pictures with these labels, taken in as each model asks for."""

    def __init__(self, pixels: np.ndarray, labels: list[str]) -> None:
        self.pixels, self.labels = pixels, tuple(labels)
        self.names = tuple(f"gold{row}" for row in range(len(labels)))
        self.asked: list[DataConfig] = []

    def __call__(self, config: DataConfig) -> Pictures:
        self.asked.append(config)
        squashed = [np.asarray(config.squash(Image.fromarray(picture))) for picture in self.pixels]
        return Pictures(np.stack(squashed), self.names, self.labels, ("test",) * len(self.labels), ())


def test_the_candidate_is_judged_beside_the_live_model_and_not_the_other_way_round(
    models: Mapping[str, Classifier],
) -> None:
    before, after = models["before"], models["after"]
    pixels = specimen_pictures(per_class=6, size_px=96).pixels
    said = [(answer(before, picture), answer(after, picture)) for picture in pixels]
    differ = [row for row, (was, now) in enumerate(said) if was != now]
    right_before, right_after = differ[:3], differ[3:]
    assert len(right_after) > 10
    gold = Gold(pixels, [was if row in right_before else now for row, (was, now) in enumerate(said)])
    known, told = before.taxonomy.leaves, list[str]()
    verdict = Trial().judge(before, after, gold, before.taxonomy, known, lambda what, done, of: told.append(what))
    assert verdict.broken == tuple(gold.names[row] for row in right_before)
    assert verdict.fixed == tuple(gold.names[row] for row in right_after)
    assert verdict.n == 36
    assert verdict.before[0] == pytest.approx(1 - len(right_after) / 36)
    assert verdict.after[0] == pytest.approx(1 - 3 / 36)
    assert verdict.outcome == "better"
    assert gold.asked == [before.data_config, after.data_config]
    assert verdict.maps is not None
    assert verdict.maps[0] != verdict.maps[1]
    assert set(told) == {"answering gold pictures", "testing maps"}


def test_kinds_that_the_live_model_knew_are_those_that_may_be_forgotten(models: Mapping[str, Classifier]) -> None:
    before = models["before"]
    pixels = specimen_pictures(per_class=6, size_px=96).pixels[:12]
    gold = Gold(pixels, [answer(before, picture) for picture in pixels])
    known = sorted(set(gold.labels))[:1]

    def forgetting(old_kinds: list[str]) -> str:
        verdict = Trial().judge(before, before, gold, before.taxonomy, old_kinds, no_progress)
        assert (verdict.fixed, verdict.broken, verdict.before[0]) == ((), (), 1.0)
        return next(check.sentence for check in verdict.checks if check.name == "forgetting")

    assert "no gold pictures" in forgetting(list(before.taxonomy.leaves))
    assert "no gold pictures" not in forgetting(known)
    assert forgetting([]) == "It knew no kinds before."
    assert gold.asked == [before.data_config] * 3  # once where both take the same
