"""Upright in whatever form the file tells how to turn it: the same when it is asked and when it is imported."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from fgdemo.storage.pictures.images import decode_picture, decode_reduced
from fgdemo.storage.pictures.metadata import without_metadata
from tests.support.bombs import chunk, encoded

XMP = b"http://ns.adobe.com/xap/1.0/\0"
ATTRIBUTE = b'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/>'
XMPS = {
    "attribute": ATTRIBUTE,
    "single quotes": ATTRIBUTE.replace(b'"', b"'"),
    "element": b'<x xmlns:tiff="http://ns.adobe.com/tiff/1.0/"><tiff:Orientation>6</tiff:Orientation></x>',
    "another prefix": b'<x xmlns:t="http://ns.adobe.com/tiff/1.0/"><t:Orientation> 6 </t:Orientation></x>',
    "UTF-16": ATTRIBUTE.decode().encode("utf-16-le"),
}


def exif(kind: int, value: bytes, count: int = 1, order: str = "<") -> bytes:
    """An EXIF block with an orientation of any TIFF type; a value of more than four bytes follows the directory."""
    later = b"" if len(value) <= 4 else value
    field = value.ljust(4, b"\0") if not later else struct.pack(f"{order}I", 26)
    mark = b"II*\0" if order == "<" else b"MM\0*"
    head = mark + struct.pack(f"{order}IHHHI", 8, 1, 0x0112, kind, count)
    return head + field + bytes(4) + later


EXIFS = {
    "SHORT": exif(3, b"\6\0"),
    "SHORT, big-endian": exif(3, b"\0\6", order=">"),
    "LONG": exif(4, b"\6\0\0\0"),
    "LONG, big-endian": exif(4, b"\0\0\0\6", order=">"),
    "BYTE": exif(1, b"\6"),
    "text": exif(2, b"6\0", 2),
    "signed": exif(8, b"\6\0"),
    "offset": exif(13, b"\6\0\0\0"),
    "fraction": exif(5, struct.pack("<II", 12, 2)),
    "double": exif(12, struct.pack("<d", 6.0)),
    "prefixed": b"Exif\0\0" + exif(3, b"\6\0"),
}


def lying() -> Image.Image:
    """To be turned by 6; upright it is 40 × 64 with its upper half white."""
    pixels = np.zeros((40, 64, 3), np.uint8)
    pixels[:, :32] = 255
    return Image.fromarray(pixels)


def is_upright(picture: Image.Image) -> bool:
    upper, lower = np.split(np.asarray(picture), 2)
    return picture.width < picture.height and upper.mean() > 200 and lower.mean() < 50


def jpeg(*segments: bytes) -> bytes:
    data = encoded(lying(), "JPEG")
    marks = b"".join(b"\xff\xe1" + struct.pack(">H", len(one) + 2) + one for one in segments)
    return data[:2] + marks + data[2:]


def png(*chunks: tuple[bytes, bytes], last: bool = False) -> bytes:
    data, more = encoded(lying(), "PNG"), b"".join(chunk(kind, content) for kind, content in chunks)
    return data[:-12] + more + data[-12:] if last else data[:33] + more + data[33:]


def webp(kind: bytes, content: bytes) -> bytes:
    data = encoded(lying(), "WEBP", lossless=True, exif=b"Exif\0\0" + exif(3, b"\1\0"))
    flags = bytes([data[20] & ~0x0C | (8 if kind == b"EXIF" else 4)])
    body = data[12:20] + flags + data[21 : data.index(b"EXIF")]
    body += kind + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def tiff(kind: int, value: bytes, count: int = 1) -> bytes:
    data = bytearray(encoded(lying(), "TIFF", tiffinfo={274: 1}))
    at = data.index(struct.pack("<HHI", 274, 3, 1))
    data[at : at + 12] = struct.pack("<HHI", 274, kind, count) + value.ljust(4, b"\0")
    return bytes(data)


FILES = {
    **{f"JPEG, EXIF {form}": jpeg(b"Exif\0\0" + block) for form, block in EXIFS.items()},
    **{f"JPEG, XMP {form}": jpeg(XMP + packet) for form, packet in XMPS.items()},
    **{f"PNG, EXIF {form}": png((b"eXIf", block)) for form, block in EXIFS.items()},
    **{f"PNG, XMP {form}": png((b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + packet)) for form, packet in XMPS.items()},
    "PNG, packed XMP": png((b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(ATTRIBUTE))),
    "PNG, EXIF after the pixels": png((b"eXIf", EXIFS["LONG"]), last=True),
    "PNG, EXIF as ImageMagick writes it": png(
        (b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(b"\nexif\n      32\n" + EXIFS["SHORT"].hex().encode()))
    ),
    **{f"WebP, EXIF {form}": webp(b"EXIF", block) for form, block in EXIFS.items()},
    **{f"WebP, XMP {form}": webp(b"XMP ", packet) for form, packet in XMPS.items()},
    "TIFF, SHORT": tiff(3, b"\6\0"),
    "TIFF, LONG": tiff(4, b"\6\0\0\0"),
    "TIFF, BYTE": tiff(1, b"\6"),
    "TIFF, text": tiff(2, b"6\0", 2),
    "TIFF, XMP": encoded(lying(), "TIFF", tiffinfo={700: ATTRIBUTE}),
    "AVIF": encoded(lying(), "AVIF", quality=90, exif=EXIFS["SHORT"]),
    "both, of which EXIF names none": jpeg(b"Exif\0\0" + exif(3, b"\0\0"), XMP + ATTRIBUTE),
    "both, of which EXIF is damaged": jpeg(b"Exif\0\0garbage", XMP + ATTRIBUTE),
    "both, disagreeing": jpeg(b"Exif\0\0" + EXIFS["LONG"], XMP + ATTRIBUTE.replace(b"6", b"3")),
}


@pytest.mark.parametrize("form", FILES)
def test_upright_when_asked_and_when_imported(form: str) -> None:
    data = FILES[form]
    assert is_upright(decode_picture(data))
    assert is_upright(decode_reduced(data, 20)[0])
    kept = without_metadata(data)
    assert is_upright(decode_picture(kept))
    assert without_metadata(kept) == kept


def test_exif_that_says_upright_overrules_xmp() -> None:
    data = jpeg(b"Exif\0\0" + exif(3, b"\1\0"), XMP + ATTRIBUTE)
    assert decode_picture(data).size == decode_picture(without_metadata(data)).size == (64, 40)


NONSENSE = [
    exif(3, b"\x09\0"),
    exif(2, b"six\0", 4),
    exif(5, struct.pack("<II", 6, 0)),
    exif(99, b"\6"),
    exif(12, struct.pack("<d", float("nan"))),
    exif(4, b"\xff" * 4),
]


@pytest.mark.parametrize("block", NONSENSE)
def test_what_is_no_orientation_turns_nothing(block: bytes) -> None:
    assert decode_picture(jpeg(b"Exif\0\0" + block)).size == (64, 40)
