"""Where a mirror lies: a folder, any fsspec URL, or a data set repository of the Hugging Face Hub.

Only this module knows which there are.
"""

from fgdemo.storage.mirror.folder_destination import FolderDestination
from fgdemo.storage.mirror.hub_destination import HubDestination
from fgdemo.storage.mirror.protocol import Destination
from fgdemo.values.errors import SettingsError

HUB = "hf://datasets/"


def open_destination(url: str) -> Destination:
    """The place that `FGDEMO_MIRROR` names. Nothing is asked of it yet.

    Raises:
        SettingsError: no such kind of URL, or what it needs is not installed.
    """
    if url.startswith("hf://"):
        repository = url.removeprefix(HUB).strip("/")
        if not url.startswith(HUB) or repository.count("/") != 1:
            raise SettingsError("A mirror on the Hugging Face Hub is named hf://datasets/OWNER/NAME.")
        return HubDestination(repository)
    return FolderDestination(url)
