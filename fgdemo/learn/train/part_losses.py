"""What makes part maps compact and mean the same part across pictures (PDiscoFormer, Aniraj et al. 2024, §3.3).

The prototypes stay where they are, as anchors, and the features move; after the training the parts are found anew in
the refined features and keep their names (`fgdemo.learn.candidate.part_names`). The terms and their weights are the
paper's; the equivariance is to mirroring only, of every fourth picture, because each transformed picture is another
pass.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from fgdemo.model.parts import PartModel

WEIGHTS = {"smooth": 1.0, "certain": 1.0, "present": 1.0, "background": 2.0, "different": 1.0, "mirrored": 1.0}
MIRRORED = slice(0, None, 4)
"""The pictures of a batch that are looked at mirrored too."""


@dataclass(frozen=True)
class PartAnchors:
    """Parts of the model before, on the device of the training, and the group of each class ("" where none)."""

    parts: PartModel
    groups: tuple[str, ...]

    def maps(self, tokens: Tensor, labels: Tensor) -> list[tuple[Tensor, Tensor]]:
        """For each group in the batch: its (n, h, w, K + 1) maps, background last, and the (n,) rows they are of.

        Args:
            labels: (B,) class indices, on the CPU: so nobody waits for the GPU.
        """
        of_row = [self.groups[int(label)] for label in labels]
        found = []
        for group in sorted(set(of_row)):
            if self.parts.of_group(group):
                rows = torch.tensor([row for row, one in enumerate(of_row) if one == group])
                rows = rows.to(tokens.device, non_blocking=True)
                found.append((self.parts.assign(tokens[rows], group), rows))
        return found


def part_loss(anchors: PartAnchors, tokens: Tensor, mirrored: Tensor, labels: Tensor) -> Tensor:
    """The weighted sum of all terms, each in about [0, 1]; low is good.

    Args:
        tokens: (B, h, w, D).
        mirrored: tokens of the pictures `MIRRORED`, mirrored.
        labels: (B,) class indices, on the CPU; they say which group's parts are looked for.
    """
    total = tokens.new_zeros(())
    for maps, rows in anchors.maps(tokens, labels):
        share = len(rows) / len(labels)
        terms = {
            "smooth": smoothness(maps),
            "certain": uncertainty(maps),
            "present": absence(maps),
            "background": border_foreground(maps),
            "different": likeness(maps, tokens[rows]),
        }
        total = total + share * torch.stack([WEIGHTS[name] * term for name, term in terms.items()]).sum()
    whole, turned = anchors.maps(tokens[MIRRORED], labels[MIRRORED]), anchors.maps(mirrored, labels[MIRRORED])
    for (maps, rows), (again, _) in zip(whole, turned, strict=True):
        distance = 1 - functional.cosine_similarity(maps.flatten(1), again.flip(2).flatten(1), dim=1).mean()
        total = total + WEIGHTS["mirrored"] * distance * len(rows) / max(len(mirrored), 1)
    return total


def smoothness(maps: Tensor) -> Tensor:
    """Total variation: the mean change of a share from one place to the next, over (n, h, w, K + 1) maps."""
    down = (maps[:, 1:] - maps[:, :-1]).abs().sum(-1).mean()
    across = (maps[:, :, 1:] - maps[:, :, :-1]).abs().sum(-1).mean()
    return (down + across) / 2


def uncertainty(maps: Tensor) -> Tensor:
    """Mean entropy of the shares of a place, in nats."""
    return torch.special.entr(maps.clamp_min(1e-8)).sum(-1).mean()


def absence(maps: Tensor) -> Tensor:
    """1 less how clearly each part is somewhere in some picture of the batch; in [0, 1]."""
    near = functional.avg_pool2d(maps[..., :-1].permute(0, 3, 1, 2), 3, stride=1, padding=1)
    return 1 - near.amax((0, 2, 3)).mean()


def border_foreground(maps: Tensor) -> Tensor:
    """−log of the largest share of background along the border, a place counting more the farther out; in nats."""
    rows, columns = maps.shape[1:3]
    y = torch.linspace(-1, 1, rows, device=maps.device)[:, None]
    x = torch.linspace(-1, 1, columns, device=maps.device)[None]
    weight = torch.maximum(x.abs(), y.abs()) ** 2
    return -(maps[..., -1] * weight).amax((1, 2)).clamp_min(1e-6).log().mean()


def likeness(maps: Tensor, tokens: Tensor) -> Tensor:
    """Mean cosine, where positive, between what the different parts of a picture look like; in [0, 1].

    Each part's mean token is taken less the mean of the picture's own foreground, as the parts are told apart.
    """
    parts = maps[..., :-1]
    if parts.shape[-1] < 2:
        return maps.new_zeros(())
    unit = functional.normalize(tokens.float(), dim=-1)
    looks = torch.einsum("nhwk,nhwd->nkd", parts, unit) / parts.sum((1, 2)).clamp_min(1e-6)[..., None]
    fore = parts.sum(-1, keepdim=True)
    own = (unit * fore).sum((1, 2)) / fore.sum((1, 2)).clamp_min(1e-6)
    looks = functional.normalize(looks - own[:, None], dim=-1)
    cosine = torch.einsum("nkd,nld->nkl", looks, looks)
    others = ~torch.eye(parts.shape[-1], dtype=torch.bool, device=maps.device)
    return cosine[:, others].clamp_min(0).mean()
