"""Grad-CAM over the head only: known answers, the library's own maps, threads, and a model that is left alone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import timm
import torch
from pytorch_grad_cam import GradCAM as LibraryGradCAM
from pytorch_grad_cam.utils.image import scale_cam_image
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget, FinerWeightedTarget
from torch import Tensor, nn

from fgdemo.explain.gradcam import Method, Target, gradcam
from fgdemo.model.foreign import read_timm
from fgdemo.values.errors import BackboneError

METHODS: tuple[Method, ...] = ("GradCAM", "GradCAM++", "LayerCAM", "HiResCAM", "EigenCAM")
HEIGHT, WIDTH, SQUARE = 48, 80, 12


class PlantedNet(nn.Module):
    """Two convolutions, mean pooling, a linear head: (B, 3, H, W) → logits of "no square", "red", "blue"."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 16, 5, 4, 2), nn.ReLU(), nn.Conv2d(16, 16, 3, 1, 1), nn.ReLU())
        self.head = nn.Linear(16, 3)

    def tokens(self, pixels: Tensor) -> Tensor:
        return self.body(pixels).permute(0, 2, 3, 1)

    def logits_from_tokens(self, tokens: Tensor) -> Tensor:
        return self.head(tokens.mean((1, 2)))

    def forward(self, pixels: Tensor) -> Tensor:
        return self.logits_from_tokens(self.tokens(pixels))


def planted(count: int, seed: int) -> tuple[Tensor, Tensor, list[tuple[int, int]]]:
    """Noisy wide pictures with nothing, a red or a blue square; labels; (top, left) of the squares."""
    rng = np.random.default_rng(seed)
    pixels = torch.from_numpy(rng.normal(0, 0.3, (count, 3, HEIGHT, WIDTH))).float()
    labels, corners = torch.from_numpy(rng.integers(0, 3, count)), []
    for picture, label in zip(pixels, labels.tolist(), strict=True):
        top, left = int(rng.integers(0, HEIGHT - SQUARE)), int(rng.integers(0, WIDTH - SQUARE))
        if label:
            picture[0 if label == 1 else 2, top : top + SQUARE, left : left + SQUARE] += 1.5
        corners.append((top, left))
    return pixels, labels, corners


@pytest.fixture(scope="module")
def net() -> PlantedNet:
    torch.manual_seed(0)
    net = PlantedNet()
    optimizer = torch.optim.Adam(net.parameters(), 0.01)
    pixels, labels, _ = planted(256, seed=1)
    for step in range(150):
        rows = torch.arange(64) + 64 * (step % 4)
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(pixels[rows]), labels[rows]).backward()
        optimizer.step()
    optimizer.zero_grad()
    assert (net(pixels).argmax(1) == labels).float().mean() > 0.97
    return net


def hits(net: PlantedNet, method: Method = "GradCAM") -> float:
    """How often the peak of the map of the right class lies on the square."""
    pixels, labels, corners = planted(60, seed=2)
    found = []
    for picture, label, (top, left) in zip(pixels, labels.tolist(), corners, strict=True):
        if label:
            cam = gradcam(net, net.tokens(picture[None]), label, method)
            row, column = np.unravel_index(cam.argmax(), cam.shape)
            y, x = (row + 0.5) * HEIGHT / cam.shape[0], (column + 0.5) * WIDTH / cam.shape[1]
            found.append(top - 4 <= y < top + SQUARE + 4 and left - 4 <= x < left + SQUARE + 4)
    return float(np.mean(found))


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


def like_the_library(cam: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    scaled: Any = scale_cam_image(scale_cam_image(cam[None], size))
    return scaled[0]


def library_map(model: nn.Module, layer: nn.Module, pixels: Tensor, question: Any, to_grid: Any = None) -> np.ndarray:
    return np.asarray(LibraryGradCAM(model, [layer], to_grid)(pixels, [question]))[0]


@pytest.mark.parametrize("method", METHODS[:4])
def test_peak_falls_on_the_planted_square_of_wide_pictures(net: PlantedNet, method: Method) -> None:
    assert hits(net, method) >= 0.95


def finds_the_right_one(net: PlantedNet, target: int | tuple[int, int]) -> float:
    """How often the map's peak lies on the red square of a picture with a red one on one side, a blue on the other."""
    rng = np.random.default_rng(3)
    found = []
    for place in range(40):
        picture = torch.from_numpy(rng.normal(0, 0.3, (3, HEIGHT, WIDTH))).float()
        red, blue = (8, 60) if place % 2 else (60, 8)
        picture[0, 18:30, red : red + SQUARE] += 1.5
        picture[2, 18:30, blue : blue + SQUARE] += 1.5
        cam = gradcam(net, net.tokens(picture[None]), target)
        column = int(np.unravel_index(cam.argmax(), cam.shape)[1])
        found.append(abs((column + 0.5) * WIDTH / cam.shape[1] - red - SQUARE / 2) < SQUARE)
    return float(np.mean(found))


@pytest.mark.parametrize("target", [1, (1, 2)])
def test_the_map_points_at_what_the_class_is_about_and_randomised_weights_destroy_that(
    net: PlantedNet, target: int | tuple[int, int]
) -> None:
    assert finds_the_right_one(net, target) >= 0.95
    by_chance = []
    for seed in range(8):
        torch.manual_seed(seed)
        by_chance.append(finds_the_right_one(PlantedNet(), target))
    assert np.mean(by_chance) < 0.7


def test_with_mean_pooling_and_a_linear_head_gradcam_is_the_positive_part_of_the_evidence(net: PlantedNet) -> None:
    pixels, labels, _ = planted(12, seed=5)
    for picture, label in zip(pixels, labels.tolist(), strict=True):
        tokens = net.tokens(picture[None])
        evidence = (tokens[0] @ net.head.weight[label] / tokens[0, ..., 0].numel()).detach().numpy()
        cam = gradcam(net, tokens, label)
        np.testing.assert_allclose(cam, np.maximum(evidence, 0), rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(gradcam(net, tokens, label, "HiResCAM"), cam, rtol=1e-4, atol=1e-6)
        if label:
            assert correlation(cam, np.maximum(evidence, 0)) >= 0.999


def test_contrast_is_the_difference_of_the_evidence_and_survives_an_improbable_rival(net: PlantedNet) -> None:
    pixels, _, _ = planted(1, seed=6)
    tokens = net.tokens(pixels)
    weight = net.head.weight.detach()
    expected = (tokens.detach()[0] @ (weight[1] - weight[2]) / tokens[0, ..., 0].numel()).numpy()
    np.testing.assert_allclose(gradcam(net, tokens, (1, 2)), np.maximum(expected, 0), rtol=1e-4, atol=1e-6)

    class Certain(PlantedNet):
        def logits_from_tokens(self, tokens: Tensor) -> Tensor:
            return super().logits_from_tokens(tokens) + torch.tensor([0.0, 60.0, -60.0])

    certain = Certain()
    certain.load_state_dict(net.state_dict())
    np.testing.assert_allclose(gradcam(certain, tokens, (1, 2)), np.maximum(expected, 0), rtol=1e-4, atol=1e-6)


def test_head_only_is_the_library_on_the_whole_cnn() -> None:
    torch.manual_seed(0)
    model: Any = timm.create_model("test_resnet", num_classes=7).eval()
    pixels = torch.randn(1, 3, 160, 224)
    tokens, head = read_timm(model, pixels)
    for target, question in ((2, ClassifierOutputTarget(2)), ((2, 5), FinerWeightedTarget(2, [5], 1.0))):
        plain = library_map(model, model.layer4[-1], pixels, question)
        ours = like_the_library(gradcam(head, tokens, target), (224, 160))
        assert ours.max() > 0
        assert correlation(ours, plain) >= 0.99


def test_head_only_is_the_library_on_the_whole_vision_transformer() -> None:
    torch.manual_seed(0)
    model: Any = timm.create_model("test_vit", num_classes=7).eval()
    pixels = torch.randn(1, 3, *model.patch_embed.img_size)
    tokens, head = read_timm(model, pixels)
    rows, columns = tokens.shape[1:3]

    def to_grid(sequence: Tensor) -> Tensor:
        return sequence[:, model.num_prefix_tokens :].reshape(1, rows, columns, -1).permute(0, 3, 1, 2)

    plain = library_map(model, model.blocks[-2], pixels, ClassifierOutputTarget(3), to_grid)
    ours = like_the_library(gradcam(head, tokens, 3), (pixels.shape[3], pixels.shape[2]))
    assert ours.max() > 0
    assert correlation(ours, plain) >= 0.99


def test_a_foreign_model_in_train_mode_is_refused() -> None:
    with pytest.raises(BackboneError, match="train mode"):
        read_timm(timm.create_model("test_resnet", num_classes=3).train(), torch.zeros(1, 3, 64, 64))


def test_eight_threads_get_the_same_maps_as_one(net: PlantedNet) -> None:
    pixels, _, _ = planted(8, seed=7)
    targets: tuple[Target, ...] = (1, (2, 0))
    questions: list[tuple[Tensor, Target, Method]] = [
        (net.tokens(p[None]).detach(), target, m) for p in pixels for target in targets for m in METHODS
    ]
    alone = [gradcam(net, *question) for question in questions]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda question: gradcam(net, *question), questions * 3))
    for got, expected in zip(together, alone * 3, strict=True):
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("training", [True, False])
def test_the_shared_model_is_left_alone(net: PlantedNet, training: bool) -> None:
    net.train(training)
    for parameter in net.parameters():
        parameter.grad = torch.full_like(parameter, 7.0)
    try:
        tokens = net.tokens(planted(1, seed=8)[0])
        gradcam(net, tokens, 1)
        assert all(module.training == training for module in net.modules())
        assert all(bool((parameter.grad == 7.0).all()) for parameter in net.parameters())
        assert not any(module._forward_hooks for module in net.modules())
    finally:
        net.eval().zero_grad(set_to_none=True)


def test_inference_tensors_and_frozen_heads_are_fine(net: PlantedNet) -> None:
    pixels = planted(1, seed=9)[0]
    expected = gradcam(net, net.tokens(pixels), 1)
    frozen = PlantedNet()
    frozen.load_state_dict(net.state_dict())
    frozen.requires_grad_(False)
    with torch.inference_mode():
        np.testing.assert_array_equal(gradcam(frozen, frozen.tokens(pixels)[0], 1), expected)


def test_maps_keep_their_own_strength(net: PlantedNet) -> None:
    tokens = net.tokens(planted(1, seed=10)[0]).detach()
    np.testing.assert_allclose(gradcam(net, 2 * tokens, 1), 2 * gradcam(net, tokens, 1), rtol=1e-5)


def test_nothing_for_the_class_is_an_empty_map(net: PlantedNet) -> None:
    assert gradcam(net, torch.zeros(12, 20, 16), 1).max() == 0.0
