"""How far something is that takes long."""

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""(what, done, of) — called often; cheap. It may raise to stop what is being done."""


def no_progress(what: str, done: int, of: int) -> None:
    """Say nothing."""
