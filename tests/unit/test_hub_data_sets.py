"""Data sets of the Hugging Face Hub: which column is what, labels in words and numbers, answers that come back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pytest

from fgdemo.storage.formats.hub_datasets import read_hub
from fgdemo.storage.hub.data_sets import push_parquet, schema_of
from fgdemo.values.errors import DatasetError

TEXT = datasets.Value("string")


@pytest.fixture
def on_the_hub(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Puts splits there, each as columns with features."""

    def put(splits: dict[str, dict[str, list[Any]]], features: dict[str, Any]) -> None:
        made = datasets.DatasetDict()
        for name, columns in splits.items():
            made[name] = datasets.Dataset.from_dict(columns, datasets.Features(features))
        monkeypatch.setattr(datasets, "load_dataset", lambda path: made)

    return put


def stored(*contents: bytes) -> list[dict[str, Any]]:
    return [{"bytes": content, "path": None} for content in contents]


def test_classes_and_splits(on_the_hub: Callable[..., None], tmp_path: Path) -> None:
    (tmp_path / "c.jpg").write_bytes(b"three")
    features = {"kind": datasets.ClassLabel(names=["auk", "wren"]), "photo": datasets.Image(), "place": TEXT}
    pictures = [*stored(b"one", b"two"), {"bytes": None, "path": str(tmp_path / "c.jpg")}]
    train = {"kind": [1, -1, 0], "photo": pictures, "place": ["here"] * 3}
    spare = {"kind": [0], "photo": stored(b"four"), "place": ["there"]}
    on_the_hub({"train": train, "validation": spare, "spare": spare}, features)
    found = read_hub("ada/birds")
    assert [(p.name, p.label, p.split, p.load()) for p in found.pictures] == [
        ("train/0", "wren", "train", b"one"),
        ("train/2", "auk", "train", b"three"),
        ("validation/0", "auk", "val", b"four"),
    ]
    assert found.skipped == [("train/1", "has no label"), ("spare", "is not a train, val or test split")]
    assert found.notes == ["The labels are those of “kind”; not read: “place”."]


def test_labels_in_words_and_a_row_without_a_picture(on_the_hub: Callable[..., None]) -> None:
    columns = {"image": [*stored(b"one"), None], "label": ["wren", "auk"]}
    on_the_hub({"train": columns}, {"image": datasets.Image(), "label": TEXT})
    first, second = read_hub("ada/birds").pictures
    assert (first.label, first.load(), second.label) == ("wren", b"one", "auk")
    with pytest.raises(FileNotFoundError, match="row 1 has no picture"):
        second.load()


def test_answers_come_back(on_the_hub: Callable[..., None]) -> None:
    columns = {"image": stored(b"one"), "answer": ["unusable"], "annotator": ["ada"], "checked": [True]}
    features = {"image": datasets.Image(), "answer": TEXT, "annotator": TEXT, "checked": datasets.Value("bool")}
    on_the_hub({"other": columns}, features)
    (picture,) = read_hub("ada/birds", partly_labelled=True).pictures
    (said,) = picture.said
    assert (picture.name, said.kind, said.annotator, picture.load()) == ("other/0", "unusable", "ada", b"one")


@pytest.mark.parametrize("partly_labelled", [False, True])
def test_a_table_of_questions_and_answers_is_no_table_of_pictures(
    on_the_hub: Callable[..., None], partly_labelled: bool
) -> None:
    on_the_hub({"train": {"image": ["a.jpg"], "answer": ["two cats"]}}, {"image": TEXT, "answer": TEXT})
    with pytest.raises(DatasetError, match="has no column of pictures; its columns are image, answer"):
        read_hub("ada/questions", partly_labelled)


def test_what_is_pushed_is_a_data_set_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    schema = schema_of(["auk", "wren"], {"answer": "string", "checked": "bool"})
    features = datasets.Features.from_arrow_schema(schema)
    assert list(features) == ["image", "label", "answer", "checked"]
    assert (features["label"].names, features["checked"].dtype) == (["auk", "wren"], "bool")
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    datasets.Dataset.from_dict({"answer": ["kind"]}).to_parquet(tmp_path / "train.parquet")
    pushed: list[tuple[str, bool, list[Any]]] = []

    def push(self: datasets.DatasetDict, name: str, private: bool) -> None:
        pushed.append((name, private, list(self["train"])))

    monkeypatch.setattr(datasets.DatasetDict, "push_to_hub", push)
    push_parquet({"train": tmp_path / "train.parquet"}, "ada/birds")
    assert pushed == [("ada/birds", True, [{"answer": "kind"}])]
