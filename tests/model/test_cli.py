"""The verbs of the command line, in this process, on drawn birds and a tiny network."""

from __future__ import annotations

import errno
import inspect
import json
import os
import re
import shutil
import signal
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

import fgdemo
from fgdemo.cli import main
from fgdemo.learn.train import finetune as finetune_module
from fgdemo.learn.train import steps as steps_module
from fgdemo.model.checkpoint.load import load_classifier
from fgdemo.specimens import SPECIES, write_specimens

TINY = ("--backbone", "test_resnet", "--weights", "none", "--size", "64", "--parts", "2", "--device", "cpu")
DUNELING, MARSHLING = SPECIES[0].id, SPECIES[-1].id


@pytest.fixture(autouse=True)
def ctrl_c_as_at_a_terminal() -> Iterator[None]:
    """A test run in the background of a shell inherits that Ctrl-C is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FGDEMO_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FGDEMO_DEVICE", "cpu")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drawn") / "birds"
    write_specimens(folder, per_class=8, size_px=64)
    return folder


@pytest.fixture
def birds(drawn: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(drawn, tmp_path / "birds"))


@pytest.fixture(scope="module")
def checkpoint(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("fitted") / "birds"
    assert main(["fit", str(drawn), "--out", str(out), *TINY, "--taxonomy", str(drawn / "taxonomy.csv")]) == 0
    return out


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict:
    """The one JSON line on standard output."""
    capsys.readouterr()
    assert main([*map(str, arguments), "--json"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1
    return json.loads(lines[0])


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one sentence on standard error."""
    capsys.readouterr()
    assert main([str(argument) for argument in arguments]) == 1
    printed = capsys.readouterr()
    assert "Traceback" not in printed.err
    sentences = [line for line in printed.err.splitlines() if line.startswith("fgdemo: ")]
    assert len(sentences) == 1
    return sentences[0]


def test_fit_writes_a_checkpoint_whose_card_says_how(checkpoint: Path) -> None:
    card = json.loads((checkpoint / "card.json").read_text())
    assert card["data"] == {"sources": ["birds"], "train": 36, "val": 12, "skipped": 0, "kinds": 6}
    assert card["metrics"]["n"] == 12
    assert card["metrics"]["split"] == "val"
    assert card["calibrated_on"] == "leave-one-out"
    assert len(card["metrics"]["top1"]) == 3
    assert sorted(path.name for path in checkpoint.iterdir()) == ["card.json", "model.safetensors"]
    assert [path.name for path in checkpoint.parent.iterdir()] == ["birds"]


def test_evaluate_prints_one_line(checkpoint: Path, birds: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scores = run(capsys, "evaluate", birds, "--checkpoint", checkpoint, "--unknown", birds / "masks")
    card = json.loads((checkpoint / "card.json").read_text())
    assert scores["n"] == 12  # where there are held-out pictures, those to train on are left out
    assert scores["top1"] == pytest.approx(card["metrics"]["top1"])
    for name in ("top1", "top5"):
        mean, low, high = scores[name]
        assert 0 <= low <= mean <= high <= 1
    for name in ("ece", "coverage", "unknown_auroc", "unknown_fpr95"):
        assert 0 <= scores[name] <= 1
    assert scores["unknown_n"] == 48
    assert scores["learned_from"] == 0
    assert run(capsys, "evaluate", birds / "train", "--checkpoint", checkpoint)["learned_from"] == 36


def test_evaluate_takes_any_subset_of_the_leaves(
    checkpoint: Path, birds: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for keep in ({DUNELING}, {DUNELING, MARSHLING}):
        folder = birds.parent / f"some{len(keep)}"
        for leaf in keep:
            shutil.copytree(birds / "val" / leaf, folder / leaf)
        scores = run(capsys, "evaluate", folder, "--checkpoint", checkpoint)
        assert scores["n"] == 2 * len(keep)
        assert "unknown_auroc" not in scores


def test_evaluate_refuses_what_the_checkpoint_does_not_know(
    checkpoint: Path, birds: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (birds / "val" / DUNELING).rename(birds / "val" / "dodo")
    assert "not in the taxonomy: dodo" in refused(capsys, "evaluate", birds / "val", "--checkpoint", checkpoint)
    assert "There is no folder" in refused(capsys, "evaluate", birds / "no", "--checkpoint", checkpoint)
    assert "no checkpoint folder" in refused(capsys, "evaluate", birds, "--checkpoint", birds / "no")


def test_evaluate_says_when_nothing_could_be_decoded(
    checkpoint: Path, birds: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    strange = birds.parent / "strange"
    strange.mkdir()
    (strange / "a.jpg").write_bytes(b"no picture")
    sentence = refused(capsys, "evaluate", birds / "val", "--checkpoint", checkpoint, "--unknown", strange)
    assert "No picture of 1 could be decoded" in sentence


def test_predict_answers_each_picture_and_names_the_bad_ones(
    checkpoint: Path, birds: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = sorted((birds / "val" / DUNELING).iterdir())[0]
    bad = birds / "broken.jpg"
    bad.write_bytes(good.read_bytes()[:300])
    found = run(capsys, "predict", good, bad, birds / "none.jpg", "--checkpoint", checkpoint)
    answered, broken, missing = found["pictures"]
    assert len(answered["top5"]) == 5
    assert answered["answer"]["sentence"]
    assert answered["prediction_set"]
    assert broken["error"]
    assert "cannot be read" in missing["error"]


def test_explain_writes_a_sheet(checkpoint: Path, birds: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = sorted((birds / "val" / DUNELING).iterdir())[0]
    sheet = birds.parent / "sheet.png"
    found = run(
        capsys, "explain", picture, "--out", sheet, "--a", DUNELING, "--b", MARSHLING, "--checkpoint", checkpoint
    )
    assert (found["asked"], found["rival"]) == (DUNELING, MARSHLING)
    with Image.open(sheet) as image:
        assert image.format == "PNG"
        assert min(image.size) > 300
    assert "could not be written" in refused(
        capsys, "explain", picture, "--out", birds / "no" / "sheet.png", "--checkpoint", checkpoint
    )
    assert "dodo" in refused(capsys, "explain", picture, "--a", "dodo", "--checkpoint", checkpoint)


def test_import_twice_adds_nothing_twice(checkpoint: Path, birds: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = run(capsys, "import", birds / "val", "--checkpoint", checkpoint)
    assert (first["added"], first["known"], first["skipped"], first["new_kinds"]) == (12, 0, [], [])
    again = run(capsys, "import", birds / "val", "--checkpoint", checkpoint)
    assert (again["added"], again["known"]) == (0, 12)
    assert (first["answers"], again["answers"], again["skipped_file"]) == (12, 0, None)


def test_export_and_import_again(
    checkpoint: Path, birds: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(capsys, "import", birds / "val", "--checkpoint", checkpoint)
    exported = run(capsys, "export", tmp_path / "out.zip", "--format", "jsonl")
    assert (exported["pictures"], exported["events"], exported["answers"]) == (12, 12, {"kind": 12})
    assert "can be pushed" in refused(capsys, "export", tmp_path / "o", "--format", "csv", "--push", "me/birds")
    assert "no export made it" in refused(capsys, "export", birds, "--format", "imagefolder")
    monkeypatch.setenv("FGDEMO_HOME", str(tmp_path / "other"))
    again = run(capsys, "import", tmp_path / "out.zip", "--checkpoint", checkpoint)
    assert (again["added"], again["answers"], again["left_out"]) == (12, 12, 0)


# --- fit: bad input -----------------------------------------------------------------------------------------------


def fit(folder: Path, out: Path, *more: object) -> tuple:
    return ("fit", folder, "--out", out, *TINY, *more)


def test_one_class(birds: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for species in SPECIES[1:]:
        shutil.rmtree(birds / "train" / species.id)
    assert "only the class" in refused(capsys, *fit(birds / "train", tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_bad_files_and_doubles_are_named_and_counted(
    birds: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train = birds / "train"
    (train / "empty_class").mkdir()
    files = sorted((train / DUNELING).iterdir())
    (train / DUNELING / "corrupt.jpg").write_bytes(files[0].read_bytes()[:500])
    shutil.copy(files[1], train / MARSHLING / "double.jpg")
    assert main([str(argument) for argument in fit(birds, tmp_path / "out", "--json")]) == 0
    printed = capsys.readouterr()
    result = json.loads(printed.out)
    assert result["skipped"] == 4  # the empty class, the corrupt file, and both copies of the double
    for name in ("empty_class", "corrupt.jpg", "double.jpg", files[1].name):
        assert name in printed.err
    card = json.loads((tmp_path / "out" / "card.json").read_text())
    assert card["data"]["train"] == 35
    assert card["data"]["skipped"] == 4


def test_a_class_whose_pictures_are_all_corrupt_is_left_out(
    birds: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for part in ("train", "val"):
        for number, file in enumerate((birds / part / DUNELING).iterdir()):
            file.write_bytes(b"broken %d" % number + part.encode())
    result = run(capsys, *fit(birds, tmp_path / "out"))
    assert result["skipped"] == 8
    assert DUNELING not in load_classifier(tmp_path / "out").taxonomy.leaves


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--backbone", "test_resnot"), "Did you mean test_resnet"),
        (("--size", "7"), "choose between 32 and 2048"),
        (("--epochs", "-1"), "--epochs must be 0 or more"),
        (("--weights", "nowhere.pth"), "There is no weights file nowhere.pth"),
        (("--option", "x"), "must look like name=value"),
        (("--device", "tpu"), "The device “tpu” is not known"),
        (("--epochs", "1", "--teacher", "x"), "must look like FILE=TAXON"),
        (("--epochs", "1", "--lr", "1e30"), "diverged"),
    ],
)
def test_wrong_arguments(
    arguments: tuple[str, ...], sentence: str, birds: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sentence in refused(capsys, *fit(birds, tmp_path / "out", *arguments))
    assert not (tmp_path / "out").exists()


def test_what_is_no_checkpoint_is_not_overwritten_and_that_is_said_first(
    birds: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "is there already and is no checkpoint" in refused(capsys, *fit(birds, birds / "train"))
    assert len(list((birds / "train" / DUNELING).iterdir())) == 6


def test_no_disk_space(
    birds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert "No space left on device" in refused(capsys, *fit(birds, tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_taxa_that_have_no_pictures_are_left_out(
    birds: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for part in ("train", "val"):
        shutil.rmtree(birds / part / MARSHLING)
    run(capsys, *fit(birds, tmp_path / "out", "--taxonomy", birds / "taxonomy.csv"))
    taxonomy = load_classifier(tmp_path / "out").taxonomy
    assert len(taxonomy.leaves) == 5
    assert MARSHLING not in taxonomy.by_id


# --- fit: training ------------------------------------------------------------------------------------------------

TRAINING = ("--epochs", "2", "--batch-size", "12", "--lr", "1e-3")


def test_training_is_told_in_the_card(birds: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = tmp_path / "recipe.json"
    recipe.write_text('{"mixup": 0.2, "cutmix": 0.5, "framing": {"light": 0}}')
    run(capsys, *fit(birds, tmp_path / "out", *TRAINING, "--recipe", str(recipe)))
    card = json.loads((tmp_path / "out" / "card.json").read_text())
    assert card["epochs_done"] == 2
    assert [epoch["number"] for epoch in card["epochs"]] == [1, 2]
    assert (card["recipe"]["mixup"], card["recipe"]["cutmix"], card["recipe"]["batch_size"]) == (0.2, 0.5, 12)
    assert (card["recipe"]["framing"]["light"], card["recipe"]["framing"]["min_scale"]) == (0, 0.55)
    assert card["calibrated_on"] == "val"
    assert card["parent"] is None
    assert card["frozen_start"].keys() == card["metrics"]["groups"].keys()
    assert load_classifier(tmp_path / "out").parts.most_parts == 2  # as the command asked for
    assert [path.name for path in tmp_path.glob("*out*")] == ["out"]
    again = run(capsys, "fit", birds, "--out", tmp_path / "child", "--checkpoint", tmp_path / "out", "--parts", "2")
    assert again["n"] == 12
    assert json.loads((tmp_path / "child" / "card.json").read_text())["parent"] == "out"


def test_a_finished_snapshot_is_made_a_checkpoint_without_training(
    birds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "kept.pt"
    real = finetune_module.save_run

    def keep(path: Path, *state) -> None:
        real(path, *state)
        shutil.copy(path, kept)

    monkeypatch.setattr(finetune_module, "save_run", keep)
    first = run(capsys, *fit(birds, tmp_path / "out", *TRAINING))
    shutil.copy(kept, tmp_path / ".again-training.pt")
    monkeypatch.setattr(finetune_module, "train_epoch", None)
    again = run(capsys, *fit(birds, tmp_path / "again", *TRAINING))
    assert {**again, "checkpoint": ""} == {**first, "checkpoint": ""}
    card = json.loads((tmp_path / "again" / "card.json").read_text())
    assert card["epochs_done"] == 2
    assert [epoch["number"] for epoch in card["epochs"]] == [1, 2]
    assert not (tmp_path / ".again-training.pt").exists()


def test_ctrl_c_stops_after_the_batch_and_writes_what_there_is(
    birds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = signal.getsignal(signal.SIGINT)
    calls: list[int] = []
    real = steps_module.batch_losses

    def loss_then_ctrl_c(*arguments):
        calls.append(1)
        if len(calls) == 4:  # the first of three batches of the second epoch
            signal.raise_signal(signal.SIGINT)
        return real(*arguments)

    monkeypatch.setattr(steps_module, "batch_losses", loss_then_ctrl_c)
    run(capsys, *fit(birds, tmp_path / "out", *TRAINING))
    assert len(calls) == 4
    card = json.loads((tmp_path / "out" / "card.json").read_text())
    assert card["epochs_done"] == pytest.approx(4 / 3)
    assert len(card["epochs"]) == 1
    assert signal.getsignal(signal.SIGINT) is before
    assert (tmp_path / ".out-training.pt").exists()  # the same command goes on from the last whole epoch


def test_a_second_ctrl_c_stops_at_once(
    birds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def twice(*arguments):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(steps_module, "batch_losses", twice)
    assert main([str(argument) for argument in fit(birds, tmp_path / "out", *TRAINING)]) == 130
    assert "stopped" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_outside_training_stops_at_once(monkeypatch: pytest.MonkeyPatch, checkpoint: Path) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("fgdemo.commands.model.evaluate.load", interrupted)
    assert main(["evaluate", "x", "--checkpoint", str(checkpoint)]) == 130


@pytest.mark.parametrize("name", [name for name in fgdemo.__all__ if not name.startswith("__")])
def test_the_example_of_a_public_function_works(
    name: str, birds: Path, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    birds.rename(tmp_path / "my-birds")
    shutil.copy(next((tmp_path / "my-birds").rglob("*.png")), tmp_path / "bird.jpg")
    shutil.copytree(checkpoint, tmp_path / "start")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FGDEMO_CHECKPOINT", "start")
    (example,) = re.findall(r"(?:^    \S.*\n)+", inspect.getdoc(getattr(fgdemo, name)) or "", re.MULTILINE)[:1]
    assert example.count("\n") == 3
    exec(textwrap.dedent(example), {})
