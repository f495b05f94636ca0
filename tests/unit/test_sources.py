"""What people really have in their folders, and a sentence for everything that cannot be used."""

from __future__ import annotations

import io
import os
import pickle
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from fgdemo.storage.formats.sources import (
    Source,
    read_source,
    read_sources,
    read_unlabelled,
    split_off_val,
)
from fgdemo.values.errors import DatasetError
from fgdemo.values.labelled import LabelledPicture

PHOTOGRAPHS = Path(__file__).resolve().parents[2].parent / "shared" / "data"


def put(root: Path, *names: str, content: bytes | None = None) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode() if content is None else content)
    return root


def reasons(source: Source) -> dict[str, str]:
    assert len(dict(source.skipped)) == len(source.skipped)
    return dict(source.skipped)


# --- layouts -----------------------------------------------------------------------------------------------


def test_class_folders(tmp_path: Path) -> None:
    source = read_source(put(tmp_path, "wren/2.jpg", "wren/1.PNG", "auk/deep/er/3.webp"))
    assert [(p.name, p.label, p.split) for p in source.pictures] == [
        ("auk/deep/er/3.webp", "auk", "train"),
        ("wren/1.PNG", "wren", "train"),
        ("wren/2.jpg", "wren", "train"),
    ]
    assert source.labels == ("auk", "wren")
    assert source.skipped == ()
    assert source.pictures[0].load() == b"auk/deep/er/3.webp"
    assert source.pictures[0].size_bytes == 18
    assert pickle.loads(pickle.dumps(source)).pictures[0].load() == b"auk/deep/er/3.webp"  # noqa: S301


@pytest.mark.parametrize("name", ["val", "valid", "Validation", "dev"])
def test_train_val_and_test_folders(tmp_path: Path, name: str) -> None:
    put(
        tmp_path,
        "train/a/1.jpg",
        "train/b/2.jpg",
        f"{name}/a/3.jpg",
        "test/b/4.jpg",
        "more/a/1.png",
        "masks/a/1.png",
        "readme.txt",
    )
    source = read_source(tmp_path)
    assert Counter(p.split for p in source.pictures) == {"train": 2, "val": 1, "test": 1}
    assert source.labels == ("a", "b"), "a val part that lacks a class shifts nothing"
    assert reasons(source) == {"more": "is not a train, val or test folder"}


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    source = read_source(put(tmp_path, "train/1.jpg", "tram/2.jpg"))
    assert source.labels == ("train", "tram")


def test_several_sources_are_one(tmp_path: Path) -> None:
    put(tmp_path, "one/wren/1.jpg", "two/wren/2.jpg", "two/auk/3.jpg")
    source = read_sources([tmp_path / "one", tmp_path / "two"])
    assert [p.name for p in source.pictures] == ["one/wren/1.jpg", "two/auk/3.jpg", "two/wren/2.jpg"]
    assert source.labels == ("auk", "wren")


def test_unlabelled_pictures_of_any_arrangement(tmp_path: Path) -> None:
    source = read_unlabelled(put(tmp_path, "1.jpg", "deep/2.jpg", "notes.txt"))
    assert [(p.name, p.label) for p in source.pictures] == [("1.jpg", ""), ("deep/2.jpg", "")]
    assert reasons(source) == {"notes.txt": "is not a picture by its ending"}
    with pytest.raises(DatasetError, match="no pictures"):
        read_unlabelled(put(tmp_path / "other", "x.txt"))


# --- what is left out --------------------------------------------------------------------------------------


def test_what_is_left_out_is_named(tmp_path: Path) -> None:
    put(
        tmp_path,
        "a/1.jpg",
        "b/2.jpg",
        "b/notes.txt",
        "c/notes.md",
        "stray.jpg",
        ".DS_Store",
        "a/.hidden.jpg",
        "a/Thumbs.db",
    )
    put(tmp_path, "a/zero.jpg", content=b"")
    (tmp_path / "empty").mkdir()
    source = read_source(tmp_path)
    assert source.labels == ("a", "b")
    assert reasons(source) == {
        "a/zero.jpg": "is an empty file",
        "b/notes.txt": "is not a picture by its ending",
        "c": "is a class folder without pictures",
        "c/notes.md": "is not a picture by its ending",
        "a/.hidden.jpg": "is hidden, since a name in its path begins with a dot: rename it",
        "empty": "is a class folder without pictures",
        "stray.jpg": "lies outside the class folders",
    }


def test_links_do_not_lead_out_of_the_folder(tmp_path: Path) -> None:
    root = put(tmp_path / "root", "a/1.jpg", "b/2.jpg")
    put(tmp_path, "secret/3.jpg")
    (root / "a" / "inside.jpg").symlink_to(root / "a" / "1.jpg")
    (root / "a" / "leaves.jpg").symlink_to(tmp_path / "secret" / "3.jpg")
    (root / "a" / "loop").symlink_to(root)
    (root / "c").symlink_to(tmp_path / "secret")
    source = read_source(root)
    assert not any("secret" in picture.load().decode() for picture in source.pictures)
    assert {p.name for p in source.pictures} == {"a/1.jpg", "a/inside.jpg", "b/2.jpg"}
    assert reasons(source) == dict.fromkeys(("a/leaves.jpg", "a/loop", "c"), "is a link that is not followed")


def test_the_same_bytes_under_two_labels_are_kept_under_neither(tmp_path: Path) -> None:
    put(tmp_path, "a/1.jpg", "b/2.jpg", "c/3.jpg")
    put(tmp_path, "a/x.jpg", "b/y.jpg", "b/z.jpg", content=b"the same picture")
    put(tmp_path, "a/length.jpg", content=b"another picture!")  # as long, but not the same
    source = read_source(tmp_path)
    assert [p.name for p in source.pictures] == ["a/1.jpg", "a/length.jpg", "b/2.jpg", "c/3.jpg"]
    assert set(reasons(source)) == {"a/x.jpg", "b/y.jpg", "b/z.jpg"}
    assert reasons(source)["a/x.jpg"] == "is the same picture as b/y.jpg, which has another label"


def test_a_training_copy_of_a_held_out_picture_is_left_out(tmp_path: Path) -> None:
    put(tmp_path, "train/a/1.jpg", "train/b/2.jpg", "val/b/3.jpg")
    put(tmp_path, "train/a/copy.jpg", "val/a/held.jpg", content=b"the same picture")
    source = read_source(tmp_path)
    assert [p.name for p in source.part("val")] == ["val/a/held.jpg", "val/b/3.jpg"]
    assert reasons(source) == {"train/a/copy.jpg": "is the same picture as val/a/held.jpg, which is held out"}


# --- refused -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ((), "no class folders"),
        (("1.jpg", "2.jpg"), "no class folders"),
        (("a/1.txt", "b/2.txt"), "no pictures"),
        (("a/1.jpg", "a/2.jpg", "b/1.txt"), "only the class “a”"),
    ],
)
def test_a_folder_without_two_classes_is_refused(tmp_path: Path, names: tuple[str, ...], message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        read_source(put(tmp_path, *names))


def test_a_folder_where_only_conflicts_remain_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no class"):
        read_source(put(tmp_path, "a/1.jpg", "b/2.jpg", content=b"same"))


def test_one_class_may_be_allowed(tmp_path: Path) -> None:
    assert read_source(put(tmp_path, "a/1.jpg"), fewest_classes=1).labels == ("a",)


@pytest.mark.parametrize("name", ["missing", "missing.csv", "missing.parquet"])
def test_nothing_there(tmp_path: Path, name: str) -> None:
    with pytest.raises(DatasetError, match=f"There is no .*{name}"):
        read_source(tmp_path / name)


def test_a_file_instead_of_a_folder(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="is a file"):
        read_source(put(tmp_path, "bird.jpg") / "bird.jpg")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="the superuser may read everything")
def test_a_folder_without_permission(tmp_path: Path) -> None:
    put(tmp_path, "a/1.jpg", "b/2.jpg")
    (tmp_path / "a").chmod(0)
    with pytest.raises(DatasetError, match="“a” cannot be read"):
        read_source(tmp_path)
    (tmp_path / "a").chmod(0o700)


# --- tables ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "table",
    [
        "path,label\npics/1.jpg,Wren\npics/2.jpg,Auk\n",
        "\ufeffPath ;Label\r\npics/1.jpg;Wren\r\npics\\2.jpg;Auk\r\n",
        'note\tfile_name\tlabel\n"two\nlines"\tpics/1.jpg\tWren\n\tpics/2.jpg\tAuk\n',
    ],
)
def test_a_table(tmp_path: Path, table: str) -> None:
    put(tmp_path, "pics/1.jpg", "pics/2.jpg", "pics/3.jpg")
    (tmp_path / "labels.csv").write_text(table, encoding="utf-8", newline="")
    source = read_source(tmp_path / "labels.csv")
    assert [(p.name, p.label, p.split) for p in source.pictures] == [
        ("pics/1.jpg", "Wren", "train"),
        ("pics/2.jpg", "Auk", "train"),
    ]


def test_a_table_with_splits_and_gaps(tmp_path: Path) -> None:
    put(tmp_path, "1.jpg", "2.jpg", "3.jpg", "4.txt")
    table = put(
        tmp_path,
        "t.csv",
        content=b"path,label,split\n1.jpg,a,train\n2.jpg,b,TEST\n3.jpg,,val\n9.jpg,a,val\n4.txt,a,val\n",
    )
    source = read_source(table / "t.csv")
    assert [(p.name, p.split) for p in source.pictures] == [("1.jpg", "train"), ("2.jpg", "test")]
    assert reasons(source) == {
        "line 4 of “t.csv”": "has no path or no label",
        "9.jpg": "is not there (line 5 of “t.csv”)",
        "4.txt": "is not a picture by its ending",
    }


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (b"", "columns path and label; it has none"),
        (b"picture,class\n1.jpg,a\n", "it has picture, class"),
        (b"path,label,split\n1.jpg,a,holdout\n", "split “holdout” in line 2"),
        (b"path,label\n../secret.jpg,a\n", "outside the folder"),
        (b"path,label\n/etc/passwd,a\n", "outside the folder"),
        (b"path,label\n..\\secret.jpg,a\n", "outside the folder"),
        (b"path,label\n1.jpg\x00,a\n", r"outside the folder|cannot be read"),
        (b"\xff\xfe\x00", "UTF-8"),
    ],
)
def test_a_table_that_cannot_be_used(tmp_path: Path, table: bytes, message: str) -> None:
    put(tmp_path, "secret.jpg", "in/1.jpg")
    with pytest.raises(DatasetError, match=message):
        read_source(put(tmp_path, "in/t.csv", content=table) / "in" / "t.csv")


# --- Parquet, as the Hub keeps data sets -------------------------------------------------------------------


def _picture(colour: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 6), colour).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def write_parquet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")

    def write(path: str, columns: dict[str, list], features: dict) -> Path:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        rows = datasets.Dataset.from_dict(columns, datasets.Features(features))
        rows.to_parquet(tmp_path / path)
        return tmp_path / path

    return write


def test_parquet_with_splits_and_the_finest_labels(tmp_path: Path, write_parquet: Callable[..., Path]) -> None:
    from datasets import ClassLabel
    from datasets import Image as Picture

    features = {"kind": ClassLabel(names=["bird"]), "species": ClassLabel(names=["auk", "wren"]), "image": Picture()}
    red, blue, green = map(_picture, ("red", "blue", "green"))
    pictures = [{"bytes": content, "path": None} for content in (red, blue)]
    write_parquet(
        "set/data/train-00000-of-00001.parquet", {"kind": [0, 0], "species": [1, 0], "image": pictures}, features
    )
    held_out = {"kind": [0, 0], "species": [1, -1], "image": [{"bytes": green, "path": None}, pictures[0]]}
    write_parquet("set/data/validation-00000-of-00001.parquet", held_out, features)
    source = read_source(tmp_path / "set")
    assert [(p.name, p.label, p.split) for p in source.pictures] == [
        ("train/0", "wren", "train"),
        ("train/1", "auk", "train"),
        ("validation/0", "wren", "val"),
    ]
    assert [p.load() for p in source.pictures] == [red, blue, green]
    assert reasons(source) == {"validation/1": "has no label"}


def test_one_parquet_file_with_labels_in_words(write_parquet: Callable[..., Path]) -> None:
    from datasets import Image as Picture
    from datasets import Value

    pictures = [{"bytes": _picture(colour), "path": None} for colour in ("red", "blue", "white")]
    columns = {"label": ["Wren", "Auk", None], "image": pictures}
    source = read_source(write_parquet("birds.parquet", columns, {"label": Value("string"), "image": Picture()}))
    assert [(p.name, p.label) for p in source.pictures] == [("train/0", "Wren"), ("train/1", "Auk")]


def test_parquet_without_pictures_or_damaged(tmp_path: Path, write_parquet: Callable[..., Path]) -> None:
    from datasets import Value

    path = write_parquet("numbers.parquet", {"label": ["a"], "x": [1]}, {"label": Value("string"), "x": Value("int64")})
    with pytest.raises(DatasetError, match="no column of pictures; its columns are label, x"):
        read_source(path)
    with pytest.raises(DatasetError, match="cannot be read as a table"):
        read_source(put(tmp_path, "broken.parquet", content=b"PAR1 nonsense") / "broken.parquet")


@pytest.mark.parametrize("location", ["hf:nobody/nothing", "nobody/nothing"])
def test_a_hub_data_set_that_cannot_be_had(location: str, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")

    def unreachable(*_: object, **__: object) -> None:
        raise ConnectionError("Couldn't reach the Hub")

    monkeypatch.setattr(datasets, "load_dataset", unreachable)
    with pytest.raises(DatasetError, match=r"“nobody/nothing” is not a folder here, and .* cannot be reached"):
        read_source(location)


# --- holding some out --------------------------------------------------------------------------------------


def _source(classes: dict[str, list[bytes]]) -> Source:
    pictures = tuple(
        LabelledPicture(f"{label}/{i}", label, "train", lambda content=content: content, len(content))
        for label, contents in classes.items()
        for i, content in enumerate(contents)
    )
    return Source(pictures, tuple(sorted(classes)))


class_contents = st.dictionaries(
    st.sampled_from("abcdef"), st.lists(st.binary(min_size=1, max_size=2), min_size=1, max_size=30), min_size=1
)


@given(class_contents, st.integers(0, 9))
def test_holding_out_keeps_copies_together_and_every_class_in_training(
    classes: dict[str, list[bytes]], seed: int
) -> None:
    source = _source(classes)
    split = split_off_val(source, 0.2, seed)
    assert [(p.name, p.label) for p in split.pictures] == [(p.name, p.label) for p in source.pictures]
    for label, contents in classes.items():
        train = {p.load() for p in split.part("train") if p.label == label}
        val = [p.load() for p in split.part("val") if p.label == label]
        assert train
        assert not train & set(val)
        assert len(val) <= max(1, round(0.2 * len(contents)))


def test_holding_out_takes_its_share_and_leaves_other_classes_alone() -> None:
    contents = [bytes([i]) for i in range(50)]
    two = split_off_val(_source({"a": contents, "b": contents}), 0.2, seed=4)
    one = split_off_val(_source({"a": contents}), 0.2, seed=4)
    held = [[p.name for p in source.part("val") if p.label == "a"] for source in (one, two)]
    assert held[0] == held[1]
    assert len(held[0]) == 10
    assert held[0] != [p.name for p in split_off_val(_source({"a": contents}), 0.2, seed=5).part("val")]
    assert split_off_val(one) is one, "a source with a val part comes back as it is"


@pytest.mark.skipif(not PHOTOGRAPHS.is_dir(), reason="the photographs in ../shared/data are not here")
def test_real_photographs_are_found() -> None:
    source = read_sources([PHOTOGRAPHS / name for name in ("birds100", "dogs64", "butterflies10")])
    assert len(source.labels) == 174
    assert {p.label for p in source.part("val")} == set(source.labels)
    assert all(p.load().startswith((b"\xff\xd8", b"\x89PNG")) for p in source.part("val")[::200])
