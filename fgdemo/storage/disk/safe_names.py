"""Names of files and folders that are safe on every system, whatever the picture or the kind is called."""

import unicodedata
from collections import defaultdict

LONGEST_BYTES = 120
_FORBIDDEN = frozenset('<>:"/\\|?*')
_RESERVED = frozenset({"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))})
_ENDINGS = (
    (b"\xff\xd8\xff", ".jpg"),
    (b"\x89PNG", ".png"),
    (b"RIFF", ".webp"),
    (b"GIF8", ".gif"),
    (b"BM", ".bmp"),
    (b"II*\0", ".tif"),
    (b"MM\0*", ".tif"),
)


def safe_name(text: str, otherwise: str = "unnamed") -> str:
    """One step of a path: no separators, no control characters, no name that a system keeps for itself.

    Letters of every script stay; the whole is at most 120 bytes long.
    """
    text = unicodedata.normalize("NFC", text)
    kept = "".join(
        "_" if c in _FORBIDDEN else c for c in text if unicodedata.category(c)[0] != "C" or c in "\u200c\u200d"
    )
    short = kept.strip(" .").encode()[:LONGEST_BYTES].decode("utf-8", "ignore").strip(" .")
    if not short or short.split(".")[0].lower() in _RESERVED:
        return f"{otherwise}_{short}" if short else otherwise
    return short


def picture_name(name: str, content: bytes) -> tuple[str, str]:
    """A safe name for a picture's file, without its ending, and the ending that its content asks for."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    stem, dot, _ = last.rpartition(".")
    ending = next((ending for magic, ending in _ENDINGS if content.startswith(magic)), ".jpg")
    return safe_name(stem if dot else last, "picture"), ending


class UniqueNames:
    """Hands out each name once in each folder, as systems see it that take ä and Ä for the same."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._counts: defaultdict[str, int] = defaultdict(int)

    def take(self, folder: str, stem: str, ending: str = "") -> str:
        """`folder/stem.ending`, with a number where that is taken."""
        while True:
            wanted = f"{folder}{stem}"
            count = self._counts[wanted] = self._counts[wanted] + 1
            path = f"{wanted}{ending}" if count == 1 else f"{wanted}-{count}{ending}"
            key = unicodedata.normalize("NFKC", path).casefold()
            if key not in self._taken:
                self._taken.add(key)
                return path
