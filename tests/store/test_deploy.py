"""What becomes a Space: only what is tracked and needed, in one commit, or one sentence that says why not."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from fgdemo.cli import main
from fgdemo.settings import REPOSITORY, Settings
from fgdemo.storage.database.database import open_database
from fgdemo.storage.hub.space import (
    BUNDLED,
    ELSEWHERE,
    SpaceContents,
    linked_within,
    publish,
    space_contents,
    with_scopes,
    write_folder,
)
from fgdemo.storage.people.audit import Audit
from fgdemo.values.errors import FgdemoError, HubError, StorageError
from tests.support.hub_stand_in import Hub, Repo, hub_stand_in

PLAIN_PUSH_BYTES = 10_000_000
"""Larger files are refused by a plain git push to the Hub."""


@pytest.fixture(scope="module")
def started() -> Iterator[Hub]:
    with hub_stand_in() as hub:
        yield hub


@pytest.fixture
def hub(started: Hub) -> Iterator[Hub]:
    started.repos.clear()
    started.is_down = False
    started.add_user("ada", token="hf_ada", orgs=["lab"])
    started.add_user("eve", token="hf_eve")
    started.add_user("rob", token="hf_reads", can_write=False)
    with started.as_the_hub("hf_ada"):
        yield started


def small(**more: bytes) -> SpaceContents:
    files: dict[str, Path | bytes] = {"app.py": b"run()", "fgdemo/__init__.py": b"", "README.md": b"# page", **more}
    return SpaceContents(files, {"FGDEMO_EXPERTS": "bo"})


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A git checkout that looks like ours, with things beside what is tracked."""
    root = tmp_path / "checkout"
    tracked = (
        "app.py",
        "fgdemo/web/page.py",
        f"{BUNDLED}/card.json",
        f"{BUNDLED}/model.safetensors",
        "requirements.txt",
        "README.md",
        "LICENSE",
        "tests/test_x.py",
        "benchmarks/b.py",
        "pyproject.toml",
    )
    for name in (*tracked, "fgdemo/.env", "fgdemo/scratch.py", "checkpoints/.mine-training.pt", "fgdemo.sqlite"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("torch>=2\n" if name == "requirements.txt" else name, encoding="utf-8")
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    subprocess.run(["git", "-C", str(root), "add", *tracked], check=True)
    return root


def test_only_what_is_tracked_and_needed_is_taken(repository: Path) -> None:
    contents = space_contents(repository, repository / BUNDLED, {})
    assert list(contents.files) == sorted(
        [
            "LICENSE",
            "README.md",
            "app.py",
            f"{BUNDLED}/card.json",
            f"{BUNDLED}/model.safetensors",
            "fgdemo/web/page.py",
            "requirements.txt",
        ]
    )
    (repository / "LICENSE").unlink()
    with pytest.raises(StorageError, match="LICENSE is not in the repository"):
        space_contents(repository, repository / BUNDLED, {})
    with pytest.raises(StorageError, match="no git checkout"):
        space_contents(repository.parent, repository / BUNDLED, {})


def test_another_checkpoint_takes_the_place_of_the_bundled_one(repository: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "card.json").write_text("{}")
    with pytest.raises(StorageError, match=r"has no model\.safetensors"):
        space_contents(repository, mine, {})
    (mine / "model.safetensors").write_bytes(b"w")
    (mine / "notes.txt").write_text("private")
    contents = space_contents(repository, mine, {})
    assert [path for path in contents.files if path.startswith("checkpoints/")] == [
        "checkpoints/mine/card.json",
        "checkpoints/mine/model.safetensors",
    ]
    assert contents.variables == {"FGDEMO_CHECKPOINT": "checkpoints/mine"}


@pytest.mark.parametrize("name", ["HF_TOKEN", "DATABASE_URL", "MY_SECRET", "password", "AWS_SECRET_ACCESS_KEY"])
def test_secrets_never_become_public_variables(repository: Path, name: str) -> None:
    with pytest.raises(HubError, match=f"{name} looks like a secret"):
        space_contents(repository, repository / BUNDLED, {name: "hush"})


def test_scopes_are_asked_for_only_where_jobs_are_wanted() -> None:
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    front = readme.split("---")[1]
    assert "hf_oauth: true\n" in front
    assert "scopes" not in front
    assert "hf_oauth: true\nhf_oauth_scopes:\n  - contribute-repos\n  - jobs\n" in with_scopes(
        readme, ("contribute-repos", "jobs")
    )
    contents = space_contents(REPOSITORY, REPOSITORY / BUNDLED, {"FGDEMO_JOBS": "t4-small"})
    held = contents.files["README.md"]
    assert isinstance(held, bytes)
    assert b"  - jobs\n" in held.split(b"---")[1]


def test_the_readme_of_a_space_leads_nowhere_in_vain() -> None:
    readme = (
        "[guide](docs/a.md#b) and [code](LICENSE), [at](#at), [home](https://a.b)\n\n![A page](docs/a.webp)\n\nEnd\n"
    )
    assert linked_within(readme, {"LICENSE"}) == (
        f"guide and [code](LICENSE), [at](#at), [home](https://a.b)\n\nEnd\n\n{ELSEWHERE}\n"
    )
    contents = space_contents(REPOSITORY, REPOSITORY / BUNDLED, {})
    held = contents.files["README.md"]
    assert isinstance(held, bytes)
    links = re.findall(r"\]\(([^)]+)\)", held.decode())
    assert [link for link in links if ":" not in link and link not in contents.files] == []
    assert held.decode().split("---")[1] == (REPOSITORY / "README.md").read_text(encoding="utf-8").split("---")[1]


def test_the_repository_itself_is_a_space() -> None:
    """Small enough for a plain push, and nothing in it that a Space does not need."""
    contents = space_contents(REPOSITORY, REPOSITORY / BUNDLED, {})
    assert {
        path: path.stat().st_size
        for path in contents.files.values()
        if isinstance(path, Path) and path.stat().st_size >= PLAIN_PUSH_BYTES
    } == {}
    assert {path.split("/")[0] for path in contents.files} == {
        "LICENSE",
        "README.md",
        "app.py",
        "checkpoints",
        "fgdemo",
        "requirements.txt",
    }
    lines = (REPOSITORY / "requirements.txt").read_text(encoding="utf-8").splitlines()
    torch = next(line for line in lines if line.startswith("torch>"))
    assert re.match(r"torch>=2\.(\d+)", torch)[1] == "11", "ZeroGPU stops at 2.11"  # type: ignore[index]


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    write_folder(small(), tmp_path / "space")
    assert (tmp_path / "space" / "fgdemo" / "__init__.py").is_file()
    (tmp_path / "space" / "mine.txt").write_text("keep me")
    with pytest.raises(StorageError, match="holds something already"):
        write_folder(small(), tmp_path / "space")
    broken = SpaceContents({"app.py": b"", "gone": tmp_path / "nowhere"}, {})
    with pytest.raises(StorageError, match="cannot be written"):
        write_folder(broken, tmp_path / "other")
    assert [path.name for path in tmp_path.iterdir()] == ["space"]


def test_a_space_is_created_then_updated_in_one_commit_each(hub: Hub) -> None:
    done = publish(small(**{"fgdemo/old.py": b"old"}), "lab/page", private=True, hardware=None)
    space = hub.repos["space", "lab/page"]
    assert (done.created, done.url, space.private, space.sdk) == (True, f"{hub.url}/spaces/lab/page", True, "gradio")
    assert space.variables == {"FGDEMO_EXPERTS": "bo"}
    assert set(space.files) - {".gitattributes"} == {"app.py", "fgdemo/__init__.py", "fgdemo/old.py", "README.md"}
    commits = len(space.commits)
    weights = b"\0" * 11_000_000
    done = publish(small(**{"model.safetensors": weights}), "lab/page", private=False, hardware="zero-a10g")
    assert (done.created, done.removed) == (False, ("fgdemo/old.py",))
    assert space.files["model.safetensors"] == weights
    assert "fgdemo/old.py" not in space.files
    assert len(space.commits) == commits + 1
    assert (space.private, space.hardware) == (True, "zero-a10g")


def test_another_space_is_left_alone(hub: Hub) -> None:
    hub.repos["space", "lab/other"] = Repo(False, "gradio", {"app.py": b"theirs", "README.md": b"x"})
    with pytest.raises(HubError, match="another Space lab/other"):
        publish(small(), "lab/other", private=False, hardware=None)
    assert hub.repos["space", "lab/other"].files == {"app.py": b"theirs", "README.md": b"x"}
    hub.repos["space", "lab/new"] = Repo(False, "gradio", {"README.md": b"made on the website", ".gitattributes": b""})
    assert not publish(small(), "lab/new", private=False, hardware=None).created


@pytest.mark.parametrize(
    ("token", "name", "sentence"),
    [
        (None, "lab/page", "you are not signed in"),
        ("hf_nobody", "lab/page", "it does not know who you are"),
        ("hf_eve", "lab/page", "you have no right"),
        ("hf_reads", "rob/page", "you have no right"),
        ("hf_ada", "page", "OWNER/NAME"),
        ("hf_ada", "lab/pa ge", "no name on the Hub"),
        ("hf_ada", "a/b/c", "no name on the Hub"),
        ("hf_ada", "../etc", "no name on the Hub"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(hub: Hub, token: str | None, name: str, sentence: str) -> None:
    with hub.as_the_hub(token), pytest.raises(HubError, match=re.escape(sentence)) as caught:
        publish(small(), name, private=False, hardware=None)
    assert str(caught.value).endswith((".", ")."))
    assert not hub.repos


def test_a_hub_that_is_down_or_wants_money_is_told(hub: Hub) -> None:
    hub.add_user("poor", token="hf_poor", can_pay=False)
    with hub.as_the_hub("hf_poor"), pytest.raises(HubError, match="paid plan"):
        publish(small(), "poor/page", private=False, hardware="t4-small")
    hub.is_down = True
    with pytest.raises(HubError, match="status 503"):
        publish(small(), "lab/page", private=False, hardware=None)
    hub.url, url = "http://127.0.0.1:9", hub.url
    try:
        with hub.as_the_hub("hf_ada"), pytest.raises(HubError, match="cannot be reached"):
            publish(small(), "lab/page", private=False, hardware=None)
    finally:
        hub.url = url


def test_the_verb_says_what_it_does_and_the_audit_who_did_it(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FGDEMO_HOME", str(tmp_path))
    assert main(["deploy", "lab/birds", "--variable", "FGDEMO_EXPERTS=bo,lab"]) == 0
    assert "Variable FGDEMO_EXPERTS = bo,lab" in capsys.readouterr().out
    assert "checkpoints/field-guide/model.safetensors" in hub.repos["space", "lab/birds"].files
    assert main(["audit"]) == 0
    assert re.search(r"owner +deploy +lab/birds", capsys.readouterr().out)
    assert main(["deploy", "lab/birds", "--variable", "no"]) == 1
    assert "must look like NAME=VALUE" in capsys.readouterr().err


def test_the_audit_is_append_only(database_url: str) -> None:
    from sqlalchemy import text

    from fgdemo.storage.database.database import writing
    from fgdemo.values.annotation import Person

    engine = open_database(database_url)
    audit = Audit(engine)
    for number in range(3):
        audit.note(Person("mia", "maintainer"), "export", f"csv {number}" * 100)
    assert [entry.about[:5] for entry in audit.newest(2)] == ["csv 1", "csv 2"]
    assert len(audit.newest(1)[0].about) <= 500
    for change in ("UPDATE audit SET person = 'eve'", "DELETE FROM audit"):
        with pytest.raises(FgdemoError), writing(engine) as connection:
            connection.execute(text(change))
    assert {entry.person for entry in audit.newest()} == {"mia"}
    engine.dispose()


def test_names_of_people_in_the_settings_are_checked() -> None:
    settings = Settings.from_env({"FGDEMO_MAINTAINERS": " ada, lab ,", "FGDEMO_EXPERTS": ""})
    assert (settings.maintainers, settings.experts) == (("ada", "lab"), ())
    with pytest.raises(FgdemoError, match="FGDEMO_EXPERTS names “a b”"):
        Settings.from_env({"FGDEMO_EXPERTS": "a b"})


# --- what must never be published --------------------------------------------------------------------------------


def tracked(repository: Path, name: str, content: str | Path) -> None:
    file = repository / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)
    file.symlink_to(content) if isinstance(content, Path) else file.write_text(content, encoding="utf-8")
    subprocess.run(["git", "-C", str(repository), "add", "-f", name], check=True)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("fgdemo/notes.txt", Path("/etc/hostname")),
        ("fgdemo/web/page.py", Path("../../fgdemo.sqlite")),
        ("fgdemo/.env", "TOKEN=1"),
        ("fgdemo/.hidden/x.py", ""),
        ("checkpoints/mine/model.pkl", ""),
        ("checkpoints/mine/model.pt", ""),
        ("fgdemo/server.pem", ""),
        ("fgdemo/copy.sqlite", ""),
    ],
)
def test_what_would_be_published_by_mistake_is_refused_by_its_name(
    repository: Path, name: str, content: str | Path
) -> None:
    tracked(repository, name, content)
    with pytest.raises(StorageError, match=re.escape(name)):
        space_contents(repository, repository / BUNDLED, {})


def test_a_folder_that_is_a_link_is_not_followed(repository: Path, tmp_path: Path) -> None:
    (repository / "fgdemo" / "web").rename(tmp_path / "web")
    (repository / "fgdemo" / "web").symlink_to(tmp_path / "web")
    with pytest.raises(StorageError, match="is a link"):
        space_contents(repository, repository / BUNDLED, {})


@pytest.mark.parametrize(
    "line",
    [
        "--extra-index-url https://example.org/simple",
        "-i https://example.org",
        "--find-links .",
        "-r more.txt",
        "-e .",
        "torch",
        "torch @ https://example.org/torch.whl",
        "git+https://example.org/x",
        "./torch",
        "torch>=2; x",
        "torch>=2 --hash=x",
        "torch>=2 \\",
    ],
)
def test_only_named_versions_are_installed(repository: Path, line: str) -> None:
    tracked(repository, "requirements.txt", f"numpy>=2\n{line}\n")
    with pytest.raises(StorageError, match="only names with versions"):
        space_contents(repository, repository / BUNDLED, {})


def test_our_own_requirements_are_packages_that_we_know() -> None:
    """Another name is another package: whoever adds one has looked whose it is."""
    lines = (REPOSITORY / "requirements.txt").read_text(encoding="utf-8").splitlines()
    names = {re.split(r"[\[<>=!~]", line)[0] for line in lines if line and not line.startswith("#")}
    assert names <= {
        "argon2-cffi",
        "datasets",
        "grad-cam",
        "gradio",
        "numpy",
        "orjson",
        "pillow",
        "prometheus_client",
        "psutil",
        "pydantic",
        "pydantic-settings",
        "pyarrow",
        "safetensors",
        "scipy",
        "sqlalchemy",
        "threadpoolctl",
        "timm",
        "torch",
        "torchvision",
        "tqdm",
        "typer",
    }
    space_contents(REPOSITORY, REPOSITORY / BUNDLED, {})


@pytest.mark.parametrize(
    "value",
    [
        "hf_" + "a" * 30,
        "s3://AKIAABCDEFGHIJKLMNOP/x",
        "https://me:secret@example.org",
        "postgresql://a:b@c/d",
        "fgd_" + "a" * 40,
    ],
)
def test_a_secret_under_a_harmless_name_is_refused(repository: Path, value: str) -> None:
    with pytest.raises(HubError, match="FGDEMO_MIRROR looks like a secret"):
        space_contents(repository, repository / BUNDLED, {"FGDEMO_MIRROR": value})


def test_a_checkpoint_that_is_no_checkpoint_is_not_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "card.json").write_text("{}")
    (mine / "model.safetensors").write_bytes(b"\x80\x04cos\nsystem\n.")
    monkeypatch.setenv("FGDEMO_CHECKPOINT", str(mine))
    monkeypatch.setenv("FGDEMO_HOME", str(tmp_path / "home"))
    assert main(["deploy", "ada/page", "--dry-run", str(tmp_path / "out")]) == 1
    assert "card.json" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
