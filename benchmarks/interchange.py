"""Labels and annotators there and back, each format read or written by the other program itself.

    python benchmarks/interchange.py --label-studio ENV/bin/python --fiftyone ENV/bin/python

Drawn pictures with awkward names of kinds and files, labelled by two people, go out and come back. Other programs that
live in environments of their own are named by their Python; what is absent is said to be `not_run`, never counted as
right. The last line is {"formats": {NAME: {pictures, labels_right, annotators_right, silently_lost}}, "silently_lost"}.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import shutil
import subprocess
import sys
import tempfile
import traceback
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parent)]

import datasets
import pandas
from datasets import config as datasets_config
from interchange_models import onnx_there, timm_there
from interchange_truth import MAINTAINER, Known, Score, Seen, digest, exchange_of, plain, score, taken_in, truth
from interchange_truth import workspace_of as make_workspace
from label_studio_server import Form, LabelStudio, label_studio

from fgdemo.storage.disk.safe_names import safe_name
from fgdemo.storage.exchange.export import ExportFormat
from fgdemo.storage.records.inventory import Inventory

FORMS: dict[str, tuple[Form, str]] = {
    "label_studio_json": ("JSON", "json"),
    "label_studio_json_min": ("JSON_MIN", "json"),
    "label_studio_csv": ("CSV", "csv"),
}


@dataclass(frozen=True)
class Bench:
    """What all formats share. `ids`: the id of the kind of each name."""

    root: Path
    expected: list[Known]
    ids: dict[str, str]
    exchange: Any
    label_studio: LabelStudio | None
    fiftyone: Path | None

    def kind_of(self, folder: str) -> str:
        """The kind of a class folder: file systems refuse < and " and a dot at the end, so the table has the name."""
        return {plain(safe_name(one.kind)): one.kind for one in self.expected}.get(plain(folder), folder)

    def exported(self, format: ExportFormat) -> Path:
        out = self.root / f"out-{format}"
        if not out.exists():
            self.exchange.export_to(MAINTAINER, out, format)
        return out

    def judged(self, name: str, location: Path, *there: Iterable[Seen], annotators: bool = True) -> Score:
        """What fgdemo reads back from there, after what others saw."""
        seen, report = taken_in(location, self.root / f"home-{name}")
        for file, reason in report.skipped[:5]:
            print(f"  {name}: {file}: {reason}")
        return score(self.expected, self.ids, [*there, seen], len(report.skipped), annotators)


def imagefolder(bench: Bench) -> Score:
    """Written by fgdemo, read by torchvision and by datasets."""
    from torchvision.datasets import ImageFolder

    out = bench.exported("imagefolder")
    by_torchvision = [
        Seen(digest(Path(path).read_bytes()), bench.kind_of(found.classes[number]))
        for split in ("train", "val", "test")
        for found in [ImageFolder(str(out / split))]
        for path, number in found.samples
    ]
    by_datasets = [Seen(one.pixels, bench.kind_of(one.label)) for one in _loaded(str(out))]
    return bench.judged("imagefolder", out, by_torchvision, by_datasets)


def _loaded(folder: str) -> Iterable[Seen]:
    """What `load_dataset("imagefolder", …)` makes of a folder."""
    found: Any = datasets.load_dataset("imagefolder", data_dir=folder)
    for split in found.values():
        label = split.features["label"]
        for row in split.cast_column("image", datasets.Image(decode=False)):
            name = str(label.int2str(row["label"])) if isinstance(label, datasets.ClassLabel) else row["label"]
            yield Seen(digest(_content(row["image"])), name)


def _content(image: dict[str, Any]) -> bytes:
    return image["bytes"] or Path(image["path"]).read_bytes()


def imagefolder_metadata(bench: Bench) -> Score:
    """metadata.csv in each split, written by pandas, read by datasets and by fgdemo."""
    folder = bench.root / "metadata"
    for split, name in (("train", "train"), ("val", "validation"), ("test", "test")):
        rows = [one for one in bench.expected if one.split == split]
        (folder / name).mkdir(parents=True)
        for one in rows:
            (folder / name / one.name).write_bytes(one.content)
        columns = {
            "file_name": [r.name for r in rows],
            "label": [r.kind for r in rows],
            "annotator": [r.annotator for r in rows],
        }
        pandas.DataFrame(columns).to_csv(folder / name / "metadata.csv", index=False)
    return bench.judged("imagefolder_metadata", folder, list(_loaded(str(folder))))


def parquet(bench: Bench) -> Score:
    """Written by fgdemo, read by datasets, written again by datasets."""
    out, back = bench.exported("datasets"), bench.root / "parquet"
    back.mkdir()
    found: Any = datasets.load_dataset(str(out))
    seen = []
    for name, split in found.items():
        raw = split.cast_column("image", datasets.Image(decode=False))
        seen += [Seen(digest(_content(row["image"])), row["kind"] or "", row["annotator"]) for row in raw]
        split.to_parquet(str(back / f"{name}-00000-of-00001.parquet"))
    return bench.judged("parquet", back, seen)


def csv_pandas(bench: Bench) -> Score:
    """Written by fgdemo, read by pandas and written again, with its index."""
    back = bench.root / "csv"
    shutil.copytree(bench.exported("csv"), back)
    (back / "fgdemo-export.json").unlink()
    table = pandas.read_csv(back / "pictures.csv")
    rows = zip(table["path"], table["label"], table["annotator"], strict=True)
    seen = [Seen(digest((back / path).read_bytes()), label, annotator) for path, label, annotator in rows]
    (back / "pictures.csv").unlink()
    table.to_csv(back / "table.csv")
    return bench.judged("csv_pandas", back / "table.csv", seen)


def zip_windows(bench: Bench) -> Score:
    """Class folders and a table in an archive with backslashes, as old .NET writes it (no Windows here: by zipfile)."""
    path, table = bench.root / "windows.zip", io.StringIO()
    writer = csv.writer(table)
    writer.writerow(("path", "label", "split", "annotator"))
    with zipfile.ZipFile(path, "w") as archive:
        for one in bench.expected:
            name = f"pictures\\{one.split}\\{one.name}"
            entry = zipfile.ZipInfo("x")
            entry.filename = name
            archive.writestr(entry, one.content)
            writer.writerow((name, one.kind, one.split, one.annotator))
        entry = zipfile.ZipInfo("x")
        entry.filename = "table.csv"
        archive.writestr(entry, table.getvalue())
    return bench.judged("zip_windows", path)


def jsonl(bench: Bench) -> Score:
    """Written by fgdemo, read by pandas; the way back is the file that fgdemo wrote."""
    back = bench.root / "jsonl"
    shutil.copytree(bench.exported("jsonl"), back)
    lines = pandas.read_json(back / "workspace.jsonl", lines=True, dtype=False)  # pyright: ignore[reportArgumentType]
    labels = lines[(lines["type"] == "event") & (lines["kind"] == "label")].set_index("image")
    files = lines[lines["type"] == "picture"].set_index("image")["file"]
    names = {one: name for name, one in bench.ids.items()}
    seen = [
        Seen(digest((back / file).read_bytes()), names[labels.loc[image, "taxon"]], labels.loc[image, "annotator"])
        for image, file in files.items()
    ]
    return bench.judged("jsonl", back, seen)


def fiftyone(bench: Bench) -> Score:
    """Class folders of fgdemo read by FiftyOne's importer; class folders of its exporter read by fgdemo."""
    script, out = str(Path(__file__).with_name("interchange_fiftyone.py")), bench.exported("imagefolder")
    seen = []
    for split in ("train", "val", "test"):
        answer = _run([str(bench.fiftyone), script, "read", str(out / split)])
        for path, label in json.loads(answer.splitlines()[-2]).items():
            seen.append(Seen(digest(Path(path).read_bytes()), bench.kind_of(label)))
    pictures = bench.root / "for-fiftyone"
    pictures.mkdir()
    listed = []
    for number, one in enumerate(bench.expected):
        (pictures / f"{number}.png").write_bytes(one.content)
        listed.append((str(pictures / f"{number}.png"), one.kind))
    back = bench.root / "fiftyone"
    _run([str(bench.fiftyone), script, "write", str(back)], json.dumps(listed))
    return bench.judged("fiftyone", back, seen, annotators=False)


def _run(command: list[str], given: str = "") -> str:
    done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=600)
    if done.returncode:
        raise RuntimeError(done.stderr[-1000:])
    return done.stdout


def by_label_studio(bench: Bench, format: str) -> Score:
    """Imported there, exported there, and back; the pictures are fetched from it as its page would."""
    assert bench.label_studio is not None
    studio, (form, ending) = bench.label_studio, FORMS[format]
    folder = studio.served / format
    bench.exchange.export_to(MAINTAINER, folder, "label-studio")
    tasks = json.loads((folder / "tasks.json").read_text(encoding="utf-8"))
    project = studio.project((folder / "interface.xml").read_text(encoding="utf-8"), tasks, folder / "pictures")
    (folder / f"back.{ending}").write_bytes(studio.export(project, form))
    seen = []
    for task in json.loads(studio.export(project, "JSON")):
        (choice,) = task["annotations"][0]["result"][0]["value"]["choices"]
        seen.append(Seen(digest(studio.fetch("GET", task["data"]["image"])), choice))
    return bench.judged(format, folder / f"back.{ending}", seen)


def main() -> None:
    parser = argparse.ArgumentParser(description="labels and annotators there and back")
    parser.add_argument("--label-studio", type=Path, metavar="PYTHON", help="of an environment that has it")
    parser.add_argument("--fiftyone", type=Path, metavar="PYTHON", help="of an environment that has it")
    parser.add_argument("--port", type=int, default=7962, help="for Label Studio")
    parser.add_argument("--only", nargs="+", default=[], metavar="FORMAT")
    arguments = parser.parse_args()
    formats: dict[str, Callable[[Bench], Score]] = {
        "imagefolder": imagefolder,
        "imagefolder_metadata": imagefolder_metadata,
        "parquet": parquet,
        "csv_pandas": csv_pandas,
        "zip_windows": zip_windows,
        "jsonl": jsonl,
        "timm": lambda b: timm_there(b.root),
        "onnx": lambda b: onnx_there(b.root),
    }
    if arguments.fiftyone:
        formats["fiftyone"] = fiftyone
    if arguments.label_studio:
        formats |= {name: lambda b, name=name: by_label_studio(b, name) for name in FORMS}
    wanted = {name: do for name, do in formats.items() if not arguments.only or name in arguments.only}
    with tempfile.TemporaryDirectory() as folder:
        datasets_config.HF_DATASETS_CACHE = Path(folder) / "cache"
        datasets.disable_progress_bars()
        if FORMS.keys() & wanted.keys():
            with label_studio(arguments.label_studio, Path(folder) / "studio", arguments.port) as studio:
                print(f"Label Studio {studio.version()}")
                scores = _measured(Path(folder), wanted, studio, arguments.fiftyone)
        else:
            scores = _measured(Path(folder), wanted, None, arguments.fiftyone)
    absent = [name for name in (*formats, "fiftyone", *FORMS) if name not in scores]
    told: dict[str, Any] = {"formats": {name: asdict(one) for name, one in scores.items()}}
    print(
        json.dumps(
            {**told, "silently_lost": sum(one.silently_lost for one in scores.values()), "not_run": sorted(set(absent))}
        )
    )


def _measured(
    root: Path, wanted: dict[str, Callable[[Bench], Score]], studio: LabelStudio | None, other: Path | None
) -> dict[str, Score]:
    expected, scores = truth(), {}
    workspace = make_workspace(expected, root / "home")
    ids = {plain(taxon.name): taxon.id for taxon in Inventory(workspace.engine).taxa}
    bench = Bench(root, expected, ids, exchange_of(workspace, root / "home"), studio, other)
    for name, measure in wanted.items():
        try:
            scores[name] = measure(bench)
        except Exception:  # noqa: BLE001 one format that fails says so and loses everything; the others are measured
            traceback.print_exc()
            scores[name] = Score(0, 0, 0, len(expected))
        print(f"{name}: {scores[name]}", flush=True)
    return scores


if __name__ == "__main__":
    main()
