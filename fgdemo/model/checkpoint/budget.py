"""How much memory a backbone may take that a stranger's card describes: no more than its weights explain.

A card may ask for a network of thousands of layers, or of enormous ones. It is built before its shapes can be compared
with those of the weights, so what is allocated meanwhile is counted.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from fgdemo.values.errors import BackboneError

SPARE_BYTES = 256_000_000
"""For tables that are computed and not stored, such as those of relative positions."""
SPARE_TENSORS = 2000
LARGEST_NUMBER = 100_000
_MAKE_TENSORS = frozenset(
    (torch.empty, torch.zeros, torch.ones, torch.full, torch.rand, torch.randn, torch.linspace, torch.arange)
)


class Budget(TorchFunctionMode):
    """While it is entered, no more and no larger tensors are made than these limits. Raises BackboneError then."""

    def __init__(self, most_bytes: int, most_tensors: int) -> None:
        super().__init__()
        self._bytes_left, self._tensors_left = most_bytes, most_tensors

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        if func in _MAKE_TENSORS and isinstance(made, Tensor):
            self._bytes_left -= made.numel() * made.element_size()
            self._tensors_left -= 1
            if min(self._bytes_left, self._tensors_left) < 0:
                raise BackboneError("The card describes a much larger backbone than its weights are for.")
        return made


def budget_of(sizes: Sequence[int]) -> Budget:
    """For a backbone that has tensors of these numbers of weights."""
    return Budget(3 * 4 * sum(sizes) + SPARE_BYTES, 3 * len(sizes) + SPARE_TENSORS)


def require_small_numbers(options: Mapping[str, Any]) -> None:
    """Raises BackboneError where an option of a backbone is, or holds, a number that none can be built with."""
    waiting: list[Any] = [*options.values()]
    while waiting:
        value = waiting.pop()
        if isinstance(value, Mapping):
            waiting.extend(value.values())
        elif isinstance(value, list | tuple):
            waiting.extend(value)
        elif isinstance(value, int | float) and not -LARGEST_NUMBER <= value <= LARGEST_NUMBER:
            raise BackboneError(f"The options of the backbone have the number {value:g}, which is too large.")
