"""The workspace as a data set of the Hugging Face library: Parquet files that `datasets.load_dataset` reads."""

from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from fgdemo.storage.disk.outputs import Output
from fgdemo.storage.hub.access import network_error
from fgdemo.storage.hub.data_sets import push_parquet, schema_of
from fgdemo.storage.records.exported import Piece, class_names
from fgdemo.storage.records.inventory import Inventory
from fgdemo.values.errors import DatasetError

ROWS_AT_ONCE = 100
OTHER = "other"
COLUMNS = {
    **dict.fromkeys(("answer", "kind", "split"), "string"),
    "checked": "bool",
    **dict.fromkeys(("annotator", "labelled_at", "comment", "name", "image_id"), "string"),
}
"""Columns beside `image` and `label`, and the types of their values."""
SPLITS = {"train": "train", "val": "validation", "test": "test", OTHER: OTHER}


def write_parquet(output: Output, pieces: Iterable[Piece], inventory: Inventory) -> None:
    """One file a split, `data/train-00000-of-00001.parquet` and so on, a few rows in memory at a time.

    The splits train, validation and test hold pictures whose kind is known, `label` being a ClassLabel whose names are
    the same in all of them; the split `other` holds the rest, with no label: `answer` says why.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = _kinds(inventory)
    schema = schema_of(kinds, COLUMNS)
    index = {name: at for at, name in enumerate(kinds)}
    waiting: dict[str, list[dict[str, Any]]] = {}
    with ExitStack() as stack:
        writers: dict[str, Any] = {}

        def flush(split: str) -> None:
            if split not in writers:
                path = stack.enter_context(output.writing(f"data/{SPLITS[split]}-00000-of-00001.parquet"))
                writers[split] = stack.enter_context(pq.ParquetWriter(path, schema))
            writers[split].write_table(pa.Table.from_pylist(waiting.pop(split), schema))

        for piece in pieces:
            split = piece.split if piece.answer == "kind" else OTHER
            rows = waiting.setdefault(split, [])
            rows.append(_row(piece, index))
            if len(rows) == ROWS_AT_ONCE:
                flush(split)
        for split in list(waiting):
            flush(split)


def _kinds(inventory: Inventory) -> list[str]:
    groups = {taxon.parent for taxon in inventory.taxa}
    names = class_names(inventory.taxa)
    return [names[taxon.id] for taxon in inventory.taxa if taxon.id not in groups]


def _row(piece: Piece, index: dict[str, int]) -> dict[str, Any]:
    return {
        "image": {"bytes": piece.content, "path": f"{piece.stem}{piece.ending}"},
        "label": index[piece.label] if piece.answer == "kind" else None,
        "answer": piece.answer,
        "kind": piece.label or None,
        "split": piece.split,
        "checked": piece.checked,
        "annotator": piece.annotator or None,
        "labelled_at": piece.said_at or None,
        "comment": piece.comment or None,
        "name": piece.held.name,
        "image_id": piece.held.image,
    }


def require_login(name: str) -> None:
    """Raise DatasetError where nobody is signed in to the Hub, or the name is none."""
    from huggingface_hub import get_token
    from huggingface_hub.utils import HFValidationError, validate_repo_id

    try:
        validate_repo_id(name)
    except HFValidationError as error:
        raise DatasetError(f"“{name}” is no name of a data set: owner/name is meant.") from error
    if name.count("/") != 1:
        raise DatasetError(f"“{name}” is no name of a data set: owner/name is meant.")
    if get_token() is None:
        raise DatasetError(
            "You are not signed in to the Hugging Face Hub, so nothing was pushed: run hf auth login, or set HF_TOKEN."
        )


def push(folder: Path, name: str) -> None:
    """Push an export to a private data set.

    Raises:
        DatasetError: the Hub cannot be reached, or refuses.
    """
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    files = {split: folder / f"data/{split}-00000-of-00001.parquet" for split in SPLITS.values()}
    try:
        push_parquet({split: path for split, path in files.items() if path.is_file()}, name)
    except (HfHubHTTPError, PermissionError) as error:
        raise DatasetError(f"The Hugging Face Hub refused “{name}”: check the name and your rights there.") from error
    except (OfflineModeIsEnabled, ConnectionError, network_error()) as error:
        raise DatasetError(
            "The Hugging Face Hub cannot be reached, so nothing was pushed; the files are here."
        ) from error
    except (OSError, ValueError) as error:
        raise DatasetError(f"The data set could not be pushed ({type(error).__name__}); the files are here.") from error
