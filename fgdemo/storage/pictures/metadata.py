"""A picture's file without what it says about its owner: place, time, camera, names, thumbnails, hidden appendices.

The pixels stay as they are, bit by bit, and so do what they need to be shown right: the turn (EXIF orientation), the
colour profile, transparency. Doing it twice changes nothing, so a picture has one id however often it comes.

Formats: JPEG (ITU T.81 annex B, Exif 3.0), PNG (third edition), WebP (RFC 9649), GIF89a, TIFF 6.0. BMP has no place for
metadata. An AVIF becomes a PNG.
"""

import io
import re
import struct
import zlib
from collections.abc import Callable, Iterator

from PIL import Image, TiffImagePlugin

from fgdemo.storage.pictures.bounds import check_work
from fgdemo.storage.pictures.colours import is_white_zero
from fgdemo.storage.pictures.images import DAMAGE, TOO_LARGE, decode_picture, load, shown_name
from fgdemo.storage.pictures.orientation import (
    TURNS,
    exif_in_text,
    exif_orientation,
    exif_with,
    orientation_of,
    unpacked,
    xmp_orientation,
)

_JPEG_KEPT = frozenset({0xE0, 0xEE})
"""APP0 (JFIF) and APP14 (Adobe) say how the colours are coded; APP2 is kept where it is a colour profile."""
_JPEG_MARK = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]", re.DOTALL)
_ICC = b"ICC_PROFILE\0"
_XMP_MARK = b"http://ns.adobe.com/xap/1.0/\0"
_XMP_WORD, _EXIF_WORD = b"XML:com.adobe.xmp", b"Raw profile type exif"
_PNG_DROPPED = frozenset({b"eXIf", b"tEXt", b"zTXt", b"iTXt", b"tIME"})
_WEBP_KEPT = frozenset({b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP"})
_TIFFS = (b"II*\0", b"MM\0*")
_TIFF_TAGS = """
254 255 256 257 258 259 262 266 273 274 277 278 279 282 283 284 290 291 292 293 296 301 317 318 319 320 321
322 323 324 325 332 338 339 340 341 347 512 513 514 515 519 520 521 529 530 531 532 34675
"""
"""Those that say how the pixels are coded, and the colour profile."""
_TIFF_KEPT = frozenset(map(int, _TIFF_TAGS.split()))


class OddError(Exception):
    """The file cannot be cleaned without decoding it: `rewritten` does that."""


def without_metadata(data: bytes, *, name: str = "the picture", max_picture_mp: int = 60) -> bytes:
    """The same picture without metadata; `data` itself where there is nothing to take away.

    A file that can be decoded, but is not laid out as its format says, is written anew as PNG, upright.

    Args:
        name: what to call the picture in an error.
        max_picture_mp: largest picture that is decoded, in megapixels.

    Raises:
        PictureError: it is laid out wrongly, and cannot be decoded either.
    """
    try:
        return cut_out(data, name=name)
    except OddError:
        return rewritten(data, name=name, max_picture_mp=max_picture_mp)


def cut_out(data: bytes, *, name: str = "the picture") -> bytes:
    """What `without_metadata` gives where that needs no decoding.

    Raises:
        OddError: it does.
        PictureError: reading the file takes too long.
    """
    check_work(data, shown_name(name))
    if data[4:8] == b"ftyp":
        raise OddError
    for magic, clean in _CLEANERS:
        if data.startswith(magic):
            try:
                return clean(data)
            except (*DAMAGE, *TOO_LARGE) as error:
                raise OddError from error
    return data


def rewritten(data: bytes, *, name: str = "the picture", max_picture_mp: int = 60) -> bytes:
    """The pixels in a new file: a TIFF as TIFF, in its own colours; anything else as PNG, upright. See above."""
    if data.startswith(_TIFFS):
        try:
            return _tiff_anew(data, max_picture_mp)
        except (OddError, *DAMAGE, *TOO_LARGE):
            pass
    file = io.BytesIO()
    decode_picture(data, name=name, max_picture_mp=max_picture_mp).save(file, "PNG")
    return file.getvalue()


def _jpeg(data: bytes) -> bytes:
    kept, exif, xmp = bytearray(data[:2]), None, None
    at = 2
    while at < len(data):
        if data[at] != 0xFF:
            raise OddError
        mark = data[at + 1]
        if mark == 0xFF:  # filling
            at += 1
            continue
        if mark == 0xD9:
            kept += b"\xff\xd9"  # what follows is another picture, a film, or anything
            break
        end = at + 2 + struct.unpack_from(">H", data, at + 2)[0]
        if end > len(data):
            raise OddError
        segment = data[at:end]
        if mark == 0xE1 and segment[4:10] == b"Exif\0\0":
            exif = exif or exif_orientation(segment[10:])
        elif mark == 0xE1 and segment[4:].startswith(_XMP_MARK):
            xmp = xmp or xmp_orientation(segment[4 + len(_XMP_MARK) :])
        elif _is_needed(mark, segment):
            kept += segment
        at = end
        if mark == 0xDA:  # the coded pixels, up to the next mark
            found = _JPEG_MARK.search(data, at)
            at = found.start() if found else len(data)
            kept += data[end:at]
    turn = exif or xmp or 1
    if turn != 1:
        block = b"Exif\0\0" + exif_with(turn)
        first = 2 + (2 + struct.unpack_from(">H", kept, 4)[0] if kept[3] == 0xE0 else 0)  # JFIF comes first
        kept[first:first] = struct.pack(">BBH", 0xFF, 0xE1, len(block) + 2) + block
    return bytes(kept)


def _is_needed(mark: int, segment: bytes) -> bool:
    if 0xE0 <= mark <= 0xEF:
        return mark in _JPEG_KEPT or (mark == 0xE2 and segment[4:].startswith(_ICC))
    return mark != 0xFE  # a comment


def _png(data: bytes) -> bytes:
    chunks = list(_png_chunks(data))
    kinds = [kind for kind, _ in chunks]
    turn = _png_turn(chunks)
    told = _chunk(b"eXIf", exif_with(turn)) if turn != 1 else b""
    came_last = b"eXIf" in kinds and b"IDAT" in kinds and kinds.index(b"eXIf") > kinds.index(b"IDAT")
    kept = bytearray(data[:8])
    for kind, whole in chunks:
        if told and kind == (b"IEND" if came_last else b"IDAT"):
            kept, told = kept + told, b""
        if kind not in _PNG_DROPPED:
            kept += whole
    return bytes(kept)


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and whole of each chunk, up to the last that counts."""
    at = 8
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if end > len(data):
            raise OddError
        yield kind, data[at:end]
        at = end
        if kind == b"IEND":
            break


def _png_turn(chunks: list[tuple[bytes, bytes]]) -> int:
    """The orientation from its EXIF block, which ImageMagick writes as text, or its XMP packet."""
    block = packet = text = b""
    for kind, whole in chunks:
        content = whole[8:-4]
        if kind == b"eXIf":
            block = content
        elif kind in (b"tEXt", b"zTXt") and content.startswith(_EXIF_WORD + b"\0"):
            told = content[len(_EXIF_WORD) + 1 :]
            text = exif_in_text(unpacked(told[1:]) if kind == b"zTXt" else told)
        elif kind == b"iTXt" and content.startswith(_XMP_WORD + b"\0"):
            is_packed = content[len(_XMP_WORD) + 1 : len(_XMP_WORD) + 2] == b"\1"
            told = content[len(_XMP_WORD) + 3 :].split(b"\0", 2)[-1]
            packet = unpacked(told) if is_packed else told
    return orientation_of(block or text, packet)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", len(content), kind) + content + struct.pack(">I", zlib.crc32(kind + content))


def _webp(data: bytes) -> bytes:
    if data[8:12] != b"WEBP":
        raise OddError
    chunks, kept = list(_riff(data)), bytearray()
    told = dict(reversed(chunks))
    turn = orientation_of(told.get(b"EXIF", b""), told.get(b"XMP ", b""))
    for kind, content in chunks:
        if kind == b"VP8X":
            flags = (content[0] & ~0x0C) | (0x08 if turn != 1 else 0)  # 0x08: EXIF, 0x04: XMP
            content = bytes([flags]) + content[1:]
        if kind in _WEBP_KEPT:
            kept += _riff_chunk(kind, content)
    if turn != 1:
        kept += _riff_chunk(b"EXIF", exif_with(turn))
    return b"RIFF" + struct.pack("<I", len(kept) + 4) + b"WEBP" + bytes(kept)


def _riff(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at, end = 12, min(len(data), 8 + struct.unpack_from("<I", data, 4)[0])
    while at + 8 <= end:
        kind, length = struct.unpack_from("<4sI", data, at)
        if at + 8 + length > len(data):
            raise OddError
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
            raise OddError
        if needed:
            kept += data[start:at]
    return bytes(kept) + b";"


def _tiff(data: bytes) -> bytes:
    picture = TiffImagePlugin.TiffImageFile(io.BytesIO(data))
    if picture.is_animated or not set(picture.tag_v2) <= _TIFF_KEPT:
        raise OddError
    return data


def _tiff_anew(data: bytes, max_picture_mp: int) -> bytes:
    check_work(data, "")
    picture = TiffImagePlugin.TiffImageFile(io.BytesIO(data))
    if picture.width * picture.height > max_picture_mp * 1_000_000 or is_white_zero(picture):
        raise OddError
    profile = picture.info.get("icc_profile")
    turn = TURNS.get(load(picture, data))
    upright = picture if turn is None else picture.transpose(turn)
    bare = Image.frombytes(upright.mode, upright.size, upright.tobytes())
    if picture.mode == "P":
        bare.putpalette(picture.getpalette("RGB") or [])
    file = io.BytesIO()
    bare.save(file, "TIFF", compression="tiff_adobe_deflate", **({"icc_profile": profile} if profile else {}))
    return file.getvalue()


_CLEANERS: tuple[tuple[bytes, Callable[[bytes], bytes]], ...] = (
    (b"\xff\xd8\xff", _jpeg),
    (b"\x89PNG\r\n\x1a\n", _png),
    (b"RIFF", _webp),
    (b"GIF8", _gif),
    (b"II*\0", _tiff),
    (b"MM\0*", _tiff),
)
