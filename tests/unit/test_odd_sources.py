"""Tables, folders and names that are arranged otherwise than expected: read rightly, or named with the reason."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from fgdemo.storage.formats.sources import Source, read_for_import
from fgdemo.values.errors import DatasetError
from fgdemo.values.naming import NameBook, display_names
from tests.support.workspace import coloured, open_fake_workspace


@pytest.fixture
def put(tmp_path: Path) -> Callable[..., None]:
    def put(*names: str, **texts: str) -> None:
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(png(len(list(tmp_path.rglob("*.png")))))
        for name, text in texts.items():
            (tmp_path / f"{name}.csv").write_text(text)

    return put


def png(number: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 6), (number, 80, 90)).save(file, "PNG")
    return file.getvalue()


def found(source: Source) -> dict[str, tuple[str, str]]:
    return {picture.name.rpartition("/")[2]: (picture.label, picture.split) for picture in source.pictures}


# --- tables ----------------------------------------------------------------------------------------------------


def test_a_quote_that_is_not_closed_swallows_no_rows(tmp_path: Path, put: Callable[..., None]) -> None:
    put("1.png", "2.png", "3.png", labels='path,label\n1.png,"Robin\n2.png,Wren\n3.png,Wren\n')
    with pytest.raises(DatasetError, match=r"Line 4 of “labels.csv” cannot be read: a quote in it is not closed"):
        read_for_import([tmp_path / "labels.csv"])
    put(labels='path,label\n1.png,"Robin\n2.png,"\n3.png,Wren\n')
    source, _ = read_for_import([tmp_path / "labels.csv"])
    assert found(source) == {"3.png": ("Wren", "train")}
    assert source.skipped[0][1].startswith("has a path or a label of several lines")


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ("路径文件名称,标签种类名\n".encode("utf-16-le"), "is UTF-16 text"),
        ("path,label\n1.png,x\n".encode("utf-32"), "is UTF-32 text"),
        ("path,label\n1.png,ツバメ\n".encode("shift_jis"), "or another letter of another encoding"),
        (b'path,label\n1.png,"a"b\n', "Line 2 of “labels.csv” cannot be read: a quote in it is not closed"),
    ],
)
def test_text_that_is_not_read_is_called_by_its_name(tmp_path: Path, written: bytes, sentence: str) -> None:
    (tmp_path / "labels.csv").write_bytes(written)
    with pytest.raises(DatasetError, match=sentence):
        read_for_import([tmp_path / "labels.csv"])


def test_cells_with_several_labels_are_no_kinds(tmp_path: Path, put: Callable[..., None]) -> None:
    rows = "1.png,\"['Robin', 'Wren']\"\n2.png,Wren|Robin\n3.png,Robin\n4.png,Wren\n5.png,a|b\n"
    put(*(f"{n}.png" for n in range(1, 6)), labels=f"path,label\n{rows}")
    source, _ = read_for_import([tmp_path / "labels.csv"])
    assert [picture.label for picture in source.pictures] == ["Robin", "Wren", "a|b"]
    assert [reason for _, reason in source.skipped] == [
        "has a list for a label (['Robin', 'Wren'])",
        "has several labels (Wren|Robin)",
    ]


def test_the_index_of_pandas_is_never_a_label_or_an_annotator(tmp_path: Path, put: Callable[..., None]) -> None:
    put("robin/1.png", "wren/2.png", "wren/3.png", metadata=",file_name,caption\n0,robin/1.png,x\n1,wren/2.png,y\n")
    source, _ = read_for_import([tmp_path])
    # The third is in no row, and no row has a label: folders say what all of them show.
    labels = {"1.png": ("robin", "train"), "2.png": ("wren", "train"), "3.png": ("wren", "train")}
    assert found(source) == labels
    assert {said.annotator for picture in source.pictures for said in picture.history} == {"import"}


def test_a_table_with_ids_for_names_and_another_title_for_the_split(tmp_path: Path, put: Callable[..., None]) -> None:
    rows = "\n\nid,breed,data set\n7,Boxer,train\n8.png,Pug,TEST\n"
    put("photos/7.png", "photos/x/8.png", "photos/9.png", train=rows)
    source, _ = read_for_import([tmp_path])
    assert found(source) == {"7.png": ("Boxer", "train"), "8.png": ("Pug", "test"), "9.png": ("", "train")}


def test_numbers_with_a_point_are_numbers(tmp_path: Path, put: Callable[..., None]) -> None:
    put("1.png", "2.png", labels="path,label,label_name\n1.png,0.0,Robin\n2.png,,Wren\n")
    source, _ = read_for_import([tmp_path / "labels.csv"])
    assert found(source) == {"1.png": ("Robin", "train"), "2.png": ("Wren", "train")}


def test_a_table_that_is_not_read_says_why(tmp_path: Path, put: Callable[..., None]) -> None:
    put("1.png", labels="path,label\n")
    (tmp_path / "metadata.json").write_text("[]")
    (tmp_path / "list.xlsx").write_bytes(b"PK")
    reasons = dict(read_for_import([tmp_path])[0].skipped)
    assert reasons["labels.csv"].startswith("is a table in which no row names a picture here")
    assert reasons["metadata.json"] == reasons["list.xlsx"]
    with pytest.raises(DatasetError, match=r"“list\.xlsx” is a spreadsheet: save it as “CSV UTF-8”"):
        read_for_import([tmp_path / "list.xlsx"])


# --- folders ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("train", "test"),
    [("cars_train", "cars_test"), ("train_set", "test_set"), ("Train Images", "testset"), ("trainset", "test-A")],
)
def test_splits_have_many_names(tmp_path: Path, put: Callable[..., None], train: str, test: str) -> None:
    put(f"{train}/robin/1.png", f"{train}/wren/2.png", f"{test}/robin/3.png", f"{test}/wren/4.png")
    assert found(read_for_import([tmp_path])[0]) == {
        "1.png": ("robin", "train"),
        "2.png": ("wren", "train"),
        "3.png": ("robin", "test"),
        "4.png": ("wren", "test"),
    }


def test_splits_without_class_folders_are_no_kinds(tmp_path: Path, put: Callable[..., None]) -> None:
    put("cars_train/1.png", "cars_test/2.png")
    assert found(read_for_import([tmp_path])[0]) == {"1.png": ("", "train"), "2.png": ("", "test")}


def test_splits_within_class_folders(tmp_path: Path, put: Callable[..., None]) -> None:
    put("robin/train/1.png", "robin/test/2.png", "wren/train/3.png")
    labels = {"1.png": ("robin", "train"), "2.png": ("robin", "test"), "3.png": ("wren", "train")}
    assert found(read_for_import([tmp_path])[0]) == labels


def test_kinds_that_are_called_like_splits_stay_kinds(tmp_path: Path, put: Callable[..., None]) -> None:
    put("freight train/1.png", "steam train/2.png", "plane/3.png")
    kinds = {picture.label for picture in read_for_import([tmp_path])[0].pictures}
    assert kinds == {"freight train", "steam train", "plane"}


@pytest.mark.parametrize("folder", ["data/images", "jpg", "JPEGImages"])
def test_a_folder_of_all_pictures_is_no_kind(tmp_path: Path, put: Callable[..., None], folder: str) -> None:
    put(f"{folder}/1.png", f"{folder}/2.png")
    source, _ = read_for_import([tmp_path])
    assert {picture.label for picture in source.pictures} == {""}
    assert "is no name of a kind" in source.notes[0]


@pytest.mark.parametrize(
    "folders",
    [
        ("100CANON",),
        ("DCIM/100CANON", "DCIM/101CANON"),
        ("Camera Roll",),
        ("2024-05-31", "2024-06-01"),
        ("2019", "2020"),
        ("IMG_0012", "202405__"),
        ("Camera", "2024-05"),
    ],
)
def test_folders_of_cameras_and_dates_are_no_kinds(
    tmp_path: Path, put: Callable[..., None], folders: tuple[str, ...]
) -> None:
    put(*(f"{folder}/{n}.png" for n, folder in enumerate(folders)))
    source, has_splits = read_for_import([tmp_path])
    assert {picture.label for picture in source.pictures} == {""}
    assert source.labels == ()
    assert not has_splits
    assert folders[0].split("/")[-1] in " ".join(source.notes)
    assert "no kinds" in " ".join(source.notes)


def test_folders_of_cameras_within_kinds_say_nothing(tmp_path: Path, put: Callable[..., None]) -> None:
    put("robin/100CANON/1.png", "wren/101CANON/2.png", "2024-05-31/3.png", "wren/4.png")
    found_there = found(read_for_import([tmp_path])[0])
    assert {name: label for name, (label, _) in found_there.items()} == {
        "1.png": "robin",
        "2.png": "wren",
        "3.png": "",
        "4.png": "wren",
    }


@pytest.mark.parametrize(
    "kinds",
    [
        ("911TURBO", "924"),
        ("2008", "3008"),
        ("001.Black_footed_Albatross", "002.Laysan"),
        ("camera", "anchor"),
        ("m5", "i8"),
    ],
)
def test_kinds_that_only_look_like_cameras_stay_kinds(
    tmp_path: Path, put: Callable[..., None], kinds: tuple[str, ...]
) -> None:
    put(*(f"{kind}/{n}.png" for n, kind in enumerate(kinds)))
    assert set(read_for_import([tmp_path])[0].labels) == set(kinds)


def test_folders_of_inaturalist_are_species_in_families(tmp_path: Path, put: Callable[..., None]) -> None:
    birds = "Animalia_Chordata_Aves_Passeriformes"
    put(f"train/00042_{birds}_Paridae_Parus_major/1.png")
    put(f"val/00043_{birds}_Turdidae_Turdus_merula_x_viscivorus/2.png")
    source, _ = read_for_import([tmp_path])
    assert found(source) == {"1.png": ("Parus major", "train"), "2.png": ("Turdus merula x viscivorus", "val")}
    assert source.groups["Parus major"] == ("Aves", "Passeriformes", "Paridae")


# --- Parquet ---------------------------------------------------------------------------------------------------


def test_parquet_with_views_and_numbers_without_a_name(tmp_path: Path) -> None:
    names = '{"info": {"features": {"label": {"names": ["Robin", "Wren"], "_type": "ClassLabel"}}}}'
    pictures = pa.array([png(1), png(2)], pa.binary_view())
    table = pa.table({"image": pictures, "label": pa.array([1, 7])}).replace_schema_metadata({"huggingface": names})
    pq.write_table(table, tmp_path / "a.parquet")
    source, _ = read_for_import([tmp_path / "a.parquet"])
    assert [picture.label for picture in source.pictures] == ["Wren"]
    assert source.skipped == (("train/1", "has the label 7, and there are 2 names of labels"),)


# --- names and copies ------------------------------------------------------------------------------------------


def test_numbers_within_a_name_stay() -> None:
    names = ("Boeing_737_max", "Audi_2012_coupe")
    assert list(display_names(names).values()) == ["Boeing 737 max", "Audi 2012 coupe"]
    book = NameBook()
    book.add("boeing_max", ["Boeing max"])
    assert book.exactly("Boeing_737_max") is None


def test_labels_that_look_the_same_are_told(tmp_path: Path) -> None:
    workspace = open_fake_workspace(tmp_path / "home")
    report = workspace.take_in([coloured("lowchen", n, name) for n, name in enumerate(("Ro\u200bbin", "Robin"))])
    assert "2 labels that differ in blanks or in what cannot be seen are taken for one kind, Robin." in report.notes
    workspace.engine.dispose()
