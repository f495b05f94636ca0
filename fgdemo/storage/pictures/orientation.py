"""How a picture is to be turned, in whatever form its metadata say so.

EXIF decides where it names one of the eight orientations, else XMP does: what browsers and Pillow do, too.
"""

import re
import struct
import zlib

from PIL import Image

ORIENTATION = 0x0112
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
SIDEWAYS = frozenset({5, 6, 7, 8})
"""Those that swap width and height."""

_NUMBERS = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 11: "f", 12: "d", 13: "I"}
"""TIFF 6.0: types that hold one number, as `struct` names them. 13 is an offset, which some writers take for LONG."""
_FRACTIONS = {5: "II", 10: "ii"}
_TEXT = 2
_MOST_ENTRIES = 1000
_TIFF_NAMES = re.compile(rb"xmlns:([\w.-]{1,40})\s*=\s*[\"']http://ns\.adobe\.com/tiff/1\.0/[\"']")
_XMP_SEARCHED_BYTES = 2_000_000
_PACKED_EXIF_BYTES = 200_000


def orientation_of(exif: bytes, xmp: bytes = b"") -> int:
    """The orientation, 1 to 8, that an EXIF block or an XMP packet tells; 1 where neither does."""
    return exif_orientation(exif) or xmp_orientation(xmp) or 1


def exif_orientation(exif: bytes) -> int | None:
    """What the first directory of an EXIF block tells, as any type of number, as a fraction or as text."""
    while exif[:6] == b"Exif\0\0":
        exif = exif[6:]
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None:
        return None
    try:
        at = struct.unpack_from(f"{order}I", exif, 4)[0]
        for entry in range(min(struct.unpack_from(f"{order}H", exif, at)[0], _MOST_ENTRIES)):
            place = at + 2 + 12 * entry
            tag, kind, count = struct.unpack_from(f"{order}HHI", exif, place)
            if tag == ORIENTATION:
                return _value(exif, order, kind, count, place + 8)
    except (struct.error, ValueError, OverflowError, ZeroDivisionError):
        pass  # a damaged block says nothing
    return None


def _value(exif: bytes, order: str, kind: int, count: int, place: int) -> int | None:
    if kind == _TEXT:
        start = place if count <= 4 else struct.unpack_from(f"{order}I", exif, place)[0]
        return _one_of_eight(float(exif[start : start + min(count, 8)].strip(b"\0 ")))
    if kind in _FRACTIONS:
        start = struct.unpack_from(f"{order}I", exif, place)[0]
        top, bottom = struct.unpack_from(order + _FRACTIONS[kind], exif, start)
        return _one_of_eight(top / bottom)
    if kind not in _NUMBERS:
        return None
    number = order + _NUMBERS[kind]
    start = place if struct.calcsize(number) <= 4 else struct.unpack_from(f"{order}I", exif, place)[0]
    return _one_of_eight(struct.unpack_from(number, exif, start)[0])


def _one_of_eight(value: float) -> int | None:
    return int(value) if value in range(1, 9) else None


def xmp_orientation(xmp: bytes) -> int | None:
    """What `tiff:Orientation` tells, as an attribute or an element, whatever its prefix is."""
    text = xmp[:_XMP_SEARCHED_BYTES].replace(b"\0", b"")  # a packet may be UTF-16
    for prefix in {b"tiff", *_TIFF_NAMES.findall(text)}:
        told = re.search(re.escape(prefix) + rb":Orientation\s*(?:=\s*[\"']|>)\s*([1-8])\s*[\"'<]", text)
        if told:
            return int(told[1])
    return None


def exif_with(orientation: int) -> bytes:
    """An EXIF block that holds the orientation and nothing else."""
    return struct.pack(">2sHIHHHIHHI", b"MM", 42, 8, 1, ORIENTATION, 3, 1, orientation, 0, 0)


def exif_in_text(text: bytes) -> bytes:
    """The EXIF block that ImageMagick writes into a PNG as hexadecimal digits; empty where it is none."""
    try:
        return bytes.fromhex("".join(text[:_PACKED_EXIF_BYTES].decode("ascii").split("\n")[3:]))
    except ValueError:
        return b""


def unpacked(packed: bytes, most_bytes: int = _XMP_SEARCHED_BYTES) -> bytes:
    """The beginning of what zlib has packed; empty where that is damaged."""
    try:
        return zlib.decompressobj().decompress(packed, most_bytes)
    except zlib.error:
        return b""
