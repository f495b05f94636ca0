"""The workspace as tasks of Label Studio, with its labelling interface.

Serve the folder to Label Studio as local files (`LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT` is the folder that holds this
one), make a project with `interface.xml`, and import `tasks.json`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

from fgdemo.storage.exported import Piece, class_names
from fgdemo.storage.inventory import Inventory
from fgdemo.storage.label_studio import STATES, TASKS
from fgdemo.storage.outputs import Output
from fgdemo.storage.safe_names import UniqueNames


def write_tasks(output: Output, pieces: Iterable[Piece], inventory: Inventory, folder: str) -> None:
    """`tasks.json`, `interface.xml`, and the pictures.

    What a person said is an annotation, a label that a picture came with a prediction. Label Studio refuses annotators
    that have no account there, so their names stand in the data of the task.

    Args:
        folder: the name of the folder that is written, as the server of local files sees it.
    """
    names = UniqueNames()
    state = {kind: choice for choice, kind in STATES.items()}
    with output.writing(TASKS) as path, path.open("w", encoding="utf-8") as file:
        for number, piece in enumerate(pieces):
            name = names.take("pictures/", piece.stem, piece.ending)
            output.add(name, piece.content)
            file.write("[\n" if number == 0 else ",\n")
            choice = piece.label or (state[piece.answer] if piece.answer in ("unusable", "none") else None)
            json.dump(
                _task(piece, choice, f"/data/local-files/?d={quote(f'{folder}/{name}')}"), file, ensure_ascii=False
            )
        file.write("\n]\n" if inventory.pictures else "[]\n")
    labels = class_names(inventory.taxa)
    output.add("interface.xml", _interface([labels[t.id] for t in inventory.taxa if t.id not in inventory.retired]))


def _task(piece: Piece, choice: str | None, image: str) -> dict[str, Any]:
    data = {
        "image": image, "name": piece.held.name, "split": piece.split, "answer": piece.answer,
        "image_id": piece.held.image,
    }  # fmt: skip
    task: dict[str, Any] = {"data": data}
    if choice is None:
        return task
    result = {"from_name": "kind", "to_name": "image", "type": "choices", "value": {"choices": [choice]}}
    told: dict[str, Any] = {"result": [result]}
    if piece.said_at:
        told["created_at"] = piece.said_at
    if piece.comment:
        told["comment"] = piece.comment
    if piece.checked:
        data["annotator"] = piece.annotator
        task["annotations"] = [told]
    else:
        data["imported_by"] = piece.annotator
        task["predictions"] = [{**told, "model_version": "imported"}]
    return task


def _interface(labels: list[str]) -> bytes:
    choices = "\n".join(f"    <Choice value={quoteattr(label)}/>" for label in [*labels, *STATES])
    return (
        "<View>\n"
        '  <Image name="image" value="$image"/>\n'
        '  <Filter name="search" toName="kind"/>\n'
        '  <Choices name="kind" toName="image" choice="single" showInLine="true">\n'
        f"{choices}\n"
        "  </Choices>\n"
        "</View>\n"
    ).encode()
