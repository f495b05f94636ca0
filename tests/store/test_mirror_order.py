"""What was taken away stays away, whatever the clocks said and whoever sent first: by what was known, row by row."""

from __future__ import annotations

import hashlib
import itertools
import json
import shutil
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import Engine

from fgdemo.storage.database.database import reading, writing
from fgdemo.storage.database.schema import account_table, image_table, taxon_table
from fgdemo.storage.history.events import EventLog
from fgdemo.storage.history.label_event import FROM_VISITOR, LabelEvent, NewPicture
from fgdemo.storage.history.sessions import Sessions
from fgdemo.storage.mirror.row_versions import Versioned, merged
from fgdemo.storage.mirror.segments import pack
from fgdemo.storage.people.accounts import Accounts
from fgdemo.storage.people.tokens import Tokens
from fgdemo.storage.pictures.originals import ImageStore, image_id_of
from fgdemo.storage.trainings.jobs import Jobs
from fgdemo.storage.trainings.models import Models
from fgdemo.storage.visitors.pictures import VisitorPictures, key_of, new_receipt
from fgdemo.values.annotation import Role
from fgdemo.values.errors import ForbiddenError
from fgdemo.values.training import Verdict
from tests.support.mirroring import contents, database_in, mirror_of, restored_into
from tests.support.workspace import coloured, open_fake_workspace

NOW = datetime(2026, 6, 1, tzinfo=timezone.utc)
CLOCKS = {"ahead": timedelta(days=400), "behind": timedelta(days=-400), "equal": timedelta()}
"""How far the clock is wrong of who gave something, beside that of who takes it away."""


def clock_of(off: timedelta) -> Callable[[], datetime]:
    ticks = itertools.count()
    return lambda: NOW + off + timedelta(seconds=next(ticks))


class Place:
    """One workspace on the mirror, with a clock of its own."""

    def __init__(self, home: Path, url: str, off: timedelta) -> None:
        self.home, self.url, self.clock = home, url, clock_of(off)
        self.engine: Engine = database_in(home)
        self.accounts, self.tokens = Accounts(self.engine, self.clock), Tokens(self.engine, self.clock)
        self.models = Models(self.engine, home / "models", home / "configured", self.clock)
        self.images = ImageStore(home / "pictures")
        self._mirror = mirror_of(home, url, self.engine, self.clock)

    def send(self) -> None:
        self._mirror.send()

    def restore(self, accept_rights: bool = True) -> None:
        restored_into(self.home, self.url, self.engine, accept_rights=accept_rights)


class Places:
    """Three workspaces: `a` gives, `b` takes away, `c` looks."""

    def __init__(self, folder: Path, off: timedelta) -> None:
        self.url = str(folder / "mirror")
        open_fake_workspace(folder / "a")
        self.a, self.b = Place(folder / "a", self.url, off), Place(folder / "b", self.url, timedelta())
        self._folder = folder

    def looking(self, name: str = "c") -> Place:
        """A fresh one that takes all from the mirror, twice."""
        place = Place(self._folder / name, self.url, timedelta())
        for _ in range(2):
            place.restore()
        return place


@pytest.fixture(params=CLOCKS)
def places(request: pytest.FixtureRequest, tmp_path: Path) -> Places:
    return Places(tmp_path, CLOCKS[request.param])


def test_a_token_that_was_removed_anywhere_opens_nothing_anywhere(places: Places) -> None:
    secret, kept = places.a.tokens.add("camera", "expert"), places.a.tokens.add("kept", "visitor")
    places.a.send()
    places.b.restore()
    places.b.tokens.remove("camera")
    again = places.b.tokens.add("camera", "visitor")
    places.b.send()
    places.a.send()
    for _ in range(2):
        places.a.restore()
    for place in (places.a, places.b, places.looking()):
        with pytest.raises(ForbiddenError):
            place.tokens.person(secret)
        assert (place.tokens.person(kept).name, place.tokens.person(again).role) == ("kept", "visitor")


@pytest.mark.parametrize(
    ("take", "give", "role", "is_open"),
    [
        (lambda accounts: accounts.disable("ada"), lambda accounts: None, "expert", False),
        (lambda accounts: accounts.set_role("ada", "visitor"), lambda accounts: None, "visitor", True),
        (
            lambda accounts: accounts.set_role("ada", "visitor"),
            lambda accounts: accounts.set_role("ada", "maintainer"),
            "visitor",
            True,
        ),
        (
            lambda accounts: accounts.disable("ada"),
            lambda accounts: accounts.set_role("ada", "maintainer"),
            "maintainer",
            False,
        ),
        (
            lambda accounts: accounts.disable("ada"),
            lambda accounts: accounts.set_password("ada", "the newest one"),
            "expert",
            False,
        ),
        (
            lambda accounts: (accounts.disable("ada"), accounts.disable("ada", False)),
            lambda accounts: None,
            "expert",
            True,
        ),
    ],
)
@pytest.mark.parametrize("sends_first", ["a", "b"])
def test_of_an_account_the_lesser_right_holds_where_neither_knew_of_the_other(
    places: Places,
    sends_first: str,
    take: Callable[[Accounts], object],
    give: Callable[[Accounts], object],
    role: Role,
    is_open: bool,
) -> None:
    places.a.accounts.add("ada", "expert", "the first one")
    places.a.send()
    places.b.restore()
    for place in (places.a, places.b):
        place.send()  # both know the same
    take(places.b.accounts)
    give(places.a.accounts)
    for name in (sends_first, "a", "b"):
        getattr(places, name).send()
    for place in (places.a, places.b):
        place.restore()
    for place in (places.a, places.b, places.looking()):
        (account,) = place.accounts.all()
        assert (account.role, account.disabled) == (role, not is_open)


def test_who_knew_may_give_back(places: Places) -> None:
    places.a.accounts.add("ada", "expert", "the first one")
    places.a.send()
    places.b.restore()
    places.b.accounts.disable("ada")
    places.b.accounts.set_role("ada", "visitor")
    places.b.send()
    places.a.restore()
    places.a.accounts.disable("ada", False)
    places.a.accounts.set_role("ada", "expert")
    places.a.accounts.set_password("ada", "the second one")
    places.a.send()
    place = places.looking()
    assert place.accounts.person(place.accounts.sign_in("ada", "the second one")).role == "expert"
    with pytest.raises(ForbiddenError):
        place.accounts.sign_in("ada", "the first one")


def test_a_password_that_was_set_anew_beats_one_that_was_only_hashed_anew(tmp_path: Path) -> None:
    places = Places(tmp_path, timedelta())
    places.a.accounts.add("ada", "expert", "the first one")
    places.a.send()
    places.b.restore()
    places.a.accounts.set_password("ada", "the second one")
    rehashed = Accounts(database_in(tmp_path / "other"))
    rehashed.add("ada", "expert", "the first one")
    renewed = contents(database_in(tmp_path / "other"))["accounts"][0][3]
    with writing(places.b.engine) as connection:
        connection.execute(account_table.update().values(password_hash=renewed))
    for place in (places.a, places.b):
        place.send()
    for place in (places.a, places.b):
        place.restore()
    for place in (places.a, places.b, places.looking()):
        assert place.accounts.sign_in("ada", "the second one")


# --- rights need a yes -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda place: place.accounts.set_role("ada", "maintainer"), "who is expert here, would be maintainer"),
        (lambda place: place.accounts.disable("off", False), "the account off (expert), which is shut here, would be"),
        (
            lambda place: place.accounts.set_password("ada", "the second one"),
            "ada (expert) would have another password",
        ),
        (lambda place: place.accounts.add("eve", "expert", "long enough"), "eve would be expert here"),
        (lambda place: place.tokens.add("robot", "maintainer"), "the token robot would be maintainer here"),
    ],
)
def test_no_right_is_raised_without_a_yes(tmp_path: Path, change: Callable[[Place], object], said: str) -> None:
    places = Places(tmp_path, timedelta())
    for name in ("ada", "off"):
        places.a.accounts.add(name, "expert", "the first one")
    places.a.accounts.disable("off")
    places.a.send()
    places.b.restore()
    places.b.send()
    change(places.a)
    places.a.send()
    before = contents(places.b.engine)
    found = restored_into(places.b.home, places.url, places.b.engine)
    assert (len(found.raised), said in found.raised[0], found.accepted) == (1, True, False)
    after = contents(places.b.engine)
    assert (after["accounts"], after["tokens"]) == (before["accounts"], before["tokens"])
    places.b.send()  # nor does that what was refused here take it away there
    restored_into(places.b.home, places.url, places.b.engine, accept_rights=True)
    after, wanted = contents(places.b.engine), contents(places.a.engine)
    assert (after["accounts"], after["tokens"]) == (wanted["accounts"], wanted["tokens"])


def test_visitors_come_without_a_yes(tmp_path: Path) -> None:
    places = Places(tmp_path, timedelta())
    places.b.accounts.add("mia", "maintainer", "long enough")
    places.a.accounts.add("vi", "visitor", "long enough")
    places.a.tokens.add("metrics", "visitor")
    places.a.send()
    found = restored_into(places.b.home, places.url, places.b.engine)
    assert (found.raised, found.accounts, len(places.b.tokens.all())) == ((), 1, 1)


# --- models ------------------------------------------------------------------------------------------------------


def model_in(place: Place, number: int) -> str:
    """A checkpoint of a model, listed."""
    folder = place.home / "models" / f"model-{number}"
    folder.mkdir(parents=True)
    weights = f"weights {number} of {place.home.name}".encode()
    (folder / "model.safetensors").write_bytes(weights)
    (folder / "card.json").write_text("{}")
    version = f"model-{number}@{hashlib.sha256(weights).hexdigest()[:8]}"
    job = Jobs(place.engine, place.clock).add("quick", "mia", "x", "cpu", lambda other: False)
    verdict = Verdict("better", "It is better.", (), 4, (0, 0, 1), (1, 0, 1), (1, 0, 1), 0.1)
    place.models.register(
        version, folder.name, parent="x", event=0, job=job.id, preset="quick", verdict=verdict, metrics={}
    )
    return version


def test_a_model_that_was_rolled_back_does_not_go_live_again(places: Places) -> None:
    first, second = model_in(places.a, 1), model_in(places.a, 2)
    for version in (first, second):
        places.a.models.promote(version, "mia")
    places.a.send()
    places.b.restore()
    assert places.b.models.live == second
    assert places.b.models.roll_back("bo") == first
    places.b.send()
    for _ in range(2):
        places.a.restore()
    for place in (places.a, places.b, places.looking()):
        assert (place.models.live, place.models.previous) == (first, "configured")
    places.a.models.promote(second, "mia")  # who knows of the roll-back may
    places.a.send()
    places.b.restore()
    assert places.b.models.live == places.looking("d").models.live == second


@pytest.mark.parametrize("sends_first", ["a", "b"])
def test_a_model_that_was_promoted_meanwhile_is_not_taken_away_with_another(places: Places, sends_first: str) -> None:
    first, second = model_in(places.a, 1), model_in(places.a, 2)
    places.a.models.promote(first, "mia")
    places.a.send()
    places.b.restore()
    places.b.models.roll_back("bo")
    places.a.models.promote(second, "mia")
    for name in (sends_first, "a", "b"):
        getattr(places, name).send()
    for place in (places.a, places.b):
        place.restore()
    for place in (places.a, places.b, places.looking()):
        assert (place.models.live, place.models.previous) == (second, "configured")


def test_a_model_that_was_deleted_stays_so_and_one_that_is_live_here_stays(places: Places) -> None:
    gone, kept, live = (model_in(places.a, number) for number in (1, 2, 3))
    places.a.send()
    places.b.restore()
    places.a.models.delete(gone)
    places.b.models.promote(kept, "bo")
    places.a.models.delete(kept)
    places.a.send()
    for _ in range(2):
        places.b.restore()
    assert {one.version for one in places.b.models.all()} == {kept, live, "configured"}
    assert places.b.models.live == kept


# --- pictures, kinds, sessions -----------------------------------------------------------------------------------


def left_by_a_visitor(place: Place, receipt: str, colour: int = 1) -> str:
    """A picture that a visitor has sent; gives its id."""
    original = coloured("lowchen", 900 + colour).load()
    said = LabelEvent(image_id_of(original), "suggestion", "visitor", "lowchen", answer_key=key_of(receipt))
    picture = NewPicture(original, 32, 32, FROM_VISITOR, None, "my cat.jpg")
    return EventLog(place.engine, place.clock).append_with_picture(said, picture, place.images).image


def test_a_picture_that_its_sender_took_back_never_comes_back(places: Places) -> None:
    receipt = new_receipt()
    image = left_by_a_visitor(places.a, receipt)
    places.a.send()
    places.b.restore()
    assert image in places.b.images
    VisitorPictures(places.b.engine, places.b.images, 90, clock=places.b.clock).forget(receipt)
    places.b.send()
    original = places.a.images.read(image)
    (Path(places.url) / "pictures" / image[:2] / image).write_bytes(original)  # whoever has put it there again
    for _ in range(2):
        places.a.restore()
    for place in (places.a, places.b, places.looking()):
        assert image not in place.images
        with reading(place.engine) as connection:
            assert [row.name for row in connection.execute(image_table.select())] == [""]
        pictures = VisitorPictures(place.engine, place.images, 90, clock=place.clock)
        assert pictures.look(receipt).state == "removed"
    again = new_receipt()
    left_by_a_visitor(places.a, again)  # somebody else sends the same, and knows
    places.a.restore()
    assert image in places.a.images
    places.a.send()
    assert image in places.looking("d").images


def test_a_picture_that_a_maintainer_had_on_their_own_stays(tmp_path: Path) -> None:
    places, receipt = Places(tmp_path, timedelta()), new_receipt()
    image = left_by_a_visitor(places.a, receipt)
    made = open_fake_workspace(tmp_path / "b")
    made.take_in([coloured("lowchen", 901)])
    assert image in places.b.images
    VisitorPictures(places.a.engine, places.a.images, 90).forget(receipt)
    places.a.send()
    places.b.restore()
    assert image in places.b.images


def test_a_kind_that_was_renamed_or_retired_stays_so(places: Places) -> None:
    places.a.send()
    places.b.restore()
    this_one = taxon_table.c.id == "lowchen"
    with writing(places.b.engine) as connection:
        connection.execute(taxon_table.update().where(this_one).values(name="Little Lion", retired=True))
    places.b.send()
    places.a.send()
    places.a.restore()
    for place in (places.a, places.b, places.looking()):
        with reading(place.engine) as connection:
            row = connection.execute(taxon_table.select().where(this_one)).one()
            assert (row.name, bool(row.retired)) == ("Little Lion", True)


def test_a_session_that_was_closed_anywhere_is_closed(places: Places) -> None:
    opened = Sessions(places.a.engine, places.a.clock).open("ada", "audit")
    places.a.send()
    places.b.restore()
    there = Sessions(places.b.engine, places.b.clock)
    current = there.current("ada")
    assert current is not None
    there.close(current.id)
    places.b.send()
    places.a.send()
    places.a.restore()
    assert Sessions(places.a.engine).get(opened.id).closed_at is not None
    assert Sessions(places.looking().engine).current("ada") is None


# --- the table ---------------------------------------------------------------------------------------------------

ACCOUNT = {"name": "ada", "folded": "ada", "created_at": "", "password_hash": "x", "passwords": 1, "disabled": False}
TAXON = {"id": "owl", "name": "Owl", "parent": None, "latin": None, "aliases": "[]", "retired": False}
OLD, A, B, BOTH = {}, {"a": 1}, {"b": 1}, {"a": 1, "b": 1}


@pytest.mark.parametrize(
    ("kind", "facet", "one", "other", "wins"),
    [
        ("account", "role", ({"role": "expert"}, A), ({"role": "visitor"}, OLD), "expert"),
        ("account", "role", ({"role": "expert"}, A), ({"role": "visitor"}, B), "visitor"),
        ("account", "role", ({"role": "expert"}, BOTH), ({"role": "visitor"}, B), "expert"),
        ("account", "disabled", ({"disabled": True}, A), ({"disabled": False}, B), True),
        ("account", "disabled", ({"disabled": True}, A), ({"disabled": False}, BOTH), False),
        ("account", "disabled", ({"disabled": True}, A), ({"disabled": False}, A), True),
        ("account", "password", ({"passwords": 2, "password_hash": "a"}, A), ({"password_hash": "z"}, B), 2),
        ("taxon", "retired", ({"retired": True}, A), ({"retired": False}, B), True),
        ("taxon", "retired", ({"retired": True}, A), ({"retired": False}, BOTH), False),
        ("taxon", "names", ({"name": "Eule"}, A), ({"name": "Owl"}, OLD), "Eule"),
    ],
)
def test_which_state_holds(kind: str, facet: str, one: tuple[Any, Any], other: tuple[Any, Any], wins: object) -> None:
    row = {"account": {**ACCOUNT, "role": "expert"}, "taxon": TAXON}[kind]
    states = [Versioned({**row, **values}, {facet: version}) for values, version in (one, other)]
    found = [merged(kind, order) for order in itertools.permutations(states)]
    assert found[0] == found[1] == merged(kind, [*states, found[0]])
    assert found[0].row[next(iter(one[0]))] == wins


# --- mirrors that were written before ----------------------------------------------------------------------------


def old_mirror(folder: Path, *segments: tuple[str, list[dict[str, Any]]]) -> str:
    (folder / "mirror" / "log").mkdir(parents=True)
    (folder / "mirror" / "fgdemo-mirror.json").write_text('{"type": "fgdemo-mirror", "format": 1}\n')
    for name, records in segments:
        (folder / "mirror" / "log" / name).write_bytes(pack(records))
    return str(folder / "mirror")


FIRST, SECOND = "20260101T000000Z-0123456789abcdef-00000{}.jsonl", "20260102T000000Z-fedcba9876543210-00000{}.jsonl"
EARLY, LATE = "2026-01-01T00:00:00.000000+00:00", "2027-01-01T00:00:00.000000+00:00"


def old_account(role: str, changed_at: str, **more: object) -> dict[str, Any]:
    return {
        "type": "account",
        "name": "ada",
        "folded": "ada",
        "role": role,
        "created_at": EARLY,
        "disabled": False,
        "password_hash": "scrypt$16384$8$1$" + "00" * 16 + "$" + "00" * 32,
        "changed_at": changed_at,
        **more,
    }


def old_token(changed_at: str, digest: str = "0") -> dict[str, Any]:
    return {
        "type": "token",
        "name": "robot",
        "folded": "robot",
        "role": "expert",
        "token_hash": digest * 64,
        "created_at": EARLY,
        "changed_at": changed_at,
    }


@pytest.mark.parametrize(
    ("first", "second", "wanted"),
    [
        ([old_account("visitor", EARLY)], [old_account("expert", LATE)], ("expert", False)),
        ([old_account("visitor", LATE)], [old_account("expert", EARLY)], ("visitor", False)),
        (
            [old_account("expert", LATE), old_account("visitor", EARLY)],
            [],
            ("visitor", False),
        ),  # the clock was put back
        ([old_account("expert", EARLY), old_account("expert", LATE, disabled=True)], [], ("expert", True)),
    ],
)
def test_accounts_of_an_old_mirror(
    tmp_path: Path, first: list[dict[str, Any]], second: list[dict[str, Any]], wanted: tuple[str, bool]
) -> None:
    url = old_mirror(tmp_path, (FIRST.format(1), first), (SECOND.format(1), second))
    place = Place(tmp_path / "c", url, timedelta())
    place.restore(accept_rights=False)
    assert [(one.role, one.disabled) for one in place.accounts.all()] == [wanted]
    place.accounts.set_role("ada", "maintainer")
    place.send()
    later = Place(tmp_path / "d", url, timedelta())
    later.restore()
    assert [one.role for one in later.accounts.all()] == ["maintainer"]


@pytest.mark.parametrize(
    ("first", "second", "opens"),
    [
        ([old_token(EARLY)], [], True),
        ([old_token(LATE)], [{"type": "token-removed", "name": "robot", "changed_at": EARLY}], False),
        ([old_token(LATE), {"type": "token-removed", "name": "robot", "changed_at": EARLY}], [], False),
        ([{"type": "token-removed", "name": "robot", "changed_at": LATE}, old_token(EARLY)], [], True),
    ],
)
def test_tokens_of_an_old_mirror(
    tmp_path: Path, first: list[dict[str, Any]], second: list[dict[str, Any]], opens: bool
) -> None:
    url = old_mirror(tmp_path, (FIRST.format(1), first), (SECOND.format(1), second))
    place = Place(tmp_path / "c", url, timedelta())
    place.restore()
    assert bool(place.tokens.all()) is opens


def test_promotions_of_an_old_mirror_keep_the_order_of_their_process(tmp_path: Path) -> None:
    places = Places(tmp_path, timedelta())
    version = model_in(places.a, 1)
    places.a.send()
    about = {"type": "promotion", "promoted_by": "mia"}
    records = [
        {**about, "version": version, "kind": "promote", "promoted_at": LATE},
        {**about, "kind": "rollback", "promoted_at": EARLY},
    ]
    (Path(places.url) / "log" / SECOND.format(1)).write_bytes(pack(records))
    assert places.looking().models.live == "configured"
    shutil.rmtree(Path(places.url) / "log")
    assert json.loads((Path(places.url) / "fgdemo-mirror.json").read_text())["format"] == 1
