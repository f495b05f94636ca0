"""The evidence of networks sums to their logits, and points at the part by which drawn birds differ."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import binary_dilation
from torch import Tensor
from torch.nn import functional

from fgdemo.explain.faithfulness import pointing_game, relevance_mass
from fgdemo.model.backbone import start_backbone
from fgdemo.model.head import RidgeHead
from fgdemo.model.network import Network
from fgdemo.model.parts import fit_parts
from fgdemo.specimens import SPECIES, draw_specimen
from fgdemo.values.evidence import completeness_error, contrast_map, part_sums
from tests.support.readings import reading_of


@pytest.mark.parametrize("name", ["test_resnet", "test_vit"])
def test_evidence_of_a_network_sums_to_its_logits(name: str) -> None:
    torch.manual_seed(0)
    backbone, config = start_backbone(name, weights="none")
    with torch.inference_mode():
        tokens = backbone(torch.randn(3, 3, config.size_px, config.size_px))
        parts = fit_parts({"bird": tokens}, torch.randn(backbone.dim, 5), parts_per_group=3, dims=8)
        origin = tokens.mean((0, 1, 2))
        network = Network(backbone, torch.randn(backbone.dim, 5), torch.randn(5), origin, parts)
        for row in range(3):
            one = tokens[row : row + 1]
            reading = reading_of(
                network.evidence(one)[0].numpy(), network.assignment(one, "bird")[0].numpy(), network.base.numpy()
            )
            logits = network.logits_from_tokens(one)[0].numpy()
            assert np.abs(reading.logits - logits).max() <= 1e-4 * np.abs(logits).max()
            assert completeness_error(reading) <= 1e-4
            for place in range(5):
                sums = part_sums(reading.evidence[..., place], reading.assignment)
                assert abs(sums.sum() + reading.bias[place] - logits[place]) <= 1e-4 * np.abs(logits).max()


# --- drawn birds that differ in one part ------------------------------------------------------------------------

SIZE, PATCH, FILTERS = (160, 128), 6, 800


def specimen_pixels(seeds: range) -> Tensor:
    """All species for each seed: (6 · seeds, 3, H, W)."""
    pictures = [draw_specimen(species, seed, SIZE).picture for seed in seeds for species in SPECIES]
    return torch.stack([torch.from_numpy(np.array(p, np.float32) / 127.5 - 1).permute(2, 0, 1) for p in pictures])


class PatchTokens:
    """(B, 3, H, W) → (B, h, w, D): how much each place looks like each of many whitened patches of pictures.

    A backbone without training or download (Coates & Ng 2012) whose tokens see only what is right below them.
    """

    def __init__(self, pixels: Tensor) -> None:
        chance = torch.Generator().manual_seed(0)
        patches = functional.unfold(pixels, PATCH, stride=PATCH // 2).permute(0, 2, 1).reshape(-1, 3 * PATCH**2)
        patches = patches[torch.randperm(len(patches), generator=chance)[:20_000]]
        mean = patches.mean(0)
        values, vectors = torch.linalg.eigh((patches - mean).T @ (patches - mean) / len(patches))
        whiten = vectors @ torch.diag((values + 0.02).rsqrt()) @ vectors.T
        white = (patches - mean) @ whiten
        chosen = torch.topk(white.norm(dim=1) * torch.rand(len(white), generator=chance), FILTERS).indices
        directions = functional.normalize(white[chosen], dim=1) @ whiten
        self.filters, self.bias = directions.reshape(FILTERS, 3, PATCH, PATCH), -directions @ mean - 1.0

    def __call__(self, pixels: Tensor) -> Tensor:
        return functional.relu(functional.conv2d(pixels, self.filters, self.bias, stride=4)).permute(0, 2, 3, 1)


@torch.inference_mode()
def test_a_versus_b_points_at_the_part_that_differs() -> None:
    pixels = specimen_pixels(range(60))
    tokens = PatchTokens(pixels[:120])
    embeddings = torch.cat([tokens(batch).mean((1, 2)) for batch in pixels.split(24)]).numpy()
    head = RidgeHead.fit(embeddings, np.tile(np.arange(len(SPECIES)), 60), len(SPECIES))
    weight = torch.from_numpy(head.linear()[0])
    points: dict[str, list[bool]] = {}
    denser: dict[str, list[float]] = {}
    for seed in range(1000, 1012):
        places = tokens(specimen_pixels(range(seed, seed + 1)))
        for row, species in enumerate(SPECIES):
            for part in species.marks:
                plain = next(i for i, s in enumerate(SPECIES) if s.group == species.group and not s.marks)
                reading = reading_of(
                    (places[row] @ weight / places[row, ..., 0].numel()).numpy(),
                    np.ones((*places.shape[1:3], 1)),
                    np.zeros(len(SPECIES)),
                )
                near = binary_dilation(draw_specimen(species, seed, SIZE).masks[part], iterations=PATCH)
                against_plain = contrast_map(reading.evidence[..., row], reading.evidence[..., plain])
                points.setdefault(part, []).append(pointing_game(against_plain, near))
                denser.setdefault(part, []).append(relevance_mass(against_plain, near) / float(near.mean()))
    assert np.mean(points["wing"] + points["tail"]) >= 0.8
    assert min(np.mean(of_part) for of_part in denser.values()) >= 4  # times as much as if it were spread evenly
