"""Pictures in a zip archive, read where they lie: nothing is unpacked, so nothing can be written anywhere."""

import struct
import zipfile
import zlib
from pathlib import Path

from fgdemo.storage.trees.listing import Listing, folders_above, is_hidden, is_litter, tidy
from fgdemo.storage.trees.tree import LARGEST_PICTURE_BYTES, LARGEST_TABLE_BYTES, Archive, ZipTree
from fgdemo.values.errors import DatasetError
from fgdemo.values.labelled import PICTURE_ENDINGS, ending_of

MOST_ENTRIES = 1_000_000
LARGEST_RATIO = 200
"""A picture hardly shrinks when it is packed; what shrinks to less than this was made to fill a disk."""
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
_UTF8_FLAG, _UNICODE_PATH = 0x800, 0x7075


def open_zip(path: Path) -> ZipTree:
    """The entries of an archive as a tree; those that lead out of it, links, bombs and encrypted ones are faults.

    Names that were packed by Windows have slashes for backslashes here, and names that are UTF-8 are read so, whatever
    the archive says of them.

    Raises:
        DatasetError: not there, not a zip archive, more than a million entries, or entries that lie over each other.
    """
    archive = _opened(path)
    listing, names = Listing(), dict[str, str]()
    for entry in sorted(archive.entries(), key=lambda entry: entry.filename):
        name = _name(entry)
        fault = _fault(entry, name)
        if name.endswith("/"):
            listing.folders.update(() if is_hidden(name) else (name.rstrip("/"),))
        elif is_litter(name) and fault is None:
            continue
        elif fault is not None:
            listing.faults.append((name, fault))
        elif name in listing.files:
            listing.faults.append((name, "is in the archive twice, so only the first was read"))
        else:
            listing.add(name, entry.file_size if ending_of(name) in PICTURE_ENDINGS else _table_size(entry))
            names[name] = entry.filename
            listing.folders.update(folders_above(name) if name in listing.files else ())
    return ZipTree(archive, listing, names)


def _table_size(entry: zipfile.ZipInfo) -> int:
    return min(entry.file_size, LARGEST_TABLE_BYTES)


def _name(entry: zipfile.ZipInfo) -> str:
    """The entry's path with slashes. Without a flag names are cp437 by the standard, and UTF-8 by habit."""
    name = entry.filename
    if not entry.flag_bits & _UTF8_FLAG and not name.isascii():
        try:
            raw = name.encode("cp437")
            name = _unicode_path(entry.extra, raw) or raw.decode("utf-8")
        except UnicodeError:
            pass  # it is cp437
    return tidy(name.replace("\\", "/"))


def _unicode_path(extra: bytes, raw: bytes) -> str | None:
    """The name in the Info-ZIP field for it (APPNOTE 4.6.9), if that is about this name."""
    while len(extra) >= 4:
        kind, length = struct.unpack("<HH", extra[:4])
        body, extra = extra[4 : 4 + length], extra[4 + length :]
        if kind == _UNICODE_PATH and len(body) > 5 and struct.unpack("<I", body[1:5])[0] == zlib.crc32(raw):
            return body[5:].decode("utf-8")
    return None


def _opened(path: Path) -> Archive:
    try:
        archive = Archive(path, zipfile.ZipFile(path))
        entries, length = archive.entries(), path.stat().st_size
    except FileNotFoundError:
        raise DatasetError(f"There is no archive “{path}”.") from None
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise DatasetError(f"“{path.name}” is not a zip archive that can be read: pack it again.") from error
    if len(entries) > MOST_ENTRIES:
        raise DatasetError(f"“{path.name}” has more than {MOST_ENTRIES:,} entries: pack it in several archives.")
    if sum(entry.compress_size for entry in entries) > length:
        raise DatasetError(f"The entries of “{path.name}” lie over each other, so it was made to fill a disk.")
    return archive


def _fault(entry: zipfile.ZipInfo, name: str) -> str | None:
    """Why an entry is not read; None if it may be."""
    parts = name.split("/")
    if ".." in parts or name.startswith("/") or ":" in parts[0]:
        return "leads out of the archive"
    if name.endswith("/"):
        return None
    if (entry.external_attr >> 16) & 0o170000 not in (0, 0o100000):
        return "is a link or a device, not a file"
    if entry.flag_bits & 1:
        return "is encrypted"
    if entry.file_size == 0:
        return None if is_litter(name) else "is an empty file"
    if entry.file_size > LARGEST_RATIO * max(entry.compress_size, 1):
        return "is too large when unpacked"
    if ending_of(name) not in PICTURE_ENDINGS:
        return None
    if entry.file_size > LARGEST_PICTURE_BYTES:
        return "is too large when unpacked"
    return None if entry.compress_type in _METHODS else "is packed in a way that cannot be read"
