"""How much of a disk may be filled: a reserve stays free for the database, whatever is uploaded or imported."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from fgdemo.values.errors import UnavailableError

FULL_BYTES = 16_000_000
"""With less than this free the disk counts as full: the next answers could not be stored."""


@dataclass(frozen=True)
class Disk:
    """The disk on which a folder lies, or will lie.

    Attributes:
        reserve_bytes: stays free of pictures, uploads and imports.
    """

    folder: Path
    reserve_bytes: int = 0

    def free_bytes(self) -> int:
        """Raises UnavailableError where the disk cannot be asked."""
        there = next((path for path in (self.folder, *self.folder.parents) if path.exists()), self.folder)
        try:
            return shutil.disk_usage(there).free
        except OSError as error:
            raise UnavailableError(f"The disk of the workspace does not answer ({error.strerror}).") from error

    def is_full(self) -> bool:
        return self.free_bytes() < FULL_BYTES

    def require_room(self, size_bytes: int) -> None:
        """Raises UnavailableError where a file of this size would touch the reserve."""
        room = max(0, self.free_bytes() - self.reserve_bytes)
        if size_bytes >= room:
            raise UnavailableError(
                f"The disk of the workspace has room for {room // 1_000_000:,} MB more, and this would be "
                f"{max(1, size_bytes // 1_000_000):,} MB, so nothing was stored: free some space and try again."
            )
