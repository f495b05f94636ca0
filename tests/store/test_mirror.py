"""What a mirror was sent comes back: the same workspace, whoever else sends to it, and whatever of it is damaged."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest

from fgdemo.model.checkpoint.folder import REQUIRED, Checkpoint, read_checkpoint, write_checkpoint
from fgdemo.storage.database.database import open_database, writing
from fgdemo.storage.database.schema import image_table
from fgdemo.storage.history.events import EventLog
from fgdemo.storage.history.label_event import LabelEvent
from fgdemo.storage.history.points import PointLog
from fgdemo.storage.history.roster import Roster
from fgdemo.storage.history.sessions import Sessions
from fgdemo.storage.mirror.destinations import open_destination
from fgdemo.storage.mirror.segments import pack
from fgdemo.storage.people.accounts import Accounts
from fgdemo.storage.people.audit import Audit
from fgdemo.storage.people.passwords import rehashed
from fgdemo.storage.people.tokens import Tokens
from fgdemo.storage.pictures.originals import ImageStore
from fgdemo.storage.trainings.jobs import Jobs
from fgdemo.storage.trainings.models import Models
from fgdemo.storage.visitors.remarks import Remark, Remarks
from fgdemo.values.annotation import Person
from fgdemo.values.errors import ForbiddenError, SettingsError, UnavailableError
from fgdemo.values.points import PlacedPoint
from fgdemo.values.training import Epoch, Verdict
from fgdemo.wiring.mirrors import restore_if_fresh
from tests.store.test_faults import SmallDisk
from tests.support.browser_app import settings_in
from tests.support.mirroring import contents, database_in, mirror_of, restored_into
from tests.support.workspace import FakeWorkspace, coloured, open_fake_workspace, some_pictures

MOMENT = "2026-01-01T00:00:00+00:00"


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[FakeWorkspace]:
    """Pictures of three splits, answers, an undo, a second opinion, a new kind, a session, people and what they did."""
    home = tmp_path / "home"
    made = open_fake_workspace(home)
    gold = [coloured("lowchen", 700 + n, split="test") for n in range(2)]
    made.take_in([*some_pictures(4, 2), *gold])
    accounts = Accounts(made.engine)
    accounts.add("ada", "expert", "long enough")
    accounts.add("mia", "maintainer", "long enough")
    accounts.disable("ada")
    accounts.disable("ada", False)
    session = Sessions(made.engine).open("ada", "pair", ("nashville_warbler", "mourning_warbler"), 10, 0.1)
    answer_all(made, "ada", session.id)
    kind = made.taxa.add("Blue Bird").id
    label(made, made.roster.image_ids[-1], "bo", kind)
    Tokens(made.engine).add("the camera", "visitor")
    remarks = Remarks(made.engine)
    for taxon, name in ((kind, None), (None, "Größe"), (kind, None)):
        remarks.add(Remark("lowchen", taxon, name, "a remark", "m@1"))
    yield made
    made.engine.dispose()


def label(made: FakeWorkspace, image: str, who: str, taxon: str, session: int | None = None, **more: object) -> int:
    made.roster.follow()
    version = made.roster.standing(image).version
    said = LabelEvent(image, "label", who, taxon, shown_version=version, session=session, **more)  # type: ignore[arg-type]
    return made.events.answer(said).id or 0


def promoted_model(home: Path) -> str:
    """Make a checkpoint, list it with its training, and let it go live; gives its version."""
    engine = database_in(home)
    models = Models(engine, home / "models", home / "configured")
    folder = home / "models" / "model-1"
    card: dict[str, int] = dict.fromkeys(map(str, REQUIRED), 0)
    write_checkpoint(folder, Checkpoint({"weights": np.arange(12, dtype=np.float32)}, card))
    version = f"model-1@{json.loads((folder / 'card.json').read_text())['weights_sha256'][:8]}"
    jobs = Jobs(engine)
    job = jobs.add("quick", "mia", models.live, "cpu")
    jobs.begin(job.id)
    jobs.add_epoch(job.id, Epoch("head", 1, 1, 0.5, 0.75, 2.0))
    verdict = Verdict("better", "It is better.", (), 4, (0, 0, 1), (1, 0, 1), (1, 0, 1), 0.1)
    models.register(
        version,
        "model-1",
        parent=models.live,
        event=job.event,
        job=job.id,
        preset="quick",
        verdict=verdict,
        metrics={"top1": 0.5},
    )
    models.promote(version, "mia")
    jobs.end(job.id, "done", "It is better.", version)
    engine.dispose()
    return version


def answer_all(made: FakeWorkspace, who: str, session: int) -> None:
    """And place a point on the first of them."""
    made.roster.follow()
    for at, image in enumerate(made.roster.image_ids[:6]):
        standing = made.roster.standing(image)
        if standing.split != "gold":
            number = label(
                made, image, who, "lowchen", session, answer_key=f"{who}-{at}", comment="Größe", blind=at == 3
            )
            if at % 2:
                made.events.undo([number], Person(who, "expert"), session)
    crown = PlacedPoint("crown", 0.25, 0.125)
    image = next(image for image in made.roster.image_ids if made.roster.standing(image).split != "gold")
    PointLog(made.engine).place(image, [crown], who, f"{who}-points")


def test_a_workspace_comes_back_as_it_was(workspace: FakeWorkspace, tmp_path: Path) -> None:
    url = str(tmp_path / "mirror")
    version = promoted_model(tmp_path / "home")
    sent = mirror_of(tmp_path / "home", url).send()
    assert sent is not None
    assert (sent.pictures, sent.models, sent.missing) == (16, 1, [])
    before = contents(workspace.engine)
    found = restored_into(tmp_path / "fresh", url)
    assert found.faults == ()
    assert (found.events, found.pictures) == (sent.events, 16)
    engine = database_in(tmp_path / "fresh")
    assert contents(engine) == before
    assert Accounts(engine).sign_in("ada", "long enough")
    images = ImageStore(tmp_path / "fresh" / "pictures")
    models = Models(engine, tmp_path / "fresh" / "models", tmp_path / "configured")
    assert models.live == version
    assert read_checkpoint(models.live_folder()).arrays["weights"].tolist() == list(range(12))
    (job,) = Jobs(engine).newest()
    assert (job.state, job.candidate, [epoch.val_top1 for epoch in job.epochs]) == ("done", version, [0.75])
    assert all(images.read(held.image) == workspace.images.read(held.image) for held in before["pictures"])


def test_it_comes_back_into_either_database(workspace: FakeWorkspace, tmp_path: Path, database_url: str) -> None:
    url, engine = str(tmp_path / "mirror"), open_database(database_url)
    promoted_model(tmp_path / "home")
    mirror_of(tmp_path / "home", url).send()
    for added in (len(workspace.events.since(0)), 0):
        found = restored_into(tmp_path / "fresh", url, engine)
        assert (found.events, found.faults) == (added, ())
    assert contents(engine) == contents(workspace.engine)
    made = open_fake_workspace(tmp_path / "fresh", database_url)
    newest = max(said.id or 0 for said in made.events.since(0))
    assert label(made, workspace.roster.image_ids[-1], "bo", "lowchen") == newest + 1  # numbers go on
    sent = mirror_of(tmp_path / "fresh", url, engine).send()
    assert sent is not None
    assert sent.events == 1
    engine.dispose()


def test_to_restore_twice_changes_nothing_and_what_was_restored_is_not_sent_again(
    workspace: FakeWorkspace, tmp_path: Path
) -> None:
    url, fresh = str(tmp_path / "mirror"), tmp_path / "fresh"
    mirror_of(tmp_path / "home", url).send()
    restored_into(fresh, url)
    before = contents(database_in(fresh))
    again = restored_into(fresh, url)
    assert (again.events, again.pictures, again.accounts, again.models, again.taxa) == (0, 0, 0, 0, 0)
    assert restored_into(tmp_path / "home", url).events == 0
    assert contents(database_in(fresh)) == before
    segments = sorted((tmp_path / "mirror" / "log").iterdir())
    sent = mirror_of(fresh, url).send()
    assert sent is not None
    assert (sent.events, sent.rows) == (0, 0)
    assert sorted((tmp_path / "mirror" / "log").iterdir()) == segments


def test_a_picture_that_was_removed_for_good_is_removed_from_the_mirror(
    workspace: FakeWorkspace, tmp_path: Path
) -> None:
    url, image = str(tmp_path / "mirror"), workspace.roster.image_ids[-1]
    mirror_of(tmp_path / "home", url).send()
    there = tmp_path / "mirror" / "pictures" / image[:2] / image
    assert there.is_file()
    workspace.events.append(LabelEvent(image, "unusable", "fgdemo", reason="removed"))
    with writing(workspace.engine) as connection:
        connection.execute(image_table.update().where(image_table.c.id == image).values(name=""))
    workspace.images.remove(image)
    sent = mirror_of(tmp_path / "home", url).send()
    assert sent is not None
    assert (sent.missing, there.exists()) == ([], False)
    assert restored_into(tmp_path / "fresh", url).faults == ()
    assert image not in ImageStore(tmp_path / "fresh" / "pictures")
    assert contents(database_in(tmp_path / "fresh")) == contents(workspace.engine)


def test_a_picture_is_removed_though_two_copies_of_a_workspace_gave_one_number_twice(tmp_path: Path) -> None:
    url, a = str(tmp_path / "mirror"), open_fake_workspace(tmp_path / "a")
    a.take_in(some_pictures(1, 0))
    image = a.roster.image_ids[0]
    mirror_of(tmp_path / "a", url, a.engine).send()
    a.engine.dispose()
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    unsure, removed = LabelEvent(image, "unsure", "a"), LabelEvent(image, "unusable", "b", reason="removed")
    for home, event in (("a", unsure), ("b", removed)):
        made = open_fake_workspace(tmp_path / home)
        made.events.append(event)
        mirror_of(tmp_path / home, url, made.engine).send()
        made.engine.dispose()
    assert restored_into(tmp_path / "c", url).faults == ()
    assert [one.kind for one in EventLog(database_in(tmp_path / "c")).history(image)] == [
        "import",
        "unsure",
        "unusable",
    ]
    assert image not in ImageStore(tmp_path / "c" / "pictures")


# --- several workspaces on one mirror --------------------------------------------------------------------------


def two_workspaces(tmp_path: Path) -> tuple[FakeWorkspace, FakeWorkspace]:
    """Both were given the same pictures; each has answers of its own."""
    a, b = open_fake_workspace(tmp_path / "a"), open_fake_workspace(tmp_path / "b")
    for made in (a, b):
        made.take_in([*some_pictures(4, 0), coloured("lowchen", 700, split="test")])
    return a, b


def standings(home: Path, images: Iterable[str]) -> dict[str, tuple[str | None, str, bool]]:
    roster = Roster(database_in(home))
    roster.follow()
    found = {image: roster.standing(image) for image in images}
    return {image: (one.taxon, one.annotator, one.disputed) for image, one in found.items()}


def test_two_workspaces_on_one_mirror_lose_nothing_to_each_other(tmp_path: Path) -> None:
    url = str(tmp_path / "mirror")
    a, b = two_workspaces(tmp_path)
    train = [image for image in a.roster.image_ids if a.roster.standing(image).split == "train"]
    only_a, both, only_b = train[0], train[1], train[2]
    label(a, only_a, "ada", "lowchen", answer_key="a1")
    label(a, both, "ada", "lowchen", answer_key="a2")
    label(b, both, "bo", "eskimo_dog", answer_key="b1")  # later, without knowing what Ada said
    label(b, only_b, "bo", "eskimo_dog", answer_key="b2")
    for home in ("a", "b", "a"):
        mirror_of(tmp_path / home, url).send()
    restored_into(tmp_path / "c", url)
    log = EventLog(database_in(tmp_path / "c")).since(0)
    assert [said.answer_key for said in log if said.answer_key] == ["a1", "a2", "b1", "b2"]
    assert len([said for said in log if said.kind == "import"]) == 2 * len(a.roster) - 1  # gold keeps its first
    assert standings(tmp_path / "c", [only_a, both, only_b]) == {
        only_a: ("lowchen", "ada", False),
        both: ("eskimo_dog", "bo", False),
        only_b: ("eskimo_dog", "bo", False),
    }


def test_a_later_import_elsewhere_overrules_no_answer(tmp_path: Path) -> None:
    url = str(tmp_path / "mirror")
    a, b = open_fake_workspace(tmp_path / "a"), open_fake_workspace(tmp_path / "b")
    a.take_in(some_pictures(2, 0))
    image = a.roster.image_ids[0]
    label(a, image, "ada", "lowchen")
    b.take_in(some_pictures(2, 0))
    for home in ("b", "a"):
        mirror_of(tmp_path / home, url).send()
    restored_into(tmp_path / "c", url)
    assert standings(tmp_path / "c", [image]) == {image: ("lowchen", "ada", False)}


def test_what_comes_late_into_a_workspace_overrules_nobody_who_spoke_later(tmp_path: Path) -> None:
    url = str(tmp_path / "mirror")
    a, b = two_workspaces(tmp_path)
    image = next(one for one in a.roster.image_ids if a.roster.standing(one).split == "train")
    label(a, image, "ada", "lowchen")
    label(b, image, "bo", "eskimo_dog")
    mirror_of(tmp_path / "a", url).send()
    before = len(b.events.since(0))
    assert restored_into(tmp_path / "b", url).events >= 1
    assert standings(tmp_path / "b", [image]) == {image: ("eskimo_dog", "bo", True)}  # to be adjudicated
    assert restored_into(tmp_path / "b", url).events == 0
    assert len(b.events.since(0)) > before


def test_a_workspace_that_was_restored_goes_on_and_comes_back_again(workspace: FakeWorkspace, tmp_path: Path) -> None:
    url, home = str(tmp_path / "mirror"), tmp_path / "home"
    mirror_of(home, url).send()
    for life in ("second", "third"):
        restored_into(tmp_path / life, url)
        made = open_fake_workspace(tmp_path / life)
        number = label(made, workspace.roster.image_ids[-1], life, "lowchen")
        label(made, workspace.roster.image_ids[-2], life, "eskimo_dog")
        made.events.undo([number], Person(life, "expert"))
        mirror_of(tmp_path / life, url).send()
    restored_into(tmp_path / "last", url)
    assert contents(database_in(tmp_path / "last")) == contents(database_in(tmp_path / "third"))


def test_the_newest_password_counts_and_is_not_sent_again_by_who_did_not_change_it(tmp_path: Path) -> None:
    url = str(tmp_path / "mirror")
    open_fake_workspace(tmp_path / "a").take_in(some_pictures(1, 0))
    Accounts(database_in(tmp_path / "a")).add("ada", "expert", "the first one")
    mirror_of(tmp_path / "a", url).send()
    restored_into(tmp_path / "b", url)
    Accounts(database_in(tmp_path / "a")).set_password("ada", "the second one")
    mirror_of(tmp_path / "a", url).send()
    mirror_of(tmp_path / "b", url).send()
    restored_into(tmp_path / "c", url)
    assert Accounts(database_in(tmp_path / "c")).sign_in("ada", "the second one")


def test_a_token_that_was_removed_opens_nothing_after_a_restart(workspace: FakeWorkspace, tmp_path: Path) -> None:
    url, home = str(tmp_path / "mirror"), tmp_path / "home"
    tokens = Tokens(workspace.engine)
    kept, secret = tokens.add("kept", "expert"), tokens.add("lost laptop", "expert")
    mirror_of(home, url).send()
    tokens.remove("lost laptop")
    for _ in range(2):
        mirror_of(home, url).send()
    restored_into(tmp_path / "fresh", url)
    here = Tokens(database_in(tmp_path / "fresh"))
    assert here.person(kept) == Person("kept", "expert")
    with pytest.raises(ForbiddenError):
        here.person(secret)
    again = tokens.add("lost laptop", "visitor")
    mirror_of(home, url).send()
    restored_into(tmp_path / "later", url)
    assert Tokens(database_in(tmp_path / "later")).person(again) == Person("lost laptop", "visitor")


def test_an_account_and_a_token_of_two_workspaces_never_share_a_name(tmp_path: Path) -> None:
    url = str(tmp_path / "mirror")
    open_fake_workspace(tmp_path / "a").take_in(some_pictures(1, 0))
    open_fake_workspace(tmp_path / "b").take_in(some_pictures(1, 0))
    Tokens(database_in(tmp_path / "a")).add("Ada", "visitor")
    Accounts(database_in(tmp_path / "b")).add("ada", "expert", "long enough")
    for home in ("a", "b"):
        mirror_of(tmp_path / home, url).send()
    restored_into(tmp_path / "c", url)
    assert Tokens(database_in(tmp_path / "c")).all() == []
    assert Accounts(database_in(tmp_path / "c")).sign_in("ada", "long enough")


def test_what_only_grows_is_sent_once_and_never_doubled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fgdemo.storage.mirror.tables.ROWS_AT_ONCE", 2)
    url = str(tmp_path / "mirror")
    for home in ("a", "b"):
        open_fake_workspace(tmp_path / home).take_in(some_pictures(1, 0))
    for n in range(5):
        Remarks(database_in(tmp_path / "a")).add(Remark(None, None, f"kind {n}", None, None))
    Audit(database_in(tmp_path / "b")).note(Person("mia", "maintainer"), "export", "labels.csv")
    sent = [mirror_of(tmp_path / home, url).send() for home in ("a", "b", "a", "b")]
    assert [one and one.rows > 0 for one in sent] == [True, True, False, False]
    for _ in range(2):
        for home in ("a", "b", "c"):
            restored_into(tmp_path / home, url)
            mirror_of(tmp_path / home, url).send()
    for home in ("a", "b", "c"):
        held = contents(database_in(tmp_path / home))
        assert [one["new_name"] for one in held["remarks"]] == [f"kind {n}" for n in range(5)]
        assert [(one["person"], one["about"]) for one in held["audit"]] == [("mia", "labels.csv")]


# --- damage ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda lines: [*lines[:-2], lines[-2][:30]], "was cut off, so it was left out"),
        (lambda lines: lines[:-1], "was cut off, so it was left out"),
        (lambda lines: [*lines[:-2], lines[-1]], "was changed after it was written, so it was left out"),
        (lambda lines: [lines[0], lines[1].replace(b'"', b"'", 1), *lines[2:]], "was changed"),
        (lambda lines: [*lines, b"{}\n"], "was cut off, so it was left out"),
        (lambda lines: [], "first line does not say so"),
    ],
)
def test_a_segment_that_is_not_whole_is_left_out(
    tmp_path: Path, damage: Callable[[list[bytes]], list[bytes]], said: str
) -> None:
    url, made = str(tmp_path / "mirror"), open_fake_workspace(tmp_path / "home")
    made.take_in(some_pictures(2, 0))
    mirror = mirror_of(tmp_path / "home", url)
    mirror.send()
    label(made, made.roster.image_ids[0], "bo", "lowchen")
    mirror.send()
    _, last = sorted((tmp_path / "mirror" / "log").iterdir())
    last.write_bytes(b"".join(damage(last.read_bytes().splitlines(keepends=True))))
    found = restored_into(tmp_path / "fresh", url)
    assert found.events == len(made.events.since(0)) - 1
    assert [(where, said in what) for where, what in found.faults] == [(f"log/{last.name}", True)]


def test_a_segment_that_is_missing_is_named_and_a_copy_of_one_changes_nothing(tmp_path: Path) -> None:
    url, made = str(tmp_path / "mirror"), open_fake_workspace(tmp_path / "home")
    made.take_in(some_pictures(2, 0))
    mirror = mirror_of(tmp_path / "home", url)
    for n in range(3):
        label(made, made.roster.image_ids[n], "bo", "lowchen")
        mirror.send()
    one, two, three = sorted((tmp_path / "mirror" / "log").iterdir())
    copied = one.with_name(one.name.replace("-000001", "-000009"))
    shutil.copy(one, copied)
    found = restored_into(tmp_path / "fresh", url)
    assert found.faults == ((f"log/{copied.name}", "is a copy of another one: passed over"),)
    assert contents(database_in(tmp_path / "fresh")) == contents(made.engine)
    copied.unlink()
    two.unlink()
    Accounts(made.engine).add("mia", "maintainer", "long enough")
    mirror.send()
    found = restored_into(tmp_path / "later", url)
    assert found.faults == ((f"log/{three.name}", "was written after one that is missing, or was left out"),)
    assert found.events == len(made.events.since(0)) - 1
    assert (found.raised, found.accepted, found.accounts) == (("mia would be maintainer here",), False, 0)
    assert restored_into(tmp_path / "later", url, accept_rights=True).accounts == 1


def test_what_a_crash_left_half_written_is_no_damage(workspace: FakeWorkspace, tmp_path: Path) -> None:
    url, cut_off = str(tmp_path / "mirror"), tmp_path / "mirror" / "log" / ".new-ab12"
    mirror_of(tmp_path / "home", url).send()
    cut_off.write_bytes(b'{"type": "ev')
    assert restored_into(tmp_path / "fresh", url).faults == ()
    assert contents(database_in(tmp_path / "fresh")) == contents(workspace.engine)


def test_whoever_writes_into_the_mirror_gets_no_file_written_elsewhere_and_nothing_run(
    workspace: FakeWorkspace, tmp_path: Path
) -> None:
    url, log = str(tmp_path / "mirror"), tmp_path / "mirror" / "log"
    promoted_model(tmp_path / "home")
    mirror_of(tmp_path / "home", url).send()
    good, pickled = tmp_path / "good", b"\x80\x04cos\nsystem\n(S'touch pwned'\ntR."
    restored_into(good, url)
    digest = hashlib.sha256(pickled).hexdigest()
    place = tmp_path / "mirror" / "checkpoints" / digest[:2] / digest
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(pickled)
    origin = {"origin": "0" * 32, "created_at": MOMENT, "size_bytes": 1, "type": "model"}
    files = {"card.json": digest, "model.safetensors": digest}
    up = "../../../../out"
    records = [
        {"type": "picture", "id": f"{up}/x", "width_px": 1, "height_px": 1, "source": "x", "name": "x"},
        {**origin, "version": f"{up}@1", "folder": up, "files": files},
        {**origin, "version": f"model-9@{digest[:8]}", "folder": "model-9", "files": files},
        {**origin, "version": "model-8@1", "folder": "model-8", "files": {"../evil.pkl": digest}},
        {**origin, "version": f"model-7@{digest[:8]}", "folder": "model-7", "files": {**files, "evil.pkl": digest}},
        {
            "type": "account",
            "name": "eve",
            "folded": "eve",
            "role": "maintainer",
            "created_at": MOMENT,
            "password_hash": "scrypt$1073741824$8$1$00$00",
        },
        {
            "type": "event",
            "identity": ["0" * 32, 1],
            "kind": "label",
            "image": "0" * 64,
            "taxon": "lowchen",
            "annotator": "eve",
            "created_at": MOMENT,
        },
        {
            "type": "token",
            "name": "eve",
            "folded": "eve",
            "role": "maintainer",
            "created_at": MOMENT,
            "token_hash": "x",
        },
        {"type": "audit", "at": MOMENT, "person": "eve", "role": "owner", "action": "x"},
        {"type": "remark", "taxon": 7, "created_at": MOMENT},
        {"type": "token-removed"},
        {"type": "taxon", "id": "x", "name": "x", "parent": "y"},
        {"type": "taxon", "id": "y", "name": "y", "parent": "x"},
        {"type": "DROP TABLE"},
        {"type": "event"},
        {"type": ["event"]},
    ]
    (log / "20260101T000000Z-0123456789abcdef-000001.jsonl").write_bytes(pack(records))
    (log / "20260101T000000Z-0123456789abcdef-000002.jsonl").write_bytes(b"[" * 100_000)
    (log / "x.pkl").write_bytes(pickled)
    picture = next(path for path in (tmp_path / "mirror" / "pictures").rglob("*") if path.is_file())
    picture.write_bytes(b"another picture")
    found = restored_into(tmp_path / "fresh", url, check=read_checkpoint, accept_rights=True)
    told = "\n".join(f"{where}: {what}" for where, what in found.faults)
    for expected in (
        "no usable “id”",
        "no usable “folder”",
        "model-9",
        "other files than a checkpoint has",
        "“password_hash”",
        "“token_hash”",
        "unknown “role”",
        "“taxon”",
        "“name”",
        "about a picture that no line describes",
        "lies below",
        "unknown type",
        "not named like a segment",
        "first line does not say so",
        "another file than its name says",
    ):
        assert expected in told, expected
    before, after = contents(database_in(good)), contents(database_in(tmp_path / "fresh"))
    assert {**after, "taxa": None} == {**before, "taxa": None}
    assert not list(tmp_path.rglob("out*"))
    assert not list(tmp_path.rglob("*pwned*"))
    assert not [path for path in (tmp_path / "fresh").rglob("*") if path.is_file() and path.read_bytes() == pickled]
    assert picture.name not in ImageStore(tmp_path / "fresh" / "pictures")


def test_a_mirror_makes_no_account_that_could_not_be_made_here(workspace: FakeWorkspace, tmp_path: Path) -> None:
    url = str(tmp_path / "mirror")
    mirror_of(tmp_path / "home", url).send()
    eve = {
        "type": "account",
        "name": "Eve",
        "folded": "zoe",
        "role": "visitor",
        "created_at": MOMENT,
        "password_hash": rehashed("long enough"),
    }
    names = ["hf:eve", "ｈｆ：eve", "owner", "Import", "ｅva", "eva "]
    hashes = [
        "$argon2id$v=19$m=4194304,t=9,p=1$c29tZXNhbHRzb21lc2FsdA$" + "A" * 43,
        "long enough",
        "scrypt$1048576$8$1$" + "00" * 16 + "$" + "00" * 32,
    ]
    forged = [*({**eve, "name": name} for name in names), *({**eve, "name": "eva", "password_hash": h} for h in hashes)]
    (tmp_path / "mirror" / "log" / "20260101T000000Z-0123456789abcdef-000001.jsonl").write_bytes(pack([eve, *forged]))
    found = restored_into(tmp_path / "fresh", url)
    told = [what for _, what in found.faults]
    assert sum("no usable “name”" in what for what in told) == len(names)
    assert sum("“password_hash”" in what for what in told) == len(hashes)
    accounts, here = Accounts(database_in(tmp_path / "fresh")), Accounts(workspace.engine).all()
    assert {one.name for one in accounts.all()} == {"Eve", *(one.name for one in here)}
    assert accounts.sign_in("eve", "long enough")


# --- a mirror that fails ---------------------------------------------------------------------------------------


def test_a_full_mirror_is_told_and_loses_nothing_once_there_is_room(workspace: FakeWorkspace, tmp_path: Path) -> None:
    disk = SmallDisk(tmp_path / "disk", mounted=True)
    if not disk.mounted:
        pytest.skip("no small disk can be mounted here")
    with contextlib.ExitStack() as end:
        end.callback(disk.remove)
        mirror = mirror_of(tmp_path / "home", str(disk.folder / "mirror"))
        mirror.send()
        label(workspace, workspace.roster.image_ids[-1], "bo", "lowchen")
        disk.fill()
        with pytest.raises(UnavailableError, match="The disk of the mirror is full"):
            mirror.send()
        assert mirror.state.backed().waiting == 1
        disk.free()
        assert mirror.send() is not None
        assert mirror.state.backed().waiting == 0
        restored_into(tmp_path / "fresh", str(disk.folder / "mirror"))
        assert contents(database_in(tmp_path / "fresh")) == contents(workspace.engine)


def test_a_mirror_that_was_emptied_is_filled_again(workspace: FakeWorkspace, tmp_path: Path) -> None:
    mirror = mirror_of(tmp_path / "home", str(tmp_path / "mirror"))
    mirror.send()
    shutil.rmtree(tmp_path / "mirror")
    mirror.send()
    restored_into(tmp_path / "fresh", str(tmp_path / "mirror"))
    assert contents(database_in(tmp_path / "fresh")) == contents(workspace.engine)


def test_an_empty_workspace_is_not_served_while_its_mirror_is_away(tmp_path: Path) -> None:
    (tmp_path / "mirror").write_text("no folder")
    settings = settings_in(tmp_path / "home").model_copy(update={"mirror": str(tmp_path / "mirror" / "below")})
    engine = database_in(tmp_path / "home")
    with pytest.raises(UnavailableError, match="The mirror cannot be reached"):
        restore_if_fresh(settings, engine)


def test_any_fsspec_url_is_a_mirror(workspace: FakeWorkspace, tmp_path: Path) -> None:
    url = f"memory://{tmp_path.name}/mirror"
    mirror_of(tmp_path / "home", url).send()
    assert restored_into(tmp_path / "fresh", url).faults == ()
    assert contents(database_in(tmp_path / "fresh")) == contents(workspace.engine)


@pytest.mark.parametrize("url", ["hf://datasets/x", "hf://spaces/a/b", "nosuch://x"])
def test_what_is_no_mirror_is_refused_in_a_sentence(url: str) -> None:
    with pytest.raises(SettingsError, match="mirror"):
        open_destination(url)
