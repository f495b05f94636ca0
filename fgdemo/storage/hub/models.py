"""A model on the Hugging Face Hub by timm's convention: weights, `config.json` and a card with front matter.

Only these three files are ever sent, and a repository that holds anything else is not touched.
"""

# Not all of huggingface_hub has types:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fgdemo.storage.disk.strict_json import read_object
from fgdemo.storage.hub.access import hub_answers, require_name
from fgdemo.values.errors import HubError

if TYPE_CHECKING:
    from huggingface_hub import HfApi

FILES = ("README.md", "config.json", "model.safetensors")
LARGEST_CONFIG_BYTES = 10_000_000
_HUB_KEEPS = (".gitattributes",)


@dataclass(frozen=True)
class ModelPlace:
    """A repository of models as it is now. `commit` is None where there is none yet."""

    name: str
    private: bool
    commit: str | None


def model_place(name: str, *, private: bool) -> ModelPlace:
    """Look where a model is to go; nothing is changed.

    Args:
        private: what a new repository will be; one that is there stays as it is.

    Raises:
        HubError: nobody is signed in, the name is unusable, other things lie there, the Hub cannot be reached.
    """
    from huggingface_hub import HfApi

    require_name(name)
    api = HfApi()
    with hub_answers(f"{name} was not looked at"):
        api.whoami()
        if not api.repo_exists(name):
            return ModelPlace(name, private, None)
        info = api.model_info(name)
        held = {one.rfilename for one in info.siblings or ()} - set(_HUB_KEEPS)
        foreign = sorted(held - set(FILES))
        if foreign or (held and held != {"README.md"} and not _is_timm(api, name, info.sha)):
            raise HubError(
                f"There is another model {name} already ({', '.join(foreign[:3]) or 'not of timm'}): "
                "nothing was changed. Choose another name."
            )
        return ModelPlace(name, bool(info.private), info.sha)


def push_model(folder: Path, place: ModelPlace) -> str:
    """Send the three files of `folder` in one commit; gives the address of the model.

    Raises:
        HubError: as `model_place`; or somebody has changed it since.
    """
    from huggingface_hub import CommitOperationAdd, HfApi

    api = HfApi()
    with hub_answers(f"The model {place.name} was not changed"):
        if place.commit is None:
            api.create_repo(place.name, private=place.private)
        api.create_commit(
            place.name,
            [CommitOperationAdd(name, str(folder / name)) for name in FILES],
            commit_message="Push a model of fgdemo",
            parent_commit=place.commit,
        )
    return f"{api.endpoint}/{place.name}"


def timm_folder(name: str) -> Path:
    """Where `config.json` and `model.safetensors` of a model of timm lie now, fetched where they were not here yet.

    Raises:
        HubError: there is no such model, it has no weights in that format, or the Hub cannot be reached.
    """
    from huggingface_hub import hf_hub_download

    require_name(name)
    for file in ("config.json", "model.safetensors"):
        with hub_answers(
            f"{file} of {name} was not fetched (weights are taken from no other file, as pickles run code)"
        ):
            path = Path(hf_hub_download(name, file))
    return path.parent


def _is_timm(api: HfApi, name: str, commit: str | None) -> bool:
    try:
        text = Path(api.hf_hub_download(name, "config.json", revision=commit)).read_text(encoding="utf-8")
        config = read_object(text, LARGEST_CONFIG_BYTES)
    except (OSError, ValueError):
        return False
    return "architecture" in config and "pretrained_cfg" in config
