"""What nobody has read of a folder or an archive, and why: all of it is named."""

import posixpath
from collections.abc import Callable, Collection

from fgdemo.storage.tables.sheets import ENDINGS
from fgdemo.storage.trees.listing import Listing
from fgdemo.storage.trees.tars import COMPRESSED
from fgdemo.storage.trees.tree import Tree
from fgdemo.values.labelled import PICTURE_ENDINGS, SourceContent, ending_of

TAXONOMY_TABLE, MARK = "taxonomy.csv", "fgdemo-export.json"
"""What exports write beside pictures. A taxonomy of others is given by an option."""
DOCUMENTS = frozenset({"readme", "license", "licence", "copying", "citation", "notice"})
WRITINGS = ("", ".md", ".txt", ".rst", ".pdf", ".html", ".bib", ".cff")
"""Endings of what is read by people, and says nothing of single pictures."""
ARCHIVES = (".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".zst", ".7z", ".rar")

NO_PICTURE = "is not a picture by its ending"
OTHER_TABLE = "is a table in which no row names a picture here in a column path, file_name …"
OTHER_LIST = "is no table that is read: save it as CSV, or as lines of JSON, with the columns path and label"
SPREADSHEETS = (".xlsx", ".xls", ".ods")
AS_A_WHOLE = "is compressed as a whole: unpack it, or pack it as .zip or .tar"
UNASKED = "is shown by none of the lines that say what the pictures here are"


class Asked:
    """A tree that knows which of its files somebody has asked for."""

    def __init__(self, tree: Tree) -> None:
        self._tree, self.title = tree, tree.title
        self.names: set[str] = set()

    def size(self, name: str) -> int | None:
        return self._tree.size(name)

    def loader(self, name: str) -> Callable[[], bytes]:
        self.names.add(posixpath.normpath(name))
        return self._tree.loader(name)

    def read(self, name: str) -> bytes:
        return self._tree.read(name)

    def listing(self) -> Listing:
        return self._tree.listing()


def name_unread(listing: Listing, read: Collection[str], found: SourceContent) -> None:
    """Name the files that were not `read`, but for documents and what an export writes for people."""
    for name in listing.files:
        if name not in read and not _is_document(name):
            found.skip(name, UNASKED if ending_of(name) in PICTURE_ENDINGS else _why_not(name))


def _is_document(name: str) -> bool:
    last = name.rpartition("/")[2].lower()
    return (last.partition(".")[0] in DOCUMENTS and ending_of(last) in WRITINGS) or last in (TAXONOMY_TABLE, MARK)


def _why_not(name: str) -> str:
    if name.lower().endswith(".parquet"):
        return "is not read inside an archive or beside pictures: give it by itself"
    if name.lower().endswith(ENDINGS):
        return OTHER_TABLE
    if name.lower().endswith(ARCHIVES):
        return AS_A_WHOLE if name.lower().endswith(COMPRESSED) else "is an archive in the archive"
    return OTHER_LIST if name.lower().endswith((".json", *SPREADSHEETS)) else NO_PICTURE
