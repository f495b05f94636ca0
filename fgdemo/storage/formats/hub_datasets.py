"""Pictures of a data set of the Hugging Face Hub, with their labels or answers."""

from fgdemo.storage.hub.data_sets import HubSplit, load_splits
from fgdemo.storage.tables.columns import choose_label
from fgdemo.storage.tables.rows import ANSWER_COLUMNS, answered
from fgdemo.values.errors import DatasetError
from fgdemo.values.labelled import SPLIT_NAMES, LabelledPicture, SourceContent, SourceSplit


def read_hub(name: str, partly_labelled: bool = False) -> SourceContent:
    """Download (or take from the cache) a data set such as `owner/name`.

    Args:
        partly_labelled: also take what an export keeps apart: pictures without a kind, and their answers.

    Raises:
        DatasetError: no such data set, no connection, or no pictures with labels in it.
    """
    return _read(f"The data set “{name}”", name, partly_labelled)


def _read(what: str, path: str, partly_labelled: bool) -> SourceContent:
    found = SourceContent()
    for rows in load_splits(what, path):
        split = SPLIT_NAMES.get(rows.name.lower())
        if partly_labelled and "answer" in rows.columns and "image" in rows.pictures:
            _read_answers(rows, found)
        elif split is None:
            found.skip(rows.name, "is not a train, val or test split")
        else:
            _read_split(what, split, rows, found)
    return found


def _read_split(what: str, split: SourceSplit, rows: HubSplit, found: SourceContent) -> None:
    image, label = _columns(what, rows, found)
    for index, (text, load) in enumerate(zip(rows.labels(label), rows.loaders(image), strict=True)):
        name = f"{rows.name}/{index}"
        if text is None:
            found.skip(name, "has no label")
        else:
            found.pictures.append(LabelledPicture(name, text, split, load))


def _read_answers(rows: HubSplit, found: SourceContent) -> None:
    """A split of a data set that `fgdemo.storage.exchange.export_datasets` wrote."""
    columns = [name for name in ANSWER_COLUMNS if name in rows.columns]
    for index, (row, load) in enumerate(zip(rows.records(columns), rows.loaders("image"), strict=True)):
        found.pictures.append(answered(row, f"{rows.name}/{index}", load))


def _columns(what: str, rows: HubSplit, found: SourceContent) -> tuple[str, str]:
    """The picture column, and the label column: `label`, else the one with the finest classes, which is told."""
    images, classes = rows.pictures, rows.classes
    if not classes:
        label, notes = choose_label([name for name in rows.columns if name not in images], what, ())
        classes = {label: 0} if label else {}
        for sentence in notes:
            found.note(sentence)
    if not images or not classes:
        missing = "pictures" if not images else "labels"
        raise DatasetError(f"{what} has no column of {missing}; its columns are {', '.join(rows.columns)}.")
    picture = "image" if "image" in images else images[0]
    label = "label" if "label" in classes else max(classes, key=lambda name: classes[name])
    rest = [name for name in rows.columns if name not in (picture, label)]
    if rest:
        found.note(f"The labels are those of “{label}”; not read: {', '.join(f'“{name}”' for name in rest[:8])}.")
    return picture, label
