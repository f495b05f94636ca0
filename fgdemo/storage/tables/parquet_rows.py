"""One Parquet file, of which a few pictures at a time come into memory."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fgdemo.storage.disk.strict_json import as_list, as_object
from fgdemo.storage.tables.arrow import batches, records, values
from fgdemo.storage.trees.tree import LARGEST_PICTURE_BYTES
from fgdemo.values.errors import DatasetError

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

LARGEST_RATIO = 200
ROWS_AT_ONCE = 16
"""So many pictures are in memory at once, however large the row groups are."""


class ParquetRows:
    """One Parquet file. Pictures are read a few at a time, so that neither a large row group nor one that unpacks to a
    thousand times its size comes into memory; best asked for in order. Can be pickled.

    Raises:
        DatasetError: it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._batches: Iterator[pa.RecordBatch] | None = None
        self._column, self._next = "", 0
        self._held: dict[int, object] = {}
        file = self._open()
        self.schema, self.rows = file.schema_arrow, file.metadata.num_rows

    def __getstate__(self) -> Path:
        return self.path

    def __setstate__(self, path: Path) -> None:
        self.__init__(path)

    def plain(self, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Rows of columns without pictures."""
        import pyarrow as pa

        try:
            yield from records(self._open(), columns)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise DatasetError(self._fault(error)) from error

    def picture(self, column: str, index: int) -> bytes:
        """The bytes of a picture. Raises OSError."""
        import pyarrow as pa

        with self._lock:
            try:
                value = self._value(column, index)
            except (pa.ArrowException, ValueError) as error:
                raise OSError(5, "damaged in the Parquet file") from error
        cell = as_object(value)
        value = value if cell is None else cell.get("bytes")
        if value is None:
            raise FileNotFoundError(2, "there is no picture in this row")
        content = value if isinstance(value, bytes) else _of_numbers(value)
        if len(content) > LARGEST_PICTURE_BYTES:
            raise OSError(27, "too large when unpacked")
        return content

    def _value(self, column: str, index: int) -> object:
        if index in self._held and column == self._column:
            return self._held[index]
        if self._batches is None or column != self._column or index < self._next:
            self._batches, self._column, self._next = self._from(column, index)
        self._held = {at: value for at, value in self._held.items() if at > index - 4 * ROWS_AT_ONCE}
        for batch in self._batches:
            first, self._next = self._next, self._next + len(batch)
            if index < self._next:
                self._held |= dict(enumerate(values(batch), first))
                return self._held[index]
        raise OSError(5, "damaged in the Parquet file")

    def _from(self, column: str, index: int) -> tuple[Iterator[pa.RecordBatch], str, int]:
        """Batches from the row group on that holds the row, and the number of its first row."""
        self._held = {}
        file, first, group = self._open(), 0, 0
        while first + file.metadata.row_group(group).num_rows <= index:
            first, group = first + file.metadata.row_group(group).num_rows, group + 1
        groups = list(range(group, file.metadata.num_row_groups))
        return batches(file, ROWS_AT_ONCE, [column], groups), column, first

    def _open(self) -> pq.ParquetFile:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            opened = pq.ParquetFile(self.path)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise DatasetError(self._fault(error)) from error
        self._require_honest(opened.metadata)
        return opened

    def _require_honest(self, told: pq.FileMetaData) -> None:
        """A row group of pictures hardly shrinks; one that unpacks to very much more was made to fill a memory."""
        for number in range(told.num_row_groups):
            group = told.row_group(number)
            packed = sum(group.column(at).total_compressed_size for at in range(group.num_columns))
            if group.total_byte_size > max(LARGEST_RATIO * packed, LARGEST_PICTURE_BYTES):
                raise DatasetError(f"“{self.path.name}” is too large when unpacked: write its pictures uncompressed.")

    def _fault(self, error: Exception) -> str:
        return f"“{self.path.name}” cannot be read as a table of pictures ({type(error).__name__})."


def _of_numbers(value: object) -> bytes:
    """The bytes that were written as a list of numbers, with a sign or without."""
    numbers = as_list(value)
    if numbers is None or not all(isinstance(one, int) for one in numbers):
        raise OSError(5, "no picture in the Parquet file")
    return bytes(one % 256 for one in numbers)
