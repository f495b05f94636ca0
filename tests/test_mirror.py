"""What a mirror was sent comes back: the same workspace, whoever else sends to it, and whatever of it is damaged."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fgdemo.annotation import Person
from fgdemo.storage.accounts import Accounts
from fgdemo.storage.label_event import LabelEvent
from fgdemo.storage.originals import ImageStore
from fgdemo.storage.sessions import Sessions
from tests.mirroring import contents, database_in, mirror_of, restored_into
from tests.workspace import FakeWorkspace, coloured, open_fake_workspace, some_pictures


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[FakeWorkspace]:
    """Pictures of three splits, answers, an undo, a second opinion, a new kind, a session, accounts."""
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
    yield made
    made.engine.dispose()


def label(made: FakeWorkspace, image: str, who: str, taxon: str, session: int | None = None, **more: object) -> int:
    made.roster.follow()
    version = made.roster.standing(image).version
    said = LabelEvent(image, "label", who, taxon, shown_version=version, session=session, **more)  # type: ignore[arg-type]
    return made.events.answer(said).id or 0


def answer_all(made: FakeWorkspace, who: str, session: int) -> None:
    made.roster.follow()
    for at, image in enumerate(made.roster.image_ids[:6]):
        standing = made.roster.standing(image)
        if standing.split != "gold":
            number = label(
                made, image, who, "lowchen", session, answer_key=f"{who}-{at}", comment="Größe", blind=at == 3
            )
            if at % 2:
                made.events.undo([number], Person(who, "expert"), session)


def test_a_workspace_comes_back_as_it_was(workspace: FakeWorkspace, tmp_path: Path) -> None:
    url = str(tmp_path / "mirror")
    sent = mirror_of(tmp_path / "home", url).send()
    assert sent is not None
    assert (sent.pictures, sent.missing) == (16, [])
    before = contents(workspace.engine)
    found = restored_into(tmp_path / "fresh", url)
    assert found.faults == ()
    assert (found.events, found.pictures) == (sent.events, 16)
    engine = database_in(tmp_path / "fresh")
    assert contents(engine) == before
    assert Accounts(engine).sign_in("ada", "long enough")
    images = ImageStore(tmp_path / "fresh" / "pictures")
    assert all(images.read(held.image) == workspace.images.read(held.image) for held in before["pictures"])


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
