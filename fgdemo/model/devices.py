"""Which device reads and trains: the one wished for, where it is there."""

import torch

from fgdemo.model.lent_gpu import LENT
from fgdemo.values.errors import SettingsError


def choose_device(device: str) -> str:
    """`auto` is the GPU where there is one. Raises SettingsError where the wished one is not there."""
    if device == LENT:
        return LENT
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        kind, index = torch.device(device).type, torch.device(device).index or 0
    except RuntimeError:
        kind, index = "", 0
    if kind not in ("cpu", "cuda"):
        raise SettingsError(f"The device “{device}” is not known here: use auto, cpu, cuda or cuda:1.")
    if kind == "cuda" and index >= torch.cuda.device_count():
        raise SettingsError(f"There is no GPU {device} here. Use auto or cpu.")
    return device


def training_device(device: str) -> str:
    """Where trainings run: a GPU that is lent for seconds is none for them. Raises as `choose_device`."""
    chosen = choose_device(device)
    return "cpu" if chosen == LENT else chosen
