"""Which passwords are taken, how they are kept, and which kept ones are believed."""

from __future__ import annotations

import hashlib

import pytest
from argon2 import PasswordHasher

from fgdemo.storage.people import passwords
from fgdemo.values.errors import SettingsError


def by_scrypt(password: str) -> str:
    """As the first releases kept it."""
    key = hashlib.scrypt(password.encode(), salt=b"s" * 16, n=2**14, r=8, p=1, dklen=32)
    return f"scrypt$16384$8$1${(b's' * 16).hex()}${key.hex()}"


@pytest.mark.parametrize(
    "password",
    [
        "",
        "short",
        "aaaaaaaa",
        "AaAaAaAa",
        " " * 8,
        "\t \n" * 5,
        "\u200b" * 9,
        "\u3164" * 9,
        "\u2800" * 9,
        "a b c d e",
        "abababab",
        "abcabcabc",
        "abcabcab",
        "abcdeabcde",
        "12121212",
        "12345678",
        "987654321",
        "1234567890123",
        "qwertyui",
        "ASDFGHJK",
        "abcdefghij",
        "password",
        "Password1",
        "password2026!",
        "PASSWORT",
        "ｐａｓｓｗｏｒｄ",
        "ada lovelace",
        "AdaLovelace1",
        "ecalevolada",
        "ada lovelace ada lovelace",
        "ada12345",
        "fgdemo2026",
        "x" * 1001,
    ],
)
def test_what_is_easily_guessed_is_refused_in_a_sentence(password: str) -> None:
    with pytest.raises(SettingsError, match=r"^(A|This) password .*\.$"):
        passwords.hashed(password, "Ada Lovelace")


@pytest.mark.parametrize(
    "password",
    [
        "long enough",
        "correct horse battery",
        "tr0ub4dor&3",
        "полевой бинокль",
        "मेरी लंबी कूटशब्द",
        "ada likes the river",
        "x7#kQ9!z",
    ],
)
def test_others_are_taken_and_known_again(password: str) -> None:
    kept = passwords.hashed(password, "Ada")
    assert kept.startswith("$argon2id$")
    assert passwords.is_believed(kept)
    assert not passwords.is_outdated(kept)
    assert passwords.matches(password, kept)
    assert not passwords.matches(f"{password}.", kept)


def test_what_was_kept_in_former_ways_is_known_and_told() -> None:
    dearer = PasswordHasher(time_cost=3, memory_cost=65_536, parallelism=4).hash("long enough")
    for kept in (by_scrypt("long enough"), dearer):
        assert passwords.is_believed(kept)
        assert passwords.is_outdated(kept)
        assert passwords.matches("long enough", kept)
        assert not passwords.matches("long enoug", kept)


SALT, KEY = "c29tZXNhbHRzb21lc2FsdA", "A" * 43


@pytest.mark.parametrize(
    "kept",
    [
        None,
        7,
        "",
        "x",
        "plain text",
        "$2b$12$abcdefghijklmnopqrstuv",
        f"$argon2d$v=19$m=19456,t=2,p=1${SALT}${KEY}",
        f"$argon2id$v=19$m=4194304,t=2,p=1${SALT}${KEY}",
        f"$argon2id$v=19$m=131072,t=999,p=1${SALT}${KEY}",
        f"$argon2id$v=19$m=8,t=999,p=99${SALT}${KEY}",
        f"$argon2id$v=19$m=0,t=1,p=1${SALT}${KEY}",
        f"$argon2id$v=19$m=19456,t=0,p=1${SALT}${KEY}",
        f"$argon2id$v=19$m=19456,t=2,p=1${SALT}${'A' * 9000}",
        f"$argon2id$v=19$m=٢٩٤٥٦,t=2,p=1${SALT}${KEY}",
        f"$argon2id$v=19$m=19456,t=2,p=1${SALT}${KEY}\n",
        "scrypt$1073741824$8$1$00$00",
        f"scrypt$1048576$8$1${'00' * 16}${'00' * 32}",
        f"scrypt$16384$99$99${'00' * 16}${'00' * 32}",
        f"scrypt$16383$8$1${'00' * 16}${'00' * 32}",
        f"scrypt$16384$8$0${'00' * 16}${'00' * 32}",
        f"scrypt$16384$8$1${'00' * 16}0${'00' * 32}",
    ],
)
def test_what_no_known_scheme_has_kept_or_would_cost_too_much_opens_nothing(kept: object) -> None:
    assert not passwords.is_believed(kept)
    assert not isinstance(kept, str) or not passwords.matches("long enough", kept)


def test_a_well_formed_hash_that_nothing_gave_opens_nothing() -> None:
    assert not passwords.matches("long enough", f"$argon2id$v=19$m=19456,t=2,p=1${SALT}${KEY}")
    assert not passwords.matches("long enough", f"$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAA${KEY}")
