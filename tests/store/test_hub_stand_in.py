"""The stand-in of the Hub does with the real client what the Hub does: what is relied on elsewhere."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, SpaceHardware, snapshot_download
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, LocalTokenNotFoundError, RepositoryNotFoundError

from tests.support.hub_stand_in import Hub, hub_stand_in


@pytest.fixture(scope="module")
def started() -> Iterator[Hub]:
    with hub_stand_in() as hub:
        yield hub


@pytest.fixture
def hub(started: Hub) -> Iterator[Hub]:
    started.repos.clear()
    started.users.clear()
    started.add_user("ada", token="hf_ada", orgs=["lab"])
    started.add_user("eve", token="hf_eve")
    with started.as_the_hub("hf_ada"):
        yield started


def test_a_private_data_set_comes_back_as_it_was_put_there(hub: Hub, tmp_path: Path) -> None:
    api = HfApi()
    assert api.whoami()["orgs"][0]["name"] == "lab"
    api.create_repo("lab/birds", repo_type="dataset", private=True)
    large = bytes(range(256)) * 40_000
    files = {"log/a.jsonl": b'{"one": 1}\n', "pictures/ab/x.jpg": large, "model.safetensors": b"weights", "empty": b""}
    operations = [CommitOperationAdd(path, io.BytesIO(held)) for path, held in files.items()]
    told = api.create_commit("lab/birds", operations, commit_message="first", repo_type="dataset")
    assert told.oid == hub.repos["dataset", "lab/birds"].sha
    folder = Path(snapshot_download("lab/birds", repo_type="dataset", cache_dir=tmp_path / "cache"))
    assert {path: (folder / path).read_bytes() for path in files} == files
    listed = {one.path for one in api.list_repo_tree("lab/birds", repo_type="dataset", recursive=True)}
    assert listed == {*files, ".gitattributes", "log", "pictures", "pictures/ab"}
    assert {one.path for one in api.list_repo_tree("lab/birds", "pictures", repo_type="dataset")} == {"pictures/ab"}
    delete = [CommitOperationDelete("pictures/", is_folder=True), CommitOperationDelete("empty")]
    api.create_commit("lab/birds", delete, commit_message="second", repo_type="dataset")
    assert set(hub.repos["dataset", "lab/birds"].files) == {"log/a.jsonl", "model.safetensors", ".gitattributes"}
    info = api.dataset_info("lab/birds")
    assert info.private
    assert info.sha == hub.repos["dataset", "lab/birds"].sha


def test_long_trees_come_in_pages(hub: Hub) -> None:
    api = HfApi()
    api.create_repo("ada/many", repo_type="dataset")
    hub.repos["dataset", "ada/many"].files.update({f"{n:05d}": b"x" for n in range(2100)})
    assert len(list(api.list_repo_tree("ada/many", repo_type="dataset"))) == 2101


def test_strangers_are_refused_as_the_hub_does(hub: Hub) -> None:
    HfApi().create_repo("lab/birds", repo_type="dataset", private=True)
    HfApi().create_repo("lab/open", repo_type="dataset")
    with pytest.raises(HfHubHTTPError, match="409"):
        HfApi().create_repo("lab/open", repo_type="dataset")
    for stranger in (HfApi(token="hf_eve"), HfApi(token=False)):
        with pytest.raises(RepositoryNotFoundError):
            stranger.dataset_info("lab/birds")
    with pytest.raises(HfHubHTTPError, match="403"):
        HfApi(token="hf_eve").create_repo("lab/mine", repo_type="space", space_sdk="gradio")
    with pytest.raises(HfHubHTTPError, match="403"):
        HfApi(token="hf_eve").upload_file(
            path_or_fileobj=b"x", path_in_repo="x", repo_id="lab/open", repo_type="dataset"
        )
    with pytest.raises(HfHubHTTPError, match="Invalid user token"):
        HfApi(token="hf_nobody").whoami()
    with hub.as_the_hub(None), pytest.raises(LocalTokenNotFoundError):
        HfApi().whoami()
    operations = [CommitOperationAdd("x", b"x")]
    with pytest.raises(HfHubHTTPError, match="412"):
        HfApi().create_commit(
            "lab/open", operations, commit_message="late", repo_type="dataset", parent_commit="0" * 40
        )
    with pytest.raises(EntryNotFoundError):
        HfApi().hf_hub_download("lab/open", "nothing", repo_type="dataset")


def test_a_space_has_variables_secrets_and_hardware(hub: Hub) -> None:
    api = HfApi()
    api.create_repo("ada/page", repo_type="space", space_sdk="gradio")
    api.add_space_variable("ada/page", "FGDEMO_EXPERTS", "bo")
    api.add_space_secret("ada/page", "TOKEN", "hush")
    assert api.get_space_variables("ada/page")["FGDEMO_EXPERTS"].value == "bo"
    assert hub.repos["space", "ada/page"].secrets == {"TOKEN": "hush"}
    api.request_space_hardware("ada/page", SpaceHardware.T4_SMALL)
    assert api.get_space_runtime("ada/page").hardware == "t4-small"


def test_a_job_runs_its_command_and_can_be_cancelled(hub: Hub) -> None:
    api = HfApi()
    assert {one.name: one.unit_cost_usd for one in api.list_jobs_hardware()}["t4-small"] > 0
    job = api.run_job(
        image="python:3.12",
        command=[sys.executable, "-c", "import os; print('hello', os.environ['WHAT'])"],
        env={"WHAT": "world"},
        flavor="cpu-basic",
    )
    assert api.wait_for_job(job.id, poll_interval=0.05).status.stage == "COMPLETED"
    assert list(api.fetch_job_logs(job_id=job.id)) == ["hello world"]
    long = api.run_job(image="python:3.12", command=[sys.executable, "-c", "input() or open(0).read()"])
    wrong = api.run_job(image="python:3.12", command=[sys.executable, "-c", "raise SystemExit(3)"])
    assert api.wait_for_job(wrong.id, poll_interval=0.05).status.stage == "ERROR"
    api.cancel_job(job_id=long.id)
    assert api.inspect_job(job_id=long.id).status.stage in ("CANCELED", "ERROR")
    with pytest.raises(HfHubHTTPError, match="404"):
        HfApi(token="hf_eve").inspect_job(job_id=job.id, namespace="ada")
