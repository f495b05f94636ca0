"""Passwords: which are too easily guessed, how they are kept, and which kept ones are believed."""

import hashlib
import hmac
import re
import unicodedata

from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

from fgdemo.storage.people.names import UNSEEN
from fgdemo.values.errors import SettingsError

SHORTEST_PASSWORD, LONGEST_PASSWORD = 8, 1000
FEWEST_DIFFERENT = 5
"""A password has so many different characters at least; upper and lower case are the same."""
LEAST_BESIDE_THE_NAME = 6
"""So many characters are not the name of the account."""
_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
"""Argon2id with the cost that OWASP's cheat sheet on password storage asks for at least: some 30 ms and 19 MiB."""
LARGEST_MEMORY_KIB, LARGEST_MEMORY_PASSES_KIB, MOST_LANES = 131_072, 262_144, 8
"""What a kept hash may cost to check: it may come from a mirror, and nobody there shall stall this server."""
LARGEST_SCRYPT_BLOCKS = 2**20
"""n · r · p of the same for scrypt: 128 MiB."""
_SCRYPT = re.compile(r"scrypt\$(\d{1,7})\$(\d{1,2})\$(\d{1,2})\$([0-9a-f]{32,128})\$([0-9a-f]{64,128})")
_ARGON2 = re.compile(
    r"\$argon2id\$v=19\$m=\d{1,6},t=\d{1,3},p=\d{1,2}\$[A-Za-z0-9+/]{11,86}\$[A-Za-z0-9+/]{22,86}", re.ASCII
)
_ENDS = "0123456789!?.,*#$%&_-+"
_COMMON = frozenset(
    """1q2w3e4r 1q2w3e4r5t 1qaz2wsx admin adminadmin administrator baseball changeme computer dragon football iloveyou
    letmein master michael p@ssw0rd pa55word passw0rd password passwort princess qazwsxedc qwerty qwertz secret
    starwars sunshine superman test testtest trustno1 welcome whatever willkommen zaq12wsx""".split()
)
"""What people take most often; digits and marks around it do not help."""
_ROWS = (
    "1234567890",
    "qwertyuiop",
    "qwertzuiop",
    "azertyuiop",
    "asdfghjkl",
    "yxcvbnm",
    "zxcvbnm",
    "abcdefghijklmnopqrstuvwxyz",
)


def hashed(password: str, name: str) -> str:
    """What is kept of the password of the account `name`. Raises SettingsError where it is too easily guessed."""
    weakness = weakness_of(password, name)
    if weakness:
        raise SettingsError(weakness)
    return _HASHER.hash(_bytes(password))


def rehashed(password: str) -> str:
    """What is kept of a password that is kept already, in today's way."""
    return _HASHER.hash(_bytes(password))


def weakness_of(password: str, name: str) -> str | None:
    """One sentence that says why a password is too easily guessed; None where it is not."""
    if len(password) > LONGEST_PASSWORD:
        return f"A password has at most {LONGEST_PASSWORD} characters."
    seen = _seen(password)
    if len(seen) < SHORTEST_PASSWORD:
        return f"A password needs at least {SHORTEST_PASSWORD} characters, blanks not counted."
    if len(set(seen)) < FEWEST_DIFFERENT or _is_repeated(seen):
        return "This password repeats a few characters: choose one that nobody can guess."
    bare = seen.strip(_ENDS) or seen
    if not _COMMON.isdisjoint((seen, bare)) or _is_row(bare):
        return "This password is among the first that anybody would try: choose another one."
    if any(len(seen.replace(one, "")) < LEAST_BESIDE_THE_NAME for one in _names_in(name) if one in seen):
        return "This password is little more than the name: choose one that nobody can guess."
    return None


def matches(password: str, kept: str) -> bool:
    """Whether this is the password of which `kept` is kept; of a hash that is not `is_believed` nothing is."""
    if not is_believed(kept):
        return False
    given, scrypt = _bytes(password[: LONGEST_PASSWORD + 1]), _SCRYPT.fullmatch(kept)
    if scrypt:
        n, r, p = (int(one) for one in scrypt.groups()[:3])
        salt, key = (bytes.fromhex(one) for one in scrypt.groups()[3:])
        found = hashlib.scrypt(given, salt=salt, n=n, r=r, p=p, dklen=len(key), maxmem=2**28)
        return hmac.compare_digest(found, key)
    try:
        return _HASHER.verify(kept, given)
    except VerifyMismatchError:
        return False
    except (VerificationError, InvalidHashError):  # well formed, but no hash that Argon2 can have made
        return False


def is_outdated(kept: str) -> bool:
    """Whether it was kept in another way than today's, so that it is kept anew when its owner signs in."""
    return not kept.startswith("$argon2id$") or _HASHER.check_needs_rehash(kept)


def is_believed(kept: object) -> bool:
    """Whether it is the hash of a password by a known scheme, at a cost that this server can bear."""
    if not isinstance(kept, str):
        return False
    scrypt = _SCRYPT.fullmatch(kept)
    if scrypt:
        n, r, p = (int(one) for one in scrypt.groups()[:3])
        is_hex = all(len(one) % 2 == 0 for one in scrypt.groups()[3:])
        return n > 1 and n & (n - 1) == 0 and r > 0 and p > 0 and n * r * p <= LARGEST_SCRYPT_BLOCKS and is_hex
    if not _ARGON2.fullmatch(kept):
        return False
    try:
        cost = extract_parameters(kept)
    except (InvalidHashError, ValueError):
        return False
    return (
        1 <= cost.parallelism <= MOST_LANES
        and 8 * cost.parallelism <= cost.memory_cost <= LARGEST_MEMORY_KIB
        and cost.time_cost >= 1
        and cost.memory_cost * cost.time_cost <= LARGEST_MEMORY_PASSES_KIB
    )


NOBODYS = _HASHER.hash(b"")
"""Checked where there is no such account, so that this takes as long as where there is one."""


def _bytes(password: str) -> bytes:
    return password.encode("utf-8", "surrogatepass")


def _seen(text: str) -> str:
    """What a person sees of it, without case: no blanks, no characters of no width."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(c for c in folded if unicodedata.category(c)[0] not in "CZ" and not UNSEEN.match(c))


def _is_repeated(text: str) -> bool:
    """Whether a piece of at most half the text makes all of it."""
    return any(text[period:] == text[:-period] for period in range(1, len(text) // 2 + 1))


def _is_row(text: str) -> bool:
    """Whether it runs along the alphabet, the digits or a row of keys, in either direction."""
    return any(text in row * 2 or text[::-1] in row * 2 for row in _ROWS)


def _names_in(name: str) -> tuple[str, ...]:
    """The name, its words, and both backwards, where they are long enough to be found in a password by purpose."""
    words = {_seen(one) for one in (name, *name.split())} | {"fgdemo"}
    return tuple(sorted({one for word in words for one in (word, word[::-1]) if len(one) > 2}, key=len, reverse=True))
