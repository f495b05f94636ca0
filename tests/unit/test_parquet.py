"""Parquet files with pictures as other programs write them, without the schema of Hugging Face, or with a wrong one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fgdemo.storage.formats.sources import read_for_import, read_source
from fgdemo.values.errors import DatasetError

PICTURES = [b"one", b"two", b"three"]
SHAPES: dict[str, Any] = {
    "struct": pa.array([{"bytes": content, "path": "x.jpg"} for content in PICTURES]),
    "binary": pa.array(PICTURES, pa.binary()),
    "large": pa.array(PICTURES, pa.large_binary()),
    "list": pa.array([list(content) for content in PICTURES], pa.list_(pa.uint8())),
}


def write(path: Path, columns: dict[str, Any], told: Any = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.table(columns)
    if told is not None:
        table = table.replace_schema_metadata({"huggingface": json.dumps(told)})
    pq.write_table(table, path, row_group_size=2)
    return path


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("told", [None, {}, {"info": {"features": {"gone": {"_type": "Image"}, "image": 7}}}])
def test_pictures_in_every_shape(tmp_path: Path, shape: str, told: Any) -> None:
    columns = {"image": SHAPES[shape], "label": ["robin", "wren", "robin"]}
    source = read_source(write(tmp_path / "x.parquet", columns, told))
    assert [(p.name, p.label, p.load()) for p in source.pictures] == [
        ("train/0", "robin", b"one"),
        ("train/1", "wren", b"two"),
        ("train/2", "robin", b"three"),
    ]
    assert [source.pictures[at].load() for at in (2, 0, 1)] == [b"three", b"one", b"two"], "in any order"


def test_shards_of_splits_and_what_is_told(tmp_path: Path) -> None:
    for number in range(2):
        columns = {
            "image": SHAPES["binary"],
            "label": [0, 1, -1],
            "label_name": ["robin", "wren", None],
            "w": [1, 2, 3],
        }
        write(tmp_path / f"data/train-0000{number}-of-00002.parquet", columns)
    write(tmp_path / "data/test-00000-of-00001.parquet", {"image": SHAPES["list"], "labels": ["wren"] * 3})
    source, _ = read_for_import([tmp_path])
    assert [p.name for p in source.pictures if p.split == "train"] == ["train/0", "train/1", "train/3", "train/4"]
    assert {p.label for p in source.pictures} == {"robin", "wren"}
    assert sorted(source.skipped) == [("train/2", "has no label"), ("train/5", "has no label")]
    assert any("the names are taken from “label_name”" in note for note in source.notes)
    assert any("“w”" in note for note in source.notes)


def test_columns_of_paths(tmp_path: Path) -> None:
    (tmp_path / "pics").mkdir()
    (tmp_path / "pics/1.jpg").write_bytes(b"1")
    columns = {"file": ["pics/1.jpg", "pics/9.jpg"], "label": ["robin", "wren"]}
    source, _ = read_for_import([write(tmp_path / "x.parquet", columns)])
    assert [(p.name, p.label) for p in source.pictures] == [("pics/1.jpg", "robin")]
    assert source.skipped == (("pics/9.jpg", "is not there (train/1 of “x.parquet”)"),)


def test_two_classes_are_told_and_two_columns_of_words_are_asked(tmp_path: Path) -> None:
    classes = {"_type": "ClassLabel", "names": ["robin", "wren", "auk"]}
    told = {"info": {"features": {"super": {"_type": "ClassLabel", "names": ["bird"]}, "fine": classes}}}
    columns = {"image": SHAPES["binary"], "super": [0, 0, 0], "fine": [0, 1, 2]}
    source = read_source(write(tmp_path / "two.parquet", columns, told))
    assert source.labels == ("auk", "robin", "wren")
    assert source.notes[0] == "The labels are those of “fine” (3 classes), not of “super”."
    words = {"image": SHAPES["binary"], "species": ["a", "b", "c"], "breed": ["d", "e", "f"]}
    with pytest.raises(DatasetError, match="several columns that may be the label"):
        read_source(write(tmp_path / "words.parquet", words))


def test_a_table_of_questions_and_answers_is_no_export(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="has no column of pictures; its columns are question, answer"):
        read_for_import([write(tmp_path / "x.parquet", {"question": ["how many?"], "answer": ["two"]})])
    with pytest.raises(DatasetError, match="has no column of labels; its columns are image, answer"):
        read_for_import([write(tmp_path / "y.parquet", {"image": ["a.jpg"], "answer": ["two"]})])


def test_what_is_no_picture_after_all_is_told(tmp_path: Path) -> None:
    shape = pa.array([[111, None], [111, 110, 101]], pa.list_(pa.uint8()))
    source = read_source(write(tmp_path / "x.parquet", {"image": shape, "label": ["robin", "wren"]}))
    with pytest.raises(OSError, match="no picture in the Parquet file"):
        source.pictures[0].load()
    assert source.pictures[1].load() == b"one"
