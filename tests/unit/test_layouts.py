"""Folders, archives and tables as other programs and people write them: nothing is dropped or merged unsaid."""

from __future__ import annotations

import io
import json
import tarfile
import unicodedata
import zipfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from fgdemo.storage.formats.sources import Source, read_for_import, read_source
from fgdemo.values.errors import DatasetError

Files = dict[str, str | bytes]


def put(root: Path, files: Files | Sequence[str]) -> Path:
    for name in files:
        content = files[name] if isinstance(files, dict) else name
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return root


def zipped(path: Path, files: Files | Sequence[str]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in files:
            archive.writestr(name, files[name] if isinstance(files, dict) else name)
    return path


def tarred(path: Path, files: Files | Sequence[str]) -> Path:
    with tarfile.open(path, "w") as archive:
        for name in files:
            content = files[name] if isinstance(files, dict) else name
            content = content.encode() if isinstance(content, str) else content
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


PLACES: dict[str, Callable[[Path, Files | Sequence[str]], Path]] = {
    "folder": lambda root, files: put(root / "in", files),
    "zip": lambda root, files: zipped(root / "in.zip", files),
    "tar": lambda root, files: tarred(root / "in.tar", files),
}


def imported(location: Path) -> Source:
    source, _ = read_for_import([location])
    return source


def told(source: Source) -> dict[str, tuple[str, str]]:
    return {p.name: (p.label, p.split) for p in source.pictures}


# --- Hugging Face's imagefolder ----------------------------------------------------------------------------------


def _metadata(kind: str, rows: dict[str, str]) -> str | bytes:
    if kind == "csv":
        return "file_name,label\n" + "".join(f"{name},{label}\n" for name, label in rows.items())
    if kind == "jsonl":
        return "".join(json.dumps({"file_name": name, "label": label}) + "\n" for name, label in rows.items())
    import pyarrow as pa
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(pa.table({"file_name": list(rows), "label": list(rows.values())}), buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize(
    ("splits", "top"), [((), ""), (("train", "validation"), ""), (("training", "eval"), "data/"), (("train",), "set/")]
)
def test_metadata_of_an_imagefolder(tmp_path: Path, place: str, kind: str, splits: tuple, top: str) -> None:
    files: Files = {}
    for split in splits or ("",):
        folder = f"{top}{split}/" if split else top
        rows = {"deep/0.jpg": f"robin{split}", "1.jpg": "wren", "2.jpg": "wren"}
        files |= {f"{folder}{name}": f"{folder}{name}" for name in rows}
        files[f"{folder}metadata.{kind}"] = _metadata(kind, rows)
    location = PLACES[place](tmp_path, files)
    names = {"validation": "val", "eval": "test"}
    wanted = Counter(
        {(f"robin{s}" if "0" in n else "wren", names.get(s, "train")): 0 for s in splits or ("",) for n in "012"}
    )
    for split in splits or ("",):
        wanted[f"robin{split}", names.get(split, "train")] += 1
        wanted["wren", names.get(split, "train")] += 2
    for source in (imported(location), read_source(location)):
        assert Counter((p.label, p.split) for p in source.pictures) == wanted
        assert source.skipped == ()


def test_datasets_reads_the_same_folder_as_we_do(tmp_path: Path) -> None:
    import datasets
    from PIL import Image

    for split in ("train", "test"):
        for number in range(3):
            file = io.BytesIO()
            Image.new("RGB", (9, 7), (number * 40, 9, 99)).save(file, "PNG")
            put(tmp_path / "in", {f"{split}/pics/{number}.png": file.getvalue()})
        put(
            tmp_path / "in",
            {f"{split}/metadata.csv": "file_name,label\n" + "".join(f"pics/{n}.png,k{n % 2}\n" for n in range(3))},
        )
    theirs = datasets.load_dataset("imagefolder", data_dir=str(tmp_path / "in"), cache_dir=str(tmp_path / "cache"))
    ours = imported(tmp_path / "in")
    counts = Counter((row["label"], split) for split in theirs for row in theirs[split])  # type: ignore[index]
    assert counts == Counter((p.label, p.split) for p in ours.pictures)


def test_a_picture_in_no_row_is_told(tmp_path: Path) -> None:
    put(tmp_path, {"metadata.csv": "file_name,label\n1.jpg,a\n2.jpg,b\n", "1.jpg": "1", "2.jpg": "2", "3.jpg": "3"})
    source = imported(tmp_path)
    assert told(source)["3.jpg"] == ("", "train")
    assert source.notes == ("In no row of metadata.csv: 1 picture, which came without a label.",)
    assert read_source(tmp_path).skipped == (("3.jpg", "is in no row of metadata.csv"),)


def test_metadata_without_labels_leaves_them_to_the_class_folders(tmp_path: Path) -> None:
    files = ("train/robin/1.jpg", "train/wren/2.jpg")
    put(tmp_path, {**dict.fromkeys(files, ""), **{name: name for name in files}})
    put(tmp_path, {"train/metadata.csv": "file_name,text\nrobin/1.jpg,red\nwren/2.jpg,brown\n"})
    source = read_source(tmp_path)
    assert told(source) == {"train/robin/1.jpg": ("robin", "train"), "train/wren/2.jpg": ("wren", "train")}
    assert source.notes == ("Not read of “train/metadata.csv”: “text”.",)


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_a_folder_of_archives_named_by_splits(tmp_path: Path, kind: str) -> None:
    for split in ("train", "test"):
        make = zipped if kind == "zip" else tarred
        (tmp_path / "in").mkdir(exist_ok=True)
        make(tmp_path / "in" / f"{split}.{kind}", [f"robin/{split}1.jpg", f"wren/{split}2.jpg"])
    source = imported(tmp_path / "in")
    assert Counter((p.label, p.split) for p in source.pictures) == Counter(
        [(label, split) for label in ("robin", "wren") for split in ("train", "test")]
    )


# --- tables ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "table",
    [
        "sep=;\npath;label;weight\n1.jpg;robin;0,5\n2.jpg;wren;1,25\n",
        ",path,label\n0,1.jpg,robin\n1,2.jpg,wren\n",
        "Unnamed: 0,path,label\n0,1.jpg,robin\n1,2.jpg,wren\n",
        "path|label\n1.jpg|robin\n2.jpg|wren\n",
        "\ufefffilename\tspecies\r\n1.jpg\trobin\r\n2.jpg\twren\r\n",
        'path,label\n"C:\\photos\\1.jpg",robin\n"C:\\photos\\2.jpg",wren\n',
        "path,label\n/home/me/photos/1.jpg,robin\n/home/me/photos/2.jpg,wren\n",
        "path,label\n.\\1.jpg,robin\n./2.JPG,wren\n",
        "image_path,label,label_name\n1.jpg,0,robin\n2.jpg,1,wren\n",
    ],
)
def test_tables_as_programs_write_them(tmp_path: Path, table: str) -> None:
    put(tmp_path, {"1.jpg": "1", "2.jpg": "2", "labels.csv": table})
    for location in (tmp_path / "labels.csv", tmp_path):
        source = imported(location)
        assert told(source) == {"1.jpg": ("robin", "train"), "2.jpg": ("wren", "train")}
        assert source.skipped == ()


def test_pandas_writes_what_we_read(tmp_path: Path) -> None:
    import pandas

    frame = pandas.DataFrame({"path": ["1.jpg", "2.jpg"], "label": ["McKay's, juv.", "C++"], "weather": ["ok", None]})
    put(tmp_path, ["1.jpg", "2.jpg"])
    frame.to_csv(tmp_path / "labels.csv")
    source = imported(tmp_path / "labels.csv")
    assert [p.label for p in source.pictures] == ["McKay's, juv.", "C++"]
    assert source.notes == ("Not read of “labels.csv”: “weather”.",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("path,label\n1.jpg,Grünfink\n".encode("utf-16"), "is UTF-16 text: save it as UTF-8"),
        ("path,label\n1.jpg,Grunfink\n".encode("utf-16-le"), "is UTF-16 text"),
        ("path,label\n1.jpg,Grünfink\n".encode("cp1252"), r"line 2 has a “ü” as Windows-1252 \(cp1252\)"),
        (b"path,species,breed\n1.jpg,a,b\n", "several columns that may be the label"),
        (b"a_file_name,b_file_name,label\n1.jpg,1.jpg,b\n", "several columns of pictures"),
        (b"path,label,label\n1.jpg,a,b\n", "column “label” twice"),
    ],
)
@pytest.mark.parametrize("by_folder", [False, True])
def test_a_table_that_is_not_understood_is_one_sentence(
    tmp_path: Path, content: bytes, message: str, by_folder: bool
) -> None:
    put(tmp_path, {"1.jpg": "1", "labels.csv": content})
    with pytest.raises(DatasetError, match=message):
        imported(tmp_path if by_folder else tmp_path / "labels.csv")


def test_rows_that_are_not_understood_are_named(tmp_path: Path) -> None:
    put(tmp_path, ["1.jpg", "2.jpg", "x/3.jpg", "y/3.jpg"])
    rows = "1.jpg,robin\n2.jpg,Gull, herring\n9.jpg,wren\nC:\\a\\3.jpg,wren\n/b/1.jpg,wren\n../../2.jpg,wren\n"
    put(tmp_path, {"labels.csv": "path,label\n" + rows})
    source = imported(tmp_path / "labels.csv")
    assert told(source)["1.jpg"] == ("robin", "train")
    reasons = dict(source.skipped)
    assert reasons["line 3 of “labels.csv”"] == "has 3 cells, and the header line 2: put quotes around them"
    assert reasons["9.jpg"] == "is not there (line 4 of “labels.csv”)"
    assert reasons["/b/1.jpg"] == "would be the same file as “1.jpg” (line 6 of “labels.csv”)"
    assert reasons["C:\\a\\3.jpg"] == "is the name of several files (line 5 of “labels.csv”)"


def test_names_are_compared_composed_and_without_case(tmp_path: Path) -> None:
    decomposed = unicodedata.normalize("NFD", "Grünfink.jpg")
    put(tmp_path, {decomposed: "1", "IMG_1.JPG": "2", "a.jpg": "3", "A.jpg": "4"})
    put(tmp_path, {"labels.csv": "path,label\nGrünfink.jpg,x\nimg_1.jpg,y\na.jpg,x\nA.jpg,y\n"})
    source = imported(tmp_path / "labels.csv")
    assert told(source) == {
        decomposed: ("x", "train"),
        "IMG_1.JPG": ("y", "train"),
        "a.jpg": ("x", "train"),
        "A.jpg": ("y", "train"),
    }


def test_several_tables_named_by_splits(tmp_path: Path) -> None:
    put(tmp_path, ["images/1.jpg", "images/2.jpg", "images/3.jpg"])
    put(
        tmp_path,
        {"train.csv": "path,label\nimages/1.jpg,a\n3.jpg,b\n", "test_labels.csv": "path,label\nimages/2.jpg,b\n"},
    )
    source = imported(tmp_path)
    assert told(source)["images/1.jpg"] == ("a", "train")
    assert told(source)["images/2.jpg"] == ("b", "test")
    assert ("3.jpg", "is not there (line 3 of “train.csv”)") in source.skipped


# --- folders -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    ("names", "groups"),
    [
        (
            ["warblers/yellow/1.jpg", "warblers/wilsons/2.jpg", "gulls/herring/3.jpg"],
            {"yellow": ("warblers",), "wilsons": ("warblers",), "herring": ("gulls",)},
        ),
        (["warblers/yellow/1.jpg", "gulls/herring/2.jpg"], {"yellow": ("warblers",), "herring": ("gulls",)}),
        (
            ["train/warblers/yellow/1.jpg", "train/warblers/wilsons/2.jpg", "val/gulls/herring/3.jpg"],
            {"yellow": ("warblers",), "wilsons": ("warblers",), "herring": ("gulls",)},
        ),
        (
            ["w/yellow/1.jpg", "w/b/2.jpg", "w/c/3.jpg", "g/yellow/4.jpg", "g/d/5.jpg"],
            {"w yellow": ("w",), "b": ("w",), "c": ("w",), "g yellow": ("g",), "d": ("g",)},
        ),
        (["robin/2019/1.jpg", "robin/2020/2.jpg", "wren/2019/3.jpg"], {"robin": (), "wren": ()}),
        (["robin/1.jpg", "robin/more/2.jpg", "wren/3.jpg"], {"robin": (), "wren": ()}),
    ],
)
def test_folders_in_folders_are_groups_or_are_told(tmp_path: Path, place: str, names: list, groups: dict) -> None:
    source = imported(PLACES[place](tmp_path, names))
    assert {label: tuple(source.groups.get(label, ())) for label in source.labels} == groups
    assert len(source.pictures) == len(names)
    assert len(source.notes) == 1


LITTER = (
    "@eaDir/robin/1.jpg",
    "robin/@eaDir/1.jpg/SYNOPHOTO_THUMB_M.jpg",
    "robin/.DS_Store",
    "__MACOSX/robin/._1.jpg",
    "robin/Thumbs.db",
    "robin/._1.jpg",
    "#recycle/robin/9.jpg",
    "robin/desktop.ini",
    ".@__thumb/default1.jpg",
)


@pytest.mark.parametrize("place", PLACES)
def test_litter_of_systems_is_passed_over(tmp_path: Path, place: str) -> None:
    source = read_source(PLACES[place](tmp_path, ["robin/1.jpg", "wren/2.jpg", *LITTER]))
    assert told(source) == {"robin/1.jpg": ("robin", "train"), "wren/2.jpg": ("wren", "train")}
    assert source.skipped == ()


def test_zips_of_windows_and_of_old_programs(tmp_path: Path) -> None:
    path = tmp_path / "in.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("train\\Grünfink\\1.jpg", "train\\Amsel\\2.jpg"):
            entry = zipfile.ZipInfo("x")
            entry.filename = name
            archive.writestr(entry, name)
    content = path.read_bytes()
    for magic, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):  # no flag says that the names are UTF-8
        start = content.find(magic)
        while start >= 0:
            content = content[: start + at] + b"\0\0" + content[start + at + 2 :]
            start = content.find(magic, start + 4)
    path.write_bytes(content)
    source = read_source(path)
    assert told(source) == {"train/Grünfink/1.jpg": ("Grünfink", "train"), "train/Amsel/2.jpg": ("Amsel", "train")}
    assert source.pictures[0].load() == b"train\\Amsel\\2.jpg"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a.7z", "is a 7z archive"),
        ("a.rar", "is a RAR archive"),
        ("a.tar.gz", "compressed as a whole"),
        ("a.tgz", "compressed as a whole"),
        ("a.tar", "not a tar archive"),
    ],
)
def test_archives_that_are_not_read_are_named(tmp_path: Path, name: str, message: str) -> None:
    put(tmp_path, {name: b"7z\xbc\xaf"})
    with pytest.raises(DatasetError, match=message):
        imported(tmp_path / name)


def test_archives_beside_pictures_are_named(tmp_path: Path) -> None:
    source = imported(put(tmp_path, ["robin/1.jpg", "wren/2.jpg", "more.zip", "old.7z"]))
    assert dict(source.skipped) == dict.fromkeys(("more.zip", "old.7z"), "is an archive in the archive")


def test_webdataset(tmp_path: Path) -> None:
    files: Files = {
        "0001.jpg": "1",
        "0001.cls": "robin",
        "0002.jpg": "2",
        "0002.json": '{"label": "wren"}',
        "3.jpg": "3",
    }
    source = imported(tarred(tmp_path / "shard-train-000.tar", files))
    assert told(source) == {"0001.jpg": ("robin", "train"), "0002.jpg": ("wren", "train")}
    assert source.skipped == (("3.jpg", "has no class beside it"),)


# --- published data sets -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", PLACES)
def test_cub_as_it_is_published(tmp_path: Path, place: str) -> None:
    names = ("001.Black_footed_Albatross/a_1.jpg", "002.Laysan_Albatross/b_2.jpg", "002.Laysan_Albatross/c_3.jpg")
    files: Files = {f"CUB_200_2011/images/{name}": name for name in names}
    files |= {
        "CUB_200_2011/images.txt": "".join(f"{n} {name}\n" for n, name in enumerate(names, 1)),
        "CUB_200_2011/classes.txt": "1 001.Black_footed_Albatross\n2 002.Laysan_Albatross\n",
        "CUB_200_2011/image_class_labels.txt": "1 1\n2 2\n3 2\n",
        "CUB_200_2011/train_test_split.txt": "1 1\n2 1\n3 0\n",
        "CUB_200_2011/bounding_boxes.txt": "1 60.0 27.0 325.0 304.0\n",
        "attributes.txt": "1 has_bill_shape::curved\n",
    }
    source = imported(PLACES[place](tmp_path, files))
    assert Counter((p.label[4:], p.split) for p in source.pictures) == {
        ("Black_footed_Albatross", "train"): 1,
        ("Laysan_Albatross", "train"): 1,
        ("Laysan_Albatross", "test"): 1,
    }
    assert {name for name, _ in source.skipped} == {"CUB_200_2011/bounding_boxes.txt", "attributes.txt"}


def test_oxford_pets_as_they_are_published(tmp_path: Path) -> None:
    put(tmp_path, ["images/great_pyrenees_1.jpg", "images/Abyssinian_2.jpg", "images/Abyssinian_3.jpg"])
    put(
        tmp_path,
        {
            "annotations/trainval.txt": "great_pyrenees_1 1 2 1\nAbyssinian_2 2 1 1\n",
            "annotations/test.txt": "Abyssinian_9 2 1 1\n",
        },
    )
    source = imported(tmp_path)
    assert {p.label for p in source.pictures} == {"great_pyrenees", "Abyssinian"}
    assert dict(source.skipped) == {
        "images/Abyssinian_9.jpg": "is not there (Abyssinian_9 of test.txt)",
        "images/Abyssinian_3.jpg": "is in no row of trainval.txt or test.txt",
    }
