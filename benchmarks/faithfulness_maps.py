"""The maps that `faithfulness.py` compares: ours, the library's, and two that know nothing."""

from __future__ import annotations

import contextlib
import copy
import io
from typing import Any

import numpy as np
import torch
from PIL import Image
from pytorch_grad_cam import ScoreCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import Tensor, nn

from fgdemo.explain import faithfulness as measure
from fgdemo.explain.drawn import drawn_maps
from fgdemo.explain.gradcam import Method, gradcam
from fgdemo.model.classifier import Classifier
from fgdemo.model.network import Network
from fgdemo.values.evidence import contrast_map

LIBRARY: dict[str, Method] = {
    "gradcam": "GradCAM",
    "gradcam++": "GradCAM++",
    "layercam": "LayerCAM",
    "hirescam": "HiResCAM",
    "eigencam": "EigenCAM",
}
SCORECAM_CHANNELS = 64


def maps_of(
    classifier: Classifier, picture: Image.Image, tokens: Tensor, a: int, b: int, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Every map that needs no walk; "parts" is the evidence of all parts, without the background's.

    Args:
        picture: as the model sees it.
        tokens: (1, h, w, D).
    """
    network, leaves = classifier.network, classifier.taxonomy.leaves
    reading = classifier.read(picture)
    drawn, pair = drawn_maps(classifier, reading, picture, leaves[a], leaves[b])
    maps = {name: gradcam(network, tokens, a, method) for name, method in LIBRARY.items()}
    evidence, background = reading.evidence, reading.assignment[..., -1]
    rows, columns = evidence.shape[:2]
    contrast = contrast_map(evidence[..., a], evidence[..., b])
    y, x = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j]  # pyright: ignore[reportAttributeAccessIssue]
    return {
        **maps,
        "finercam": gradcam(network, tokens, (a, b)),
        "evidence": drawn,
        "plain": evidence[..., a],
        "parts": evidence[..., a] * (1 - background),
        "contrast": pair,
        "plain_contrast": contrast,
        "contrast_parts": contrast * (1 - background),
        "centre": np.sqrt(2) - np.hypot(y, x),
        "random": measure.random_like(evidence[..., a], rng),
    }


class VaryingChannels(nn.Module):
    """Logits of pixels, with a layer of the few token channels that vary most, for the library's Score-CAM to hook."""

    def __init__(self, network: Network, channels: Tensor) -> None:
        super().__init__()
        self.network, self.channels, self.layer = network, channels, nn.Identity()
        self.device_marker = nn.Parameter(torch.empty(0, device=network.device))

    def forward(self, pixels: Tensor) -> Tensor:
        with torch.inference_mode():
            tokens = self.network.tokens(pixels)
            self.layer(tokens[..., self.channels].permute(0, 3, 1, 2))
            return self.network.logits_from_tokens(tokens)


def scorecam(network: Network, pixels: Tensor, tokens: Tensor, a: int) -> np.ndarray:
    """Wang et al. 2020 by the library, on the channels that vary most over this picture; (S, S)."""
    channels = tokens[0].flatten(0, 1).std(0).topk(min(SCORECAM_CHANNELS, tokens.shape[-1])).indices
    module = VaryingChannels(network, channels)
    cam: Any = ScoreCAM(module, [module.layer])  # targets are typed as modules, the batch size is a secret
    cam.batch_size = measure.BATCH
    with contextlib.redirect_stderr(io.StringIO()):  # its own progress bar
        return cam(pixels[None], [ClassifierOutputTarget(a)])[0]


def randomised(network: Network) -> Network:
    """The same architecture with the values of every weight shuffled: as large as before, and meaningless."""
    copied = copy.deepcopy(network)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for value in (*copied.backbone.parameters(), copied.weight):
            order = torch.randperm(value.numel(), generator=generator).to(value.device)
            value.copy_(value.flatten()[order].reshape(value.shape))
    return copied
