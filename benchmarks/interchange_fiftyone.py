"""Run by the Python of FiftyOne's environment, by `interchange.py`: its own importer and exporter classes, no database.

python interchange_fiftyone.py read FOLDER    # class folders: one JSON object, path → label
python interchange_fiftyone.py write FOLDER   # standard input: [[path, label], …] → labels.json and data
"""

from __future__ import annotations

import json
import sys

import fiftyone as fo  # pyright: ignore[reportMissingImports] in an environment of its own
import fiftyone.utils.data as formats  # pyright: ignore[reportMissingImports]


def read(folder: str) -> dict[str, str]:
    found = {}
    with formats.ImageClassificationDirectoryTreeImporter(folder, compute_metadata=False) as importer:
        for path, _, label in importer:
            found[path] = label.label
    return found


def write(folder: str) -> None:
    listed = json.load(sys.stdin)
    exporter = formats.ImageClassificationDirectoryTreeExporter(export_dir=folder, export_media=True)
    with exporter:
        for path, label in listed:
            exporter.export_sample(path, fo.Classification(label=label))


if __name__ == "__main__":
    if sys.argv[1] == "read":
        print(json.dumps(read(sys.argv[2])))
    else:
        write(sys.argv[2])
    print(json.dumps({"version": fo.__version__}))
