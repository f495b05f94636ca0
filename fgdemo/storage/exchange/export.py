"""A workspace as files that other programs, and this one, can read.

Where each answer goes:

| | imagefolder | csv | datasets | label-studio |
|---|---|---|---|---|
| a kind | `SPLIT/KIND/` | `answer` kind | split SPLIT, `label` | annotation; prediction if unchecked |
| only a group | `__other/group/SPLIT/GROUP/` | group | split `other`, `kind` | the same, the group's name |
| no label yet | `__other/unlabelled/SPLIT/` | unlabelled | split `other` | a task without annotation |
| unusable | `__other/unusable/SPLIT/` | unusable | split `other` | the choice “(unusable)” |
| none of these | `__other/none/SPLIT/` | none | split `other` | the choice “(none of these)” |

SPLIT is train, val or test; gold is `test`, and nothing else ever is, so it cannot become training data. Pictures that
visitors sent have no split and are in train. Only jsonl and label-studio hold the whole history; the others hold what
is true now.
Every folder also has `fgdemo-export.json`, which says what is in it; imagefolder and csv also have `pictures.csv`,
which is what an import reads, and `taxonomy.csv`. In an imagefolder `datasets.load_dataset("imagefolder", …)` and
torchvision's `ImageFolder` (of a split) see the kinds and nothing else: they pass over `__other`.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from sqlalchemy.engine import Engine

from fgdemo.storage.database.database import utc_now
from fgdemo.storage.disk.outputs import MARK, Output, whole_file, whole_output
from fgdemo.storage.exchange import export_datasets, export_label_studio, export_tables
from fgdemo.storage.pictures.originals import ImageStore
from fgdemo.storage.records.exported import Piece, Pieces
from fgdemo.storage.records.inventory import Holding, Inventory
from fgdemo.storage.records.workspace_records import WORKSPACE_TABLE, workspace_records
from fgdemo.values.errors import SettingsError
from fgdemo.values.progress import Progress, no_progress

ExportFormat = Literal["imagefolder", "csv", "jsonl", "datasets", "label-studio"]


@dataclass(frozen=True)
class Exported:
    """What an export did.

    Attributes:
        pictures: how many were written.
        answers: how many are a kind, a group, unlabelled, unusable, none.
        splits: how many lie in train, val, test.
        events: how much history, for jsonl; else 0.
        skipped: (name, reason) of pictures whose file is not in the workspace.
        pushed_to: the data set on the Hub, or None.
    """

    out: Path
    format: ExportFormat
    pictures: int
    answers: Mapping[str, int]
    splits: Mapping[str, int]
    events: int
    skipped: tuple[tuple[str, str], ...]
    pushed_to: str | None = None


@dataclass
class _Tally:
    answers: Counter[str] = field(default_factory=Counter[str])
    splits: Counter[str] = field(default_factory=Counter[str])
    skipped: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])


def export_workspace(
    engine: Engine,
    images: ImageStore,
    out: Path,
    format: ExportFormat,
    *,
    push_to: str | None = None,
    progress: Progress = no_progress,
) -> Exported:
    """Write the workspace as it is now to the folder `out`, or to the archive `out` if that ends in `.zip`.

    `csv` to a file that ends in `.csv` is the table alone. What stood at `out` is replaced when all is written, if an
    export made it; memory does not grow with the number of pictures' bytes.

    Raises:
        SettingsError: an unknown format, or a push of anything but datasets.
        StorageError: the disk is full, or `out` is something that no export made; it stays as it was.
        DatasetError: the data set cannot be pushed; checked before anything is written, as far as that is possible.
    """
    if format not in get_args(ExportFormat):
        raise SettingsError(f"There is no format “{format}”; there are {', '.join(get_args(ExportFormat))}.")
    if push_to is not None and (format != "datasets" or out.suffix.lower() == ".zip"):
        raise SettingsError("Only the format datasets, written to a folder, can be pushed to the Hugging Face Hub.")
    if push_to is not None:
        export_datasets.require_login(push_to)
    inventory, tally = Inventory(engine), _Tally()
    pieces = Pieces(inventory, images, tally.skipped, progress)
    events = 0
    if format == "csv" and out.suffix.lower() == ".csv":
        with whole_file(out) as file:
            export_tables.write_table_alone(file, _counted(pieces, tally))
    else:
        with whole_output(out) as output:
            if format == "jsonl":
                events = _write_history(output, pieces, tally)
            elif format in ("imagefolder", "csv"):
                export_tables.write_pictures(output, pieces, _counted(pieces, tally), format == "imagefolder")
            elif format == "datasets":
                export_datasets.write_parquet(output, _counted(pieces, tally), inventory)
            else:
                export_label_studio.write_tasks(output, _counted(pieces, tally), inventory, out.stem)
            output.add(MARK, _mark(format, tally, events))
    if push_to is not None:
        export_datasets.push(out, push_to)
    return Exported(
        out,
        format,
        sum(tally.answers.values()),
        dict(tally.answers),
        dict(tally.splits),
        events,
        tuple(tally.skipped),
        push_to,
    )


def _counted(pieces: Pieces, tally: _Tally) -> Iterator[Piece]:
    for piece in pieces:
        _count(piece, tally)
        yield piece


def _count(piece: Piece, tally: _Tally) -> None:
    tally.answers[piece.answer] += 1
    tally.splits[piece.split] += 1


def _write_history(output: Output, pieces: Pieces, tally: _Tally) -> int:
    """`workspace.jsonl`, and each picture by its id."""
    written = 0

    def place(held: Holding) -> str | None:
        piece = pieces.piece(held)
        if piece is None:
            return None
        _count(piece, tally)
        name = f"pictures/{held.image[:2]}/{held.image}{piece.ending}"
        output.add(name, piece.content)
        return name

    with output.writing(WORKSPACE_TABLE) as path, path.open("w", encoding="utf-8", newline="\n") as lines:
        for record in workspace_records(pieces.inventory, place):
            lines.write(json.dumps(record, ensure_ascii=False, separators=(",", ":")) + "\n")
            written += record["type"] == "event"
    return written


def _mark(format: ExportFormat, tally: _Tally, events: int) -> bytes:
    told = {
        "format": format,
        "version": 1,
        "exported_at": utc_now().isoformat(),
        "answers": dict(tally.answers),
        "splits": dict(tally.splits),
        "events": events,
        "read_more": (__doc__ or "").strip(),
    }
    return json.dumps(told, ensure_ascii=False, indent=1).encode()
