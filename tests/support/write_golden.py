"""Writes the golden files: what a drawn workspace looks like in the formats of the day. No test runs this.

    python -m tests.support.write_golden FOLDER

`tests/support/golden` holds what version 0.1 wrote, and stays as it is: files that people have must go on reading. Run
this only when a format gets a new number, into a folder of its own beside that one, and let the tests read both.

| file | what |
|---|---|
| `workspace.zip`, `workspace.json` | an export as JSON lines, and what is true after it was imported |
| `label_studio.zip` | the same workspace as tasks of Label Studio, which brings the same but for the sessions |
| `mirror.zip`, `mirror.json` | the same workspace at a mirror, sent by two processes, and what a restore gives |
| `shared.zip`, `shared.json` | a mirror of two workspaces about the same pictures; `raised`: rights that need a yes |
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from fgdemo.storage.database.database import reading, writing
from fgdemo.storage.database.schema import (
    event_origin_table,
    job_epoch_table,
    job_table,
    removed_token_table,
    taxon_table,
)
from fgdemo.storage.history.label_event import LabelEvent
from fgdemo.storage.history.sessions import Sessions
from fgdemo.storage.people.accounts import Accounts
from fgdemo.storage.people.audit import Audit
from fgdemo.storage.people.tokens import Tokens
from fgdemo.storage.trainings.jobs import Jobs
from fgdemo.storage.trainings.models import Models
from fgdemo.storage.visitors.remarks import Remark, Remarks
from fgdemo.values.annotation import Accuracy, Person
from fgdemo.values.training import Check, Epoch, KindChange, PairChange, Verdict
from fgdemo.values.types import CropBox
from tests.support.exchanging import MAINTAINER, everything, exchange_of
from tests.support.mirroring import contents, database_in, mirror_of, restored_into
from tests.support.workspace import FakeWorkspace, coloured, open_fake_workspace, some_pictures

AWKWARD = (
    "Ünknown <b>Kind</b>; DROP TABLE taxon",
    "=1+1",
    "عصفور دوري",
    "Owl \U0001f989 & co.",
    "a/b\\c",
    "O'Brien's \"bird\"",
)
"""Names as people write them."""


# --- what is compared --------------------------------------------------------------------------------------------


LATER = {"point": None, "publication": None}
"""What events have had since the golden files were written, and says nothing of those in them."""


def plain(value: Any) -> Any:
    """As JSON gives it back; sets and dicts in an order of their own."""
    return json.loads(json.dumps(value, default=_simple, sort_keys=True), object_hook=_as_before)


def _as_before(found: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in found.items() if (key, value) not in LATER.items()}


def _simple(value: Any) -> Any:
    if isinstance(value, (set, frozenset)):
        return sorted((plain(one) for one in value), key=lambda one: json.dumps(one, sort_keys=True))
    return asdict(value)


def exchanged(workspace: FakeWorkspace) -> Any:
    """All that an import brings."""
    return plain(everything(workspace))


def restored(engine: Engine) -> Any:
    """All that a restore brings; what it says itself has no moment of its own."""
    told = plain(contents(engine))
    told["accounts"].sort()  # each database has an order of its own
    told["tokens"].sort(key=lambda token: token["name"])
    for remark in told["remarks"]:
        remark.pop("key_hash", None)  # one that is sent twice is sent soon: no mirror has its key
    for picture in told["pictures"]:
        for event in picture["history"]:
            if event["annotator"] == "fgdemo" and "removed elsewhere" in (event["comment"] or ""):
                event["created_at"] = None
    with reading(engine) as connection:
        told["retired"] = sorted(connection.execute(sa.select(taxon_table.c.id).where(taxon_table.c.retired)).scalars())
        for name, table, order in (
            ("jobs", job_table, "candidate"),
            ("epochs", job_epoch_table, "number"),
            ("origins", event_origin_table, "event"),
            ("removed_tokens", removed_token_table, "token_hash"),
        ):
            rows = connection.execute(sa.select(table).order_by(table.c[order])).mappings()
            hidden = ("id", "job", "cancel_requested")
            told[name] = [{key: value for key, value in row.items() if key not in hidden} for row in rows]
        told["epochs"].sort(key=lambda row: (row["number"], row["epoch"]))
    return plain(told)


def raised(home: Path, url: str) -> list[str]:
    """The rights that a mirror would give in a workspace where somebody is already."""
    engine = database_in(home)
    Accounts(engine).add("nina", "visitor", "long enough")
    found = restored_into(home, url, engine)
    assert not found.accepted
    engine.dispose()
    return list(found.raised)


# --- a workspace with everything in it ---------------------------------------------------------------------------


def say(made: FakeWorkspace, image: str, who: str, kind: str, taxon: str | None = None, **more: Any) -> int:
    """An answer about a picture as it stands; gives its number."""
    made.roster.follow()
    shown = max((one.id or 0 for one in made.events.history(image)), default=None)
    more = {"shown_version": shown, "model_version": "fake-00000000", "seconds_spent": 1.25, **more}
    return made.events.append(LabelEvent(image, kind, who, taxon, **more)).id or 0  # type: ignore[arg-type]


def take_back(made: FakeWorkspace, number: int, image: str, who: str) -> None:
    made.events.append(LabelEvent(image, "undo", who, undoes=number))


def fill(made: FakeWorkspace) -> None:
    """Everything that people and programs can say, about pictures that are plain colours."""
    engine = made.engine
    gold = [coloured("lowchen", 700 + n, split="test") for n in range(4)]
    odd = [
        replace(coloured("owl" if n < 0 else "eskimo_dog", 300 + n, name), name=f"{name[:4]} {n}.png")
        for n, name in enumerate(AWKWARD)
    ]
    grouped = [coloured("lowchen", 400 + n, f"Group kind {n}") for n in range(2)]
    bare = [coloured("lowchen", 500 + n, "") for n in range(2)]
    val = [coloured("eskimo_dog", 550, split="val")]
    groups = {"Group kind 0": ("Oiseaux", "Petits oiseaux"), "Group kind 1": ("Oiseaux",)}
    made.intake().take_in(
        [*some_pictures(3, 2), *gold, *odd, *grouped, *bare, *val], "first", has_splits=True, groups=groups
    )
    twin = coloured("nashville_warbler", 0)
    made.take_in([replace(twin, name="a twin.bmp", load=_as_bmp(twin.load))], "second")
    own = [made.taxa.add("Blue Bird", "warbler", "Avis caerulea").id, made.taxa.add("Zwergkönig").id]
    made.roster.follow()
    images = list(made.roster.image_ids)
    train = [one for one in images if made.roster.standing(one).split == "train"]
    locked = [one for one in images if made.roster.standing(one).split == "gold"]
    sessions = Sessions(engine)
    first = sessions.open(
        "ada", "pair", ("nashville_warbler", "mourning_warbler"), 10, 0.1, Accuracy(0.75, 0.5, 0.9, 12, "val")
    ).id
    said = say(
        made,
        train[0],
        "ada",
        "label",
        "mourning_warbler",
        session=first,
        comment="Größe,\nzweite Zeile\t=1+1",
        reason="pair",
        answer_key="ada-1",
        box=CropBox(0.1, 0.2, 0.8, 0.9),
    )
    say(made, train[0], "bo", "label", "mourning_warbler", blind=True, reason="second")
    number = say(made, train[1], "ada", "label", "lowchen", session=first, reason="audit", answer_key="ada-2")
    take_back(made, number, train[1], "ada")
    say(made, train[1], "ada", "label", "warbler", session=first, comment="only a group")
    say(made, train[2], "ada", "label", "lowchen", session=first)
    say(made, train[2], "bo", "label", "eskimo_dog", blind=True, reason="second")  # disputed
    say(made, train[3], "ada", "label", "lowchen")
    say(made, train[3], "bo", "label", "eskimo_dog", blind=True, reason="second")
    say(made, train[3], "mia", "adjudication", "nashville_warbler", reason="adjudication", comment="settled")
    for image, kind in zip(train[4:8], ("unsure", "skip", "unusable", "none"), strict=True):
        say(made, image, "bo", kind, batch="b/1", answer_key=f"bo-{kind}")
    take_back(made, say(made, train[7], "mia", "label", own[0]), train[7], "mia")
    say(made, train[8], "bo", "label", own[0], comment="one of our own")
    sessions.close(first)
    second = sessions.open("bo", "audit").id
    say(made, locked[0], "bo", "label", "eskimo_dog", blind=True, reason="second", session=second)
    say(made, locked[1], "mia", "adjudication", own[1], session=second)
    say(made, locked[2], "mia", "unusable", reason="adjudication")
    sessions.close(second)
    say(made, train[0], "visitor", "suggestion", "owl", comment="ein Uhu?", box=CropBox(0.0, 0.0, 0.5, 0.5))
    visitors = made.suggestions()
    for n, (taxon, name) in enumerate(((None, "Sheltie \U0001f415"), ("lowchen", None), ("owl", None))):
        left = visitors.add(
            coloured("lowchen", 800 + n).load(),
            name=f"my dog {n}.png",
            taxon=taxon,
            new_name=name,
            comment="it is mine",
            model_version="fake-00000000",
            keep_picture=True,
        )
        if n == 1:
            visitors.forget(str(left.receipt))
        if n == 2:
            made.roster.follow()
            say(made, made.roster.image_ids[-1], "ada", "label", "lowchen", reason="suggestion")
    take_back(made, said, train[0], "mia")
    with writing(engine) as connection:
        retired = taxon_table.update().where(taxon_table.c.id == "spitz")
        connection.execute(retired.values(aliases='["Spitze", "Spitz, deutscher"]'))
        connection.execute(taxon_table.update().where(taxon_table.c.id == own[1]).values(retired=True))
    Remarks(engine).add(Remark("lowchen", own[0], None, "a remark, =1", "fake-00000000"))
    Remarks(engine).add(Remark(None, None, "Größe \U0001f989", None, None))
    Audit(engine).note(Person("mia", "maintainer"), "import", "first")


def _as_bmp(load: Callable[[], bytes]) -> Callable[[], bytes]:
    import io

    from PIL import Image

    file = io.BytesIO()
    Image.open(io.BytesIO(load())).convert("RGB").resize((40, 30)).save(file, "BMP")
    content = file.getvalue()
    return lambda: content


def add_people(engine: Engine) -> None:
    """Accounts as they are after some changes, a token that is in use and one that is not any more."""
    accounts, tokens = Accounts(engine), Tokens(engine)
    for name, role in (("ada", "expert"), ("bo", "visitor"), ("mia", "maintainer"), ("Zoë", "visitor")):
        accounts.add(name, role, "long enough")  # type: ignore[arg-type]
    accounts.set_role("bo", "expert")
    accounts.set_password("ada", "another long one")
    accounts.disable("Zoë")
    tokens.add("the camera", "visitor")
    tokens.add("robot", "expert")
    tokens.add("lost laptop", "maintainer")
    tokens.remove("lost laptop")


def add_models(engine: Engine, home: Path) -> list[str]:
    """Three models with their trainings: one was rolled back, one is deleted, one is live."""
    models, jobs, versions = Models(engine, home / "models", home / "configured"), Jobs(engine), []
    for number in range(3):
        folder = home / "models" / f"model-{number}"
        folder.mkdir(parents=True)
        weights = f"weights {number} of {home.name}".encode()
        (folder / "model.safetensors").write_bytes(weights)
        (folder / "card.json").write_text(json.dumps({"number": number}))
        version = f"{folder.name}@{hashlib.sha256(weights).hexdigest()[:8]}"
        job = jobs.add("quick", "mia", models.live, "cpu")
        jobs.begin(job.id)
        jobs.add_epoch(job.id, Epoch("head", 1, 2, 0.5, 0.75, 2.0, {"parts": 0.25}, 0.001, 12.5))
        jobs.add_epoch(job.id, Epoch("network", 2, 2, 0.25, None, 3.0))
        verdict = Verdict(
            "better",
            "It is better.",
            (Check("accuracy", True, "3 points"), Check("maps", False, "open", True)),
            4,
            (0.1, 0, 1),
            (0.2, 0, 1),
            (0.1, 0, 1),
            0.1,
            ("0" * 64,),
            (),
            (KindChange("lowchen", 2, 1, 2),),
            (PairChange("owl", "lowchen", 3, 1, 0),),
            (0.1, 0.2),
            (0.3, 0.4),
            models.live,
            0.05,
        )
        models.register(
            version,
            folder.name,
            parent=models.live,
            event=job.event,
            job=job.id,
            preset="quick",
            verdict=verdict,
            metrics={"top1": 0.5, "classes": number},
        )
        jobs.end(job.id, "done" if number else "cancelled", "It is better.", version)
        versions.append(version)
    models.promote(versions[0], "mia")
    models.promote(versions[1], "mia")
    models.roll_back("ada")
    models.promote(versions[2], "mia")
    models.delete(versions[1])
    return versions


# --- two workspaces about the same pictures ----------------------------------------------------------------------


def speak_in_two(folder: Path) -> str:
    """Both were given the same pictures, and each hears only some of what the other says; gives the mirror."""
    url = str(folder / "shared")
    a, b = open_fake_workspace(folder / "a"), open_fake_workspace(folder / "b")
    gold = coloured("lowchen", 700)
    a.take_in([*some_pictures(3, 0), replace(gold, split="test"), coloured("lowchen", 720)])
    b.take_in([*some_pictures(3, 0), gold, replace(coloured("lowchen", 720), split="test")])
    images = [one for one in a.roster.image_ids if a.roster.standing(one).split == "train"]
    add_people(a.engine)
    versions = add_models(a.engine, folder / "a")
    own = a.taxa.add("Blue Bird", "warbler").id
    opened = Sessions(a.engine).open("ada", "audit").id
    say(a, images[0], "ada", "label", "lowchen", session=opened, answer_key="a-0")
    words = {"name": "cat.png", "taxon": "owl", "new_name": None, "comment": None, "model_version": "fake-00000000"}
    left = a.suggestions().add(coloured("lowchen", 801).load(), keep_picture=True, **words)
    process_a, process_b = mirror_of(folder / "a", url, a.engine), mirror_of(folder / "b", url, b.engine)
    process_a.send()
    say(b, images[1], "bo", "label", "eskimo_dog", answer_key="b-1")  # before it hears of anything
    process_b.send()
    restored_into(folder / "b", url, b.engine, accept_rights=True)
    # neither hears the other from here on
    for made, who, taxon in ((a, "ada", "lowchen"), (b, "bo", "eskimo_dog")):
        for n, image in enumerate(images[2:5]):
            number = say(made, image, who, "label", taxon, answer_key=f"{who}-{n}", comment=f"as {who} sees it")
            if n == 2 and made is a:
                take_back(a, number, image, who)
    say(b, images[0], "bo", "label", own)
    say(a, images[5], "mia", "adjudication", "owl", reason="adjudication")
    say(b, images[5], "bo", "unusable")
    gold_id = next(one for one in a.roster.image_ids if a.roster.standing(one).split == "gold")
    say(b, gold_id, "bo", "label", "mourning_warbler")
    say(a, gold_id, "mia", "adjudication", "lowchen")
    a.suggestions().forget(str(left.receipt))
    for engine, name, values in ((a.engine, "ada", "visitor"), (b.engine, "ada", "maintainer")):
        Accounts(engine).set_role(name, values)  # type: ignore[arg-type]
    Accounts(a.engine).disable("bo")
    Accounts(b.engine).set_password("bo", "a newer long one")
    Tokens(b.engine).remove("robot")
    with writing(b.engine) as connection:
        connection.execute(taxon_table.update().where(taxon_table.c.id == "lowchen").values(name="Löwchen (Hund)"))
    with writing(a.engine) as connection:
        connection.execute(taxon_table.update().where(taxon_table.c.id == "lowchen").values(retired=True))
    Sessions(b.engine).open("bo", "uncertain", goal=5)
    models_b = Models(b.engine, folder / "b" / "models", folder / "b" / "configured")
    models_b.roll_back("bo")
    Models(a.engine, folder / "a" / "models", folder / "a" / "configured").promote(versions[0], "mia")
    Remarks(b.engine).add(Remark(None, "owl", None, "from b", None))
    for process in (process_b, process_a):
        process.send()
    for made in (a, b):
        made.engine.dispose()
    return url


# --- files -------------------------------------------------------------------------------------------------------


def pack_folder(folder: Path, out: Path) -> None:
    """A folder as an archive that is the same whenever it is packed."""
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.writestr(
                    zipfile.ZipInfo(path.relative_to(folder).as_posix()), path.read_bytes(), zipfile.ZIP_DEFLATED
                )


def write_json(out: Path, value: Any) -> None:
    lines = [
        f"{json.dumps(key)}: {json.dumps(value[key], ensure_ascii=False, sort_keys=True)}" for key in sorted(value)
    ]
    out.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def main(out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        made = open_fake_workspace(folder / "home")
        fill(made)
        url = str(folder / "mirror")
        mirror_of(folder / "home", url, made.engine).send()
        add_people(made.engine)
        add_models(made.engine, folder / "home")
        say(made, made.roster.image_ids[0], "ada", "label", "eskimo_dog")
        mirror_of(folder / "home", url, made.engine).send()
        exchange = exchange_of(made, folder / "home")
        exchange.export_to(MAINTAINER, out / "workspace.zip", "jsonl")
        exchange.export_to(MAINTAINER, out / "label_studio.zip", "label-studio")
        made.engine.dispose()
        empty = open_fake_workspace(folder / "empty")
        report = exchange_of(empty, folder / "empty").import_from(MAINTAINER, [out / "workspace.zip"])
        assert not report.skipped, report.skipped
        write_json(out / "workspace.json", exchanged(empty))
        empty.engine.dispose()
        for name, where in (("mirror", url), ("shared", speak_in_two(folder))):
            pack_folder(Path(where), out / f"{name}.zip")
            engine = database_in(folder / f"{name}-restored")
            found = restored_into(folder / f"{name}-restored", where, engine)
            assert (found.accepted, found.faults) == (True, ())
            rights = raised(folder / f"{name}-of-others", where)
            write_json(out / f"{name}.json", {**restored(engine), "raised": rights})
            engine.dispose()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
