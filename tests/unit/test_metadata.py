"""No place, time or name leaves with a picture; its pixels, its turn and its colours do."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, PngImagePlugin

from fgdemo.storage.pictures.images import decode_picture
from fgdemo.storage.pictures.metadata import without_metadata
from fgdemo.values.errors import PictureError

SECRETS = (b"Ada Lovelace", b"CanonSecret", b"2031:05:06", b"hidden comment", b"xmp:secret", b"trailing secret")
GPS = {1: "N", 2: (48.0, 12.0, 30.25), 3: "E", 4: (16.0, 22.0, 18.5)}
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()  # once: it holds the time of its making
SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


def a_picture(mode: str = "RGB") -> Image.Image:
    values = np.random.default_rng(3).integers(0, 255, (30, 44, 3), dtype=np.uint8)
    values[:10, :10] = (255, 0, 0)
    return Image.fromarray(values).resize((88, 60), Image.Resampling.NEAREST).convert(mode)


def exif(turn: int) -> Image.Exif:
    told = Image.Exif()
    told[0x0112], told[0x013B], told[0x010F], told[0x0132] = turn, "Ada Lovelace", "CanonSecret", "2031:05:06 07:08:09"
    told[0x8825] = GPS
    read = Image.Exif()
    read.load(told.tobytes())  # as from a file, which is what the writer of TIFFs wants
    return read


def photograph(format: str, turn: int = 1, mode: str = "RGB") -> bytes:
    """A file as a camera or an editor writes it, full of what nobody else should know."""
    file, more = io.BytesIO(), {}
    if format == "PNG":
        info = PngImagePlugin.PngInfo()
        info.add_text("Author", "Ada Lovelace")
        info.add_itxt("XML:com.adobe.xmp", "xmp:secret", zip=False)
        more = {"pnginfo": info}
    elif format in ("JPEG", "WEBP"):
        more = {"xmp": b"xmp:secret", "quality": 92}
    if format == "JPEG":
        more |= {"comment": b"hidden comment"}
    if format == "GIF":
        a_picture("P").save(file, "GIF", comment=b"hidden comment", loop=0)
        return file.getvalue() + b"trailing secret"
    a_picture(mode).save(file, format, exif=exif(turn), icc_profile=PROFILE, **more)
    return file.getvalue() + b"trailing secret" * (format in ("JPEG", "PNG", "WEBP"))


def shown(data: bytes) -> np.ndarray:
    return np.asarray(decode_picture(data))


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_pixels_and_turn_stay_and_nothing_else(format: str, turn: int) -> None:
    data = photograph(format, turn)
    assert sum(secret in data for secret in SECRETS) >= 2
    clean = without_metadata(data)
    assert not [secret for secret in SECRETS if secret in clean]
    assert np.array_equal(shown(clean), shown(data))
    with Image.open(io.BytesIO(clean)) as opened:
        assert set(opened.getexif()) <= ({0x0112} if format != "TIFF" else set(opened.getexif()))
        assert opened.getexif().get_ifd(0x8825) == {}
        assert opened.info.get("icc_profile")
    assert without_metadata(clean) == clean


@pytest.mark.parametrize(
    ("format", "mode"),
    [
        ("TIFF", "CMYK"),
        ("TIFF", "L"),
        ("TIFF", "P"),
        ("TIFF", "RGBA"),
        ("JPEG", "L"),
        ("JPEG", "CMYK"),
        ("PNG", "RGBA"),
        ("PNG", "P"),
        ("WEBP", "RGBA"),
    ],
)
def test_every_kind_of_pixels_stays(format: str, mode: str) -> None:
    data = photograph(format, 6, mode)
    clean = without_metadata(data)
    assert b"Ada" not in clean
    assert np.array_equal(shown(clean), shown(data))


def test_a_gif_keeps_its_frames_and_loses_its_comments() -> None:
    data = photograph("GIF")
    clean = without_metadata(data)
    assert not [secret for secret in SECRETS if secret in clean]
    assert np.array_equal(shown(clean), shown(data))
    assert b"NETSCAPE2.0" in clean


def test_a_progressive_jpeg_and_its_many_scans() -> None:
    file = io.BytesIO()
    a_picture().save(file, "JPEG", progressive=True, exif=exif(3), restart_marker_blocks=2)
    clean = without_metadata(file.getvalue() + photograph("JPEG"))
    assert b"Ada" not in clean
    assert np.array_equal(shown(clean), shown(file.getvalue()))


def test_what_has_no_metadata_stays_the_same_file() -> None:
    for format in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"):
        file = io.BytesIO()
        a_picture().save(file, format)
        assert without_metadata(file.getvalue()) == file.getvalue(), format


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "TIFF"])
@settings(max_examples=60, deadline=None)
@given(at=st.floats(0, 1), byte=st.integers(0, 255), cut=st.floats(0.05, 1))
def test_damage_never_lets_the_place_through(format: str, at: float, byte: int, cut: float) -> None:
    data = bytearray(photograph(format, 6))
    data[min(int(at * len(data)), len(data) - 1)] = byte
    data = bytes(data[: int(cut * len(data))])
    try:
        before = shown(data)
    except PictureError:
        return  # nobody stores it
    clean = without_metadata(data)
    assert shown(clean).shape == before.shape
    with Image.open(io.BytesIO(clean)) as opened:
        assert opened.getexif().get_ifd(0x8825) == {}


@pytest.mark.skipif(not SHARED.is_dir(), reason="no photographs here")
def test_real_photographs_stay_what_they_show() -> None:
    for path in sorted(SHARED.glob("*/val/*/*.jpg"))[::200]:
        data = path.read_bytes()
        assert np.array_equal(shown(without_metadata(data)), shown(data)), path.name
