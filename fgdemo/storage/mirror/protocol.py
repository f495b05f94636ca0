"""A place where a mirror lies, whatever it is. Names of files have "/" between their parts."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from fgdemo.storage.disk.durable import disk_is_full
from fgdemo.values.errors import StorageError, UnavailableError


class GoneError(UnavailableError):
    """A file is not at the destination."""


@dataclass(frozen=True)
class Sending:
    """A file on its way to a mirror.

    Attributes:
        content: its bytes, or the file that holds them.
        is_named_by_hash: what lies there under its name already is the same, if it is whole.
    """

    name: str
    content: bytes | Path
    is_named_by_hash: bool = False

    def read(self) -> bytes:
        """Raises StorageError if the file of the workspace cannot be read."""
        if isinstance(self.content, bytes):
            return self.content
        try:
            return self.content.read_bytes()
        except OSError as error:
            raise StorageError(f"A file of the workspace cannot be read ({error.strerror}).") from error


class Destination(Protocol):
    """A place that keeps files. Each function raises UnavailableError where it cannot be reached, or is full.

    Attributes:
        rest_s: so long is it left alone after each `write`.
    """

    rest_s: float

    def names(self, folder: str) -> dict[str, int]:
        """The size in bytes of each file in a folder and those below it, by its whole name; empty if it is not there.

        Nothing says that the names are safe.
        """
        ...

    def read(self, name: str) -> bytes:
        """Raises GoneError where there is no such file."""
        ...

    def write(self, files: Sequence[Sending]) -> None:
        """All of them are there, whole, when this returns. The last one is never there without those before it."""
        ...

    def remove(self, names: Sequence[str]) -> None:
        """None of these files is there when this returns."""
        ...


def complaint(error: BaseException | None) -> UnavailableError:
    """What a person can do about it."""
    if isinstance(error, OSError) and disk_is_full(error):
        return UnavailableError("The disk of the mirror is full: make room there.")
    if isinstance(error, PermissionError):
        return UnavailableError("The mirror may not be read or written: check the permissions there.")
    if isinstance(error, FileNotFoundError):
        return GoneError("A file of the mirror is not there.")
    told = getattr(error, "strerror", None) or type(error).__name__
    return UnavailableError(f"The mirror cannot be reached ({told}): check FGDEMO_MIRROR and the connection.")
