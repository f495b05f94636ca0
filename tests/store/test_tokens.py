"""Tokens of programs: what they open, how they are kept, and what is known of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta, timezone

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from fgdemo.cli import main
from fgdemo.storage.database.database import open_database, reading
from fgdemo.storage.database.schema import token_table
from fgdemo.storage.people.accounts import Accounts
from fgdemo.storage.people.tokens import Tokens
from fgdemo.values.annotation import Person
from fgdemo.values.errors import ForbiddenError, SettingsError

NOON = datetime(2025, 11, 25, 12, tzinfo=timezone.utc)


@pytest.fixture
def engine(database_url: str) -> Engine:
    return open_database(database_url)


def test_a_token_is_a_name_with_a_role_until_it_is_removed(engine: Engine) -> None:
    tokens = Tokens(engine)
    secret, other = tokens.add("Field  robot", "expert"), tokens.add("scraper", "visitor")
    assert tokens.person(secret) == Person("Field robot", "expert")
    assert tokens.person(other) == Person("scraper", "visitor")
    tokens.remove("field ROBOT")
    with pytest.raises(ForbiddenError):
        tokens.person(secret)
    with pytest.raises(SettingsError, match="no token"):
        tokens.remove("field robot")
    assert [one.name for one in tokens.all()] == ["scraper"]


def test_the_secret_is_nowhere_in_the_database(engine: Engine) -> None:
    secret = Tokens(engine).add("robot", "expert")
    with reading(engine) as connection:
        rows = connection.execute(sa.select(token_table)).all()
    assert secret not in str(rows)
    assert secret.removeprefix("fgd_") not in str(rows)


@pytest.mark.parametrize("wrong", ["", "fgd_", "fgd_" + "x" * 43, "' OR 1=1 --", "\ud800"])
def test_what_is_no_token_opens_nothing(engine: Engine, wrong: str) -> None:
    tokens = Tokens(engine)
    secret = tokens.add("robot", "maintainer")
    for guess in (wrong, secret[:-1], secret + "x", secret.upper()):
        with pytest.raises(ForbiddenError):
            tokens.person(guess)


def test_one_name_is_one_annotator(engine: Engine) -> None:
    accounts = Accounts(engine)
    accounts.add("Ada", "expert", "long enough")
    accounts.tokens.add("robot", "expert")
    for add in (
        lambda name: accounts.tokens.add(name, "expert"),
        lambda name: accounts.add(name, "expert", "long enough"),
    ):
        for taken in ("ada", "ROBOT", "visitor", "import", "", "x" * 41, "a\nb\0"):
            with pytest.raises(SettingsError):
                add(taken)


def test_when_it_was_used_last_is_kept_to_the_minute(engine: Engine) -> None:
    now = NOON
    tokens = Tokens(engine, lambda: now)
    secret = tokens.add("robot", "expert")

    def used() -> str | None:
        return tokens.all()[0].last_used_at

    assert used() is None
    tokens.person(secret)
    first = used()
    assert first is not None
    assert datetime.fromisoformat(first) == NOON
    now = NOON + timedelta(seconds=59)
    tokens.person(secret)
    assert used() == first
    now = NOON + timedelta(seconds=60)
    tokens.person(secret)
    assert used() != first


def test_the_command_line_makes_lists_and_removes(
    new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", new_database())

    def told(*arguments: str) -> dict:
        assert main(["token", *arguments, "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    made = told("add", "robot", "--role", "maintainer")
    assert Tokens(open_database(new_database())).all() == []
    assert told("list")["tokens"] == [
        {"name": "robot", "role": "maintainer", "created_at": made["tokens"][0]["created_at"], "last_used_at": None}
    ]
    assert "token" not in told("list"), "it is told once"
    assert told("remove", "robot")["tokens"] == []
    assert main(["token", "remove", "robot"]) == 1
    assert main(["token", "add"]) == 1
    assert "Which token?" in capsys.readouterr().err
