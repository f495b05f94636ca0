"""Columns of a schema, and rows of a Parquet file a few at a time, with the types that pyarrow leaves open."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol, cast

if TYPE_CHECKING:
    import pyarrow as pa


class Column(Protocol):
    """A column, or a part of one that is made of several."""

    @property
    def name(self) -> str: ...
    @property
    def type(self) -> pa.DataType: ...


class Batched(Protocol):
    """As much of `pyarrow.parquet.ParquetFile` as reads rows."""

    def iter_batches(
        self, batch_size: int, row_groups: list[int] | None = None, columns: list[str] | None = None
    ) -> Iterator[pa.RecordBatch]: ...


def columns_of(schema: pa.Schema | pa.StructType) -> list[Column]:
    """The columns of a table, or the parts of one column, in their order."""
    columns: Iterable[Column] = schema
    return list(columns)


def batches(
    file: Batched, at_once: int, columns: Sequence[str], groups: Sequence[int] | None = None
) -> Iterator[pa.RecordBatch]:
    """Some rows at once of these columns, of all row groups or of some."""
    return file.iter_batches(at_once, None if groups is None else list(groups), list(columns))


def records(file: Batched, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Rows by the names of their columns. Raises what pyarrow does where the file is damaged."""
    for batch in batches(file, 1000, columns):
        yield from batch.to_pylist()


def values(batch: pa.RecordBatch) -> list[object]:
    """The values of the only column."""
    return cast("list[object]", batch.column(0).to_pylist())  # what they are is known when the file is read
