"""What the tests of imports and exports share: a workspace in which much has been said, and all of it as one value."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from fgdemo.services.exchange.exchange import Exchange
from fgdemo.storage.database.database import utc_now
from fgdemo.storage.exchange.believed import ELSEWHERE
from fgdemo.storage.history.events import NOT_TAKEN_BACK, LabelEvent, NewPicture
from fgdemo.storage.history.label_event import IMPORT, PUBLISHING
from fgdemo.storage.history.sessions import Sessions
from fgdemo.storage.pictures.originals import image_id_of
from fgdemo.storage.records.inventory import Inventory
from fgdemo.values.annotation import Person, Publication
from fgdemo.values.points import PlacedPoint
from fgdemo.values.types import CropBox
from tests.support.workspace import FakeWorkspace, coloured, some_pictures

MAINTAINER = Person("mia", "maintainer")


def exchange_of(workspace: FakeWorkspace, home: Path) -> Exchange:
    return Exchange(home, workspace.engine, workspace.images, workspace.intake())


def fill(workspace: FakeWorkspace, steps: list[tuple[int, str, int]]) -> None:
    """Some pictures, and about the picture `n` what each step (n, action, person) says."""
    held = [replace(coloured("lowchen", 500 + n), split=split) for n, split in enumerate(("val", "test"))]
    workspace.take_in([*some_pictures(2, 1), *held, coloured("lowchen", 600, "")])
    session = Sessions(workspace.engine).open("ada", "pair", ("nashville_warbler", "mourning_warbler"), 20, 0.1)
    kind = workspace.taxa.add("Ünknown <b>Kind</b>; DROP TABLE taxon", "warbler", "Novus \U0001f989")
    visitor = coloured("lowchen", 700)
    workspace.events.append_with_picture(
        LabelEvent(image_id_of(visitor.load()), "suggestion", "visitor", new_name="Sheltie", comment="=1+1\nzwei"),
        NewPicture(visitor.load(), 160, 120, "visitor", None, "v.png"),
        workspace.images,
    )
    workspace.roster.follow()
    images = list(workspace.roster.image_ids)
    for count, (number, action, who) in enumerate(steps):
        say(workspace, images[number % len(images)], action, ("ada", "bo")[who], kind.id, session.id, count)


def say(ws: FakeWorkspace, image: str, action: str, who: str, new_kind: str, session: int, count: int) -> None:
    history = ws.events.history(image)
    version = max((e.id or 0 for e in history), default=None)
    common = {"shown_version": version, "session": session, "seconds_spent": 1.5 + count, "model_version": "m-1"}
    taxon = {"label": "mourning_warbler", "again": "nashville_warbler", "group": "warbler", "new": new_kind}.get(action)
    if taxon:
        event = LabelEvent(image, "label", who, taxon=taxon, comment=f"because {count}", reason="audit", **common)
    elif action == "blind":
        event = LabelEvent(image, "label", who, taxon="lowchen", blind=True, reason="second", **common)
    elif action == "adjudication":
        event = LabelEvent(
            image, "adjudication", who, taxon="eskimo_dog", batch="b/1", answer_key=f"k{count}", **common
        )
    elif action == "undo":
        said = [e for e in history if e.kind not in NOT_TAKEN_BACK]
        if not said:
            return
        event = LabelEvent(image, "undo", who, undoes=said[-1].id)
    elif action == "point":
        x = None if count % 3 == 0 else round(count % 100 / 100, 2)
        event = LabelEvent(image, "point", who, point=PlacedPoint("crown", x, x), answer_key=f"p{count}/0", **common)
    elif action == "publish":
        mine = Publication("Mia Müller", "CC BY 4.0")
        event = LabelEvent(image, "publish", who, publication=mine, batch="b/2", answer_key=f"v{count}", **common)
    elif action == "suggestion":
        event = LabelEvent(image, "suggestion", "visitor", taxon="owl", box=CropBox(0.1, 0.2, 0.8, 0.9))
    else:
        event = LabelEvent(image, action, who, **common)  # type: ignore[arg-type]
    ws.events.append(event)


ACTIONS = (
    "label",
    "again",
    "group",
    "new",
    "blind",
    "adjudication",
    "undo",
    "suggestion",
    "unusable",
    "none",
    "unsure",
    "skip",
    "point",
    "publish",
    "withdraw",
)


def everything(workspace: FakeWorkspace) -> dict[str, Any]:
    """The whole workspace without the numbers of its rows, which may differ, and what is computed from the pictures.

    A random check is none in another workspace: there it is one of elsewhere, and so is what is published.
    Each import gives the batch of its events a name of its own."""
    inventory = Inventory(workspace.engine)
    keys = {row["id"]: (row["annotator"], row["opened_at"]) for row in inventory.sessions}
    pictures = {}
    for held in inventory:
        place = {event.id: at for at, event in enumerate(held.history)}
        standing = held.standing and replace(held.standing, version=place.get(held.standing.version, -1))
        pictures[held.image] = (
            replace(held, history=(), standing=standing, dhash=None),
            [
                replace(
                    event,
                    id=None,
                    session=None,
                    undoes=place.get(event.undoes) if event.undoes else None,
                    shown_version=place.get(event.shown_version) if event.shown_version else None,
                    batch=None if (event.batch or "").startswith(IMPORT) else event.batch,
                    reason=None if event.kind in PUBLISHING else (event.reason or "").removeprefix(ELSEWHERE) or None,
                )
                for event in held.history
            ],
            [keys.get(event.session or -1) for event in held.history],
        )
    taxa = {taxon.id: taxon for taxon in inventory.taxa}
    sessions = [{k: v for k, v in row.items() if k not in ("id", "closed_at")} for row in inventory.sessions]
    return {"pictures": pictures, "taxa": taxa, "retired": inventory.retired, "sessions": sessions}


__all__ = ["ACTIONS", "MAINTAINER", "everything", "exchange_of", "fill", "say", "utc_now"]
