"""All files of a folder on this disk, but for what systems and storage boxes leave beside pictures."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from fgdemo.values.errors import DatasetError
from fgdemo.values.labelled import PICTURE_ENDINGS, ending_of

LITTER = frozenset(
    "thumbs.db|ehthumbs.db|ehthumbs_vista.db|desktop.ini|__macosx|icon\r|@eadir|#recycle|#snapshot|@recycle|"
    "@recently-snapshot|$recycle.bin|system volume information|lost+found|__pycache__|zbthumbnail.info|picasa.ini|"
    ".@__thumb|.@upload_cache|.ds_store|.appledouble|.thumbnails|.thumbs|.picasaoriginals|.ipynb_checkpoints|"
    ".cache|.git|.svn|.trashes|.spotlight-v100|.fseventsd|.temporaryitems|.documentrevisions-v100|.snapshot|"
    ".snapshots".split("|")
)
"""What systems and storage boxes leave behind, in lower case; names that begin with `._` and `.Trash` are such too."""
HIDDEN = "is hidden, since a name in its path begins with a dot: rename it"


@dataclass(frozen=True)
class Listing:
    """What lies in a folder or an archive.

    Attributes:
        files: bytes of each file by its path with slashes, in order; nothing hidden and no litter.
        folders: paths of all folders in it that are not hidden.
        faults: (name, reason) of what cannot be read.
    """

    files: dict[str, int] = field(default_factory=dict[str, int])
    folders: set[str] = field(default_factory=set[str])
    faults: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    def add(self, name: str, size: int) -> None:
        """A file; one without bytes is a fault, and so is a hidden picture."""
        if is_hidden(name):
            if ending_of(name) in PICTURE_ENDINGS:
                self.faults.append((name, HIDDEN))
        elif size:
            self.files[name] = size
        else:
            self.faults.append((name, "is an empty file"))


def is_litter(name: str) -> bool:
    """Whether a path leads to what a system has left."""
    return any(part in LITTER or part.startswith(("._", ".trash")) for part in name.lower().split("/"))


def is_hidden(name: str) -> bool:
    """Whether a name in the path begins with a dot. Such pictures are named: `.22 LR` may be a kind."""
    return any(part.startswith(".") for part in name.split("/"))


def tidy(name: str) -> str:
    """A path without the steps that say nothing (`./a//b.jpg`), which some programs pack."""
    steps = [step for step in name.split("/") if step not in ("", ".")]
    begin, end = "/" if name.startswith("/") else "", "/" if name.endswith("/") else ""
    return begin + "/".join(steps) + (end if steps else "")


def folders_above(name: str) -> set[str]:
    """The paths of all folders that lead to a file."""
    steps = name.split("/")[:-1]
    return {"/".join(steps[: depth + 1]) for depth in range(len(steps))}


def list_folder(root: Path) -> Listing:
    """Everything below a folder in order of name, without litter; links to folders and out of it are not followed.

    Raises:
        DatasetError: not a folder, or it or a folder in it cannot be read.
    """
    require_folder(root)
    found = Listing()
    for entry in _visible(root):
        for file in _walk(root, entry, found):
            found.add(_name(root, file), file.stat().st_size)
    return found


def require_folder(root: Path) -> None:
    """Raise DatasetError where there is no such folder."""
    if not root.exists():
        raise DatasetError(f"There is no folder “{root}”.")
    if not root.is_dir():
        raise DatasetError(f"“{root}” is a file; a folder with one folder of pictures for each class is expected.")


def _walk(root: Path, entry: os.DirEntry[str], found: Listing) -> Iterator[os.DirEntry[str]]:
    if entry.is_symlink() and (entry.is_dir() or not _inside(root, Path(entry.path))):
        found.faults.append((_name(root, entry), "is a link that is not followed"))
    elif entry.is_dir():
        found.folders.update(() if is_hidden(_name(root, entry)) else (_name(root, entry),))
        for child in _visible(Path(entry.path)):
            yield from _walk(root, child, found)
    elif entry.is_file():
        yield entry
    else:
        found.faults.append((_name(root, entry), "is not a file"))


def _name(root: Path, entry: os.DirEntry[str]) -> str:
    """The path below the source, with slashes. Plain text, since objects take most of the time of a large listing."""
    return entry.path[len(str(root)) :].replace(os.sep, "/").lstrip("/")


def _visible(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            kept = [entry for entry in entries if not is_litter(entry.name)]
    except OSError as error:
        raise DatasetError(f"The folder “{folder.name}” cannot be read ({error.strerror}).") from error
    return sorted(kept, key=lambda entry: entry.name)


def _inside(root: Path, path: Path) -> bool:
    return path.resolve().is_relative_to(root.resolve())
