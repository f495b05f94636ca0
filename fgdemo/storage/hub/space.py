"""What a Hugging Face Space needs of this repository, and putting it there.

Only files that git tracks are taken, so that no workspace, secret or scratch file is ever published by accident.
"""

# Not all of huggingface_hub has types:
# pyright: reportUnknownMemberType=false
from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Container, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from fgdemo.storage.hub.access import hub_answers, require_name
from fgdemo.values.errors import HubError, StorageError
from fgdemo.values.limits import CHECKPOINT_FILES

if TYPE_CHECKING:
    from huggingface_hub import HfApi

NEEDED = ("app.py", "fgdemo/", "checkpoints/", "requirements.txt", "README.md", "LICENSE")
BUNDLED = "checkpoints/field-guide"
OURS = "fgdemo/__init__.py"
KEPT_THERE = (".gitattributes",)
JOBS_SCOPES = ("contribute-repos", "jobs")
"""What a person grants the Space so that it may train in their name: a repository of its own, and to run a job."""
ELSEWHERE = "Files that are named here without a link lie in the repository that this Space was made from."
_LINK = re.compile(r"(?P<picture>!?)\[(?P<words>[^\]]*)\]\((?P<target>[^()\s]+)\)")
_SECRET = re.compile("TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL|_KEY$|DATABASE_URL")
_SECRET_VALUE = re.compile(
    r"hf_\w{20,}|fgd_[\w-]{20,}|gh[pousr]_\w{20,}|AKIA[0-9A-Z]{16}|sk-[\w-]{20,}|-----BEGIN|://[^/\s@:]*:[^/\s@]+@"
)
_PUBLISHED = frozenset(
    [".py", ".js", ".css", ".html", ".svg", ".woff2", ".csv", ".json", ".md", ".txt", ".safetensors"]
)
_REQUIREMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(\[[a-z0-9,._-]+\])?[<>=!~][<>=!~0-9a-z.,*]*")
"""A name on PyPI with the versions that will do: no other index, URL, file or option of pip."""


@dataclass(frozen=True)
class SpaceContents:
    """The files of a Space: where each lies here, or what it holds, by its path there; and its public variables."""

    files: Mapping[str, Path | bytes]
    variables: Mapping[str, str]

    @property
    def size_bytes(self) -> int:
        return sum(len(held) if isinstance(held, bytes) else held.stat().st_size for held in self.files.values())


@dataclass(frozen=True)
class Deployed:
    """`url` is where the Space is; `removed` what it held before and no longer does."""

    url: str
    created: bool
    removed: tuple[str, ...]


def space_contents(repository: Path, checkpoint: Path, variables: Mapping[str, str]) -> SpaceContents:
    """Gather what a Space needs.

    Args:
        checkpoint: the one it serves; another than the bundled one takes its place.
        variables: settings, which everybody can read there.

    Raises:
        StorageError: this is no git checkout, or something that is needed is not there.
        HubError: a variable that looks like a secret.
    """
    secrets = sorted(n for n, value in variables.items() if _SECRET.search(n.upper()) or _SECRET_VALUE.search(value))
    if secrets:
        raise HubError(
            f"{secrets[0]} looks like a secret, and everybody can read the variables of a Space: "
            "set it among the secrets on the settings page of the Space."
        )
    files: dict[str, Path | bytes] = {path: repository / path for path in _tracked(repository)}
    missing = [name for name in NEEDED if not any(path == name or path.startswith(name) for path in files)]
    if missing:
        raise StorageError(f"{missing[0]} is not in the repository, and a Space needs it.")
    _require_plain(repository, [path for path in files if path in NEEDED or path.startswith(NEEDED)])
    _require_known_packages((repository / "requirements.txt").read_text(encoding="utf-8"))
    variables, checkpoint = dict(variables), checkpoint.resolve()
    if checkpoint != (repository / BUNDLED).resolve():
        files = {path: file for path, file in files.items() if not path.startswith(f"{BUNDLED}/")}
        variables["FGDEMO_CHECKPOINT"] = f"checkpoints/{checkpoint.name}"
        for name in CHECKPOINT_FILES:
            if not (checkpoint / name).is_file():
                raise StorageError(f"The checkpoint {checkpoint.name} has no {name}: it cannot be served.")
            files[f"checkpoints/{checkpoint.name}/{name}"] = checkpoint / name
    readme = linked_within((repository / "README.md").read_text(encoding="utf-8"), files)
    files["README.md"] = (with_scopes(readme, JOBS_SCOPES) if variables.get("FGDEMO_JOBS") else readme).encode()
    return SpaceContents(dict(sorted(files.items())), variables)


def _require_plain(repository: Path, paths: list[str]) -> None:
    """Raises StorageError where something would be published that lies elsewhere, or that no Space needs."""
    root = repository.resolve()
    for path in paths:
        file = repository / path
        if file.is_symlink() or not file.resolve().is_relative_to(root):
            raise StorageError(f"{path} is a link, and what it leads to would be published: put the file itself there.")
        is_hidden = any(part.startswith(".") for part in PurePosixPath(path).parts)
        if is_hidden or (file.suffix not in _PUBLISHED and file.name not in ("LICENSE", "py.typed")):
            raise StorageError(f"{path} is nothing that a Space needs, and would be published: remove it from git.")


def _require_known_packages(requirements: str) -> None:
    """Raises StorageError where pip would take something else than a named version range from its own index."""
    for line in requirements.splitlines():
        needed = line.partition("#")[0].strip()
        if needed and not _REQUIREMENT.fullmatch(needed):
            raise StorageError(
                f"requirements.txt has “{needed[:80]}”: only names with versions, such as tqdm>=4, are taken."
            )


def _tracked(repository: Path) -> list[str]:
    """What git tracks of what is needed, and is there."""
    try:
        listed = subprocess.run(
            ["git", "-c", "core.fsmonitor=false", "-C", str(repository), "ls-files", "-z", "--", *NEEDED],
            capture_output=True,
            check=True,
        ).stdout.decode()
    except (OSError, subprocess.CalledProcessError) as error:
        raise StorageError(
            "Only files that git tracks are published, and this is no git checkout (or git is not installed): "
            "clone the repository, and deploy from there."
        ) from error
    return [path for path in listed.split("\0") if path and (repository / path).is_file()]


def linked_within(readme: str, files: Container[str]) -> str:
    """The README as it stands in the Space: links to what is not there become plain words, pictures go."""

    def kept(link: re.Match[str]) -> str:
        target = link["target"].partition("#")[0]
        if not target or ":" in target or target in files:
            return link[0]
        return "" if link["picture"] else link["words"]

    there = re.sub(r"\n{3,}", "\n\n", _LINK.sub(kept, readme))
    return there if there == readme else f"{there.rstrip()}\n\n{ELSEWHERE}\n"


def with_scopes(readme: str, scopes: tuple[str, ...]) -> str:
    """The README with these among the OAuth scopes of its front matter."""
    listed = "hf_oauth_scopes:\n" + "".join(f"  - {scope}\n" for scope in scopes)
    return re.sub(r"^hf_oauth: true\n", lambda found: found[0] + listed, readme, count=1, flags=re.MULTILINE)


def write_folder(contents: SpaceContents, folder: Path) -> None:
    """The Space as a folder, which appears whole or not at all.

    Raises:
        StorageError: it holds something already, or cannot be written.
    """
    folder = folder.absolute()
    try:
        if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
            raise StorageError(f"“{folder.name}” holds something already: name a folder that is not there yet.")
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as beside:
            for path, held in contents.files.items():
                to = Path(beside, "space", PurePosixPath(path))
                to.parent.mkdir(parents=True, exist_ok=True)
                if isinstance(held, bytes):
                    to.write_bytes(held)
                else:
                    shutil.copyfile(held, to)
            if folder.exists():
                folder.rmdir()
            Path(beside, "space").rename(folder)
    except OSError as error:
        raise StorageError(f"“{folder.name}” cannot be written ({error.strerror}).") from error


def publish(contents: SpaceContents, name: str, *, private: bool, hardware: str | None) -> Deployed:
    """Create or update the Space `name` in one commit, whose files are exactly these afterwards.

    Args:
        private: make it private; a Space that is private already stays so in any case.
        hardware: e.g. `zero-a10g`, `cpu-basic`, `t4-small`; None leaves it as it is.

    Raises:
        HubError: nobody is signed in, the right is missing, the name is unusable or another Space has it, the Hub
            cannot be reached.
    """
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

    require_name(name)
    api = HfApi()
    with hub_answers(f"The Space {name} was not changed"):
        api.whoami()
        created = not api.repo_exists(name, repo_type="space")
        if created:
            api.create_repo(name, repo_type="space", space_sdk="gradio", private=private, exist_ok=True)
        held, sha = _held(api, name)
        if held and not created and OURS not in held and held - {"README.md", ".gitignore"}:
            raise HubError(f"There is another Space {name} already, which is not of fgdemo: nothing was changed.")
        if private and not api.space_info(name).private:
            api.update_repo_settings(name, repo_type="space", private=True)
        there = {key: found.value for key, found in api.get_space_variables(name).items()}
        for key, value in contents.variables.items():  # first, so that what is built next starts with them
            if there.get(key) != value:
                api.add_space_variable(name, key, value)
        if hardware is not None:
            api.request_space_hardware(name, hardware)  # type: ignore[arg-type]
        removed = tuple(sorted(held - set(contents.files)))
        api.create_commit(
            name,
            [
                *(
                    CommitOperationAdd(path, file if isinstance(file, bytes) else str(file))
                    for path, file in contents.files.items()
                ),
                *(CommitOperationDelete(path) for path in removed),
            ],
            commit_message="Deploy fgdemo",
            repo_type="space",
            parent_commit=sha,
        )
    return Deployed(f"{api.endpoint}/spaces/{name}", created, removed)


def _held(api: HfApi, name: str) -> tuple[set[str], str | None]:
    """The files of the Space now, and the commit that has them."""
    info = api.space_info(name)
    return {one.rfilename for one in info.siblings or ()} - set(KEPT_THERE), info.sha
