"""A checkpoint comes back as it was written, or is refused in one sentence; writing spoils nothing that was there."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.numpy import load_file, save_file

from fgdemo.learn.candidate.fit import Fitted
from fgdemo.model.checkpoint import folder as checkpoint_module
from fgdemo.model.checkpoint.folder import CARD, WEIGHTS, Checkpoint, read_checkpoint, write_checkpoint
from fgdemo.model.checkpoint.load import load_classifier, save_classifier
from fgdemo.model.checkpoint.persistence import stored
from fgdemo.model.devices import choose_device
from fgdemo.model.head import Readout
from fgdemo.specimens import SPECIES, draw_specimen
from fgdemo.values.errors import CheckpointError, SettingsError
from fgdemo.values.types import CropBox
from tests.support.tiny import tiny_fit


@pytest.fixture(scope="module")
def fitted() -> Fitted:
    return tiny_fit()


@pytest.fixture(scope="module")
def written(fitted: Fitted, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoints") / "tiny"
    save_classifier(fitted.classifier, folder)
    return folder


@pytest.fixture
def copy(written: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(written, tmp_path / "copy"))


PICTURES = [draw_specimen(species, 77, (90, 70)).picture for species in SPECIES[:3]]


@pytest.mark.parametrize("name", ["test_resnet", "test_vit", "test_mambaout"])
@pytest.mark.parametrize("readout", ["ridge", "discriminant"])
def test_a_loaded_classifier_reads_what_the_saved_one_read(name: str, readout: Readout, tmp_path: Path) -> None:
    before = tiny_fit(name, size_px=96, per_class=4).classifier
    before = replace(before, head=replace(before.head, readout=readout), least_sureness=0.271)
    save_classifier(before, tmp_path / "kept")
    after = load_classifier(tmp_path / "kept")
    assert after.version == f"kept@{read_checkpoint(tmp_path / 'kept').card['weights_sha256'][:8]}"
    assert (after.taxonomy, after.coverage, after.sure_prob) == (before.taxonomy, before.coverage, before.sure_prob)
    assert after.calibration == before.calibration
    assert after.least_sureness == 0.271
    for picture in PICTURES:
        for box in (None, CropBox(0.1, 0.2, 0.8, 0.9)):
            was, now = before.read(picture, box), after.read(picture, box)
            np.testing.assert_allclose(now.logits, was.logits, atol=2e-3)
            np.testing.assert_allclose(now.evidence, was.evidence, atol=2e-3)
            np.testing.assert_allclose(now.assignment, was.assignment, atol=1e-5)
            np.testing.assert_allclose(now.embedding, was.embedding, atol=1e-5)
            assert now.unknown_score == pytest.approx(was.unknown_score, abs=0.02)
            assert (now.parts, now.unknown_threshold) == (was.parts, was.unknown_threshold)


def test_a_reading_adds_up(fitted: Fitted) -> None:
    for picture in PICTURES:
        reading = fitted.classifier.read(picture)
        np.testing.assert_allclose(reading.evidence.sum((0, 1)) + reading.bias, reading.logits, atol=1e-4)
        np.testing.assert_allclose(reading.assignment.sum(-1), 1, atol=1e-5)
        assert reading.probs.sum() == pytest.approx(1)
        mid = fitted.classifier.network.with_mid(fitted.classifier.pixels(picture)[None])[1][0]
        assert reading.mid is not None
        np.testing.assert_allclose(reading.mid, mid, atol=1e-4)
        assert np.linalg.norm(reading.embedding) == pytest.approx(1, abs=1e-5)
        assert reading.unknown_score is not None
        assert 0 <= reading.unknown_score <= 1
        assert fitted.classifier.prediction_set(reading.probs)[0] == reading.probs.argmax()


def test_pictures_of_any_shape_are_read(fitted: Fitted) -> None:
    for size in ((1, 1), (3, 400), (400, 3)):
        reading = fitted.classifier.read(Image.new("RGB", size, (10, 200, 30)))
        assert np.isfinite(reading.logits).all()


def test_a_look_holds_what_readings_say(fitted: Fitted) -> None:
    looks = fitted.classifier.look(PICTURES)
    for row, picture in enumerate(PICTURES):
        reading = fitted.classifier.read(picture)
        unit = looks.embeddings[row] / np.linalg.norm(looks.embeddings[row])
        np.testing.assert_allclose(unit, reading.embedding, atol=1e-5)
        parts = len(reading.parts)
        np.testing.assert_allclose(looks.part_maps[row][..., :parts], reading.assignment[..., :parts], atol=1e-4)
        assert looks.part_vectors[row][:parts].any(axis=1).all()


def test_another_head_over_the_same_backbone(fitted: Fitted) -> None:
    classifier = fitted.classifier
    weight, bias = classifier.network.weight.numpy(), classifier.network.bias.numpy()
    swapped = classifier.relearned(weight[:, ::-1].copy(), bias[::-1].copy(), classifier.taxonomy)
    before, after = classifier.read(PICTURES[0]), swapped.read(PICTURES[0])
    np.testing.assert_allclose(after.logits, before.logits[::-1], atol=1e-4)
    np.testing.assert_allclose(after.evidence.sum((0, 1)) + after.bias, after.logits, atol=1e-4)
    np.testing.assert_array_equal(classifier.read(PICTURES[0]).logits, before.logits)


def test_weights_lie_in_half_precision_and_learning_can_go_on(written: Path, fitted: Fitted) -> None:
    arrays = load_file(written / WEIGHTS)
    matrices = [v for k, v in arrays.items() if k.startswith("backbone.") and v.ndim > 1]
    assert {v.dtype for v in matrices} == {np.dtype(np.float16)}
    values = sum(v.size for k, v in arrays.items() if k.startswith("backbone."))
    dim, leaves = fitted.classifier.embedding_dim, len(fitted.classifier.taxonomy.leaves)
    head = 4 * ((dim + 1) * (dim + 2) // 2 + (dim + 1) * leaves + dim + leaves)
    assert (written / WEIGHTS).stat().st_size < 2.4 * values + head + 4 * dim * 70 + 40_000
    loaded = load_classifier(written).head
    np.testing.assert_allclose(loaded.gram, fitted.classifier.head.gram, rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(loaded.counts, fitted.classifier.head.counts)
    np.testing.assert_array_equal(loaded.gram, loaded.gram.T)


def test_numbers_too_large_for_half_precision_stay_whole() -> None:
    assert stored(torch.full((2, 2), 1e6)).dtype == torch.float32
    assert stored(torch.full((2, 2), 3.0)).dtype == torch.float16
    assert stored(torch.full((2,), 1e6)).dtype == torch.float32
    assert stored(torch.tensor(7)).dtype == torch.int64


# --- faults ---------------------------------------------------------------------------------------------------


def rewrite(folder: Path, change: Callable[[dict], None]) -> None:
    card = json.loads((folder / CARD).read_text())
    change(card)
    (folder / CARD).write_text(json.dumps(card))


def replace_array(folder: Path, name: str, array: np.ndarray | None) -> None:
    """Change one array and let the card's hash agree, as a hand-made checkpoint would."""
    arrays = load_file(folder / WEIGHTS)
    if array is None:
        del arrays[name]
    else:
        arrays[name] = array
    save_file(arrays, folder / WEIGHTS)
    digest = hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
    rewrite(folder, lambda card: card.update(weights_sha256=digest))


def pickled(folder: Path) -> None:
    torch.save({"a": torch.ones(3)}, folder / WEIGHTS)


def only_pth(folder: Path) -> None:
    (folder / WEIGHTS).rename(folder / "model.pth")


def truncate(folder: Path) -> None:
    payload = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(payload[: len(payload) // 2])


def garbage_with_right_hash(folder: Path) -> None:
    (folder / WEIGHTS).write_bytes(b"not safetensors")
    digest = hashlib.sha256(b"not safetensors").hexdigest()
    rewrite(folder, lambda card: card.update(weights_sha256=digest))


def huge_header(folder: Path) -> None:
    payload = (2**62).to_bytes(8, "little") + b"{}"
    (folder / WEIGHTS).write_bytes(payload)
    rewrite(folder, lambda card: card.update(weights_sha256=hashlib.sha256(payload).hexdigest()))


FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "no weights": (lambda f: (f / WEIGHTS).unlink(), "has no model.safetensors"),
    "no card": (lambda f: (f / CARD).unlink(), "has no card.json"),
    "truncated": (truncate, "damaged or belongs to another card"),
    "empty": (lambda f: (f / WEIGHTS).write_bytes(b""), "damaged"),
    "pickled": (pickled, "pickled file under another name; it was not opened"),
    "only a .pth": (only_pth, r"has no model.safetensors\. It holds model.pth instead, which is not opened"),
    "not safetensors": (garbage_with_right_hash, "is not a safetensors file"),
    "card is no JSON": (lambda f: (f / CARD).write_text("{"), "is not valid JSON"),
    "card is bytes": (lambda f: (f / CARD).write_bytes(b"\xff\xfe\x00"), "is not valid JSON"),
    "card is a list": (lambda f: (f / CARD).write_text("[]"), "must hold one JSON object"),
    "card with NaN": (lambda f: (f / CARD).write_text('{"format": NaN}'), "is not valid JSON"),
    "card nested": (
        lambda f: (f / CARD).write_text('{"format": ' * 9000 + "1" + "}" * 9000),
        "nested more than 64 deep",
    ),
    "card with 1e999": (
        lambda f: (f / CARD).write_text('{"format": 1e999}'),
        "has the number 1e999, which is too large",
    ),
    "card with a huge number": (lambda f: (f / CARD).write_text('{"format": ' + "1" * 5000 + "}"), "5000 digits"),
    "card with doubles": (lambda f: (f / CARD).write_text('{"format": 1, "format": 1}'), "names “format” twice"),
    "a huge header": (huge_header, "is not a safetensors file"),
    "later format": (lambda f: rewrite(f, lambda c: c.update(format=2)), "has format 2; this fgdemo reads format 1"),
    "no format": (lambda f: rewrite(f, lambda c: c.pop("format")), "has format None"),
    "card lacks the head": (lambda f: rewrite(f, lambda c: c.pop("head")), "lacks head"),
    "backbone unknown": (
        lambda f: rewrite(f, lambda c: c["backbone"].update(name="test_resnot")),
        r"no backbone called “test_resnot”\. Did you mean test_resnet",
    ),
    "another backbone": (
        lambda f: rewrite(f, lambda c: c["backbone"].update(name="test_vit")),
        "does not take these options",
    ),
    "backbone opens a file": (
        lambda f: rewrite(f, lambda c: c["backbone"]["options"].update(checkpoint_path="/etc/passwd")),
        "The option checkpoint_path cannot be given",
    ),
    "a backbone of thousands of layers": (
        lambda f: rewrite(f, lambda c: c["backbone"]["options"].update(layers=[3000, 3000, 3000, 3000])),
        "a much larger backbone than its weights",
    ),
    "a mobile backbone of thousands of layers": (
        lambda f: rewrite(
            f, lambda c: c["backbone"].update(name="mobilenetv2_100", options={"depth_multiplier": 3000})
        ),
        "a much larger backbone than its weights",
    ),
    "a backbone of enormous layers": (
        lambda f: rewrite(
            f, lambda c: c["backbone"].update(name="test_vit", options={"embed_dim": 99968, "num_heads": 8})
        ),
        "a much larger backbone than its weights",
    ),
    "an enormous option": (
        lambda f: rewrite(f, lambda c: c["backbone"]["options"].update(stem_width=10**12)),
        "1e.12, which is too large",
    ),
    "huge input": (
        lambda f: rewrite(f, lambda c: c["backbone"].update(size_px=10**6)),
        "choose between 32 and 2048",
    ),
    "sizes differ": (lambda f: rewrite(f, lambda c: c["input"].update(size_px=96)), "does not fit together"),
    "fewer taxa": (lambda f: rewrite(f, lambda c: c["taxonomy"].pop()), "does not fit together"),
    "taxon with odd fields": (
        lambda f: rewrite(f, lambda c: c["taxonomy"][0].update(x=1)),
        "fields that do not belong",
    ),
    "temperature 0": (lambda f: rewrite(f, lambda c: c["calibration"].update(temperature=0)), "does not fit together"),
    "no coverage": (lambda f: rewrite(f, lambda c: c["calibration"].pop("coverage")), "does not fit together"),
    "an array missing": (lambda f: replace_array(f, "origin", None), "does not fit together"),
    "a shape wrong": (lambda f: replace_array(f, "origin", np.zeros(3, np.float32)), r"origin has the shape \(3,\)"),
    "prototypes wrong": (
        lambda f: replace_array(f, "parts.prototypes", np.zeros((1, 2), np.float32)),
        "parts.prototypes",
    ),
    **{
        f"input {name} {value!r}": (
            lambda f, name=name, value=value: rewrite(f, lambda c: c["input"].update({name: value})),
            f"the {name} of the input must be three numbers",
        )
        for name, value in (
            ("mean", "x"),
            ("mean", []),
            ("mean", [1, 2]),
            ("mean", [0.5, None, 0.5]),
            ("mean", [1e308, 0, 0]),
            ("std", [0, 1, 1]),
            ("std", [1, 1, {}]),
            ("std", [1, 1, True]),
            ("std", [-1e-320, 1, 1]),
        )
    },
    **{
        f"ground {value!r}": (
            lambda f, value=value: rewrite(f, lambda c: c["parts"]["ground_is_fore"].__setitem__(0, value)),
            "ground_is_fore must be true or false",
        )
        for value in ("x", None, [], 2**62, 1e308)
    },
    **{
        f"unknown {value!r}": (
            lambda f, value=value: rewrite(f, lambda c: c["unknown"].update(logit=value)),
            "the scale logit of what is unknown must be a list",
        )
        for value in (1.5, [], [[1]], [0.0] * 200, [None] * 201)
    },
    "a tiny temperature": (
        lambda f: rewrite(f, lambda c: c["calibration"].update(temperature=1e-300)),
        "of an ordinary size",
    ),
    "weights NaN": (lambda f: replace_array(f, "origin", np.full(64, np.nan, np.float32)), "origin holds numbers"),
    "a head without a solution": (
        lambda f: rewrite(f, lambda c: c["head"].update(penalty=-1e9)),
        "does not fit together",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_damaged_checkpoint_is_one_sentence(fault: str, copy: Path) -> None:
    damage, sentence = FAULTS[fault]
    damage(copy)
    with pytest.raises(CheckpointError, match=sentence) as caught:
        load_classifier(copy)
    assert "\n" not in str(caught.value)
    assert str(copy.parent) not in str(caught.value)


def test_weights_of_another_checkpoint_are_noticed(copy: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    save_classifier(tiny_fit(per_class=4).classifier, other)
    shutil.copy(other / WEIGHTS, copy / WEIGHTS)
    with pytest.raises(CheckpointError, match="belongs to another card"):
        load_classifier(copy)


def test_no_folder_at_all(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="There is no checkpoint folder nowhere"):
        load_classifier(tmp_path / "nowhere")


@pytest.mark.parametrize("device", ["tpu", "cuda:99", "", "meta"])
def test_devices_that_are_not_there(device: str) -> None:
    with pytest.raises(SettingsError, match="auto"):
        choose_device(device)


# --- writing ----------------------------------------------------------------------------------------------------

SMALL = Checkpoint({"a": np.arange(6.0).reshape(2, 3)}, {})


def full_disk(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("where", ["fsync", "mkdtemp", "replace"])
def test_a_full_disk_leaves_the_old_checkpoint_and_no_debris(
    where: str, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = content(copy.parent)
    if where == "fsync":
        monkeypatch.setattr(os, "fsync", full_disk)
    elif where == "mkdtemp":
        monkeypatch.setattr(tempfile, "mkdtemp", full_disk)
    else:
        renames = []
        real = Path.replace

        def second_fails(self: Path, target: Path) -> Path:
            renames.append(target)
            return real(self, target) if len(renames) != 2 else full_disk()  # pyright: ignore[reportReturnType]

        monkeypatch.setattr(Path, "replace", second_fails)
    with pytest.raises(CheckpointError, match=r"copy could not be written \(No space left on device\); .* unchanged"):
        write_checkpoint(copy, SMALL)
    assert content(copy.parent) == before
    assert [path.name for path in copy.parent.iterdir()] == ["copy"]


def test_a_new_one_replaces_the_old_one_whole(copy: Path) -> None:
    write_checkpoint(copy, SMALL)
    assert sorted(path.name for path in copy.iterdir()) == [CARD, WEIGHTS]
    assert [path.name for path in copy.parent.iterdir()] == ["copy"]


def test_after_a_crash_between_the_renames_the_old_one_is_not_lost(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = content(copy)
    copy.rename(copy.with_name(".copy-replaced"))
    monkeypatch.setattr(checkpoint_module, "_write", full_disk)
    with pytest.raises(CheckpointError, match="could not be written"):
        write_checkpoint(copy, SMALL)
    assert content(copy.with_name(".copy-replaced")) == before


def test_a_folder_that_is_no_checkpoint_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "holiday.jpg").write_bytes(b"precious")
    (tmp_path / "file").write_bytes(b"precious")
    for name in ("photos", "file"):
        with pytest.raises(CheckpointError, match=f"{name} is there already and is no checkpoint"):
            write_checkpoint(tmp_path / name, SMALL)
    assert content(tmp_path) == {"photos/holiday.jpg": b"precious", "file": b"precious"}
    (tmp_path / "empty").mkdir()
    write_checkpoint(tmp_path / "empty", SMALL)


def test_a_card_that_would_not_be_json_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="a number that is not finite"):
        write_checkpoint(tmp_path / "new", Checkpoint(SMALL.arrays, {"loss": float("nan")}))
    assert list(tmp_path.iterdir()) == []
