"""Hostile and odd pictures: each becomes an upright RGB picture, or one sentence."""

from __future__ import annotations

import contextlib
import errno
import functools
import io
import random
import struct
import warnings
import zlib
from typing import cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile

from fgdemo.storage.disk.durable import write_durably
from fgdemo.storage.pictures.decoding import Decoder
from fgdemo.storage.pictures.images import decode_picture, decode_reduced, jpeg
from fgdemo.storage.pictures.originals import THUMBNAIL_PX, ImageStore, image_id_of
from fgdemo.values.errors import PictureError, StorageError
from fgdemo.values.types import CropBox

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")


def encoded(picture: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def corners(width: int = 48, height: int = 32) -> Image.Image:
    """Red top left, green top right, blue bottom left, white bottom right."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[: height // 2, : width // 2] = (250, 0, 0)
    pixels[: height // 2, width // 2 :] = (0, 250, 0)
    pixels[height // 2 :, : width // 2] = (0, 0, 250)
    pixels[height // 2 :, width // 2 :] = 250
    return Image.fromarray(pixels)


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds next to nothing: what a decompression bomb looks like from outside."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    size = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(bytes(1000)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + pixels + chunk(b"IEND", b"")


def gif_header(screen: tuple[int, int], frame: tuple[int, int]) -> bytes:
    pixels = b"\x08\x01\0\0;"
    return b"GIF89a" + struct.pack("<HHxxx", *screen) + b"," + struct.pack("<HHHHx", 0, 0, *frame) + pixels


def assert_corners(picture: Image.Image, tolerance: int = 40) -> None:
    width, height = picture.size
    for x, y, colour in ((0.25, 0.25, (250, 0, 0)), (0.75, 0.25, (0, 250, 0)), (0.25, 0.75, (0, 0, 250))):
        found = np.asarray(picture, dtype=int)[int(y * height), int(x * width)]
        assert np.abs(found - colour).max() <= tolerance


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_becomes_plain_rgb(kind):
    picture = decode_picture(encoded(corners(), kind))
    assert type(picture) is Image.Image
    assert (picture.mode, picture.size, picture.info) == ("RGB", (48, 32), {})
    assert_corners(picture)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_and_dropped(kind, orientation):
    turn_back = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # the transposition that a camera would have undone
    stored = corners() if orientation == 1 else corners().transpose(Image.Transpose(turn_back[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture, full = decode_reduced(encoded(stored, kind, exif=exif), None)
    assert picture.size == full == (48, 32)
    assert_corners(picture)
    assert not picture.getexif()


@pytest.mark.filterwarnings("ignore:.*:UserWarning")  # Pillow's remarks on damaged metadata
def test_damaged_exif_does_not_refuse_a_whole_picture():
    data = encoded(corners(), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff garbage")
    assert_corners(decode_picture(data))


@pytest.mark.parametrize("kind", ["GIF", "WEBP"])
def test_first_frame_of_an_animation(kind):
    data = encoded(corners(), kind, save_all=True, append_images=[Image.new("RGB", (48, 32), "black")] * 2)
    assert_corners(decode_picture(data))


def test_cmyk_is_converted():
    assert_corners(decode_picture(encoded(corners().convert("CMYK"), "JPEG")))


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("dtype", ["<u2", ">u2"])
def test_sixteen_bit_is_scaled_not_clipped(kind, dtype):
    ramp = np.tile(np.linspace(0, 65535, 64), (16, 1)).astype(dtype)
    grey = np.asarray(decode_picture(encoded(Image.fromarray(ramp), kind)))[0, :, 0]
    assert grey[[0, -1]].tolist() == [0, 255]
    assert abs(int(grey[32]) - 130) <= 1


def test_twelve_bits_in_sixteen_are_not_nearly_black():
    ramp = np.tile(np.linspace(0, 4000, 64), (16, 1)).astype(np.uint16)
    assert np.asarray(decode_picture(encoded(Image.fromarray(ramp), "PNG"))).max() == 249


def test_floating_point_with_holes():
    ramp = np.tile(np.linspace(-3, 7, 64), (16, 1)).astype(np.float32)
    ramp[0, 0] = np.nan
    found = np.asarray(decode_picture(encoded(Image.fromarray(ramp), "TIFF")))
    assert (found[1, 0, 0], found[1, -1, 0]) == (0, 255)


def test_palette_with_transparency_and_alpha_go_onto_grey():
    see_through = corners().convert("RGBA")
    see_through.paste((0, 0, 0, 0), (24, 16, 48, 32))
    for data in (encoded(see_through, "PNG"), encoded(see_through.quantize(8), "PNG"), encoded(see_through, "WEBP")):
        picture = decode_picture(data)
        assert_corners(picture)
        assert np.abs(np.asarray(picture, dtype=int)[28, 44] - 128).max() <= 3


@functools.cache
def bad_pictures() -> dict[str, tuple[bytes, str]]:
    photo = Image.effect_noise((320, 240), 60).convert("RGB")
    return {
        "empty": (b"", "0 bytes"),
        "text": (b"just some words", "not a picture"),
        "zip": (b"PK\x03\x04" + bytes(100), "not a picture"),
        "wav": (b"RIFF\x24\0\0\0WAVEfmt ", "not a picture"),
        "svg": (b'\xef\xbb\xbf<?xml version="1.0"?>\n<!-- x -->\n<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        "html": (b"<!DOCTYPE html><html><body>404</body></html>", "web page"),
        "heic": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(64), "as JPEG"),
        "avif": (b"\0\0\0\x1cftypavif\0\0\0\0avifmif1" + bytes(64), "damaged|as JPEG"),
        "truncated jpeg": (encoded(photo, "JPEG")[:5000], "cut off"),
        "truncated png": (encoded(photo, "PNG")[:5000], "cut off"),
        "truncated gif": (encoded(photo, "GIF")[:5000], "cut off"),
        "truncated webp": (encoded(photo, "WEBP")[:2000], "damaged"),
        "truncated tiff": (encoded(photo, "TIFF")[:5000], "damaged"),
        "jpeg header only": (encoded(photo, "JPEG")[:12], "damaged"),
        "one pixel": (encoded(Image.new("RGB", (1, 1)), "PNG"), "1 × 1"),
        "strip": (encoded(Image.new("1", (20000, 20)), "PNG"), "strip"),
        "200 megapixels": (encoded(Image.new("1", (20000, 10000)), "PNG"), "60 megapixels"),
        "100 megapixels": (png_header(10000, 10000), "60 megapixels"),
        "4 gigapixels": (png_header(65000, 65000), "60 megapixels"),
        "large gif screen": (gif_header((60000, 60000), (8, 8)), "60 megapixels"),
        "large gif frame": (gif_header((8, 8), (60000, 60000)), "60 megapixels"),
        "no pixels": (png_header(100, 100), "cut off"),
    }


@pytest.mark.parametrize("case", bad_pictures())
def test_bad_pictures_get_one_sentence(case):
    data, words = bad_pictures()[case]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # Pillow's own bomb warning shall not be heard either
        with pytest.raises(PictureError, match=words) as caught:
            decode_picture(data, name="../../etc/\u202ea \N{OWL}.jpg")
    sentence = str(caught.value)
    assert sentence.startswith("“a \N{OWL}.jpg” ")
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert "etc" not in sentence


def test_size_is_checked_before_decoding(monkeypatch):
    def decode(*_):
        raise AssertionError("decoded")

    monkeypatch.setattr(ImageFile.ImageFile, "load", decode)
    with pytest.raises(PictureError, match="more than 2 megapixels"):
        decode_picture(encoded(corners(2000, 1001), "PNG"), max_picture_mp=2)


def test_pillows_own_limits_are_neither_used_nor_changed(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert decode_picture(encoded(corners(), "JPEG")).size == (48, 32)
    assert Image.MAX_IMAGE_PIXELS == 100
    assert not ImageFile.LOAD_TRUNCATED_IMAGES


def test_long_names_are_shortened():
    with pytest.raises(PictureError) as caught:
        decode_picture(b"", name="x" * 5000)
    assert len(str(caught.value)) < 150


@pytest.mark.filterwarnings("ignore:.*:UserWarning")
@pytest.mark.parametrize("kind", FORMATS)
def test_damage_anywhere_never_raises_anything_else(kind):
    """2 × 150 damaged files per format: cut at, or changed in, places drawn with a fixed seed."""
    whole = encoded(corners(40, 40), kind)
    draw = random.Random(kind)
    for _ in range(150):
        changed = bytearray(whole)
        for _ in range(draw.choice((1, 3, 20))):
            changed[draw.randrange(len(changed))] = draw.randrange(256)
        for data in (bytes(changed), whole[: draw.randrange(len(whole))]):
            try:
                picture = decode_picture(data, max_picture_mp=1)
            except PictureError:
                continue
            assert picture.mode == "RGB"


@pytest.mark.filterwarnings("ignore:.*:UserWarning")
@given(st.binary(max_size=300))
@settings(max_examples=100, deadline=None)
def test_random_bytes_are_refused(data):
    for magic in (
        b"",
        b"\xff\xd8\xff",
        b"\x89PNG\r\n\x1a\n",
        b"GIF89a",
        b"BM",
        b"II*\0",
        b"MM\0*",
        b"RIFF\0\0\0\0WEBP",
    ):
        with contextlib.suppress(PictureError):
            decode_picture(magic + data, max_picture_mp=1)


def test_reduced_keeps_what_was_asked_for_and_tells_the_full_size():
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(corners(4000, 2000), "JPEG", exif=exif)
    picture, full = decode_reduced(data, 480)
    assert full == (2000, 4000)
    assert picture.size == (500, 1000)
    assert decode_reduced(data, 5000)[0].size == (2000, 4000)
    picture, full = decode_reduced(encoded(corners(4000, 2000), "PNG", exif=exif), 480)
    assert (picture.size, full) == ((500, 1000), (2000, 4000)), "of every format, so that none takes more memory"
    assert decode_reduced(encoded(corners(4000, 2000), "WEBP"), 1000)[0].size == (2000, 1000)
    assert decode_reduced(encoded(corners(), "PNG"), 20)[0].size == (48, 32)


def test_a_part_comes_as_it_lies_in_the_upright_picture_and_no_larger_than_is_needed() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = Image.new("RGB", (3000, 6000), (0, 0, 255))
    stored.paste((255, 0, 0), (0, 3000, 3000, 6000))  # upright: 6000 × 3000, the left half red
    for kind in ("PNG", "JPEG"):
        data = encoded(stored, kind, exif=exif)
        part, full = decode_reduced(data, 300, CropBox(0, 0, 0.5, 1))
        assert full == (6000, 3000)
        assert 300 <= min(part.size) < 600
        assert abs(np.asarray(part)[..., 0].astype(int) - 254).max() <= 1
        assert decode_reduced(data, 300, CropBox(0.6, 0.5, 0.7, 0.6))[0].size == (600, 300)


def test_a_long_strip_is_no_way_to_fill_the_memory() -> None:
    strip, full = decode_reduced(encoded(Image.new("1", (32_000, 1_800)), "PNG"), 960)
    assert full == (32_000, 1_800)
    assert strip.size == (10_667, 600)


# --- the store ---------------------------------------------------------------------------------------------------


@given(st.binary(max_size=200))
@settings(max_examples=30, deadline=None)
def test_what_is_put_is_read(tmp_path_factory, data):
    store = ImageStore(tmp_path_factory.mktemp("images"))
    image_id = store.put(data)
    assert image_id == store.put(data) == image_id_of(data)
    assert image_id in store
    assert store.read(image_id) == data


def files_under(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_the_same_bytes_are_kept_once(tmp_path):
    store = ImageStore(tmp_path)
    store.put(b"a")
    store.put(b"a")
    assert len(files_under(tmp_path)) == 1


@pytest.mark.parametrize("image_id", ["", "../../etc/passwd", "a" * 63, "A" * 64, "a" * 64 + "\n", "/" * 64, "g" * 64])
def test_ids_are_checked_before_they_become_paths(tmp_path, image_id):
    store = ImageStore(tmp_path)
    for use in (store.read, store.thumbnail, store.remove, store.__contains__):
        with pytest.raises(StorageError):
            use(image_id)


def test_a_missing_picture(tmp_path):
    with pytest.raises(StorageError, match="not in the workspace"):
        ImageStore(tmp_path).read("a" * 64)


def test_half_a_thumbnail_is_made_again_and_a_full_disk_only_costs_time(tmp_path, monkeypatch):
    store = ImageStore(tmp_path / "pictures")
    image_id = store.put(encoded(corners(300, 200), "JPEG"))
    whole = store.make_thumbnail(image_id, Image.new("RGB", (300, 200), (1, 2, 3)))
    assert store.thumbnail(image_id) == whole
    (path,) = (tmp_path / "pictures" / "thumbnails").rglob(image_id)
    path.write_bytes(whole[:-9])
    assert store.thumbnail(image_id).endswith(b"\xff\xd9")
    path.unlink()

    def no_space(**_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("fgdemo.storage.disk.unfinished.tempfile.mkstemp", no_space)
    assert store.thumbnail(image_id).endswith(b"\xff\xd9")
    assert not path.exists()


def test_thumbnail_is_small_upright_and_made_once(tmp_path, monkeypatch):
    store = ImageStore(tmp_path)
    exif = Image.Exif()
    exif[0x0112] = 6
    image_id = store.put(encoded(corners(1200, 800).transpose(Image.Transpose.ROTATE_90), "JPEG", exif=exif))
    first = store.thumbnail(image_id)
    picture = Image.open(io.BytesIO(first))
    assert (picture.format, max(picture.size)) == ("JPEG", THUMBNAIL_PX)
    assert_corners(picture)
    store.decoder = cast("Decoder", None)  # it is not asked again
    assert store.thumbnail(image_id) == first
    store.remove(image_id)
    assert files_under(tmp_path) == []


def test_jpeg_is_never_scaled_up():
    assert Image.open(io.BytesIO(jpeg(corners(), 1280))).size == (48, 32)


@pytest.mark.parametrize("call", ["fsync", "fdopen"])
def test_a_full_disk_leaves_nothing_half_stored(tmp_path, monkeypatch, call):
    store = ImageStore(tmp_path)

    def no_space(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(f"fgdemo.storage.disk.durable.os.{call}", no_space)
    with pytest.raises(StorageError, match="disk of the workspace is full"):
        store.put(b"x" * 1000)
    assert files_under(tmp_path) == []


def test_a_write_that_the_system_refuses_keeps_the_old_file(tmp_path):
    """A real failing write: the kernel refuses to let a file of this process grow past a limit."""
    resource = pytest.importorskip("resource", reason="limits of a process exist on Unix only")
    import signal

    path = tmp_path / "folder" / "file"
    write_durably(path, b"old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(StorageError, match="nothing was stored"):
            write_durably(path, bytes(100_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert files_under(tmp_path) == [path]
    assert path.read_bytes() == b"old"
