"""Data sets of the Hugging Face Hub, through the library `datasets`, which has no types: they get theirs here.

The library takes seconds to import, so it is imported when it is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fgdemo.values.errors import DatasetError

if TYPE_CHECKING:
    import pyarrow as pa


def _library() -> Any:
    import datasets  # pyright: ignore[reportMissingTypeStubs]  # there are none

    return datasets


class HubSplit:
    """One split of a data set: rows of columns.

    Attributes:
        name: as the data set calls it.
        columns: the names of all.
        pictures: those of them that hold pictures.
        classes: those of them that hold one of several classes, and how many there are.
    """

    def __init__(self, name: str, rows: Any) -> None:
        library, features = _library(), rows.features.items()
        self.name = name
        self.columns: tuple[str, ...] = tuple(rows.features)
        self.pictures: tuple[str, ...] = tuple(column for column, one in features if isinstance(one, library.Image))
        self.classes: Mapping[str, int] = {
            column: len(one.names) for column, one in features if isinstance(one, library.ClassLabel)
        }
        self._rows = rows

    def labels(self, column: str) -> Iterator[str | None]:
        """The label of each row, the name of its class where it is one; None where there is none."""
        named = self._rows.features[column].int2str if column in self.classes else str
        for value in self._rows[column]:
            yield None if value is None or value == -1 else str(named(value))

    def records(self, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
        """The rows, by the names of these columns."""
        return map(dict, self._rows.select_columns(list(columns)))

    def loaders(self, column: str) -> Iterator[Callable[[], bytes]]:
        """What loads the picture of each row, as it was stored. That may raise OSError."""
        stored = self._rows.select_columns([column]).cast_column(column, _library().Image(decode=False))
        return (partial(_content, stored, column, index) for index in range(len(stored)))


def _content(rows: Any, column: str, index: int) -> bytes:
    cell = rows[index][column]
    if cell is None:
        raise FileNotFoundError(f"row {index} has no picture")
    return cell["bytes"] if cell["bytes"] is not None else Path(cell["path"]).read_bytes()


def load_splits(what: str, path: str) -> list[HubSplit]:
    """Download a data set, or take it from the cache.

    Args:
        what: the data set as a sentence begins with it.

    Raises:
        DatasetError: no such data set, no connection, or no table of pictures.
    """
    library = _library()
    try:
        splits = library.load_dataset(path)
    except library.exceptions.DatasetNotFoundError as error:
        raise DatasetError(
            f"{what} is not a folder here, and not on the Hugging Face Hub (or needs a login)."
        ) from error
    except ConnectionError as error:
        raise DatasetError(f"{what} is not a folder here, and the Hugging Face Hub cannot be reached.") from error
    except (OSError, ValueError, library.exceptions.DatasetsError) as error:
        raise DatasetError(f"{what} cannot be read as a table of pictures ({type(error).__name__}).") from error
    return [HubSplit(str(name), rows) for name, rows in splits.items()]


def schema_of(kinds: Sequence[str], columns: Mapping[str, str]) -> pa.Schema:
    """Of a table as `datasets` reads it, with `image`, `label` (one of the kinds), and columns of some type each."""
    library = _library()
    first = {"image": library.Image(), "label": library.ClassLabel(names=list(kinds))}
    rest = {column: library.Value(kind) for column, kind in columns.items()}
    return library.Features({**first, **rest}).arrow_schema


def push_parquet(files: Mapping[str, Path], name: str) -> None:
    """Push Parquet files, by their splits, to a private data set. Raises what the library and the Hub's client do."""
    found = _library().load_dataset("parquet", data_files={split: str(path) for split, path in files.items()})
    found.push_to_hub(name, private=True)
