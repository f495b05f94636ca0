"""What a camera wrote, and what is secret here, leaves by no door; and what strangers bring opens none."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
from PIL import Image

from fgdemo.model.backbone import BackboneSpec, build_backbone
from fgdemo.model.checkpoint.folder import read_checkpoint
from fgdemo.services.exchange.exchange import ExportFormat
from fgdemo.storage.people.accounts import Accounts
from fgdemo.storage.pictures.originals import image_id_of
from fgdemo.values.errors import CheckpointError, FgdemoError
from tests.support.exchanging import MAINTAINER, everything, exchange_of
from tests.support.workspace import FakeWorkspace, open_fake_workspace
from tests.unit.test_metadata import SECRETS, photograph, shown

PASSWORD = "correct horse battery"
SUFFIXES = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp", "TIFF": "tif", "GIF": "gif"}


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[FakeWorkspace]:
    """One picture of each format as a camera wrote it, imported; and somebody who has signed in."""
    for number, (format, suffix) in enumerate(SUFFIXES.items()):
        path = tmp_path / "in" / f"kind {number}" / f"a.{suffix}"
        path.parent.mkdir(parents=True)
        path.write_bytes(photograph(format, 6))
    opened = open_fake_workspace(tmp_path / "home")
    report = exchange_of(opened, tmp_path / "home").import_from(MAINTAINER, [tmp_path / "in"])
    assert (report.added, report.skipped) == (len(SUFFIXES), ())
    accounts = Accounts(opened.engine)
    accounts.add("ada", "expert", PASSWORD)
    yield opened
    opened.engine.dispose()


def bytes_below(folder: Path) -> Iterator[tuple[Path, bytes]]:
    for path in folder.rglob("*"):
        if path.is_file():
            yield path, path.read_bytes()


def test_what_is_imported_is_stored_without_place_and_camera(workspace: FakeWorkspace, tmp_path: Path) -> None:
    for _, content in bytes_below(tmp_path / "home" / "pictures"):
        assert not [secret for secret in SECRETS if secret in content]
    again = exchange_of(workspace, tmp_path / "home").import_from(MAINTAINER, [tmp_path / "in"])
    assert (again.added, again.known, again.skipped) == (0, len(SUFFIXES), ())
    stored = {shown(workspace.images.read(image)).tobytes() for image in workspace.roster.image_ids}
    assert stored == {shown(path.read_bytes()).tobytes() for path in (tmp_path / "in").rglob("*.*")}


@pytest.mark.parametrize("format", get_args(ExportFormat))
def test_no_export_holds_what_is_nobodys_business(
    workspace: FakeWorkspace, tmp_path: Path, format: ExportFormat
) -> None:
    token = Accounts(workspace.engine).sign_in("ada", PASSWORD)
    with workspace.engine.connect() as connection:
        hashed = connection.exec_driver_sql("SELECT password_hash FROM account").scalar_one()
    exchange_of(workspace, tmp_path / "home").export_to(MAINTAINER, tmp_path / "out", format)
    for path, content in bytes_below(tmp_path / "out"):
        for secret in (*SECRETS, PASSWORD.encode(), token.encode(), hashed.encode(), str(tmp_path).encode()):
            assert secret not in content, (path.name, secret)


def test_a_history_from_before_comes_in_clean_and_whole(workspace: FakeWorkspace, tmp_path: Path) -> None:
    """An earlier version kept the files as they were, and named them so in its exports."""
    exchange_of(workspace, tmp_path / "home").export_to(MAINTAINER, tmp_path / "out", "jsonl")
    raw = photograph("JPEG", 6)
    clean = next(image for image in workspace.roster.image_ids if workspace.images.read(image)[:2] == b"\xff\xd8")
    table = tmp_path / "out" / "workspace.jsonl"
    table.write_text(table.read_text(encoding="utf-8").replace(clean, image_id_of(raw)), encoding="utf-8")
    held = next((tmp_path / "out").rglob(f"{clean}*"))
    held.rename(held.with_name(f"{image_id_of(raw)}.jpg")).write_bytes(raw)
    (tmp_path / "other").mkdir()
    other = open_fake_workspace(tmp_path / "other")
    report = exchange_of(other, tmp_path / "other").import_from(MAINTAINER, [tmp_path / "out"])
    assert report.skipped == ()
    assert set(everything(other)["pictures"]) == set(everything(workspace)["pictures"])
    other.engine.dispose()


def test_passwords_and_tokens_are_in_no_log(workspace: FakeWorkspace, caplog: pytest.LogCaptureFixture) -> None:
    accounts = Accounts(workspace.engine)
    with caplog.at_level(logging.DEBUG):
        token = accounts.sign_in("ada", PASSWORD)
        accounts.person(token)
        with pytest.raises(FgdemoError):
            accounts.sign_in("ada", "wrong " + PASSWORD)
    assert PASSWORD not in caplog.text
    assert token not in caplog.text


# --- checkpoints of strangers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "hf-hub:evil/model",
        "hf_hub:evil/model",
        "local-dir:/tmp",
        "../x",
        "resnet18\0",
        "",
        "timm/resnet18",
        "http://x/y",
        "__import__('os')",
    ],
)
def test_a_card_cannot_fetch_or_open_anything_by_the_name_of_its_network(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_network(*_: object, **__: object) -> None:
        pytest.fail("something was fetched")

    monkeypatch.setattr("socket.socket.connect", no_network)
    with pytest.raises(FgdemoError, match=r"[.?]$"):
        build_backbone(BackboneSpec(name, 64))


@pytest.mark.parametrize(
    "option", ["checkpoint_path", "pretrained", "pretrained_cfg", "pretrained_cfg_overlay", "cache_dir"]
)
def test_a_card_cannot_open_files_by_the_options_of_its_network(option: str, tmp_path: Path) -> None:
    planted = tmp_path / "planted.pth"
    planted.write_bytes(b"\x80\x04.")
    with pytest.raises(FgdemoError):
        build_backbone(BackboneSpec("resnet18", 64, {option: str(planted)}))


class Ran:
    """Unpickled, it leaves a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def test_no_pickle_is_opened_whatever_it_is_called(tmp_path: Path) -> None:
    import torch

    from fgdemo.model.backbone import start_backbone

    mark = tmp_path / "ran"
    torch.save({"weight": Ran(mark)}, tmp_path / "weights.pth")
    with pytest.raises(FgdemoError):
        start_backbone("resnet18", weights=str(tmp_path / "weights.pth"))
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    (folder / "card.json").write_text(json.dumps({"format": 1}))
    for name in ("model.safetensors", "pytorch_model.bin", "model.pkl"):
        (folder / name).write_bytes((tmp_path / "weights.pth").read_bytes())
    with pytest.raises(CheckpointError):
        read_checkpoint(folder)
    assert not mark.exists()


@pytest.mark.parametrize(
    "header",
    [
        b"\xff" * 8,
        (2**62).to_bytes(8, "little"),
        (64).to_bytes(8, "little") + b"{" * 64,
        (2).to_bytes(8, "little") + b"{}",
        b"",
    ],
)
def test_a_lying_header_of_safetensors_is_a_sentence(tmp_path: Path, header: bytes) -> None:
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    (folder / "card.json").write_text(json.dumps({"format": 1}))
    (folder / "model.safetensors").write_bytes(header)
    with pytest.raises(CheckpointError, match=r"\.$"):
        read_checkpoint(folder)


def test_a_picture_of_another_kind_than_its_name_is_what_its_bytes_say(
    tmp_path: Path, workspace: FakeWorkspace
) -> None:
    path = tmp_path / "more" / "kind 9" / "page.jpg"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"<html><script>alert(1)</script></html>")
    Image.new("RGB", (40, 30), (1, 2, 3)).save(path.with_name("good.png"))
    report = exchange_of(workspace, tmp_path / "home").import_from(MAINTAINER, [tmp_path / "more"])
    assert report.added == 1
    assert [name for name, _ in report.skipped] == ["kind 9/page.jpg"]
    assert replace(report, skipped=()).added == 1
