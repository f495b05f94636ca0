"""Many things, some at a time."""

from collections.abc import Iterator
from typing import Any, Protocol, TypeVar


class Sliced(Protocol):
    """A list, an array, a range, …"""

    def __len__(self) -> int: ...

    def __getitem__(self, some: slice, /) -> Any: ...


Many = TypeVar("Many", bound=Sliced)


def batches(values: Many, most: int) -> Iterator[Many]:
    """`values` in their order, `most` at a time; of a range these are ranges."""
    for start in range(0, len(values), most):
        yield values[start : start + most]
