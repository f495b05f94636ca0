"""Nothing of a source is dropped or merged silently: what went in came out, or is named."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from fgdemo.storage.formats.sources import Source, read_for_import, read_source
from fgdemo.values.errors import DatasetError
from fgdemo.values.labelled import PICTURE_ENDINGS, ending_of
from tests.unit.test_layouts import PLACES, Files, imported, put, tarred, told, zipped

UNASKED = "is shown by none of the lines that say what the pictures here are"


def parquet(columns: dict[str, list]) -> bytes:
    import io

    import pyarrow as pa
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer)
    return buffer.getvalue()


def tasks(*images: str) -> str:
    chosen = {"from_name": "kind", "to_name": "image", "type": "choices", "value": {"choices": ["robin"]}}
    return json.dumps(
        [{"data": {"image": i}, "annotations": [{"completed_by": 1, "result": [chosen]}]} for i in images]
    )


def is_named(name: str, source: Source) -> bool:
    """Whether a file, or a folder above it, is in what was left out or in a note."""
    above = {"/".join(name.split("/")[:depth]) for depth in range(1, name.count("/") + 2)}
    return any(left in above for left, _ in source.skipped) or any(
        f"“{folder}”" in note for note in source.notes for folder in above
    )


# --- whatever folders there are ------------------------------------------------------------------------------------

_steps = st.sampled_from(
    ["robin", "wren", "train", "Test", "val", "masks", "2019", "a b", "a", "b", "b c", "c", ".22 LR", "images", "misc"]
)
_files = st.sampled_from(["1.jpg", "2.PNG", ".3.jpg", "x.txt", "y.zip", "z.cls", "more.csv", "4.tiff"])
_paths = st.builds(lambda steps, file: "/".join([*steps, file]), st.lists(_steps, max_size=3), _files)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.lists(_paths, min_size=1, max_size=12, unique=True))
@example(names=["a b/c/1.jpg", "x/c/1.jpg", "a/b c/1.jpg", "y/b c/1.jpg", "y/a/1.jpg", "x/robin/1.jpg"])
@example(names=["w/yellow/1.jpg", "w/b/1.jpg", "g/yellow/1.jpg", "g/d/1.jpg", "w yellow/1.jpg"])
@example(names=["train/robin/1.jpg", "masks/1.jpg"])
def test_each_file_came_out_or_is_named(tmp_path_factory: pytest.TempPathFactory, names: list[str]) -> None:
    root = tmp_path_factory.mktemp("any")
    for location in (put(root / "in", names), zipped(root / "in.zip", names), tarred(root / "in.tar", names)):
        try:
            source = imported(location)
        except DatasetError:
            continue
        came = Counter(picture.name for picture in source.pictures)
        assert max(came.values()) == 1
        silent = [name for name in names if name not in came and not is_named(name, source)]
        assert [name for name in silent if "/." not in f"/{name}" or ending_of(name) in PICTURE_ENDINGS] == []
        under = {picture.label: source.groups.get(picture.label, ()) for picture in source.pictures}
        assert all(set(under[picture.label]) <= set(picture.name.split("/")) for picture in source.pictures)


_cells = st.sampled_from(["1.jpg", "2.jpg", "./1.jpg", "C:\\x\\2.jpg", "9.jpg", "", "sub/3.jpg", "3.jpg", "x.txt"])
_labels = st.sampled_from(["robin", "wren", "", "'+1", "+1", "Robin", "none"])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(_cells, _labels), min_size=1, max_size=8))
def test_each_row_came_out_or_is_named(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]) -> None:
    root = put(tmp_path_factory.mktemp("any"), ["1.jpg", "2.jpg", "sub/3.jpg", "x.txt"])
    put(root, {"labels.csv": "path,label\n" + "".join(f"{path},{label}\n" for path, label in rows)})
    try:
        source = imported(root / "labels.csv")
    except DatasetError:
        return
    assert len(source.pictures) + len(source.skipped) == sum(any(row) for row in rows)
    assert {p.label for p in source.pictures} <= {label for _, label in rows}, "as written"


# --- what lies beside what is read -----------------------------------------------------------------------------------


@pytest.mark.parametrize("place", PLACES)
def test_hidden_pictures_are_named(tmp_path: Path, place: str) -> None:
    source = imported(PLACES[place](tmp_path, [".22 LR/1.jpg", "9mm/2.jpg", "45/.3.jpg", "45/4.jpg", "45/.note.txt"]))
    reason = "is hidden, since a name in its path begins with a dot: rename it"
    assert dict(source.skipped) == {".22 LR/1.jpg": reason, "45/.3.jpg": reason}
    assert told(source) == {"9mm/2.jpg": ("9mm", "train"), "45/4.jpg": ("45", "train")}


@pytest.mark.parametrize("place", ["zip", "tar"])
def test_paths_with_steps_that_say_nothing(tmp_path: Path, place: str) -> None:
    source = read_source(PLACES[place](tmp_path, ["./robin/1.jpg", "./robin/./2.jpg", "wren//3.jpg"]))
    assert told(source) == {n: (n.split("/")[0], "train") for n in ("robin/1.jpg", "robin/2.jpg", "wren/3.jpg")}
    assert (source.skipped, source.notes) == ((), ())
    assert {p.load() for p in source.pictures} == {b"./robin/1.jpg", b"./robin/./2.jpg", b"wren//3.jpg"}


def test_an_export_of_label_studio_does_not_hide_other_files(tmp_path: Path) -> None:
    files: Files = {"in/export.json": tasks("/data/upload/1/1.jpg"), "in/1.jpg": "1", "in/2.jpg": "2", "far/3.jpg": "3"}
    source = imported(put(tmp_path, {**files, "in/more.csv": "path,label\n2.jpg,wren\n"}))
    assert dict(source.skipped).keys() == {"in/2.jpg", "in/more.csv", "far/3.jpg"}
    assert dict(source.skipped)["in/2.jpg"] == UNASKED


def test_parquet_and_archives_do_not_hide_other_files(tmp_path: Path) -> None:
    put(
        tmp_path / "p", {"train.parquet": parquet({"image": [b"1"], "label": ["a"]}), "robin/1.jpg": "1", "l.xlsx": "x"}
    )
    assert dict(imported(tmp_path / "p").skipped).keys() == {"robin/1.jpg", "l.xlsx"}
    put(tmp_path / "z", {"labels.csv": "path,label\n1.jpg,robin\n", "old.7z": "7z"})
    zipped(tmp_path / "z" / "a.zip", ["1.jpg"])
    assert dict(imported(tmp_path / "z").skipped).keys() == {"labels.csv", "old.7z"}


def test_a_table_called_as_that_of_an_export_hides_nothing(tmp_path: Path) -> None:
    tables: Files = {"pictures.csv": "filename,species\n1.jpg,robin\n", "more.csv": "filename,species\n2.jpg,wren\n"}
    source = imported(put(tmp_path, {**tables, "1.jpg": "1", "2.jpg": "2", "x.zip": "x", "README.zip": "x"}))
    assert told(source) == {"1.jpg": ("robin", "train"), "2.jpg": ("wren", "train")}
    assert dict(source.skipped) == dict.fromkeys(("x.zip", "README.zip"), "is an archive in the archive")


def test_json_beside_pictures_that_names_no_class_leaves_the_class_folders(tmp_path: Path) -> None:
    files: Files = {"robin/1.jpg": "1", "robin/1.json": '{"camera": "x"}', "wren/2.jpg": "2", "wren/2.json": "{}"}
    source = read_source(put(tmp_path, files))
    assert told(source) == {"robin/1.jpg": ("robin", "train"), "wren/2.jpg": ("wren", "train")}
    assert dict(source.skipped).keys() == {"robin/1.json", "wren/2.json"}


def test_a_table_counts_though_its_first_rows_lead_nowhere(tmp_path: Path) -> None:
    rows = "".join(f"gone{number}.jpg,owl\n" for number in range(40))
    source = imported(put(tmp_path, {"labels.csv": f"path,label\n{rows}1.jpg,robin\n", "1.jpg": "1"}))
    assert told(source) == {"1.jpg": ("robin", "train")}
    assert len(source.skipped) == 40


# --- what is said twice, or is too much ------------------------------------------------------------------------------


def test_lines_of_json_are_read_strictly(tmp_path: Path) -> None:
    lines = [
        '"label": {"name": "robin"}',
        '"label": "a", "Label": "b"',
        '"label": NaN',
        '"label": "x", "label": "y"',
        '"label": 1e999',
        '"label": ["p", "q"]',
        '"label": "wren"',
    ]
    text = "".join(f'{{"file_name": "{n}.jpg", {line}}}\n' for n, line in enumerate(lines))
    source = imported(put(tmp_path, {"metadata.jsonl": text, **{f"{n}.jpg": str(n) for n in range(len(lines))}}))
    assert {p.label for p in source.pictures} == {"", "wren"}
    assert [name for name, _ in source.skipped] == [f"line {n} of “metadata.jsonl”" for n in range(1, 7)]


def test_samples_of_webdataset_are_read_strictly(tmp_path: Path) -> None:
    wrong = [
        '{"label": "a", "label": "b"}',
        '{"label": NaN}',
        '{"label": ["x", "y"]}',
        '{"label": {"n": 1}}',
        "[" * 9999,
    ]
    said = [*wrong, '{"label": "ok"}']
    files: Files = {
        f"{n}.{end}": text if end == "json" else str(n) for n, text in enumerate(said) for end in ("jpg", "json")
    }
    source = imported(put(tmp_path, files))
    assert told(source) == {"5.jpg": ("ok", "train")}
    assert len(source.skipped) == 5


def test_labels_of_parquet_are_one_value_in_one_column(tmp_path: Path) -> None:
    columns = {
        "image": [b"1", b"2", b"3", b"4"],
        "label": [["a"], ["b", "c"], [], ["d"]],
        "split": ["train", "test", "val", "x"],
    }
    source = imported(put(tmp_path, {"x.parquet": parquet(columns)}) / "x.parquet")
    assert told(source) == {"train/0": ("a", "train")}
    assert [reason for _, reason in source.skipped] == [
        'has no single label (["b", "c"])',
        "has no label",
        "has the split “x”, which must be train, val or test",
    ]
    with pytest.raises(DatasetError, match="two columns of one name"):
        imported(put(tmp_path, {"y.parquet": parquet({"image": [b"1"], "label": ["a"], "Label": ["b"]})}) / "y.parquet")


def test_splits_of_parquet_are_in_its_column(tmp_path: Path) -> None:
    columns = {"image": [b"1", b"2", b"3"], "label": ["a", "b", "c"], "split": ["train", "test", "validation"]}
    source = imported(put(tmp_path, {"x.parquet": parquet(columns)}) / "x.parquet")
    assert [(p.label, p.split) for p in source.pictures] == [("a", "train"), ("b", "test"), ("c", "val")]
    assert source.notes == ()


def test_what_two_rows_say_differently_and_what_is_cut_off_is_named(tmp_path: Path) -> None:
    rows = f"1.jpg,robin,ann,train,\n1.jpg,robin,bob,test,\n2.jpg,wren,ann,val,{'c' * 2001}\n"
    source = imported(
        put(tmp_path, {"l.csv": f"path,label,annotator,split,comment\n{rows}", "1.jpg": "1", "2.jpg": "2"})
    )
    assert dict(source.skipped) == {
        "line 3 of “l.csv”": "puts 1.jpg into test, and line 2 of “l.csv” into train: that counts",
        "line 4 of “l.csv”": "has a comment of more than 2000 characters, or an annotator of more than 120: "
        "the end was left out",
    }


def test_titles_with_blanks_and_names_with_quotes(tmp_path: Path) -> None:
    put(tmp_path, {"1.jpg": "1", "2.jpg": "2", "labels.csv": "File Name,Class-Name\n1.jpg,'+1\n2.jpg,+1\n"})
    source, _ = read_for_import([tmp_path])
    assert told(source) == {"1.jpg": ("'+1", "train"), "2.jpg": ("+1", "train")}
