"""The workspace as tasks of Label Studio, with its labelling interface, and notes on how to serve the pictures."""

import json
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

from fgdemo.storage.disk.outputs import Output
from fgdemo.storage.disk.safe_names import UniqueNames
from fgdemo.storage.formats.label_studio.history import STATES, Shown, choice_of, opinions, packed
from fgdemo.storage.formats.label_studio.tasks import TASKS
from fgdemo.storage.records.exported import Piece, class_names
from fgdemo.storage.records.inventory import Inventory

NOTES = """\
These are pictures, labels and their history, for Label Studio (https://labelstud.io) and back.

1. Put this folder, called “{folder}”, into the folder that Label Studio serves, for instance /srv/pictures.
   If it gets another name, change “?d={folder}/” in tasks.json. Start Label Studio with
       LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true
       LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT=/srv/pictures
2. Make a project. Under Settings, Labeling Interface, Code: paste interface.xml.
3. Under Settings, Cloud Storage, Add Source Storage: choose Local files; the absolute path is
   /srv/pictures/{folder}/pictures. Save it, and do not synchronise: Label Studio shows only pictures below such a
   path, and synchronising would make the tasks a second time.
4. Import tasks.json.

Answers of people are annotations, labels that pictures came with are predictions. Change them and add your own.
Then export as JSON, JSON-MIN or CSV, put that file into this folder, and import it into fgdemo. Only what was changed
is added, under “label-studio-N”, N being the number of whoever answered there. The text “fgdemo” of each task is its
history, which Label Studio itself does not keep: leave it, and the control “said”, as they are.
"""


def write_tasks(output: Output, pieces: Iterable[Piece], inventory: Inventory, folder: str) -> None:
    """`tasks.json`, `interface.xml`, `README.txt` and the pictures.

    Args:
        folder: the name of the folder that is written, as the server of local files sees it.
    """
    files, labels = UniqueNames(), class_names(inventory.taxa)
    used: set[str | None] = set()
    with output.writing(TASKS) as path, path.open("w", encoding="utf-8") as file:
        number = -1
        for number, piece in enumerate(pieces):
            name = files.take("pictures/", piece.stem, piece.ending)
            output.add(name, piece.content)
            file.write("[\n" if number == 0 else ",\n")
            task = _task(piece, inventory, labels, f"/data/local-files/?d={quote(f'{folder}/{name}')}")
            json.dump(task, file, ensure_ascii=False)
            used.update(event.taxon for event in piece.held.history)
        file.write("[]\n" if number < 0 else "\n]\n")
    offered = [labels[t.id] for t in inventory.taxa if t.id not in inventory.retired or t.id in used]
    output.add("interface.xml", _interface(offered))
    output.add("README.txt", NOTES.format(folder=folder).encode())


def _task(piece: Piece, inventory: Inventory, labels: dict[str, str], image: str) -> dict[str, Any]:
    """A task whose data say what the picture is, for people, and all that was said, for the way back."""
    given = [(event, choice) for event in opinions(piece) if (choice := choice_of(event, labels)) is not None]
    shown = [Shown(event.id or 0, choice, event.comment or "") for event, choice in given]
    data = {
        "image": image,
        "name": piece.held.name,
        "split": piece.split,
        "answer": piece.answer,
        "image_id": piece.held.image,
        "fgdemo": packed(piece, inventory, shown),
    }
    if piece.annotator:
        data["annotated_by" if piece.checked else "imported_by"] = piece.annotator
    task: dict[str, Any] = {"data": data}
    if shown:
        task["annotations"] = [
            {"result": _results(one), "lead_time": event.seconds_spent, "ground_truth": False}
            for one, (event, _) in zip(shown, given, strict=True)
        ]
    if piece.label and not piece.checked:
        task["predictions"] = [{"result": [_chosen(piece.label)], "model_version": "imported"}]
    return task


def _results(one: Shown) -> list[dict[str, Any]]:
    texts = [("comment", one.comment)] if one.comment else []
    return [_chosen(one.choice)] + [
        {"from_name": name, "to_name": "image", "type": "textarea", "value": {"text": [text]}}
        for name, text in (*texts, ("said", str(one.ref)))
    ]


def _chosen(choice: str) -> dict[str, Any]:
    return {"from_name": "kind", "to_name": "image", "type": "choices", "value": {"choices": [choice]}}


def _interface(labels: list[str]) -> bytes:
    choices = "\n".join(f"    <Choice value={quoteattr(label)}/>" for label in [*labels, *STATES.values()])
    return (
        "<View>\n"
        '  <Image name="image" value="$image"/>\n'
        '  <Filter name="search" toName="kind"/>\n'
        '  <Choices name="kind" toName="image" choice="single" showInLine="true">\n'
        f"{choices}\n"
        "  </Choices>\n"
        '  <TextArea name="comment" toName="image" maxSubmissions="1" editable="true" placeholder="Comment"/>\n'
        '  <View style="display: none">\n'
        '    <TextArea name="said" toName="image" maxSubmissions="1"/>\n'
        "  </View>\n"
        "</View>\n"
    ).encode()
