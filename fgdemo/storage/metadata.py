"""A picture's file without what it says about its owner: place, time, camera, names, thumbnails, hidden appendices.

The pixels stay as they are, bit by bit, and so do what they need to be shown right: the turn (EXIF orientation), the
colour profile, transparency. Doing it twice changes nothing, so a picture has one id however often it comes.

Formats: JPEG (ITU T.81 annex B, Exif 3.0), PNG (third edition), WebP (RFC 9649), GIF89a, TIFF 6.0. BMP has no place for
metadata.
"""

from __future__ import annotations

import io
import re
import struct
import zlib
from collections.abc import Callable, Iterator

from PIL import Image, TiffImagePlugin

from fgdemo.storage.images import DAMAGE, TOO_LARGE, decode_picture

_ORIENTATION = 0x0112
_JPEG_KEPT = frozenset({0xE0, 0xEE})
"""APP0 (JFIF) and APP14 (Adobe) say how the colours are coded; APP2 is kept where it is a colour profile."""
_JPEG_MARK = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]", re.DOTALL)
_ICC = b"ICC_PROFILE\0"
_PNG_DROPPED = frozenset({b"eXIf", b"tEXt", b"zTXt", b"iTXt", b"tIME"})
_WEBP_KEPT = frozenset({b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP"})
_TIFF_KEPT = frozenset(
    {254, 255, 256, 257, 258, 259, 262, 266, 273, 274, 277, 278, 279, 282, 283, 284, 290, 291, 292, 293, 296, 301, 317,
     318, 319, 320, 321, 322, 323, 324, 325, 332, 338, 339, 340, 341, 347, 512, 513, 514, 515, 519, 520, 521, 529, 530,
     531, 532, 34675}
)  # fmt: skip
"""Tags that say how the pixels are coded, and the colour profile."""


class _OddError(Exception):
    """The file is not laid out as its format says."""


def without_metadata(data: bytes, *, name: str = "the picture", max_picture_mp: int = 60) -> bytes:
    """The same picture without metadata; `data` itself where there is nothing to take away.

    A file that can be decoded, but is not laid out as its format says, is written anew as PNG, upright.

    Args:
        name: what to call the picture in an error.
        max_picture_mp: largest picture that is decoded, in megapixels.

    Raises:
        PictureError: it is laid out wrongly, and cannot be decoded either.
    """
    for magic, clean in _CLEANERS:
        if data.startswith(magic):
            try:
                return clean(data) if clean is not _tiff else _tiff(data, max_picture_mp)
            except (_OddError, *DAMAGE, *TOO_LARGE):
                file = io.BytesIO()
                decode_picture(data, name=name, max_picture_mp=max_picture_mp).save(file, "PNG")
                return file.getvalue()
    return data


def _jpeg(data: bytes) -> bytes:
    kept, turn = bytearray(data[:2]), 1
    at = 2
    while at < len(data):
        if data[at] != 0xFF:
            raise _OddError
        mark = data[at + 1]
        if mark == 0xFF:  # filling
            at += 1
            continue
        if mark == 0xD9:
            kept += b"\xff\xd9"  # what follows is another picture, a film, or anything
            break
        end = at + 2 + struct.unpack_from(">H", data, at + 2)[0]
        if end > len(data):
            raise _OddError
        segment = data[at:end]
        if mark == 0xE1 and segment[4:10] == b"Exif\0\0":
            turn = _orientation(segment[10:]) if turn == 1 else turn
        elif _is_needed(mark, segment):
            kept += segment
        at = end
        if mark == 0xDA:  # the coded pixels, up to the next mark
            found = _JPEG_MARK.search(data, at)
            at = found.start() if found else len(data)
            kept += data[end:at]
    if turn != 1:
        exif = b"Exif\0\0" + _exif(turn)
        first = 2 + (2 + struct.unpack_from(">H", kept, 4)[0] if kept[3] == 0xE0 else 0)  # JFIF comes first
        kept[first:first] = struct.pack(">BBH", 0xFF, 0xE1, len(exif) + 2) + exif
    return bytes(kept)


def _is_needed(mark: int, segment: bytes) -> bool:
    if 0xE0 <= mark <= 0xEF:
        return mark in _JPEG_KEPT or (mark == 0xE2 and segment[4:].startswith(_ICC))
    return mark != 0xFE  # a comment


def _png(data: bytes) -> bytes:
    kept, turn = bytearray(data[:8]), 1
    at = 8
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if end > len(data):
            raise _OddError
        if kind == b"eXIf":
            turn = _orientation(data[at + 8 : end - 4])
        if kind not in _PNG_DROPPED:
            if kind == b"IDAT" and turn != 1:
                kept, turn = kept + _chunk(b"eXIf", _exif(turn)), 1
            kept += data[at:end]
        at = end
        if kind == b"IEND":
            break
    if turn != 1:  # it came after the pixels
        kept[-12:-12] = _chunk(b"eXIf", _exif(turn))
    return bytes(kept)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", len(content), kind) + content + struct.pack(">I", zlib.crc32(kind + content))


def _webp(data: bytes) -> bytes:
    if data[8:12] != b"WEBP":
        raise _OddError
    chunks, turn = list(_riff(data)), 1
    kept = bytearray()
    for kind, content in chunks:
        if kind == b"EXIF":
            turn = _orientation(content.removeprefix(b"Exif\0\0"))
    for kind, content in chunks:
        if kind == b"VP8X":
            flags = (content[0] & ~0x0C) | (0x08 if turn != 1 else 0)  # 0x08: EXIF, 0x04: XMP
            content = bytes([flags]) + content[1:]
        if kind in _WEBP_KEPT:
            kept += _riff_chunk(kind, content)
    if turn != 1:
        kept += _riff_chunk(b"EXIF", _exif(turn))
    return b"RIFF" + struct.pack("<I", len(kept) + 4) + b"WEBP" + bytes(kept)


def _riff(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at, end = 12, min(len(data), 8 + struct.unpack_from("<I", data, 4)[0])
    while at + 8 <= end:
        kind, length = struct.unpack_from("<4sI", data, at)
        if at + 8 + length > len(data):
            raise _OddError
        yield kind, data[at + 8 : at + 8 + length]
        at += 8 + length + length % 2


def _riff_chunk(kind: bytes, content: bytes) -> bytes:
    return kind + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def _gif(data: bytes) -> bytes:
    def table(flags: int) -> int:
        return 3 << ((flags & 7) + 1) if flags & 0x80 else 0

    def blocks(at: int) -> int:
        while data[at]:
            at += data[at] + 1
        return at + 1

    at = 13 + table(data[10])
    kept = bytearray(data[:at])
    while data[at] != 0x3B:
        start = at
        if data[at] == 0x21:  # an extension: how a frame is shown, and for how long, is kept
            needed = data[at + 1] == 0xF9 or data[at + 3 : at + 14] == b"NETSCAPE2.0"
            at = blocks(at + 2)
        elif data[at] == 0x2C:
            needed, at = True, blocks(at + 11 + table(data[at + 9]))
        else:
            raise _OddError
        if needed:
            kept += data[start:at]
    return bytes(kept) + b";"


def _tiff(data: bytes, max_picture_mp: int = 60) -> bytes:
    picture = TiffImagePlugin.TiffImageFile(io.BytesIO(data))
    if getattr(picture, "n_frames", 1) == 1 and set(picture.tag_v2) <= _TIFF_KEPT:
        return data
    if picture.width * picture.height > max_picture_mp * 1_000_000:
        raise _OddError
    profile = picture.info.get("icc_profile")
    picture.load()  # which turns it upright
    bare = Image.frombytes(picture.mode, picture.size, picture.tobytes())
    if picture.mode == "P":
        bare.putpalette(picture.getpalette("RGB") or [])
    file = io.BytesIO()
    bare.save(file, "TIFF", compression="tiff_adobe_deflate", **({"icc_profile": profile} if profile else {}))
    return file.getvalue()


def _orientation(tiff: bytes) -> int:
    """The orientation that an EXIF block tells, 1 where it tells none."""
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    try:
        if order is None:
            return 1
        at = struct.unpack_from(f"{order}I", tiff, 4)[0]
        for entry in range(struct.unpack_from(f"{order}H", tiff, at)[0]):
            tag, kind, _, value = struct.unpack_from(f"{order}HHIH", tiff, at + 2 + 12 * entry)
            if tag == _ORIENTATION and kind == 3:
                return value if 1 <= value <= 8 else 1
    except struct.error:
        pass  # a damaged block says nothing
    return 1


def _exif(turn: int) -> bytes:
    """An EXIF block that holds the orientation and nothing else."""
    return struct.pack(">2sHIHHHIHHI", b"MM", 42, 8, 1, _ORIENTATION, 3, 1, turn, 0, 0)


_CLEANERS: tuple[tuple[bytes, Callable[[bytes], bytes]], ...] = (
    (b"\xff\xd8\xff", _jpeg),
    (b"\x89PNG\r\n\x1a\n", _png),
    (b"RIFF", _webp),
    (b"GIF8", _gif),
    (b"II*\0", _tiff),
    (b"MM\0*", _tiff),
)
