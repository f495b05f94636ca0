"""A private data set repository of the Hub as a mirror, through the real client and a Hub on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fgdemo.values.errors import StorageError, UnavailableError
from tests.store.test_mirror import label, promoted_model
from tests.support.hub_stand_in import Hub, hub_stand_in
from tests.support.mirroring import contents, database_in, mirror_of, restored_into
from tests.support.workspace import open_fake_workspace, some_pictures

URL, KEY = "hf://datasets/lab/mirror", ("dataset", "lab/mirror")


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    with hub_stand_in() as running:
        running.add_user("ada", token="hf_ada", orgs=["lab"])
        running.add_user("eve", token="hf_eve")
        yield running


@pytest.fixture(autouse=True)
def fresh_hub(hub: Hub) -> None:
    hub.repos.clear()
    hub.is_down = False


def test_a_workspace_comes_back_from_the_hub(hub: Hub, tmp_path: Path) -> None:
    made = open_fake_workspace(tmp_path / "home")
    made.take_in(some_pictures(3, 0))
    version = promoted_model(tmp_path / "home")
    with hub.as_the_hub("hf_ada"):
        mirror = mirror_of(tmp_path / "home", URL)
        assert mirror.send()
        assert hub.repos[KEY].private
        commits = sum(path.endswith("/commit/main") for _, path in hub.requests)
        assert commits == 4  # the mark; pictures and answers; the model; that it went live
        label(made, made.roster.image_ids[0], "ada", "lowchen")
        assert mirror.send()
        assert sum(path.endswith("/commit/main") for _, path in hub.requests) == commits + 1
        found = restored_into(tmp_path / "fresh", URL)
    assert found.faults == ()
    assert found.models == 1
    assert version
    assert contents(database_in(tmp_path / "fresh")) == contents(made.engine)


def test_a_public_repository_is_refused(hub: Hub, tmp_path: Path) -> None:
    from huggingface_hub import HfApi

    open_fake_workspace(tmp_path / "home").take_in(some_pictures(1, 0))
    with hub.as_the_hub("hf_ada"):
        HfApi().create_repo("lab/mirror", repo_type="dataset", private=False)
        with pytest.raises(StorageError, match="is public, and a mirror holds the hashes of passwords"):
            mirror_of(tmp_path / "home", URL).send()
        with pytest.raises(StorageError, match="is public"):
            restored_into(tmp_path / "fresh", URL)
    assert not [name for name in hub.repos[KEY].files if name.startswith(("log/", "pictures/"))]


def test_without_the_right_or_the_hub_it_is_told_and_works_again_later(hub: Hub, tmp_path: Path) -> None:
    open_fake_workspace(tmp_path / "home").take_in(some_pictures(1, 0))
    with hub.as_the_hub(None), pytest.raises(UnavailableError, match="needs a token: set HF_TOKEN"):
        mirror_of(tmp_path / "home", URL).send()
    with hub.as_the_hub("hf_eve"), pytest.raises(UnavailableError, match="refuses the token"):
        mirror_of(tmp_path / "home", URL).send()
    with hub.as_the_hub("hf_ada"):
        mirror = mirror_of(tmp_path / "home", URL)
        hub.is_down = True
        with pytest.raises(UnavailableError, match="Hugging Face Hub"):
            mirror.send()
        with pytest.raises(UnavailableError, match="Hugging Face Hub"):
            restored_into(tmp_path / "fresh", URL)
        hub.is_down = False
        assert mirror.send()
        assert mirror.state.waiting() == 0
