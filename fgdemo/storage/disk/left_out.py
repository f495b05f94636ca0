"""Lists of what an import left out, in the workspace; and cells that no spreadsheet takes for a formula."""

import csv
import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from fgdemo.storage.disk.durable import write_durably


def harmless(text: str) -> str:
    """A cell that a spreadsheet would take for a formula is made text."""
    return (
        f"'{text}" if text.lstrip(" ")[:1] in ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠") else text
    )


def harmful_again(text: str) -> str:
    """The inverse of `harmless`, for a table that comes back."""
    return text[1:] if text[:1] == "'" and harmless(text[1:]) != text[1:] else text


def write_left_out(folder: Path, run: str, skipped: Sequence[tuple[str, str]]) -> Path | None:
    """Write `<run>.csv` with the columns name and reason; None where nothing was left out.

    Raises:
        StorageError: it cannot be written.
    """
    if not skipped:
        return None
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(("name", "reason"))
    writer.writerows([harmless(cell) for cell in entry] for entry in skipped)
    path = folder / f"{run.replace(':', '-').replace('+00-00', 'Z')}.csv"
    write_durably(path, file.getvalue().encode("utf-8", "backslashreplace"))
    return path


def by_reason(skipped: Sequence[tuple[str, str]]) -> list[tuple[str, int]]:
    """How many were left out for each reason, the most frequent first; what differs from file to file is one reason."""
    return Counter(reason for _, reason in skipped).most_common()
