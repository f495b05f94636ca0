"""What a small file can make a decoder do: refused by its headers, before it costs anything."""

from __future__ import annotations

from pathlib import Path

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image, ImageFile

from fgdemo.storage.formats.sources import read_for_import
from fgdemo.storage.pictures.bounds import check_work
from fgdemo.storage.pictures.images import decode_picture
from fgdemo.storage.pictures.metadata import without_metadata
from fgdemo.values.errors import DatasetError, PictureError
from tests.support.bombs import BOMBS, encoded, jpeg_kind, jpeg_scans, jpeg_twelve_bits, png

DAMAGED_ANYHOW = {"PNG, profile of 30 MB"}
HARMLESS = {"TIFF, 200,000 pages"}


@pytest.mark.parametrize("kind", sorted(BOMBS.keys() - DAMAGED_ANYHOW - HARMLESS))
def test_a_bomb_is_refused_unread(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(*_):
        raise AssertionError("a decoder saw it")

    monkeypatch.setattr(ImageFile.ImageFile, "__init__", opened)
    data = BOMBS[kind]()
    for use in (decode_picture, without_metadata):
        with pytest.raises(PictureError, match=r"takes too long .*export it again as JPEG or PNG"):
            use(data, name="bomb")


@pytest.mark.parametrize("kind", sorted(DAMAGED_ANYHOW))
def test_a_bomb_that_pillow_knows(kind: str) -> None:
    with pytest.raises(PictureError, match="damaged"):
        decode_picture(BOMBS[kind]())


def test_a_chain_of_pages_costs_nothing() -> None:
    data = BOMBS["TIFF, 200,000 pages"]()
    assert decode_picture(data).size == (64, 64)
    assert decode_picture(without_metadata(data)).size == (64, 64)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (jpeg_kind(0xC9), "arithmetic"),
        (jpeg_kind(0xCA), "arithmetic"),
        (jpeg_kind(0xC3), "lossless"),
        (jpeg_twelve_bits(), "12-bit"),
    ],
)
def test_kinds_of_jpeg_that_nobody_shows(data: bytes, words: str) -> None:
    with pytest.raises(PictureError, match=words):
        decode_picture(data)


OTHERS = [
    b"\0\0\0\x0cjP  \r\n\x87\n",
    b"8BPS\0\1",
    b"%!PS-Adobe-3.0",
    b"\0\0\1\0",
    b"icns",
    b"SIMPLE  =",
    b"P6\n",
    b"\x0a\5\1\1",
    b"DDS ",
    b"qoif",
    b"II+\0",
    b"\xff\x0a",
]


@pytest.mark.parametrize("head", OTHERS)
def test_other_formats_are_not_even_tried(head: bytes) -> None:
    with pytest.raises(PictureError, match="not a picture that can be read"):
        decode_picture(head + bytes(1000))


def test_what_programs_write_passes() -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (200, 300, 3), np.uint8))
    files = [encoded(noise, kind) for kind in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")]
    files += [
        encoded(noise, "JPEG", progressive=True, exif=b"Exif\0\0" + bytes(60_000), icc_profile=bytes(500_000)),
        encoded(noise, "GIF", save_all=True, append_images=[noise.rotate(n) for n in range(1, 9)]),
        encoded(noise, "TIFF", tiffinfo={278: 1}),
        encoded(noise, "TIFF", compression="jpeg"),
        jpeg_scans(14, 1500),
        png(200, 200, interlace=1),
    ]
    for data in files:
        check_work(data, "it")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_what_is_cut_off_is_for_the_decoder_to_say(kind: str) -> None:
    data = encoded(Image.new("RGB", (40, 40)), kind)
    for end in range(len(data)):
        check_work(data[:end], "it")


def test_a_parquet_that_unpacks_to_very_much_more_is_refused(tmp_path: Path) -> None:
    values = pa.array([bytes(250_000_000), encoded(Image.new("RGB", (40, 40)), "PNG")], pa.binary())
    pq.write_table(pa.table({"image": values, "label": ["a", "b"]}), tmp_path / "bomb.parquet", compression="zstd")
    with pytest.raises(DatasetError, match="too large when unpacked"):
        read_for_import([tmp_path / "bomb.parquet"])


def test_a_parquet_is_read_where_it_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same large picture in each row takes a kilobyte; nothing is unpacked onto a disk."""
    rows = [{"bytes": encoded(Image.new("RGB", (600, 600)), "BMP"), "path": None}] * 60
    picture = pa.array(rows, pa.struct([("bytes", pa.binary()), ("path", pa.string())]))
    pq.write_table(pa.table({"image": picture, "label": ["a", "b"] * 30}), tmp_path / "a.parquet", compression="zstd")
    monkeypatch.setattr(datasets, "load_dataset", None)
    source, _ = read_for_import([tmp_path / "a.parquet"])
    assert [len(one.load()) for one in source.pictures] == [len(rows[0]["bytes"])] * 60
    assert [path.name for path in tmp_path.rglob("*")] == ["a.parquet"]
