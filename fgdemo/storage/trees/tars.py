"""Pictures in a tar archive, read where they lie. WebDataset shards are such archives."""

import tarfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from fgdemo.storage.trees.listing import Listing, folders_above, is_hidden, is_litter, tidy
from fgdemo.storage.trees.tree import LARGEST_PICTURE_BYTES, LARGEST_TABLE_BYTES
from fgdemo.storage.trees.zips import MOST_ENTRIES
from fgdemo.values.errors import DatasetError

COMPRESSED = (".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst", ".gz", ".bz2", ".xz", ".zst")
OTHERS = {".7z": "7z", ".rar": "RAR", ".lzh": "LZH", ".cab": "CAB"}


class TarTree:
    """Files of an uncompressed archive: where each begins, and how long it is."""

    def __init__(self, path: Path, places: dict[str, int], listing: Listing) -> None:
        self.title, self.path, self.places, self.found = path.name, path, places, listing

    def listing(self) -> Listing:
        return self.found

    def size(self, name: str) -> int | None:
        return self.found.files.get(name)

    def loader(self, name: str) -> Callable[[], bytes]:
        return partial(_read_part, str(self.path), self.places[name], self.found.files[name])

    def read(self, name: str) -> bytes:
        size = self.found.files[name]
        if size > LARGEST_TABLE_BYTES:
            raise DatasetError(f"“{name}” has more than {LARGEST_TABLE_BYTES:,} bytes: split it.")
        try:
            return _read_part(str(self.path), self.places[name], size)
        except OSError as error:
            raise DatasetError(f"“{name}” in “{self.title}” cannot be read ({error.strerror}).") from error


def open_tar(path: Path) -> TarTree:
    """The entries of an uncompressed archive; those that lead out of it and links are faults.

    Raises:
        DatasetError: not there, compressed, no tar archive, or more than a million entries.
    """
    if path.name.lower().endswith(COMPRESSED):
        raise DatasetError(
            f"“{path.name}” is compressed as a whole, so pictures in it cannot be found one by one: "
            "unpack it, or pack it as .zip or .tar."
        )
    listing, places = Listing(), dict[str, int]()
    try:
        with tarfile.open(path, "r:") as archive:
            for count, entry in enumerate(archive):
                if count >= MOST_ENTRIES:
                    raise DatasetError(f"“{path.name}” has more than {MOST_ENTRIES:,} entries: pack it in several.")
                name = tidy(entry.name.replace("\\", "/"))
                if name.startswith("/") or ".." in name.split("/"):
                    listing.faults.append((name, "leads out of the archive"))
                elif entry.isdir() or is_litter(name):
                    listing.folders.update({name} if entry.isdir() and name and not is_hidden(name) else ())
                elif not entry.isreg() or entry.issparse():
                    listing.faults.append((name, "is a link or a device, not a file"))
                elif name in listing.files:
                    listing.faults.append((name, "is in the archive twice, so only the first was read"))
                elif entry.size > LARGEST_TABLE_BYTES:
                    listing.faults.append((name, "is too large"))
                else:
                    listing.add(name, entry.size)
                    places[name] = entry.offset_data
                    listing.folders.update(folders_above(name) if name in listing.files else ())
    except FileNotFoundError:
        raise DatasetError(f"There is no archive “{path}”.") from None
    except (OSError, tarfile.TarError, ValueError, EOFError) as error:
        raise DatasetError(f"“{path.name}” is not a tar archive that can be read: pack it again.") from error
    return TarTree(path, places, _in_order(listing))


def _in_order(listing: Listing) -> Listing:
    return Listing(dict(sorted(listing.files.items())), listing.folders, listing.faults)


def _read_part(path: str, start: int, size: int) -> bytes:
    """Raises OSError."""
    if size > LARGEST_PICTURE_BYTES * 10:
        raise OSError(27, "too large")
    with open(path, "rb") as file:  # noqa: PTH123
        file.seek(start)
        content = file.read(size)
    if len(content) < size:
        raise OSError(5, "cut off in the archive")
    return content
