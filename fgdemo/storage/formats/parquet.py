"""Parquet files with pictures, whoever wrote them: with the schema of Hugging Face's `datasets`, or without."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fgdemo.storage.disk.strict_json import read_json
from fgdemo.storage.formats.unread import Asked
from fgdemo.storage.tables.arrow import Column, columns_of
from fgdemo.storage.tables.columns import PATHS, choose_label
from fgdemo.storage.tables.parquet_rows import ParquetRows
from fgdemo.storage.tables.places import Places
from fgdemo.storage.tables.rows import ANSWER_COLUMNS, answered
from fgdemo.storage.tables.sheets import Cells, cell, is_single
from fgdemo.storage.trees.folders import split_in
from fgdemo.storage.trees.tree import FolderTree, Tree
from fgdemo.values.counting import counted
from fgdemo.values.errors import DatasetError
from fgdemo.values.labelled import PICTURE_ENDINGS, SPLIT_NAMES, LabelledPicture, SourceContent, ending_of

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class _Schema:
    """Attributes:
    picture: the column with bytes, or with paths (`is_path`).
    label: the column of labels; names of its numbers, empty where it holds names or bare numbers.
    split: the column that says the split of a picture, where its values are such; or empty.
    """

    picture: str
    is_path: bool
    label: str
    names: tuple[str, ...] = ()
    split: str = ""
    notes: tuple[str, ...] = ()
    other: tuple[str, ...] = field(default=())


def holds_parquet(folder: Path) -> bool:
    """Whether the folder, or a folder in it, holds Parquet files with pictures."""
    return any(_shards(folder))


def _shards(folder: Path) -> list[Path]:
    found = (path for pattern in ("*.parquet", "*/*.parquet", "*/*/*.parquet") for path in folder.glob(pattern))
    return sorted(path for path in found if path.name.lower() != "metadata.parquet" and not path.name.startswith("."))


def read_parquet(path: Path, partly_labelled: bool = False, asked: Asked | None = None) -> SourceContent:
    """A Parquet file, or a folder of them as the Hub keeps them (`data/train-00000-of-00002.parquet`).

    Args:
        partly_labelled: also take what an export keeps apart: pictures without a kind, and their answers.
        asked: the folder, which then knows what of it was read.

    Raises:
        DatasetError: not there, damaged, no pictures with labels in it, or several columns that might be the labels.
    """
    if not path.exists():
        raise DatasetError(f"There is no file “{path}”.")
    files = [path] if path.is_file() else _shards(path)
    root, found = path if path.is_dir() else path.parent, SourceContent()
    counts: dict[str, int] = {}
    tree = asked or Asked(FolderTree(root))
    for file in files:
        name = file.relative_to(root).as_posix()
        tree.names.add(name)
        split_name = _split_name(name) if path.is_dir() else (split_in(file.stem) and _split_name(file.name)) or "train"
        reader = ParquetRows(file)
        what = f"The file “{path if path.is_file() else name}”"
        if partly_labelled and _has_answers(reader.schema):
            _read_answers(reader, split_name, counts, found)
        elif split_name.lower() not in SPLIT_NAMES:
            found.skip(split_name, "is not a train, val or test split")
        else:
            _read_rows(what, reader, split_name, counts, found, tree)
    return found


def _split_name(name: str) -> str:
    """`train` of `data/train-00000-of-00002.parquet` and of `train/part-0.parquet`; another word where it is none."""
    stem = name.rpartition("/")[2].rpartition(".")[0]
    for words in (stem, *reversed(name.split("/")[:-1])):
        split = split_in(words)
        if split:
            return {"val": "validation"}.get(split, split)
    head = stem.partition("-0")[0]
    return head if "-of-" in stem else "train"


def _read_rows(
    what: str, reader: ParquetRows, split_name: str, counts: dict[str, int], found: SourceContent, beside: Tree
) -> None:
    schema = _schema_of(what, reader)
    for sentence in schema.notes:
        found.note(sentence)
    if schema.other:
        found.note(f"Not read of “{reader.path.name}”: {', '.join(f'“{name}”' for name in schema.other[:8])}.")
    places, first = Places(beside), counts.get(split_name, 0)
    columns = [schema.label, *([schema.picture] if schema.is_path else []), *filter(None, (schema.split,))]
    width = len(str(first + reader.rows - 1)) if reader.rows > 10 else 1
    for index, row in enumerate(reader.plain(columns)):
        name = f"{split_name}/{first + index:0{width}d}"
        label = _label(row[schema.label], schema.names)
        split = SPLIT_NAMES.get(cell(row.get(schema.split) or split_name).lower().replace("gold", "test"))
        if not is_single(row[schema.label]) and row[schema.label] not in ([], [None]):
            found.skip(name, f"has no single label ({cell(row[schema.label])[:80]})")
        elif not label or label == "[]":
            found.skip(name, "has no label")
        elif schema.names and label not in schema.names:
            found.skip(name, f"has the label {label}, and there are {len(schema.names)} names of labels")
        elif split is None:
            found.skip(name, f"has the split “{row[schema.split]}”, which must be train, val or test")
        elif schema.is_path:
            file, why = places.find(cell(row[schema.picture]))
            if file is None:
                found.skip(cell(row[schema.picture]) or name, f"{why} ({name} of “{reader.path.name}”)")
            else:
                found.pictures.append(LabelledPicture(file, label, split, beside.loader(file), beside.size(file)))
        else:
            found.pictures.append(LabelledPicture(name, label, split, partial(reader.picture, schema.picture, index)))
    counts[split_name] = first + reader.rows


def _label(value: Any, names: Sequence[str]) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        if value < 0:
            return ""
        return names[value] if value < len(names) else str(value)
    return cell(value)


def _has_answers(schema: pa.Schema) -> bool:
    """Whether it is of an export; others ask questions about pictures, or without any, in a table of this kind."""
    return "answer" in schema.names and any(one.name == "image" and _is_picture(one.type) for one in columns_of(schema))


def _read_answers(reader: ParquetRows, split_name: str, counts: dict[str, int], found: SourceContent) -> None:
    """A split of a data set that `fgdemo.storage.exchange.export_datasets` wrote."""
    columns = [name for name in ANSWER_COLUMNS if name in reader.schema.names]
    first = counts.get(split_name, 0)
    for index, row in enumerate(reader.plain(columns)):
        load = partial(reader.picture, "image", index)
        found.pictures.append(answered(row, f"{split_name}/{first + index}", load))
    counts[split_name] = first + reader.rows


# --- which column is what --------------------------------------------------------------------------------------


def _schema_of(what: str, reader: ParquetRows) -> _Schema:
    if len({name.lower() for name in reader.schema.names}) < len(reader.schema.names):
        listed = ", ".join(reader.schema.names)
        raise DatasetError(f"{what} has two columns of one name ({listed}): rename one of them.")
    fields = {column.name.lower(): column for column in columns_of(reader.schema)}
    features = _features(reader.schema)
    pictures = [name for name, f in fields.items() if _is_picture(f.type) and not _holds_sound(features, f.name)]
    is_path = not pictures
    if is_path:
        texts = [n for n, f in fields.items() if _is_text(f.type)]
        pictures = [n for n in (*PATHS, *texts) if n in texts and _are_paths(reader, fields[n].name)][:1]
    if not pictures:
        raise DatasetError(f"{what} has no column of pictures; its columns are {', '.join(reader.schema.names)}.")
    named = [name for name in ("image", "img", "picture", "photo") if name in pictures]
    if len(pictures) > 1 and not named:
        raise DatasetError(f"{what} has several columns of pictures ({', '.join(pictures)}): rename one to image.")
    picture = named[0] if named else pictures[0]
    classes = {
        name: tuple(map(str, features[f.name]["names"]))
        for name, f in fields.items()
        if isinstance(features.get(f.name, {}).get("names"), list)
    }
    label, notes = _label_of(what, reader, fields, classes, picture)
    split = "split" if label != "split" and "split" in fields and _is_plain(fields["split"].type) else ""
    other = tuple(f.name for name, f in fields.items() if name not in (picture, label, split))
    split = fields[split].name if split else ""
    return _Schema(fields[picture].name, is_path, fields[label].name, classes.get(label, ()), split, notes, other)


def _label_of(
    what: str, reader: ParquetRows, fields: dict[str, Column], classes: dict[str, tuple[str, ...]], picture: str
) -> tuple[str, tuple[str, ...]]:
    others = [name for name in fields if name != picture and name not in classes]
    if classes:
        label = "label" if "label" in classes else max(classes, key=lambda name: len(classes[name]))
        if len(classes) > 1:
            rest = ", ".join(f"“{name}”" for name in classes if name != label)
            many = counted(len(classes[label]), "class", "classes")
            return label, (f"The labels are those of “{label}” ({many}), not of {rest}.",)
        if label == "label" or "label" not in others:
            return label, ()
    some: list[Cells] = []
    for row in reader.plain([fields[name].name for name in others if _is_plain(fields[name].type)]):
        some.append({key.lower(): cell(value) for key, value in row.items()})
        if len(some) == 1000:
            break
    label, notes = choose_label(others, reader.path.name, some)
    if not label:
        raise DatasetError(f"{what} has no column of labels; its columns are {', '.join(reader.schema.names)}.")
    return label, notes


def _features(schema: pa.Schema) -> dict[str, dict[str, Any]]:
    """What `datasets` wrote of its columns, as far as there are such columns."""
    try:
        told = read_json((schema.metadata or {}).get(b"huggingface", b"{}"))["info"]["features"]
        return {name: told[name] for name in schema.names if isinstance(told.get(name), dict)}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def _is_picture(kind: pa.DataType) -> bool:
    """Bytes, a struct with bytes, or a list of the values of bytes."""
    import pyarrow.types as types

    if types.is_struct(kind):
        return any(child.name == "bytes" and _is_picture(child.type) for child in columns_of(kind))
    if types.is_list(kind) or types.is_large_list(kind):
        return types.is_uint8(kind.value_type) or types.is_int8(kind.value_type)
    return types.is_binary(kind) or types.is_large_binary(kind) or types.is_binary_view(kind)


def _is_plain(kind: pa.DataType) -> bool:
    import pyarrow.types as types

    return _is_text(kind) or types.is_integer(kind) or types.is_floating(kind) or types.is_dictionary(kind)


def _is_text(kind: pa.DataType) -> bool:
    import pyarrow.types as types

    return types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)


def _holds_sound(features: dict[str, dict[str, Any]], name: str) -> bool:
    return features.get(name, {}).get("_type") in ("Audio", "Video", "Pdf")


def _are_paths(reader: ParquetRows, column: str) -> bool:
    first = next((cell(row[column]) for row in reader.plain([column]) if row[column]), "")
    return ending_of(first.replace("\\", "/")) in PICTURE_ENDINGS
