"""Weights from a file into a network: nothing in the file is ever executed."""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from fgdemo.values.errors import BackboneError


def load_weights(net: nn.Module, path: Path) -> None:
    """Strict, but for the classifier that the weights may bring along and a backbone has none of.

    Raises:
        BackboneError: they cannot be read, or do not fit.
    """
    state = read_state_dict(path)
    wanted = net.state_dict()
    body = {key: value for key, value in state.items() if key in wanted}
    missing = sorted(set(wanted) - set(body))
    misfits = [key for key, value in body.items() if value.shape != wanted[key].shape]
    head_prefixes = ("head.", "classifier.", "fc.", "head_dist.", "last_linear.")
    foreign = [key for key in state if key not in wanted and not key.startswith(head_prefixes)]
    broken = [key for key, value in body.items() if value.is_floating_point() and not value.isfinite().all()]
    if broken:
        raise BackboneError(f"The weights {path.name} hold numbers that are not finite, in {broken[0]}.")
    for keys, what in ((missing, "lacks"), (misfits, "has other shapes for"), (foreign, "has more than the backbone:")):
        if keys:
            raise BackboneError(
                f"The weights {path.name} do not fit this backbone: the file {what} {', '.join(keys[:3])}"
                f"{' …' if len(keys) > 3 else ''}. Check --backbone and --option."
            )
    net.load_state_dict({key: value.to(wanted[key].dtype) for key, value in body.items()})


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """Tensors of a `.safetensors` or a plain `.pth` file; nothing in it is ever executed.

    Raises:
        BackboneError: missing, damaged, or something other than a plain dictionary of tensors.
    """
    if not path.is_file():
        raise BackboneError(f"There is no weights file {path}.")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, OSError, RuntimeError, EOFError, ValueError, KeyError, ArithmeticError) as error:
        raise BackboneError(f"The weights {path.name} cannot be read ({first_line(error)}).") from error
    except Exception as error:  # torch raises pickle's own error classes, which this project does not import
        raise BackboneError(f"The weights {path.name} are not a plain state dict; they were not opened.") from error
    state = state.get("state_dict", state) if isinstance(state, dict) else state
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise BackboneError(f"The weights {path.name} are not a plain state dict of tensors.")
    return state


def first_line(error: BaseException) -> str:
    """What a library says, short enough for a sentence."""
    return str(error).strip().split("\n")[0][:160] or type(error).__name__
