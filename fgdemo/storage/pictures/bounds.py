"""What reading a picture may cost, told from its headers before a decoder sees it.

A decoder's work is bounded by the pixels of a picture, but for what is counted here: each format has something that a
small file can have very much of. One pass over the file's skeleton, never over its pixels.
"""

import re
import struct
from collections.abc import Callable

from fgdemo.values.errors import PictureError

MOST_SCAN_MP = 1000
"""Scans of a JPEG times its megapixels; each costs about a millisecond. Cameras write at most a dozen scans."""
MOST_SEGMENTS = 10_000
MOST_JUNK_BYTES = 100_000
MOST_EXIF_BLOCKS = 50
MOST_CHUNKS = 60_000
MOST_OTHER_CHUNKS = 5_000
MOST_PACKED_TEXTS = 100
"""Each is unpacked up to a megabyte."""
MOST_BLOCKS = 300_000
MOST_BLOCKS_BEFORE_PIXELS = 2_000
MOST_TAGS = 1_000
MOST_NUMBERS = 300_000
"""Numbers in the tags of a TIFF: a strip or tile has two, and the smallest tile has 256 pixels."""
LARGEST_RUN_LENGTH_BYTES = 1_000_000
LARGEST_RUN_LENGTH_PX = 4_000_000
"""Pillow reads the runs of a BMP in Python."""

_JPEG_MARK = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
_SEQUENTIAL_OR_PROGRESSIVE = (0xC0, 0xC1, 0xC2)
_OTHER_FRAMES = (0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF)
_TIFF_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}
_BYTES = (1, 2, 6, 7)
_DIRECTORIES = (34665, 34853, 40965)
"""EXIF, place and interoperability: Pillow reads them with the picture."""
_WIDTH, _HEIGHT, _COMPRESSION, _STRIPS, _TILES = 256, 257, 259, 273, 324
_JPEG_IN_TIFF = (6, 7)


class _TooMuchError(Exception):
    """More of something than any program writes."""


def check_work(data: bytes, shown: str) -> None:
    """Refuse a file whose headers promise more work than its pixels are worth.

    What is cut off or damaged passes: the decoder says so itself.

    Args:
        shown: the picture's name as the subject of a sentence.

    Raises:
        PictureError: it would take too long, or is a JPEG of a kind that hardly any program shows.
    """
    for magic, check in _CHECKS:
        if data.startswith(magic):
            try:
                check(data)
            except _TooMuchError as error:
                raise PictureError(
                    f"{shown} is built so that reading it takes too long ({error}): export it again as JPEG or PNG."
                ) from error
            except (struct.error, IndexError):
                return
            if magic == b"\xff\xd8\xff" and (kind := _uncommon_kind(data)):
                raise PictureError(f"{shown} is a {kind} JPEG, which browsers do not show either: export it again.")
            return


def _jpeg(data: bytes) -> None:
    at, segments, scans, junk, exif, pixels = 2, 0, 0, 0, list[bytes](), 0
    while found := _JPEG_MARK.search(data, at):
        mark, start = data[found.start() + 1], found.start()
        junk += start - at if not scans else 0
        if mark == 0xD9:
            break
        at = start + 2 + struct.unpack_from(">H", data, start + 2)[0]
        segments += 1
        if mark in _SEQUENTIAL_OR_PROGRESSIVE:
            height, width = struct.unpack_from(">HH", data, start + 5)
            pixels = max(pixels, width * height)
        elif mark == 0xDA:
            scans += 1
        elif mark == 0xE1 and data[start + 4 : start + 10] == b"Exif\0\0":
            exif.append(data[start + 10 : at])
        _require(segments <= MOST_SEGMENTS, f"more than {MOST_SEGMENTS:,} segments")
        _require(junk <= MOST_JUNK_BYTES, "gaps between its segments")
        _require(scans * pixels <= MOST_SCAN_MP * 1_000_000, f"more than {scans - 1} scans")
        _require(len(exif) <= MOST_EXIF_BLOCKS, f"more than {MOST_EXIF_BLOCKS} blocks of EXIF")
    if exif:
        _directory(b"".join(exif))


def _uncommon_kind(data: bytes) -> str | None:
    """Arithmetic coding, no loss, or more than 8 bits; None for what everybody writes."""
    at = 2
    while found := _JPEG_MARK.search(data, at):
        mark, start = data[found.start() + 1], found.start()
        if mark in (0xDA, 0xD9) or start + 5 > len(data):
            return None
        if mark in _OTHER_FRAMES:
            return "lossless" if mark in (0xC3, 0xC7, 0xCB, 0xCF) else "arithmetic or hierarchical"
        if mark in _SEQUENTIAL_OR_PROGRESSIVE:
            return None if data[start + 4] == 8 else f"{data[start + 4]}-bit"
        at = start + 2 + struct.unpack_from(">H", data, start + 2)[0]
    return None


def _png(data: bytes) -> None:
    at, chunks, others, texts = 8, 0, 0, 0
    while at + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        at += 12 + length
        chunks += 1
        others += kind not in (b"IDAT", b"fdAT", b"fcTL")
        texts += kind in (b"zTXt", b"iTXt", b"iCCP")
        _require(chunks <= MOST_CHUNKS and others <= MOST_OTHER_CHUNKS, f"more than {chunks - 1:,} chunks")
        _require(texts <= MOST_PACKED_TEXTS, f"more than {MOST_PACKED_TEXTS} packed texts")


def _webp(data: bytes) -> None:
    at, chunks = 12, 0
    while at + 8 <= len(data):
        length = struct.unpack_from("<I", data, at + 4)[0]
        at += 8 + length + length % 2
        chunks += 1
        _require(chunks <= MOST_CHUNKS, f"more than {MOST_CHUNKS:,} chunks")


def _gif(data: bytes) -> None:
    at = 13 + _colour_table(data[10])
    blocks, seen_pixels = 0, False
    while data[at] != 0x3B:
        seen_pixels = seen_pixels or data[at] == 0x2C
        at += 2 if data[at] == 0x21 else 11 + _colour_table(data[at + 9])
        while data[at]:
            at += data[at] + 1
            blocks += 1
            _require(blocks <= MOST_BLOCKS, f"more than {MOST_BLOCKS:,} blocks")
        at += 1
        _require(seen_pixels or blocks <= MOST_BLOCKS_BEFORE_PIXELS, "long comments")


def _colour_table(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _tiff(data: bytes) -> None:
    tags = _directory(data)
    if tags.get(_COMPRESSION) in _JPEG_IN_TIFF:
        pixels = tags.get(_WIDTH, 0) * tags.get(_HEIGHT, 0)
        scans = data.count(b"\xff\xda") / max(1, tags.get(-_STRIPS, 0), tags.get(-_TILES, 0))
        _require(scans * pixels <= MOST_SCAN_MP * 1_000_000, f"{scans:.0f} scans")


def _directory(tiff: bytes, at: int = 0, is_nested: bool = False) -> dict[int, int]:
    """The first value of each tag with one, and under −tag how many values it has."""
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2], "<")
    at = at or int(struct.unpack_from(f"{order}I", tiff, 4)[0])
    tags: dict[int, int] = {}
    sizes = numbers = 0
    entries = struct.unpack_from(f"{order}H", tiff, at)[0]
    _require(entries <= MOST_TAGS, f"more than {MOST_TAGS:,} tags")
    for entry in range(entries):
        tag, kind, count = struct.unpack_from(f"{order}HHI", tiff, at + 2 + 12 * entry)
        sizes += count * _TIFF_SIZES.get(kind, 0)
        numbers += 0 if kind in _BYTES else count
        value = struct.unpack_from(f"{order}H" if kind == 3 else f"{order}I", tiff, at + 10 + 12 * entry)[0]
        tags[tag], tags[-tag] = value, count
        _require(numbers <= MOST_NUMBERS, f"more than {MOST_NUMBERS:,} numbers in its tags")
        _require(sizes <= 2 * len(tiff), "tags that hold the same bytes")
        if tag in _DIRECTORIES and not is_nested:
            _directory(tiff, value, is_nested=True)
    return tags


def _bmp(data: bytes) -> None:
    width, height, _, _, compression = struct.unpack_from("<iiHHI", data, 18)
    if struct.unpack_from("<I", data, 14)[0] >= 40 and compression in (1, 2):
        small = len(data) <= LARGEST_RUN_LENGTH_BYTES and abs(width * height) <= LARGEST_RUN_LENGTH_PX
        _require(small, "a BMP of runs this large")


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise _TooMuchError(what)


_CHECKS: tuple[tuple[bytes, Callable[[bytes], None]], ...] = (
    (b"\xff\xd8\xff", _jpeg),
    (b"\x89PNG\r\n\x1a\n", _png),
    (b"RIFF", _webp),
    (b"GIF8", _gif),
    (b"BM", _bmp),
    (b"II*\0", _tiff),
    (b"MM\0*", _tiff),
)
