"""A typeface for names in scripts that the page's own has no letters for, if this machine has one (fontconfig)."""

import shutil
import subprocess
import unicodedata
from functools import lru_cache

from PIL import ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

PATIENCE_S = 5
_NOWHERE = "\U0010fffe"
"""Is no character, so that every typeface draws its box for it."""


def lacking(text: str, face: Font) -> frozenset[str]:
    """The characters that this typeface has only a box for."""
    return frozenset(c for c in set(text) if not _is_unseen(c) and _is_box(c, face))


def setting(text: str, face: Font) -> Font:
    """The typeface to set a text in as a whole, so that its order and its ligatures hold: the given one if it can, or
    the one of this machine that has the most of what it lacks."""
    missing = lacking(text, face)
    if not missing or not isinstance(face, ImageFont.FreeTypeFont):
        return face
    found = _installed("".join(sorted(missing)), round(face.size))
    return found if found is not None and len(lacking(text, found)) < len(missing) else face


def _is_unseen(character: str) -> bool:
    return character.isspace() or unicodedata.category(character) in ("Cf", "Cc", "Mn")


@lru_cache(maxsize=4096)
def _is_box(character: str, face: Font) -> bool:
    return _drawn(character, face) == _drawn(_NOWHERE, face)


def _drawn(character: str, face: Font) -> tuple[tuple[int, int], bytes]:
    mask = face.getmask(character)
    return mask.size, bytes(mask)  # pyright: ignore[reportArgumentType]


@lru_cache(maxsize=256)
def _installed(characters: str, size: int) -> Font | None:
    """The typeface that fontconfig names for these characters; None where there is none, or no fontconfig."""
    program = shutil.which("fc-match")
    if program is None:
        return None
    charset = " ".join(f"{ord(c):x}" for c in characters)
    pattern = f"sans:charset={charset}:outline=true:color=false"
    try:
        told = subprocess.run(
            [program, "--format=%{file}\t%{index}", pattern], capture_output=True, check=True, timeout=PATIENCE_S
        )
        file, _, index = told.stdout.decode().partition("\t")
        return ImageFont.truetype(file, size, index=int(index or 0) & 0xFFFF)  # above: a variation's number
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
