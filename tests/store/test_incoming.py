"""Uploads on their way in: whatever a browser calls them, they stay in their batch."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.requests import ClientDisconnect

from fgdemo.storage.exchange.incoming import FORGOTTEN_AFTER_S, Incoming
from fgdemo.values.errors import StorageError

BATCH = "0123456789abcdef" * 2


def send(incoming: Incoming, path: str, content: bytes = b"x") -> None:
    with incoming.receive(BATCH, path) as file:
        file.write(content)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(
    path=st.text(max_size=60) | st.sampled_from(["../../up.jpg", "/etc/passwd", "C:\\x\\y.jpg", "a/../../../b", "\0"])
)
def test_no_name_leaves_the_batch(tmp_path: Path, path: str) -> None:
    incoming = Incoming(tmp_path / "incoming")
    try:
        send(incoming, path)
    except StorageError:
        return
    written = [found for found in tmp_path.rglob("*") if found.is_file()]
    assert written
    assert all((tmp_path / "incoming" / BATCH) in found.parents for found in written)
    incoming.remove([str(tmp_path / "incoming" / BATCH)])


@pytest.mark.parametrize("batch", ["", "..", "x", "0" * 31, "0" * 33, "../" + "0" * 29, "G" * 32])
def test_only_a_batch_is_a_batch(tmp_path: Path, batch: str) -> None:
    incoming = Incoming(tmp_path)
    with pytest.raises(StorageError), incoming.receive(batch, "a.jpg"):
        pass
    with pytest.raises(StorageError):
        incoming.locations(batch)


def test_half_of_a_file_does_not_count(tmp_path: Path) -> None:
    incoming = Incoming(tmp_path)

    def cut_off() -> None:
        with incoming.receive(BATCH, "a.jpg") as file:
            file.write(b"half")
            raise ClientDisconnect

    with pytest.raises(ClientDisconnect):
        cut_off()
    with pytest.raises(StorageError, match="Nothing has arrived"):
        incoming.locations(BATCH)
    assert [found for found in tmp_path.rglob("*") if found.is_file()] == []


def test_what_an_import_is_to_read(tmp_path: Path) -> None:
    incoming = Incoming(tmp_path)
    send(incoming, "birds/owl/1.jpg")
    send(incoming, "birds/owl/2.jpg")
    assert incoming.locations(BATCH) == [str(tmp_path / BATCH)]
    send(incoming, "birds/labels.csv")
    assert incoming.locations(BATCH) == [str(tmp_path / BATCH)], "the table is found there, and what it does not name"
    incoming.remove(incoming.locations(BATCH))
    assert list(tmp_path.iterdir()) == []
    send(incoming, "a.zip")
    send(incoming, "b.ZIP")
    assert incoming.locations(BATCH) == [str(tmp_path / BATCH / "a.zip"), str(tmp_path / BATCH / "b.ZIP")]


def test_only_what_was_sent_is_cleared_away(tmp_path: Path) -> None:
    incoming, own = Incoming(tmp_path / "incoming"), tmp_path / "pictures"
    own.mkdir()
    send(incoming, "a.jpg")
    incoming.remove([str(own), "hf:owner/name", str(tmp_path / "incoming"), "/"])
    assert own.is_dir()
    assert incoming.locations(BATCH)
    old = time.time() - FORGOTTEN_AFTER_S - 60
    os.utime(tmp_path / "incoming" / BATCH, (old, old))
    incoming.remove_forgotten()
    assert list((tmp_path / "incoming").iterdir()) == []


def test_a_full_disk_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="MB more"):
        Incoming(tmp_path).require_room(10**18)
