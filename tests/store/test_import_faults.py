"""Imports that are killed go on, and those that meet hostile files name them; a server may run meanwhile."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import zipfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from fgdemo.storage.embeddings.embeddings import Embeddings
from fgdemo.storage.exchange import intake as intake_module
from fgdemo.storage.formats.layouts import read_tree
from fgdemo.storage.formats.sources import read_for_import
from fgdemo.storage.history.events import LabelEvent
from fgdemo.storage.pictures.originals import ImageStore
from fgdemo.storage.records.inventory import Inventory
from fgdemo.storage.trees.zips import open_zip
from fgdemo.values.errors import DatasetError, StorageError
from tests.store.test_export_faults import Stopped, in_a_child
from tests.support.exchanging import MAINTAINER, exchange_of, fill
from tests.support.workspace import FakeWorkspace, coloured, open_fake_workspace, some_pictures


def put(root: Path, *names: str, content: bytes | None = None) -> Path:
    for number, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(coloured("lowchen", number).load() if content is None else content)
    return root


def packed(path: Path, entries: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return path


@pytest.fixture
def workspace(tmp_path):
    opened = open_fake_workspace(tmp_path / "home")
    yield opened
    opened.engine.dispose()


def take_in(workspace: FakeWorkspace, tmp_path: Path, *locations: Path, progress=lambda *_: None):
    return exchange_of(workspace, tmp_path / "home").import_from(MAINTAINER, locations, progress)


# --- cut in the middle ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def many(tmp_path_factory) -> Path:
    """160 small pictures of five kinds."""
    root = tmp_path_factory.mktemp("many")
    for number in range(160):
        buffer = io.BytesIO()
        colour = (number, 37 * number % 256, 91 * number % 256)
        Image.effect_noise((16, 16), 40 + number).convert("RGB").point(lambda v: v).save(buffer, "PNG")
        Image.blend(Image.open(buffer).convert("RGB"), Image.new("RGB", (16, 16), colour), 0.5).save(
            buffer := io.BytesIO(), "PNG"
        )
        path = root / f"kind {number % 5}" / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(buffer.getvalue())
    return root


@pytest.mark.parametrize(
    ("place", "method", "call"),
    [
        (ImageStore, "put", 40),
        (Embeddings, "append", 3),
        (intake_module, "settle_kinds", 1),
        (intake_module.Intake, "_write", 75),
        (intake_module, "look_at_missing", 1),
    ],
)
def test_a_killed_import_goes_on(tmp_path, many, monkeypatch, place, method, call):
    home = tmp_path / "home"

    def work():
        original, calls = getattr(place, method), []

        def dying(*arguments, **named):
            calls.append(1)
            if len(calls) == call:
                os.kill(os.getpid(), signal.SIGKILL)
            return original(*arguments, **named)

        monkeypatch.setattr(place, method, dying)
        take_in(open_fake_workspace(home), tmp_path, many)

    assert in_a_child(work) == -signal.SIGKILL
    workspace = open_fake_workspace(home)
    before = Inventory(workspace.engine).pictures
    report = take_in(workspace, tmp_path, many)
    assert (report.known, report.added, report.skipped) == (before, 160 - before, ())
    held = list(Inventory(workspace.engine))
    assert Counter(len(one.history) for one in held) == {1: 160}
    assert Counter(one.split for one in held) == {"train": 125, "val": 15, "gold": 20} or report.twins
    assert len(workspace.embeddings.rows) == len(workspace.roster) == 160
    files = [path.name for path in (home / "pictures" / "originals").rglob("*") if path.is_file()]
    assert sorted(name for name in files if not name.startswith(".new-")) == sorted(workspace.roster.image_ids)
    workspace.engine.dispose()


def test_progress_may_stop_an_import_and_the_list_of_faults_is_kept(workspace, tmp_path, many):
    put(many, "kind 0/broken.png", content=b"nonsense")

    def stop(what, done, of):
        if done > 40:
            raise Stopped

    with pytest.raises(Stopped):
        take_in(workspace, tmp_path, many, progress=stop)
    assert len(workspace.roster) in range(60, 65)
    seen = []
    report = take_in(workspace, tmp_path, many, progress=lambda *told: seen.append(told))
    assert report.added + report.known == 160
    assert [(done, of) for what, done, of in seen if what == "taking in pictures"][-1] == (161, 161)
    (many / "kind 0" / "broken.png").unlink()


def test_a_server_follows_an_import(workspace, tmp_path, many):
    server = open_fake_workspace(tmp_path / "home")
    sizes = []

    def follow(what, done, of):
        server.learner.catch_up()
        server.roster.follow()
        assert server.embeddings.missing(server.roster.image_ids) == []
        sizes.append(len(server.roster))
        if done == 64:
            image = server.roster.image_ids[0]
            standing = server.roster.standing(image)
            event = LabelEvent(image, "adjudication", "ada", taxon="lowchen", shown_version=standing.version)
            server.events.answer(event)

    take_in(workspace, tmp_path, many, progress=follow)
    assert sizes == [32, 64, 96, 128, 160]
    server.engine.dispose()


def test_a_full_disk_stops_an_import_with_one_sentence(workspace, tmp_path, many, monkeypatch):
    def full(self, content):
        raise StorageError("The disk of the workspace is full, so nothing was stored: free some space and try again.")

    with monkeypatch.context() as patch:
        patch.setattr(ImageStore, "put", full)
        with pytest.raises(StorageError, match="disk of the workspace is full"):
            take_in(workspace, tmp_path, many)
    assert Inventory(workspace.engine).pictures == 0
    assert take_in(workspace, tmp_path, many).added == 160


def test_the_same_bytes_under_two_labels_are_named_and_never_flip(workspace, tmp_path):
    same = coloured("lowchen", 1).load()
    put(tmp_path / "in", "a/1.png", "b/2.png", content=same)
    for _ in range(2):
        report = take_in(workspace, tmp_path, tmp_path / "in")
        assert report.skipped == (("b/2.png", "is the same picture as a/1.png, which has another label"),)
    (held,) = Inventory(workspace.engine)
    assert [event.taxon for event in held.history] == ["a"]


def test_a_file_that_was_deleted_comes_back(workspace, tmp_path):
    put(tmp_path / "in", "a/1.png")
    take_in(workspace, tmp_path, tmp_path / "in")
    (image,) = workspace.roster.image_ids
    workspace.images.remove(image)
    take_in(workspace, tmp_path, tmp_path / "in")
    assert image in workspace.images


# --- hostile archives -------------------------------------------------------------------------------------------


def test_a_bomb_in_every_shape_is_left_out(tmp_path):
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.png", b"\0" * 10_000_000)
    entries = {
        "a/ratio.png": b"\0" * 10_000_000,
        "a/nested.zip": inner.getvalue(),
        "a/nested.png": inner.getvalue(),
        "pictures.csv": b"path,label\n" + b"a" * 10_000_000,
    }
    found = read_tree(open_zip(packed(tmp_path / "b.zip", entries)), partly_labelled=True)
    assert dict(found.skipped) == {
        "a/nested.zip": "is an archive in the archive",
        "a/ratio.png": "is too large when unpacked",
        "pictures.csv": "is too large when unpacked",
    }
    assert [p.name for p in found.pictures] == ["a/nested.png"]  # a zip file by content, which no decoder takes


def test_entries_over_each_other_are_refused(tmp_path):
    """Many entries that share one packed stream (Fifield 2019) unpack to far more than the archive holds."""
    path = packed(tmp_path / "o.zip", {f"{n:04}.png": coloured("lowchen", n).load() for n in range(40)})
    content = bytearray(path.read_bytes())
    at = content.find(b"PK\x01\x02")
    first = content[at + 16 : at + 28], content[at + 42 : at + 46]
    kernel = int.from_bytes(content[at + 20 : at + 24], "little")
    while (at := content.find(b"PK\x01\x02", at)) >= 0:
        content[at + 16 : at + 28], content[at + 42 : at + 46] = first
        content[at + 20 : at + 24] = (3 * kernel).to_bytes(4, "little")
        at += 46
    path.write_bytes(content)
    with pytest.raises(DatasetError, match="lie over each other"):
        open_zip(path)


def test_an_encrypted_archive_is_named_entry_by_entry(tmp_path):
    path = packed(tmp_path / "e.zip", {"a/1.png": b"x" * 50})
    content = bytearray(path.read_bytes())
    for magic, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.find(magic) + flags] |= 1
    path.write_bytes(content)
    assert open_zip(path).listing().faults == [("a/1.png", "is encrypted")]


def test_ten_thousand_empty_files_are_a_few_lines(tmp_path, capsys, workspace):
    from fgdemo.commands.data.import_export import tell_left_out

    entries = {f"a/{n}.png": b"" for n in range(10_000)} | {"a/ok.png": coloured("lowchen", 1).load()}
    report = take_in(workspace, tmp_path, packed(tmp_path / "e.zip", entries))
    tell_left_out(report.skipped, report.skipped_file, print)
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["Left out: 10000.", "  10000 × is an empty file"]
    assert len(lines) == 24
    assert lines[-1].endswith(str(report.skipped_file))
    assert report.skipped_file is not None
    with report.skipped_file.open(encoding="utf-8", newline="") as file:
        assert len(list(csv.reader(file))) == 10_001


SCRIPTS = (
    "นกกระจอกบ้าน",
    "عصفور الدوري",
    "🦉🦉",
    "e\u0301toile",
    "étoile",
    "कौआ",
    "می\u200cخورد",
    "ß" * 50,
    "Ünïcödé",
    "鳥",
)


def test_names_in_every_script(workspace, tmp_path):
    entries = {
        f"{label}/{label}-{n}.png": coloured("lowchen", 10 * at + n).load()
        for at, label in enumerate(SCRIPTS)
        for n in range(2)
    }
    entries["long/" + "ก" * 100 + ".png"] = coloured("lowchen", 400).load()
    report = take_in(workspace, tmp_path, packed(tmp_path / "s.zip", entries))
    assert (report.added, report.skipped) == (21, ())
    names = {taxon.id: taxon.name for taxon in Inventory(workspace.engine).taxa}
    labels = Counter(names[event.taxon or ""] for held in Inventory(workspace.engine) for event in held.history)
    assert labels["นกกระจอกบ้าน"] == labels["कौआ"] == labels["鳥"] == labels["🦉🦉"] == 2
    assert labels["étoile"] == 4, "composed or not, it is the same name"
    for format in ("imagefolder", "jsonl"):
        exchange_of(workspace, tmp_path / "home").export_to(MAINTAINER, tmp_path / format, format)
    other = open_fake_workspace(tmp_path / "other")
    exchange_of(other, tmp_path / "other").import_from(MAINTAINER, [tmp_path / "imagefolder"])
    assert {h.image for h in Inventory(other.engine)} == {h.image for h in Inventory(workspace.engine)}
    other.engine.dispose()


def test_thai_names_that_differ_in_a_mark_are_two_kinds(workspace):
    workspace.take_in([coloured("lowchen", 1, "ก้า"), coloured("lowchen", 2, "ก่า")])
    assert len({held.history[0].taxon for held in Inventory(workspace.engine)}) == 2


def test_names_are_only_text(workspace, tmp_path):
    evil = "<img src=x onerror=alert(1)>'; DROP TABLE label_event; --"
    hidden = "a\x1b[2J\u202egnp.png"
    workspace.take_in([replace(coloured("lowchen", 1, evil), name=hidden), replace(coloured("lowchen", 2), name=evil)])
    names = {held.name for held in Inventory(workspace.engine)}
    assert names == {"a\\x1b[2J\\x202egnp.png", evil}
    exchange_of(workspace, tmp_path / "home").export_to(MAINTAINER, tmp_path / "out", "imagefolder")
    for path in (tmp_path / "out").rglob("*"):
        assert not set(path.name) & set('<>:"|?*\\\x1b\u202e')


@pytest.mark.skipif(os.name == "nt", reason="no such names there")
def test_names_that_are_no_text_are_taken(workspace, tmp_path):
    folder = os.fsencode(tmp_path / "in" / "k\udcff".encode("utf-8", "surrogateescape").decode("latin-1"))
    os.makedirs(folder)  # noqa: PTH103 a name that is not UTF-8
    with open(folder + b"/\xff.png", "wb") as file:  # noqa: PTH123
        file.write(coloured("lowchen", 1).load())
    with open(folder + b"/\xfe.png", "wb") as file:  # noqa: PTH123
        file.write(b"broken")
    report = take_in(workspace, tmp_path, tmp_path / "in")
    assert report.added == 1
    assert json.dumps(report.skipped).isascii()
    "".join(name for name, _ in report.skipped).encode()


# --- hostile tables ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (b"path,label\n1.png,a\n1.png," + b"x" * 200_000 + b"\n", "Line 3 of .* cannot be read"),
        (b"path,label\n" + b"x" * 200_000 + b",a\n", "Line 2 of .* cannot be read"),
        (b"path,label\n1.png\0,a\n", "outside the folder|cannot be read"),
        (b"\0" * 1000, "needs a header line|cannot be read"),
        (b'path,label\n"1.png,a\n' * 3, "Line 4 of .* cannot be read: a quote in it is not closed"),
    ],
)
def test_a_hostile_table_is_one_sentence(tmp_path, table, message):
    put(tmp_path, "1.png")
    (tmp_path / "t.csv").write_bytes(table)
    with pytest.raises(DatasetError, match=message):
        read_for_import([tmp_path / "t.csv"])


def test_a_table_with_annotators(workspace, tmp_path):
    put(tmp_path / "in", "1.png", "2.png", "3.png")
    rows = "path,label,annotator\n1.png,Wren,ada\n2.png,Wren,ada\n2.png,Auk,bo\n3.png,Wren,ada\n3.png,Wren,bo\n"
    (tmp_path / "in" / "t.csv").write_text(rows)
    for _ in range(2):
        take_in(workspace, tmp_path, tmp_path / "in" / "t.csv")
    told = {
        held.name: (held.standing, [(e.kind, e.annotator, e.taxon, e.blind) for e in held.history])
        for held in Inventory(workspace.engine)
    }
    assert told["1.png"][1] == [("import", "ada", "wren", False)]
    assert told["2.png"][1] == [("label", "ada", "wren", False), ("label", "bo", "auk", True)]
    standings = [told[name][0] for name in ("1.png", "2.png", "3.png")]
    assert [standing is not None and standing.disputed for standing in standings] == [False, True, False]


@pytest.mark.parametrize("content", ["[" * 100_000, '[{"data":' * 50_000, "{}", "[1]", "nonsense", ""])
def test_hostile_json_is_one_sentence(tmp_path, content):
    (tmp_path / "t.json").write_text(content)
    with pytest.raises(DatasetError, match=r"“t\.json” is"):
        read_for_import([tmp_path / "t.json"])


def test_lines_of_the_wrong_type_are_named_and_the_rest_is_read(workspace, tmp_path):
    source = open_fake_workspace(tmp_path / "source")
    fill(source, [(n, "label", 0) for n in range(6)])
    out = tmp_path / "out"
    exchange_of(source, tmp_path / "source").export_to(MAINTAINER, out, "jsonl")
    source.engine.dispose()
    lines = (out / "workspace.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    events = [at for at, record in enumerate(records) if record["type"] == "event" and record["kind"] == "label"]
    wrong = (
        {"annotator": 7},
        {"kind": "drop"},
        {"created_at": "yesterday"},
        {"taxon": ["a"]},
        {"box": {"left": "x"}},
        {"seconds_spent": "NaN"},
    )
    for at, change in zip(events, wrong, strict=True):
        records[at] |= change
    pictures = [at for at, record in enumerate(records) if record["type"] == "picture"]
    records[pictures[-1]] |= {"file": "../../../etc/passwd"}
    records[pictures[-2]] |= {"image": "0" * 64}
    text = [*map(json.dumps, records), "[" * 100_000, "nonsense", "[]", "x" * 2_000_000, ""]
    (out / "workspace.jsonl").write_text("\n".join(text), encoding="utf-8")
    report = take_in(workspace, tmp_path, out)
    reasons = Counter(reason for _, reason in report.skipped)
    no_object = ("is nested", "is not valid JSON", "must hold one JSON object", "is larger than")
    assert sum(count for reason, count in reasons.items() if reason.startswith(no_object)) == 4
    assert reasons["is not there"] == 1
    assert (
        reasons["is not the picture that it was when it was exported"]
        + reasons["is about another picture than the line before it"]
        >= 2
    )
    assert sum("has" in reason for reason in reasons) >= 6
    assert report.added == len(pictures) - 2
    assert take_in(workspace, tmp_path, out).answers == 0


def test_a_file_that_was_cut_off_is_named(workspace, tmp_path):
    source = open_fake_workspace(tmp_path / "source")
    source.take_in(some_pictures(2, 0))
    exchange_of(source, tmp_path / "source").export_to(MAINTAINER, tmp_path / "out", "jsonl")
    source.engine.dispose()
    lines = (tmp_path / "out" / "workspace.jsonl").read_bytes()
    (tmp_path / "out" / "workspace.jsonl").write_bytes(lines[: int(len(lines) * 0.8)])
    report = take_in(workspace, tmp_path, tmp_path / "out")
    assert any("was cut off" in reason for _, reason in report.skipped)
    assert report.added in range(3, 6)
    for content, message in ((b'{"type": "fgdemo", "format": 99}\n', "format 99"), (b"{}\n", "not written by fgdemo")):
        (tmp_path / "x.jsonl").write_bytes(content)
        with pytest.raises(DatasetError, match=message):
            take_in(workspace, tmp_path, tmp_path / "x.jsonl")


# --- Label Studio as others export it ----------------------------------------------------------------------------


def test_typical_tasks_of_label_studio(workspace, tmp_path):
    root = put(tmp_path / "in", "up/bird one.png", "deep/er/2.png", "3.png", "4.png", "5.png", "twice/6.png", "x/6.png")

    def answered(choice, who, **more):
        result = {"from_name": "c", "to_name": "i", "type": "choices", "value": {"choices": [choice]}}
        return {"result": [result], "completed_by": who, **more}

    when = {"created_at": "2024-03-01T10:00:00.123456Z", "lead_time": 4.5}
    tasks = [
        {
            "data": {"image": "/data/upload/7/1a2b3c4d-bird%20one.png"},
            "annotations": [answered("Wren", 3, **when), answered("Auk", {"id": 4, "email": "bo@x.org"}, **when)],
        },
        {
            "data": {"image": "/data/local-files/?d=some/where/deep/er/2.png"},
            "annotations": [],
            "predictions": [{"result": answered("Auk", 1)["result"], "model_version": "v1", "score": 0.9}],
        },
        {
            "data": {"img": "http://studio:8080/data/upload/7/3.png"},
            "annotations": [{**answered("Wren", 3), "was_cancelled": True}],
        },
        {
            "data": {"image": "4.png"},
            "annotations": [
                {
                    "completed_by": 3,
                    "result": [{"type": "rectanglelabels", "value": {"x": 1, "rectanglelabels": ["a"]}}],
                }
            ],
        },
        {
            "data": {"image": "5.png"},
            "annotations": [
                {"completed_by": 3, "result": [{"type": "taxonomy", "value": {"taxonomy": [["bird", "Uhu"]]}}]}
            ],
        },
        {"data": {"image": "6.png"}},
        {"data": {"image": "s3://bucket/7.png"}},
        {"data": {"image": "../../8.png"}},
        {"data": {"text": "no picture"}},
        {"data": 7},
        {"data": {"image": ["9.png"]}},
    ]
    (root / "project-1.json").write_text(json.dumps(tasks))
    for _ in range(2):
        report = take_in(workspace, tmp_path, root / "project-1.json")
    told = {
        held.name: [(e.kind, e.annotator, e.taxon, e.blind, e.seconds_spent) for e in held.history]
        for held in Inventory(workspace.engine)
    }
    assert told == {
        "up/bird one.png": [
            ("label", "label-studio-3", "wren", False, 4.5),
            ("label", "bo@x.org", "auk", True, 4.5),
        ],
        "deep/er/2.png": [("import", "import", "auk", False, None)],
        "3.png": [("import", "import", None, False, None), ("skip", "label-studio-3", None, False, None)],
        "4.png": [("import", "import", None, False, None)],
        "5.png": [("label", "label-studio-3", "eurasian_eagle_owl", False, None)],
    }
    assert len(report.skipped) == 8
    created = {e.created_at for held in Inventory(workspace.engine) for e in held.history if e.seconds_spent}
    assert created == {"2024-03-01T10:00:00.123456+00:00"}


def test_the_short_form_of_label_studio(workspace, tmp_path):
    put(tmp_path / "in", "1.png")
    task = {"image": "/data/upload/1.png", "id": 1, "choice": "Wren", "annotator": 2, "lead_time": 1.0}
    (tmp_path / "in" / "min.json").write_text(json.dumps([task]))
    take_in(workspace, tmp_path, tmp_path / "in" / "min.json")
    (held,) = Inventory(workspace.engine)
    assert [(e.kind, e.taxon, e.annotator) for e in held.history] == [("label", "wren", "label-studio-2")]
