"""The same colours whatever a file calls them: profiles of every kind, and what PNGs state without one."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageCms

from fgdemo.storage.pictures.images import decode_picture
from fgdemo.storage.pictures.metadata import without_metadata
from fgdemo.storage.pictures.profiles import SRGB, Chromaticities, matrix_profile
from fgdemo.values.errors import PictureError
from tests.support.bombs import chunk, encoded

ADOBE = (0.3127, 0.329, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06)
P3 = (0.3127, 0.329, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06)
SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)


def space_of(chromaticities: Chromaticities, curve: tuple[float, ...]) -> bytes:
    profile = matrix_profile(chromaticities, curve)
    assert profile
    return profile


SPACES = {"Adobe RGB": space_of(ADOBE, (2.2,)), "Display P3": space_of(P3, SRGB_CURVE)}


def drawing() -> Image.Image:
    """Colours that every space holds, in fields of 8 × 8."""
    steps = np.array([50, 110, 170, 220], np.uint8)
    red, green, blue = np.meshgrid(steps, steps, steps)
    fields = np.stack([red, green, blue], axis=-1).reshape(8, 8, 3)
    return Image.fromarray(fields.repeat(8, axis=0).repeat(8, axis=1))


def profile_of(data: bytes) -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(io.BytesIO(data))


def written_in(profile: bytes) -> Image.Image:
    """The drawing with the numbers that this space has for its colours."""
    written = ImageCms.profileToProfile(drawing(), ImageCms.createProfile("sRGB"), profile_of(profile))
    assert written
    written.info = {}
    return written


def difference(data: bytes, expected: Image.Image) -> int:
    return int(np.abs(np.asarray(decode_picture(data), dtype=int) - np.asarray(expected, dtype=int)).max())


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "AVIF"])
@pytest.mark.parametrize("space", SPACES)
def test_a_profile_is_applied(space: str, kind: str) -> None:
    profile = SPACES[space]
    more = {"lossless": True} if kind == "WEBP" else {"quality": 100, "subsampling": "4:4:4"} if kind == "AVIF" else {}
    data = encoded(written_in(profile), kind, icc_profile=profile, **more)
    assert difference(encoded(written_in(profile), "PNG"), drawing()) > 15
    assert difference(data, drawing()) <= (12 if kind == "AVIF" else 4)
    assert difference(without_metadata(data), decode_picture(data)) == 0


def test_srgb_by_any_name_leaves_the_pixels_alone() -> None:
    for profile in (
        space_of(SRGB, SRGB_CURVE),
        ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
    ):
        assert difference(encoded(drawing(), "PNG", icc_profile=profile), drawing()) == 0


def test_transparent_palette_and_grey_pictures_have_theirs_applied() -> None:
    profile = SPACES["Adobe RGB"]
    see_through = written_in(profile).convert("RGBA")
    see_through.putalpha(Image.fromarray(np.where(np.arange(64)[:, None] < 32, 255, 0).repeat(64, 1).astype(np.uint8)))
    shown = np.asarray(decode_picture(encoded(see_through, "PNG", icc_profile=profile)), dtype=int)
    assert np.abs(shown[:32] - np.asarray(drawing(), dtype=int)[:32]).max() <= 4
    assert np.unique(shown[32:]).tolist() == [128]
    palette = written_in(profile).quantize(64)
    assert difference(encoded(palette, "PNG", icc_profile=profile), drawing()) <= 8
    ramp = Image.fromarray(np.tile(np.arange(0, 256, 4, dtype=np.uint8), (64, 1)))
    linear = space_of(SRGB, (1.0,))
    grey = np.asarray(decode_picture(encoded(ramp, "PNG", icc_profile=linear)))
    assert abs(int(grey[0, 32, 0]) - 188) <= 2  # half the light
    assert (grey == grey[:, :, :1]).all()


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"garbage",
        bytes(500),
        SPACES["Display P3"][:200],
        b"x" * 5_000_000,
        SPACES["Display P3"].replace(b"RGB ", b"GRAY"),
        SPACES["Display P3"].replace(b"RGB ", b"CMYK"),
    ],
)
def test_a_profile_that_does_not_fit_is_left_out(bad: bytes) -> None:
    assert difference(encoded(drawing(), "TIFF", icc_profile=bad), drawing()) == 0


def test_a_lab_picture_is_converted() -> None:
    lab = ImageCms.profileToProfile(
        drawing(), ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    assert lab
    assert difference(encoded(lab, "TIFF"), drawing()) <= 14


def with_chunks(picture: Image.Image, chunks: bytes) -> bytes:
    data = encoded(picture, "PNG")
    return data[:33] + chunks + data[33:]


def test_what_a_png_states_without_a_profile() -> None:
    p3 = chunk(b"cICP", bytes([12, 13, 0, 1]))
    assert difference(with_chunks(written_in(SPACES["Display P3"]), p3), drawing()) <= 4
    stated = chunk(b"gAMA", struct.pack(">I", 45455)) + chunk(
        b"cHRM", struct.pack(">8I", *(round(v * 1e5) for v in ADOBE))
    )
    primaries = space_of(ADOBE, SRGB_CURVE)
    assert difference(with_chunks(written_in(primaries), stated), drawing()) <= 4
    usual = chunk(b"gAMA", struct.pack(">I", 45455)) + chunk(
        b"cHRM", struct.pack(">8I", *(round(v * 1e5) for v in SRGB))
    )
    assert difference(with_chunks(drawing(), usual), drawing()) == 0
    for absurd in (struct.pack(">8I", *[0] * 8), struct.pack(">8I", *[31270] * 8), struct.pack(">8I", *[2**31] * 8)):
        assert difference(with_chunks(drawing(), chunk(b"cHRM", absurd)), drawing()) >= 0


@pytest.mark.parametrize(("kind", "values"), [("I;16", (0, 65535)), ("F", (0.0, 1.0))])
def test_deep_grey_that_counts_from_white_to_black(kind: str, values: tuple[float, float]) -> None:
    ramp = np.tile(np.linspace(*values, 64), (16, 1)).astype(np.uint16 if kind == "I;16" else np.float32)
    data = bytearray(encoded(Image.fromarray(ramp), "TIFF"))
    at = data.index(struct.pack("<HHI", 262, 3, 1))
    data[at + 8 : at + 10] = struct.pack("<H", 0)
    for file in (bytes(data), without_metadata(bytes(data)), without_metadata(described(bytes(data)))):
        assert np.asarray(decode_picture(file))[0, [0, -1], 0].tolist() == [255, 0]


def described(tiff: bytes) -> bytes:
    """The same with a page after it, so that it must be written anew."""
    following = 8 + 2 + 12 * struct.unpack_from("<H", tiff, 8)[0]
    first = struct.unpack_from("<I", tiff, 4)[0]
    following = first + 2 + 12 * struct.unpack_from("<H", tiff, first)[0]
    return tiff[:following] + struct.pack("<I", len(tiff)) + tiff[following + 4 :] + bytes(6)


def grey_space(gamma: float) -> bytes:
    """A profile of grey, whose light is its number to this power."""
    text = b"mluc" + bytes(4) + struct.pack(">IIHHII", 1, 12, 0x656E, 0x5553, 8, 28) + "grey".encode("utf-16-be")
    white = b"XYZ " + bytes(4) + struct.pack(">3i", 63190, 65536, 54061)
    curve = b"para" + bytes(4) + struct.pack(">HHi", 0, 0, round(gamma * 65536))
    table, body = b"", b""
    for name, content in ((b"desc", text), (b"cprt", text), (b"wtpt", white), (b"kTRC", curve)):
        table += struct.pack(">4sII", name, 180 + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    head = struct.pack(">I4xI4s4s4s", 180 + len(body), 0x04300000, b"mntr", b"GRAY", b"XYZ ") + bytes(12) + b"acsp"
    head += bytes(28) + struct.pack(">3i", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + struct.pack(">I", 4) + table + body


@pytest.mark.parametrize("mode", ["L", "LA", "I;16", "P"])
def test_grey_of_every_kind_has_its_profile_applied(mode: str) -> None:
    ramp = np.tile(np.arange(0, 256, 4, dtype=np.uint8), (16, 1))
    plain = Image.fromarray(ramp)
    grey = Image.fromarray(ramp.astype(np.uint16) * 257) if mode == "I;16" else plain
    grey = plain.convert("LA") if mode == "LA" else grey
    more = {"transparency": 255} if mode == "P" else {}  # grey with one transparent value
    way = ImageCms.buildTransform(profile_of(grey_space(1.0)), ImageCms.createProfile("sRGB"), "L", "RGB")
    expected = np.asarray(way.apply(plain), dtype=int)
    shown = np.asarray(decode_picture(encoded(grey, "PNG", icc_profile=grey_space(1.0), **more)), dtype=int)
    assert abs(int(expected[0, 32, 0]) - 188) <= 2
    assert np.abs(shown - expected).max() <= 2


def planes_of_16_bits(interleaved: bool) -> bytes:
    """A TIFF of the drawing, its colours one after the other or each by itself."""
    pixels = np.asarray(drawing()).astype("<u2") * 257
    body = pixels.tobytes() if interleaved else np.moveaxis(pixels, -1, 0).tobytes()
    strips = 1 if interleaved else 3
    tags = [(256, 3, 64), (257, 3, 64), (258, 3, None), (259, 3, 1), (262, 3, 2), (273, 4, None), (277, 3, 3)]
    tags += [(278, 3, 64), (279, 4, None), (284, 3, 1 if interleaved else 2)]
    after = 8 + 2 + 12 * len(tags) + 4
    start, size = after + 6 + 8 * strips, len(body) // strips
    many = {258: (3, after), 273: (strips, after + 6), 279: (strips, after + 6 + 4 * strips)}
    single = {273: start, 279: size}
    entries = b""
    for tag, kind, value in tags:
        count, place = many.get(tag, (1, 0))
        if count > 1:
            entries += struct.pack("<HHII", tag, kind, count, place)
        else:
            entries += struct.pack("<HHII", tag, kind, 1, single[tag] if value is None else value)
    lists = struct.pack("<3H", 16, 16, 16) + struct.pack(f"<{strips}I", *(start + n * size for n in range(strips)))
    lists += struct.pack(f"<{strips}I", *[size] * strips)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + lists + body


def test_planes_of_16_bits_are_read_rightly_or_not_at_all() -> None:
    assert difference(planes_of_16_bits(interleaved=True), drawing()) == 0
    with pytest.raises(PictureError, match="separate planes of 16 bits"):
        decode_picture(planes_of_16_bits(interleaved=False))


def test_deep_grey_from_white_to_black_in_the_other_byte_order() -> None:
    ramp = np.tile(np.linspace(0, 65535, 64).astype(">u2"), (16, 1))
    numbers = [(256, 64), (257, 16), (258, 16), (259, 1), (262, 0), (273, 8 + 2 + 12 * 8 + 4), (278, 16), (279, 2048)]
    entries = b"".join(struct.pack(">HHII", tag, 4, 1, value) for tag, value in numbers)
    data = b"MM\0*" + struct.pack(">IH", 8, len(numbers)) + entries + bytes(4) + ramp.tobytes()
    for file in (data, without_metadata(data)):
        assert np.asarray(decode_picture(file))[0, [0, -1], 0].tolist() == [255, 0]
