"""A disk that fills up: a reserve stays free, visitors' pictures have a quota, and nothing is half stored."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware

from fgdemo.services.classify.suggestions import Suggested
from fgdemo.services.operating.operations import Operations
from fgdemo.settings import Settings
from fgdemo.storage.database.database import open_database
from fgdemo.storage.disk.free_space import FULL_BYTES, Disk
from fgdemo.storage.exchange.incoming import Incoming
from fgdemo.storage.pictures.originals import ImageStore
from fgdemo.storage.visitors.pictures import VisitorPictures
from fgdemo.storage.visitors.remarks import Remarks
from fgdemo.values.errors import UnavailableError
from fgdemo.web.http.guard import Guard
from tests.support.workspace import FakeWorkspace, open_fake_workspace
from tests.unit.test_metadata import photograph

RESERVE = 100_000_000


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The disk has `free.bytes` left."""
    free = SimpleNamespace(bytes=RESERVE + 1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=free.bytes))
    return free


def test_pictures_leave_the_reserve_alone(tmp_path: Path, free: SimpleNamespace) -> None:
    store = ImageStore(tmp_path / "pictures", reserve_bytes=RESERVE)
    kept = store.put(b"x" * 999)
    with pytest.raises(UnavailableError, match="has room for 0 MB more"):
        store.put(b"y" * 1000)
    assert store.put(b"x" * 999) == kept  # it takes no room
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [kept]


def test_uploads_leave_the_reserve_alone(tmp_path: Path, free: SimpleNamespace) -> None:
    free.bytes = RESERVE - 1
    with pytest.raises(UnavailableError, match="has room for 0 MB more"):
        Incoming(tmp_path / "incoming", RESERVE).require_room(0)
    settings = Settings(
        home=tmp_path, checkpoint=tmp_path, device="cpu", max_upload_mb=1, max_picture_mp=60, disk_reserve_mb=100
    )
    app = Starlette(middleware=[Middleware(Guard, settings=settings)])

    async def upload() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here.example") as client:
            return await client.post("/gradio_api/upload", content=b"x")

    reply = asyncio.run(upload())
    assert reply.status_code == 503
    assert "free some space" in reply.json()["error"]


def test_a_full_disk_is_no_health(tmp_path: Path, free: SimpleNamespace) -> None:
    operations = Operations(open_database(f"sqlite:///{tmp_path / 'a.sqlite'}"), "model-1", disk=Disk(tmp_path))
    assert operations.health().ready
    free.bytes = FULL_BYTES - 1
    assert operations.health().reason == "The disk of the workspace is full."


def leave(workspace: FakeWorkspace, pictures: VisitorPictures, turn: int) -> Suggested:
    from fgdemo.services.classify.suggestions import Suggestions

    taxonomy = workspace.classifier.taxonomy
    suggestions = Suggestions(workspace.events, workspace.images, Remarks(workspace.engine), pictures, taxonomy)
    return suggestions.add(
        photograph("PNG", turn),
        name="a.png",
        taxon=taxonomy.leaves[0],
        new_name=None,
        comment=None,
        model_version="m",
        keep_picture=True,
    )


def test_visitors_pictures_have_a_quota_that_removing_gives_back(tmp_path: Path) -> None:
    workspace = open_fake_workspace(tmp_path)
    size = len(photograph("PNG", 1))
    pictures = VisitorPictures(workspace.engine, workspace.images, 90, 2 * size)
    first = leave(workspace, pictures, 3)
    with pytest.raises(UnavailableError, match="without the picture"):
        [leave(workspace, pictures, turn) for turn in (6, 8)]
    before = len(list(workspace.events.suggestions()))
    assert first.receipt
    pictures.forget(first.receipt)
    leave(workspace, pictures, 5)
    assert len(list(workspace.events.suggestions())) >= before
