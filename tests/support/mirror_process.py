"""A server without a page that can be killed: it labels without a pause, and says what its backup is said to hold.

    python -m tests.support.mirror_process HOME MIRROR NAME

Prints, as JSON lines: `ready`, then the answer keys that are backed up so far whenever the page would say that all are.
"""

from __future__ import annotations

import json
import sys
import threading
import uuid
from pathlib import Path

from fgdemo.services.exchange.mirroring import Mirroring
from fgdemo.settings import Settings
from fgdemo.storage.database.database import open_database
from fgdemo.storage.history.label_event import LabelEvent
from fgdemo.values.annotation import Person
from fgdemo.wiring.mirrors import open_mirror, restore_if_fresh
from tests.support.workspace import open_fake_workspace, some_pictures

PAUSE_S = 0.02


def main() -> None:
    home, mirror, name = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    url = f"sqlite:///{home / 'fgdemo.sqlite'}"
    settings = Settings(
        home=home,
        checkpoint=home / "configured",
        database_url=url,
        device="cpu",
        max_upload_mb=2,
        max_picture_mp=60,
        mirror=mirror,
    )
    engine = open_database(url)
    restore_if_fresh(settings, engine)
    workspace = open_fake_workspace(home, url)
    workspace.take_in(some_pictures(6, 2))
    workspace.roster.follow()
    sender = open_mirror(settings, engine)
    assert sender is not None
    sender.destination.rest_s = 0.05
    mirroring = Mirroring(sender)
    mirroring.start()
    print(json.dumps("ready"), flush=True)
    said: list[str] = []
    pause = threading.Event()
    for at in range(10_000):
        image = workspace.roster.image_ids[at % len(workspace.roster)]
        workspace.roster.follow()
        version, key = workspace.roster.standing(image).version, str(uuid.uuid4())
        kind = "label" if at % 3 else "unusable"
        taxon = "lowchen" if kind == "label" else None
        workspace.events.answer(LabelEvent(image, kind, name, taxon, shown_version=version, answer_key=key))
        said.append(key)
        if at % 10 == 0:
            while (now := mirroring.now(Person(name, "expert"))) is None or now.waiting or now.fault:
                pause.wait(PAUSE_S)
            print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main()
