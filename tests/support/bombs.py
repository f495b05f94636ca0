"""Small files of every picture format that cost much to read: what a stranger sends to stop a server."""

from __future__ import annotations

import io
import re
import struct
import zlib
from collections.abc import Callable

import numpy as np
from PIL import Image

SIDE_PX = 7700
"""A square of 59 megapixels: just below the largest picture that is decoded."""


def encoded(picture: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def jpeg_scans(scans: int = 600, side_px: int = SIDE_PX, progressive: bool = True) -> bytes:
    """A JPEG of one colour whose last scan is repeated: each one goes over all blocks."""
    data = encoded(Image.new("RGB", (side_px, side_px), (40, 90, 30)), "JPEG", progressive=progressive)
    last = data.rindex(b"\xff\xda")
    if not progressive:  # one component a scan: libjpeg then keeps the coefficients of all of them
        frame = re.search(rb"\xff\xda\0\x0c\x03(..)(..)(..)\0\x3f\0", data, re.DOTALL)
        assert frame
        first, coded = frame.groups()[0], data[frame.end() : -2]
        scan = b"\xff\xda\0\x08\x01" + first + b"\0\x3f\0" + coded
        return data[:last] + scan * scans + b"\xff\xd9"
    return data[:last] + data[last:-2] * scans + b"\xff\xd9"


def jpeg_segments(count: int = 3_000_000) -> bytes:
    return b"\xff\xd8\xff" + b"\xfe\0\x02\xff" * count + encoded(Image.new("RGB", (64, 64)), "JPEG")[3:]


def jpeg_junk(size: int = 20_000_000) -> bytes:
    """Bytes between two segments, which a tolerant reader skips one by one."""
    plain = encoded(Image.new("RGB", (64, 64)), "JPEG")
    return plain[:20] + b"\0" * size + plain[20:]


def jpeg_kind(mark: int) -> bytes:
    """A JPEG that says it is of another process: arithmetic coding, lossless, hierarchical."""
    return encoded(Image.new("RGB", (64, 64)), "JPEG").replace(b"\xff\xc0", bytes([0xFF, mark]), 1)


def jpeg_twelve_bits() -> bytes:
    return encoded(Image.new("RGB", (64, 64)), "JPEG").replace(b"\xff\xc0\0\x11\x08", b"\xff\xc1\0\x11\x0c", 1)


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, *, depth: int = 8, colour: int = 2, interlace: int = 0, before: bytes = b"") -> bytes:
    """A PNG of zeros, so 1000 times smaller than its pixels."""
    samples = {0: 1, 2: 3, 6: 4}[colour]
    packer = zlib.compressobj(1)
    row = bytes(1 + (width * samples * depth + 7) // 8)
    rows = packer.compress(row * (height * (1 if not interlace else 2))) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    whole = chunk(b"IHDR", head) + before + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + whole


def png_texts(count: int = 63) -> bytes:
    """Compressed texts of a megabyte each, and as many profiles as fit."""
    text = zlib.compress(b" " * 1_000_000, 9)
    return png(64, 64, before=chunk(b"iTXt", b"x\0\1\0\0\0" + text) * count + chunk(b"zTXt", b"y\0\0" + text) * count)


def png_profile() -> bytes:
    return png(64, 64, before=chunk(b"iCCP", b"p\0\0" + zlib.compress(bytes(30_000_000))))


def png_chunks(count: int = 2_000_000) -> bytes:
    return png(64, 64, before=chunk(b"prVt", b"") * count)


def gif_comments(size: int = 24_000_000) -> bytes:
    plain = encoded(Image.new("P", (64, 64)), "GIF")
    start = plain.index(b",", 13 + (3 << ((plain[10] & 7) + 1) if plain[10] & 0x80 else 13))
    return plain[:start] + b"!\xfe" + (b"\xff" + b"c" * 255) * (size // 256) + b"\0" + plain[start:]


def gif_blocks(count: int = 10_000_000) -> bytes:
    """Pixels in blocks of one byte each."""
    plain = encoded(Image.new("P", (64, 64)), "GIF")
    return plain[:-2] + b"\x01\0" * count + b"\0;"


def gif_frames(count: int = 20_000, side_px: int = 4000) -> bytes:
    plain = encoded(Image.new("P", (side_px, side_px)), "GIF")
    small = encoded(Image.new("P", (8, 8)), "GIF")
    start = small.rindex(b",\0\0\0\0")
    return plain[:-1] + small[start:-1] * count + b";"


def tiff(entries: list[tuple[int, int, int, int]], rest: bytes = b"", following: int = 0) -> bytes:
    """A TIFF of (tag, type, count, value or offset); what `rest` holds begins at 8 + 2 + 12 n + 4."""
    body = b"".join(struct.pack("<HHII", *entry) for entry in sorted(entries))
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + body + struct.pack("<I", following) + rest


def _plain(width: int, height: int) -> list[tuple[int, int, int, int]]:
    return [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (277, 3, 1, 1)]


def tiff_strips(count: int = 3_000_000) -> bytes:
    entries = [*_plain(64, 64), (278, 4, 1, 1), (273, 4, count, 122), (279, 4, count, 122)]
    return tiff(entries, struct.pack("<I", 8) * count)


def tiff_same_tags(count: int = 60_000, size: int = 2_000_000) -> bytes:
    """Entries that all hold the same two megabytes."""
    at = 8 + 2 + 12 * (count + 8) + 4
    same = [(40_000 + n % 20_000, 7, size, at) for n in range(count)]
    return tiff([*_plain(64, 64), (273, 4, 1, at), (279, 4, 1, 4096), *same], bytes(size))


def tiff_pages(count: int = 200_000) -> bytes:
    """A chain of empty pages."""
    first = [*_plain(64, 64), (273, 4, 1, 8), (279, 4, 1, 4096), (700, 1, 1, 0)]
    start = 8 + 2 + 12 * len(first) + 4
    pages = b"".join(struct.pack("<HI", 0, start + 6 * (n + 1) if n + 1 < count else 0) for n in range(count))
    return tiff(first, pages, start)


def tiff_deflate(compression: str = "tiff_adobe_deflate", side_px: int = SIDE_PX) -> bytes:
    return encoded(Image.new("RGBA", (side_px, side_px)), "TIFF", compression=compression)


def tiff_jpeg_scans(scans: int = 600) -> bytes:
    """The JPEG with many scans as the only strip of a TIFF."""
    content = jpeg_scans(scans)
    entries = [
        (256, 4, 1, SIDE_PX),
        (257, 4, 1, SIDE_PX),
        (258, 3, 3, 134),
        (259, 3, 1, 7),
        (262, 3, 1, 6),
        (273, 4, 1, 140),
        (277, 3, 1, 3),
        (278, 4, 1, SIDE_PX),
        (279, 4, 1, len(content)),
        (530, 3, 2, 2 << 16 | 2),
    ]
    return tiff(entries, struct.pack("<3H", 8, 8, 8).rjust(6) + content)


def webp_frames(count: int = 1500, side_px: int = 512) -> bytes:
    frames = [Image.new("RGB", (side_px, side_px), (n % 256, n // 256, 0)) for n in range(20)]
    data = encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:], duration=10)
    start = data.index(b"ANMF")
    body = data[12:start] + data[start:] * (count // 20)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def webp_chunks(count: int = 2_500_000) -> bytes:
    plain = encoded(Image.new("RGB", (64, 64)), "WEBP", exif=Image.Exif().tobytes() or b"Exif\0\0")
    body = plain[12:] + b"prVt\0\0\0\0" * count
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def webp_lossless() -> bytes:
    return encoded(Image.new("RGB", (SIDE_PX, SIDE_PX)), "WEBP", lossless=True, method=0)


def bmp_rle(side_px: int = SIDE_PX, size: int = 20_000_000) -> bytes:
    """Runs of one pixel each, which Pillow reads in Python."""
    head = struct.pack("<2sIHHI", b"BM", 0, 0, 0, 14 + 40 + 1024)
    info = struct.pack("<IiiHHIIiiII", 40, side_px, side_px, 1, 8, 1, size, 0, 0, 256, 0)
    return head + info + bytes(1024) + b"\x01\x05" * (size // 2)


def avif_flat(side_px: int = SIDE_PX) -> bytes:
    return encoded(Image.new("RGB", (side_px, side_px)), "AVIF", speed=10, quality=30)


def random_deflate(side_px: int = 3000) -> bytes:
    """Honest, but slow to unpack: 16 bits, all filters, nothing repeats."""
    noise = np.random.default_rng(0).integers(0, 256, (side_px, side_px), np.uint8)
    return encoded(Image.fromarray(noise), "PNG", compress_level=1)


BOMBS: dict[str, Callable[[], bytes]] = {
    "JPEG, 600 progressive scans": jpeg_scans,
    "JPEG, 25 sequential scans": lambda: jpeg_scans(25, progressive=False),
    "JPEG, 3 million segments": jpeg_segments,
    "JPEG, 20 MB between segments": jpeg_junk,
    "PNG, 126 MB of packed text": png_texts,
    "PNG, profile of 30 MB": png_profile,
    "PNG, 2 million chunks": png_chunks,
    "GIF, 24 MB of comment": gif_comments,
    "GIF, 10 million blocks": gif_blocks,
    "TIFF, 3 million strips": tiff_strips,
    "TIFF, 60,000 tags of 2 MB": tiff_same_tags,
    "TIFF, 200,000 pages": tiff_pages,
    "TIFF, JPEG of 600 scans inside": tiff_jpeg_scans,
    "WebP, 2.5 million chunks": webp_chunks,
    "BMP, runs of one pixel": bmp_rle,
}
"""Each by a count that its header tells: refused unread."""

LARGE: dict[str, Callable[[], bytes]] = {
    "PNG, 59 MP, 16 bits RGBA": lambda: png(SIDE_PX, SIDE_PX, depth=16, colour=6),
    "PNG, 59 MP, interlaced": lambda: png(SIDE_PX, SIDE_PX, interlace=1),
    "GIF, 20,000 frames": gif_frames,
    "TIFF, 59 MP, deflate": tiff_deflate,
    "TIFF, 59 MP, LZW": lambda: tiff_deflate("tiff_lzw"),
    "WebP, 1,500 frames": webp_frames,
    "WebP, 59 MP, lossless": webp_lossless,
    "AVIF, 59 MP": avif_flat,
    "JPEG, 59 MP, progressive": lambda: jpeg_scans(1),
}
"""The largest pictures that are allowed: read, at a bounded cost."""
