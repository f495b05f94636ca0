"""Flat drawings and very few pictures: a model, or a sentence before the work."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from fgdemo.cli import main
from fgdemo.model.parts import fit_parts
from fgdemo.model.unknown import ClassDistances, UnknownScale


def _constant(generator: torch.Generator) -> torch.Tensor:
    return torch.ones(2, 7, 7, 16)


def _two_tones(generator: torch.Generator) -> torch.Tensor:
    tokens = torch.ones(2, 7, 7, 16)
    tokens[:, 2:5, 2:5] = torch.arange(16.0)
    return tokens


def _one_token_each(generator: torch.Generator) -> torch.Tensor:
    return torch.randn(2, 1, 1, 16, generator=generator).expand(2, 7, 7, 16).clone()


def _zero(generator: torch.Generator) -> torch.Tensor:
    return torch.zeros(2, 7, 7, 16)


def _few_tokens_of_many_numbers(generator: torch.Generator) -> torch.Tensor:
    """Two tones of a wide network: their moments have a rank of two among 1280."""
    tones = torch.randn(2, 1280, generator=generator)
    return tones[torch.randint(2, (2, 14, 14), generator=generator)]


@pytest.mark.parametrize("make", [_few_tokens_of_many_numbers, _constant, _two_tones, _one_token_each, _zero])
def test_parts_of_flat_pictures_are_finite(make) -> None:
    generator = torch.Generator().manual_seed(1)
    tokens = make(generator)
    parts = fit_parts({"": tokens, "bird": tokens[:1]}, torch.randn(tokens.shape[-1], 2, generator=generator))
    figures = (parts.ground, parts.prototypes, parts.projection, parts.part_projection)
    assert all(bool(one.isfinite().all()) for one in figures)
    assert np.isfinite([parts.ground_temperature, parts.temperature]).all()
    assert bool(parts.foreground(tokens, "bird").isfinite().all())


@pytest.mark.parametrize("same", [False, True])
def test_distances_are_finite_where_no_kind_varies(same: bool) -> None:
    from fgdemo.model.head import RidgeHead

    embeddings = np.ones((2, 8), np.float32) if same else np.eye(2, 8, dtype=np.float32)
    head = RidgeHead.fit(embeddings, np.array([0, 1]), 2)
    distances = ClassDistances.of(head)
    found = distances.leave_one_out(embeddings, np.array([0, 1]))
    assert np.isfinite(found).all()
    scale = UnknownScale.fit(np.zeros(2), found)
    assert np.isfinite(scale(np.zeros(1), distances(embeddings[:1]))).all()


def _draw(path: Path, colour: tuple[int, int, int], number: int, size: tuple[int, int] = (64, 64)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.new("RGB", size, (255, 255, 255))
    ImageDraw.Draw(picture).rectangle((10 + 4 * number, 10, 40, 50), fill=colour)
    picture.save(path)


def _fit(capsys: pytest.CaptureFixture[str], source: Path, out: Path) -> tuple[int, str]:
    code = main(["fit", str(source), "--backbone", "test_resnet", "--weights", "none", "--out", str(out)])
    told = capsys.readouterr()
    return code, told.out + told.err


def test_flat_drawings_give_a_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(2):
        _draw(tmp_path / f"in/a/{number}.png", (200, 0, 0), number)
        _draw(tmp_path / f"in/b/{number}.png", (0, 0, 200), number)
    code, told = _fit(capsys, tmp_path / "in", tmp_path / "out")
    assert code == 0, told


def test_a_kind_that_is_held_out_only_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for at, name in enumerate(("train/a/1", "train/a/2", "train/b/1", "train/b/2", "val/a/3", "val/c/4", "test/d/5")):
        _draw(tmp_path / f"in/{name}.png", (40 * at, 90, 0), at)
    code, told = _fit(capsys, tmp_path / "in", tmp_path / "out")
    assert code == 0, told
    assert "“c” has pictures in val only" in told
    assert "“d” has pictures in test only" in told


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (("val/a/1", "val/b/2"), "training pictures of at least two classes; there are none at all"),
        (("a/1", "b/!2"), "training pictures of at least two classes; there are only of “a”"),
        (("a/!1", "b/!2"), "training pictures of at least two classes; there are none at all"),
        (("a/1", "a/2"), "only the class “a”"),
        (("a/1",), "only the class “a”"),
    ],
)
def test_too_little_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], files: tuple[str, ...], message: str
) -> None:
    for number, name in enumerate(files):
        path = tmp_path / f"in/{name.replace('!', '')}.png"
        _draw(path, (90, 0, 0), number)
        if "!" in name:
            path.write_bytes(b"broken %d" % number)
    code, told = _fit(capsys, tmp_path / "in", tmp_path / "out")
    assert code == 1
    assert message in told
