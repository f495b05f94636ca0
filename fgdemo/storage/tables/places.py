"""Where the picture lies that a table means, however its author wrote the path."""

import posixpath
import re
import unicodedata
from collections import defaultdict
from urllib.parse import unquote, urlsplit

from fgdemo.storage.trees.tree import Tree
from fgdemo.values.labelled import PICTURE_ENDINGS, ending_of

OUTSIDE = "lies outside the folder of the table"
_ABSOLUTE = re.compile(r"(?:[A-Za-z]:|/|~|\.\.(?:/|$))")
_ADDRESS = re.compile(r"[A-Za-z][\w+.-]+://")


class Places:
    """Finds files of one tree."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._written: dict[str, str] = {}
        self._index: dict[str, list[str]] | None = None
        self._last: dict[str, list[str]] = {}

    def find(self, path: str, folder: str = "", bare: bool = False) -> tuple[str | None, str]:
        """The file that a table in `folder` means by `path`, or None and why.

        A name that is there is taken as it is. Else names are compared composed (NFC) and without case, and of a path
        on another computer (`C:/photos/x.jpg`) as much of its end as lies here. What fits two files is none.

        Args:
            bare: the table has names without folders, so they may lie in any, and go without ending (`image_0012`).
        """
        wanted = path.strip().replace("\\", "/")
        if not wanted or "\0" in wanted:
            return None, OUTSIDE
        if _ADDRESS.match(wanted):
            found, why = self._by_end(unquote(urlsplit(wanted).path), folder)
            return self._claimed(found, path, why if found is None and "several" in why else "lies elsewhere")
        inner = posixpath.normpath(posixpath.join(folder, wanted))
        if not _ABSOLUTE.match(wanted) or (folder and not inner.startswith("..") and not wanted.startswith(("/", "~"))):
            for name in dict.fromkeys((inner, posixpath.normpath(wanted))):
                if not name.startswith("..") and self._tree.size(name) is not None:
                    self._written.setdefault(name, path)
                    return name, ""
            found, why = self._alike(inner)
            if found is None and not why and folder:
                found, why = self._alike(posixpath.normpath(wanted))
            if found is None and not why and bare:
                below = self._names_of(wanted)
                found, why = (below[0], "") if len(below) == 1 else (None, _several(below))
            return self._claimed(found, path, why or "is not there")
        found, why = self._by_end(wanted, folder)
        return self._claimed(found, path, why or OUTSIDE)

    def _claimed(self, found: str | None, path: str, why: str) -> tuple[str | None, str]:
        """A file that was guessed belongs to one way of writing its path only."""
        if found is not None and self._written.setdefault(found, path) != path:
            return None, f"would be the same file as “{self._written[found]}”"
        return found, "" if found is not None else why

    def _by_end(self, wanted: str, folder: str) -> tuple[str | None, str]:
        parts = [part for part in wanted.split("/") if part not in ("", ".", "..", "~") and not part.endswith(":")]
        for start in range(len(parts)):
            end = "/".join(parts[start:])
            for name in dict.fromkeys((posixpath.join(folder, end), end)):
                if self._tree.size(name) is not None:
                    return name, ""
                found, why = self._alike(name)
                if found is not None or why:
                    return found, why
        below = self._names_of(parts[-1]) if parts else []
        return (below[0], "") if len(below) == 1 else (None, _several(below))

    def _alike(self, name: str) -> tuple[str | None, str]:
        """The file of this name, composed or not, in any case."""
        same = self._known().get(_key(name), [])
        close = [other for other in same if unicodedata.normalize("NFC", other) == unicodedata.normalize("NFC", name)]
        same = close or same
        return (same[0], "") if len(same) == 1 else (None, _several(same))

    def _names_of(self, last: str) -> list[str]:
        self._known()
        return self._last.get(_key(last), [])

    def _known(self) -> dict[str, list[str]]:
        if self._index is None:
            index: defaultdict[str, list[str]] = defaultdict(list)
            last: defaultdict[str, list[str]] = defaultdict(list)
            for name in self._tree.listing().files:
                index[_key(name)].append(name)
                last[_key(name.rpartition("/")[2])].append(name)
                if ending_of(name) in PICTURE_ENDINGS:
                    last[_key(name.rpartition("/")[2].rpartition(".")[0])].append(name)
            self._index, self._last = dict(index), dict(last)
        return self._index


def _several(names: list[str]) -> str:
    return "is the name of several files" if len(names) > 1 else ""


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
