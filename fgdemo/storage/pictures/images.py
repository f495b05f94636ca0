"""From the bytes of any file a person may send to an upright RGB picture, or one sentence why not."""

# Not all of Pillow has types:
# pyright: reportUnknownMemberType=false
import base64
import io
import math
import struct
import unicodedata
import zlib
from pathlib import Path

from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
    features,
)

from fgdemo.storage.pictures.bounds import check_work
from fgdemo.storage.pictures.colours import to_srgb
from fgdemo.storage.pictures.orientation import ORIENTATION, SIDEWAYS, TURNS, exif_in_text, orientation_of
from fgdemo.storage.pictures.profiles import stated_profile
from fgdemo.values.bidi import isolated
from fgdemo.values.errors import PictureError
from fgdemo.values.types import CropBox

Encoded = bytes | Path
"""An encoded picture, or where it lies: then its bytes are read when it is its turn, and none wait in memory."""
SHORTEST_SIDE_PX = 8
LARGEST_ASPECT = 20
MOST_REDUCED_MP = 8
"""Of a picture that is made smaller: more than any has whose sides are as 2 to 1, at the size that models see."""

# The decoder is picked by its magic number and built directly. `Image.open` would try whatever plug-ins happen to be
# registered, and its decompression-bomb guard is a process-wide number that warns on stderr before we can refuse.
# Multi-picture JPEGs (MPO) are read as the plain JPEG they begin with.
_READERS: tuple[tuple[bytes, type[ImageFile.ImageFile]], ...] = (
    (b"\xff\xd8\xff", JpegImagePlugin.JpegImageFile),
    (b"\x89PNG\r\n\x1a\n", PngImagePlugin.PngImageFile),
    (b"RIFF", WebPImagePlugin.WebPImageFile),
    (b"GIF8", GifImagePlugin.GifImageFile),
    (b"BM", BmpImagePlugin.BmpImageFile),
    (b"II*\0", TiffImagePlugin.TiffImageFile),
    (b"MM\0*", TiffImagePlugin.TiffImageFile),
)
# White is zero in 16 bits of the other byte order: Pillow lists only that of Intel. See `colours.is_white_zero`.
TiffImagePlugin.OPEN_INFO.setdefault((b"MM", 0, (1,), 1, (16,), ()), ("I;16B", "I;16B"))
_PLANES, _BITS = 284, 258
_READABLE = "JPEG, PNG, WebP, AVIF, GIF, BMP or TIFF"
_AVIF_BRANDS = {b"avif", b"avis"}
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}

# What Pillow's decoders raise on damaged or hostile bytes (fuzzed: see tests/unit/test_images.py); its remarks on
# damaged metadata are warnings, which are exceptions where a program asks for that.
DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    EOFError,
    ArithmeticError,
    AttributeError,
    RuntimeError,
    MemoryError,
    AssertionError,
    UserWarning,
    struct.error,
    zlib.error,
)
TOO_LARGE = (Image.DecompressionBombError, Image.DecompressionBombWarning)


def content_of(data: Encoded, name: str) -> bytes:
    """The bytes of a picture. Raises PictureError where its file is gone."""
    if isinstance(data, bytes):
        return data
    try:
        return data.read_bytes()
    except OSError as error:
        raise PictureError(f"{shown_name(name)} is no longer here: send it again.") from error


def decode_picture(data: bytes, *, name: str = "the picture", max_picture_mp: int = 60) -> Image.Image:
    """Turn untrusted bytes into an upright RGB picture that owns its pixels and carries no metadata.

    The first frame of an animation is taken; the orientation that EXIF or XMP tell is applied; the colour profile is;
    CMYK, palette, 1-bit, 16-bit and floating-point pictures become 8-bit sRGB. Transparent places become mid-grey:
    unlike white or black it hides neither a light nor a dark subject, and it is about what a network's normalisation
    maps to zero.

    Args:
        data: the file's bytes.
        name: what to call the picture in an error, e.g. the name of its file. Need not be safe.
        max_picture_mp: largest width × height in millions of pixels, checked before anything is decoded.

    Raises:
        PictureError: the bytes are not a picture we can use; the message says why and what to do.
    """
    return decode_reduced(data, None, name=name, max_picture_mp=max_picture_mp)[0]


def decode_reduced(
    data: bytes,
    at_least_px: int | None,
    box: CropBox | None = None,
    *,
    name: str = "the picture",
    max_picture_mp: int = 60,
) -> tuple[Image.Image, tuple[int, int]]:
    """Like `decode_picture`, but a large picture comes smaller: by a whole number, the mean of so many pixels.

    A 12-megapixel JPEG to be shown at 1280 px takes 39 instead of 94 ms, because it is decoded at a half, a quarter or
    an eighth of its size, and resizing it a third of the time. Pictures of all formats take as little memory after it.

    Args:
        at_least_px: the shorter side of what is returned stays at least this long (or as long as it is), but of a strip
            with more than MOST_REDUCED_MP; None decodes in full.
        box: the part that is returned; None for all.

    Returns:
        The picture, or that part of it, and the full upright (width, height) that the file has.
    """
    shown = shown_name(name)
    reader = _reader_for(data, shown)
    check_work(data, shown)
    try:
        picture = reader(io.BytesIO(data))
    except TOO_LARGE as error:
        raise _too_large(shown, max_picture_mp) from error
    except DAMAGE as error:
        raise PictureError(f"{shown} is damaged and cannot be opened: export it again, or take another.") from error
    _check_planes(picture, shown)
    width, height = picture.size
    _check_size(width, height, shown, max_picture_mp)
    try:
        if at_least_px is not None:
            share = min(box.right - box.left, box.bottom - box.top) if box else 1
            scale = at_least_px / share / min(width, height)
            picture.draft("RGB", (math.ceil(width * scale), math.ceil(height * scale)))
        is_reduced = picture.size != (width, height)
        told = load(picture, data)
        rgb = to_srgb(picture, _stated_profile(picture, data))
        if not is_reduced:  # What the header says of a TIFF is before turning it in some versions of Pillow.
            width, height = rgb.size
        if told in SIDEWAYS:
            width, height = height, width
        upright = rgb.transpose(TURNS[told]) if told in TURNS else rgb
        part = upright.crop(box.pixels(*upright.size)) if box else upright
        return part.reduce(_reduction(part.size, at_least_px)) if at_least_px else part, (width, height)
    except TOO_LARGE as error:
        raise _too_large(shown, max_picture_mp) from error
    except DAMAGE as error:
        raise PictureError(
            f"{shown} is cut off or damaged: only a part of it could be read. Send the whole file again."
        ) from error


def _reduction(size: tuple[int, int], at_least_px: int) -> int:
    """By how much a picture becomes smaller."""
    most = math.ceil(math.sqrt(math.prod(size) / (MOST_REDUCED_MP * 1_000_000)))
    return min(max(1, min(size) // at_least_px, most), min(size))


def shown_name(name: str) -> str:
    """The name as the subject of a sentence: no folders, no control characters, not too long."""
    if name == "the picture":
        return "The picture"
    last = name.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]
    last = "".join(c for c in last if unicodedata.category(c)[0] != "C").strip()
    if not last:
        return "The picture"
    return f"“{isolated(last if len(last) <= 60 else last[:40] + '…' + last[-16:])}”"


def _reader_for(data: bytes, shown: str) -> type[ImageFile.ImageFile]:
    if not data:
        raise PictureError(f"{shown} is empty (0 bytes): choose the file again.")
    for magic, reader in _READERS:
        if data.startswith(magic) and (magic != b"RIFF" or data[8:12] == b"WEBP"):
            return reader
    if data[4:8] == b"ftyp" and data[8:12] in _AVIF_BRANDS | _HEIC_BRANDS:
        return _avif_reader(data, shown)
    head = data[:4096].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith(b"<"):
        if b"<svg" in head:
            raise PictureError(f"{shown} is an SVG drawing, not a photograph: export it as PNG or JPEG.")
        raise PictureError(f"{shown} is a web page or text, not a picture: save the picture itself and send that.")
    raise PictureError(f"{shown} is not a picture that can be read: send a {_READABLE} file.")


def _avif_reader(data: bytes, shown: str) -> type[ImageFile.ImageFile]:
    """Pillow's own, where it was built with it. `mif1` and `msf1` may be either: the other brands of the file tell."""
    brands = data[8 : min(int.from_bytes(data[:4], "big"), 256)]
    is_avif = any(brand in brands for brand in _AVIF_BRANDS)
    if is_avif and features.check("avif"):
        return AvifImagePlugin.AvifImageFile
    kind = "an AVIF" if is_avif else "a HEIC"
    raise PictureError(
        f"{shown} is {kind} picture, which cannot be read here: open it, save or export it as JPEG, and send that "
        "(an iPhone sends JPEG with Settings › Camera › Formats › Most Compatible)."
    )


def _check_planes(picture: ImageFile.ImageFile, shown: str) -> None:
    """Pillow takes 16-bit planes, one a colour, for 8-bit ones."""
    if not isinstance(picture, TiffImagePlugin.TiffImageFile) or picture.tag_v2.get(_PLANES) != 2:
        return
    bits = picture.tag_v2.get(_BITS, (1,))
    if len(bits) > 1 and max(bits) > 8:
        raise PictureError(
            f"{shown} keeps its colours in separate planes of {max(bits)} bits, which would be read wrongly: "
            "export it with interleaved colours, or as PNG."
        )


def _check_size(width: int, height: int, shown: str, max_picture_mp: int) -> None:
    if width * height > max_picture_mp * 1_000_000:
        raise _too_large(shown, max_picture_mp, f" ({width} × {height})")
    if min(width, height) < SHORTEST_SIDE_PX:
        raise PictureError(
            f"{shown} is only {width} × {height} pixels: it needs at least {SHORTEST_SIDE_PX} on each side."
        )
    if max(width, height) > LARGEST_ASPECT * min(width, height):
        raise PictureError(
            f"{shown} is a strip of {width} × {height} pixels: crop it so that its longer side "
            f"is at most {LARGEST_ASPECT} times its shorter one."
        )


def _too_large(shown: str, max_picture_mp: int, size: str = "") -> PictureError:
    return PictureError(f"{shown} has more than {max_picture_mp} megapixels{size}: scale it down and send it again.")


def load(picture: ImageFile.ImageFile, data: bytes) -> int:
    """Read the pixels of a file that was opened; gives the orientation that they still have, 1 for upright."""
    if not isinstance(picture, TiffImagePlugin.TiffImageFile):
        picture.load()
        exif = picture.info.get("exif") or exif_in_text(str(picture.info.get("Raw profile type exif", "")).encode())
        xmp = b"" if isinstance(picture, AvifImagePlugin.AvifImageFile) else _xmp(picture)  # HEIF says so
        return orientation_of(exif, xmp)
    is_turned = picture.getexif().get(ORIENTATION) in TURNS  # then Pillow turns it when it is loaded
    picture.load()
    return 1 if is_turned else orientation_of(data, _xmp(picture))


def _stated_profile(picture: ImageFile.ImageFile, data: bytes) -> bytes | None:
    """What a PNG says of its colours without a profile."""
    info = picture.info
    if not isinstance(picture, PngImagePlugin.PngImageFile) or "srgb" in info or "icc_profile" in info:
        return None
    return stated_profile(data, info.get("gamma"), info.get("chromaticity"))


def _xmp(picture: ImageFile.ImageFile) -> bytes:
    told = picture.info.get("xmp", b"")
    return told if isinstance(told, bytes) else b""


def has_more(data: bytes) -> bool:
    """Whether a file that was decoded has further pages or frames, of which only the first is ever read."""
    try:
        return bool(getattr(_reader_for(data, "")(io.BytesIO(data)), "is_animated", False))
    except (*DAMAGE, *TOO_LARGE, PictureError):
        return False


def jpeg(picture: Image.Image, longest_px: int, quality: int = 85) -> bytes:
    """The picture as JPEG bytes, scaled down (never up) so that its longer side is at most `longest_px`."""
    small = picture.copy()
    small.thumbnail((longest_px, longest_px), Image.Resampling.BICUBIC, reducing_gap=2.0)
    file = io.BytesIO()
    small.save(file, "JPEG", quality=quality)
    return file.getvalue()


def data_url(jpeg_bytes: bytes) -> str:
    """JPEG bytes as a `data:` URL that a page can show without another request."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg_bytes).decode("ascii")
