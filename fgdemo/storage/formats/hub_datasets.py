"""Pictures of a data set of the Hugging Face Hub, through `datasets`.

`datasets` takes seconds to import, so it is imported where it is needed.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from fgdemo.storage.tables.columns import choose_label
from fgdemo.storage.tables.rows import ANSWER_COLUMNS, answered
from fgdemo.values.errors import DatasetError
from fgdemo.values.labelled import SPLIT_NAMES, LabelledPicture, SourceContent, SourceSplit

if TYPE_CHECKING:
    import datasets


def read_hub(name: str, partly_labelled: bool = False) -> SourceContent:
    """Download (or take from the cache) a data set such as `owner/name`.

    Args:
        partly_labelled: also take what an export keeps apart: pictures without a kind, and their answers.

    Raises:
        DatasetError: no such data set, no connection, or no pictures with labels in it.
    """
    return _read(f"The data set “{name}”", name, partly_labelled)


def _read(what: str, path: str, partly_labelled: bool) -> SourceContent:
    import datasets
    from datasets.exceptions import DatasetNotFoundError, DatasetsError

    try:
        splits = datasets.load_dataset(path)
    except DatasetNotFoundError as error:
        raise DatasetError(
            f"{what} is not a folder here, and not on the Hugging Face Hub (or needs a login)."
        ) from error
    except ConnectionError as error:
        raise DatasetError(f"{what} is not a folder here, and the Hugging Face Hub cannot be reached.") from error
    except (OSError, ValueError, DatasetsError) as error:
        raise DatasetError(f"{what} cannot be read as a table of pictures ({type(error).__name__}).") from error
    found = SourceContent()
    for split_name, rows in splits.items():
        split = SPLIT_NAMES.get(str(split_name).lower())
        if partly_labelled and "answer" in rows.features:
            _read_answers(str(split_name), rows, found)
        elif split is None:
            found.skip(str(split_name), "is not a train, val or test split")
        else:
            _read_split(what, str(split_name), split, rows, found)
    return found


def _read_split(what: str, split_name: str, split: SourceSplit, rows: datasets.Dataset, found: SourceContent) -> None:
    import datasets

    image, label = _columns(what, rows.features, found)
    feature = rows.features[label]
    pictures = rows.select_columns([image]).cast_column(image, datasets.Image(decode=False))
    for index, value in enumerate(rows[label]):
        name = f"{split_name}/{index}"
        if value is None or value == -1:
            found.skip(name, "has no label")
            continue
        text = str(feature.int2str(value) if isinstance(feature, datasets.ClassLabel) else value)
        found.pictures.append(LabelledPicture(name, text, split, partial(_row_bytes, pictures, image, index)))


def _read_answers(split_name: str, rows: datasets.Dataset, found: SourceContent) -> None:
    """A split of a data set that `fgdemo.storage.exchange.export_datasets` wrote."""
    import datasets

    pictures = rows.select_columns(["image"]).cast_column("image", datasets.Image(decode=False))
    columns = [name for name in ANSWER_COLUMNS if name in rows.features]
    for index, row in enumerate(rows.select_columns(columns)):
        load = partial(_row_bytes, pictures, "image", index)
        found.pictures.append(answered(dict(row), f"{split_name}/{index}", load))


def _columns(what: str, features: datasets.Features, found: SourceContent) -> tuple[str, str]:
    """The picture column, and the label column: `label`, else the one with the finest classes, which is told."""
    import datasets

    images = [name for name, feature in features.items() if isinstance(feature, datasets.Image)]
    classes = {name: len(f.names) for name, f in features.items() if isinstance(f, datasets.ClassLabel)}
    if not classes:
        label, notes = choose_label([name for name in features if name not in images], what, ())
        classes = {label: 0} if label else {}
        for sentence in notes:
            found.note(sentence)
    if not images or not classes:
        missing = "pictures" if not images else "labels"
        raise DatasetError(f"{what} has no column of {missing}; its columns are {', '.join(features)}.")
    picture = "image" if "image" in images else images[0]
    label = "label" if "label" in classes else max(classes, key=lambda name: classes[name])
    rest = [name for name in features if name not in (picture, label)]
    if rest:
        found.note(f"The labels are those of “{label}”; not read: {', '.join(f'“{name}”' for name in rest[:8])}.")
    return picture, label


def _row_bytes(rows: datasets.Dataset, column: str, index: int) -> bytes:
    cell = rows[index][column]
    if cell is None:
        raise FileNotFoundError(f"row {index} has no picture")
    return cell["bytes"] if cell["bytes"] is not None else Path(cell["path"]).read_bytes()
