"""Accounts, and what a request without one may not do."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
import sqlalchemy as sa

from fgdemo.annotation import VISITOR
from fgdemo.errors import ForbiddenError, SettingsError
from fgdemo.storage.accounts import Accounts
from fgdemo.storage.database import open_database, reading


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


def test_guessing_is_slowed_and_the_right_word_works_again_later(accounts, clock):
    for _ in range(6):
        with pytest.raises(ForbiddenError):
            accounts.sign_in("Ada", "guess")
    with pytest.raises(ForbiddenError, match="Too many"):
        accounts.sign_in("Ada", "long enough")
    clock.now += timedelta(hours=1)
    assert accounts.sign_in("Ada", "long enough")


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
    [("ada", "expert", "long enough"), ("", "expert", "long enough"), ("a\u202eb", "expert", "long enough"),
     ("bo", "king", "long enough"), ("bo", "expert", "short"), ("import", "expert", "long enough"),
     ("x" * 41, "expert", "long enough")],
)  # fmt: skip
def test_unusable_accounts_are_refused(accounts, name, role, password):
    with pytest.raises(SettingsError):
        accounts.add(name, role, password)
    assert [account.name for account in accounts.all()] == ["Ada"]
