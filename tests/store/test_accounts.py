"""Accounts, and what a request without one may not do."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone

import pytest
import sqlalchemy as sa

from fgdemo.storage.database.database import open_database, reading, writing
from fgdemo.storage.people.accounts import Accounts
from fgdemo.storage.people.names import folded
from fgdemo.values.annotation import VISITOR
from fgdemo.values.errors import ForbiddenError, SettingsError
from tests.unit.test_passwords import by_scrypt


class Clock:
    now = datetime(2026, 1, 1, tzinfo=timezone.utc)

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def accounts(database_url, clock):
    engine = open_database(database_url)
    made = Accounts(engine, clock)
    made.add("Ada", "expert", "long enough")
    yield made
    engine.dispose()


def test_sign_in_and_out(accounts):
    token = accounts.sign_in(" aDA ", "long enough")
    assert (accounts.person(token).name, accounts.person(token).role) == ("Ada", "expert")
    accounts.set_role("ada", "maintainer")
    assert accounts.person(token).role == "maintainer"
    accounts.sign_out(token)
    assert accounts.person(token) == accounts.person(None) == accounts.person("x") == VISITOR


def test_neither_passwords_nor_tokens_are_stored(accounts):
    token = accounts.sign_in("Ada", "long enough")
    with reading(accounts._engine) as connection:
        rows = [
            *connection.execute(sa.text("SELECT * FROM account")),
            *connection.execute(sa.text("SELECT * FROM sign_in")),
        ]
    assert "long enough" not in str(rows)
    assert token not in str(rows)


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("Ada", "wrong"),
        ("nobody", "long enough"),
        ("Ada", ""),
        ("Ada", "x" * 5000),
        ("A\0da", "long enough"),
        ("\ud800", "long enough"),
        ("Ada", "\ud800"),
        ("' OR 1=1 --", "long enough"),
        ("Ada%", "long enough"),
    ],
)
def test_the_wrong_word_is_refused_in_the_same_sentence(accounts, name, password):
    with pytest.raises(ForbiddenError, match="name or the password"):
        accounts.sign_in(name, password)


def guess(accounts, name, place, times):
    """The sentences that the guesses are refused with."""
    told = []
    for _ in range(times):
        with pytest.raises(ForbiddenError) as refused:
            accounts.sign_in(name, "a guess", place)
        told.append(str(refused.value))
    return told


def test_guessing_is_slowed_and_the_right_word_works_again_later(accounts, clock):
    guess(accounts, "Ada", "here", 6)
    with pytest.raises(ForbiddenError, match="Too many"):
        accounts.sign_in("Ada", "long enough", "here")
    clock.now += timedelta(hours=1)
    assert accounts.sign_in("Ada", "long enough", "here")


def test_guessing_is_told_and_slowed_alike_whether_there_is_such_an_account(accounts):
    assert (
        guess(accounts, "Ada", "here", 9) == guess(accounts, "nobody", "here", 9) == guess(accounts, "ａＤＡ", "x", 9)
    )
    assert len(set(guess(accounts, "nobody", "there", 9))) == 2


def test_strangers_elsewhere_lock_nobody_out(accounts, clock):
    signed_in = accounts.sign_in("Ada", "long enough", "home")
    for place in range(9):
        guess(accounts, "Ada", f"stranger {place}", 30)
    assert accounts.sign_in("Ada", "long enough", "office")
    for place in range(300):
        guess(accounts, "Ada", f"stranger {place}", 2)
    assert accounts.person(signed_in).name == "Ada"
    assert accounts.sign_in("Ada", "long enough", "home")
    assert accounts.sign_in("Ada", "long enough", "office")


def test_guessing_from_many_places_is_slowed(accounts, clock):
    tried = [guess(accounts, "Ada", f"place {n}", 1)[0] for n in range(60)]
    assert tried.count("The name or the password is not right.") < 55
    with pytest.raises(ForbiddenError, match="Too many"):
        accounts.sign_in("Ada", "long enough", "yet another")
    clock.now += timedelta(minutes=1)
    assert accounts.sign_in("Ada", "long enough", "yet another")


def test_many_guesses_at_once_are_no_way_around(accounts):
    checked = []
    with ThreadPoolExecutor(16) as pool:

        def one(n):
            try:
                accounts.sign_in("Ada", f"guess {n}", "here")
            except ForbiddenError as error:
                checked.append("not right" in str(error))

        list(pool.map(one, range(16)))
    assert sum(checked) <= 6


def test_an_old_password_hash_is_kept_anew_when_its_owner_signs_in(accounts):
    def kept():
        with reading(accounts._engine) as connection:
            return connection.execute(sa.text("SELECT password_hash FROM account")).scalar_one()

    with writing(accounts._engine) as connection:
        connection.execute(sa.text("UPDATE account SET password_hash = :kept"), {"kept": by_scrypt("an old word")})
    guess(accounts, "Ada", "here", 1)
    assert kept().startswith("scrypt$")
    assert accounts.sign_in("Ada", "an old word", "here")
    anew = kept()
    assert anew.startswith("$argon2id$")
    assert accounts.sign_in("Ada", "an old word", "here")
    assert kept() == anew


def test_an_account_that_is_opened_again_opens_no_old_cookie(accounts):
    token = accounts.sign_in("Ada", "long enough")
    accounts.disable("ada")
    accounts.disable("ada", False)
    assert accounts.person(token) == VISITOR
    assert accounts.person(accounts.sign_in("Ada", "long enough")).name == "Ada"


def test_a_disabled_account_and_an_old_token_are_visitors(accounts, clock):
    token = accounts.sign_in("Ada", "long enough")
    accounts.disable("ada")
    assert accounts.person(token) == VISITOR
    with pytest.raises(ForbiddenError):
        accounts.sign_in("Ada", "long enough")
    accounts.disable("ada", False)
    clock.now += timedelta(days=31)
    assert accounts.person(token) == VISITOR


def test_a_clock_that_was_years_ahead_neither_locks_nor_keeps_anybody_in(accounts, clock):
    clock.now += timedelta(days=5000)
    future = accounts.sign_in("Ada", "long enough")
    for _ in range(8):
        with pytest.raises(ForbiddenError):
            accounts.sign_in("Ada", "guess")
    clock.now -= timedelta(days=5000)
    assert accounts.person(future) == VISITOR
    token = accounts.sign_in("Ada", "long enough")
    clock.now -= timedelta(hours=3)
    assert accounts.person(token).name == "Ada"


def test_accounts_are_in_the_order_of_their_names_whatever_the_database_thinks(accounts):
    for name in ("bo", "B-c", "Äda", "be"):
        accounts.add(name, "visitor", "long enough")
    assert [account.name for account in accounts.all()] == ["Ada", "B-c", "be", "bo", "Äda"]


def test_a_new_password_signs_everybody_out(accounts):
    token = accounts.sign_in("Ada", "long enough")
    accounts.set_password("Ada", "another word")
    assert accounts.person(token) == VISITOR
    assert accounts.sign_in("Ada", "another word")


@pytest.mark.parametrize(
    ("name", "role", "password"),
    [
        ("ada", "expert", "long enough"),
        ("", "expert", "long enough"),
        ("a\u202eb", "expert", "long enough"),
        ("bo", "king", "long enough"),
        ("bo", "expert", "short"),
        ("import", "expert", "long enough"),
        ("x" * 41, "expert", "long enough"),
        ("ａｄａ", "expert", "long enough"),
        ("fgDemo", "expert", "long enough"),
        ("Hf: ada", "expert", "long enough"),
        ("ａdа\ufe0f", "expert", "long enough"),
        ("bo\u3164", "expert", "long enough"),
        ("bo", "expert", " " * 8),
        ("Bo Robinson", "expert", "bo robinson"),
    ],
)
def test_unusable_accounts_are_refused(accounts, name, role, password):
    with pytest.raises(SettingsError):
        accounts.add(name, role, password)
    assert [account.name for account in accounts.all()] == ["Ada"]


@pytest.mark.parametrize("other", ["ＡＤＡ", "ａda", " Ada ", "ªda"])
def test_a_name_is_the_same_name_however_it_is_written(accounts, other):
    accounts.set_role(other, "maintainer")
    accounts.disable(other)
    assert [(one.name, one.role, one.disabled) for one in accounts.all()] == [("Ada", "maintainer", True)]
    with pytest.raises(SettingsError):
        accounts.tokens.add(other, "expert")


def test_a_name_without_case_is_in_one_normal_form():
    assert folded("\u03aa\u0301") == folded("\u0390") == folded("\u03b9\u0308\u0301")
