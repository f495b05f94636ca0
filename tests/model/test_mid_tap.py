"""The mid-level tap: where the rule reads each family, that it costs no second pass and changes no token."""

from __future__ import annotations

import copy
import threading

import pytest
import torch
from torch import nn
from torch.nn import functional

from fgdemo.model.backbone import Backbone, BackboneSpec, start_backbone
from fgdemo.model.tap import onto_grid, tap_of
from tests.model.test_backbone import Eye

SMALL = {"depth": 3, "embed_dim": 48, "num_heads": 2}
RULE = [
    # name, options, module, channels there, its own rows and columns at 64 px (before they are brought onto the grid)
    ("mobilenetv2_100", {}, "blocks.4", 96, 4),
    ("mobilenetv3_small_050", {}, "blocks.3", 24, 4),
    ("efficientnet_lite0", {}, "blocks.4", 112, 4),
    ("resnet18", {}, "layer3", 256, 4),
    ("regnetx_002", {}, "s3", 152, 4),
    ("convnext_atto", {}, "stages.2", 160, 4),
    ("densenet121", {"growth_rate": 4, "block_config": (1, 1, 1, 1)}, "features.denseblock3", None, 4),
    ("swin_tiny_patch4_window7_224", {"depths": (1, 1, 1), "embed_dim": 24, "num_heads": (1, 2, 2)}, "layers.1", 48, 8),
    ("test_mambaout", {}, "stages.2", 48, 4),
    ("vit_tiny_patch16_224", {**SMALL, "depth": 12}, "blocks.7", 48, 4),
    ("vit_tiny_patch16_224", SMALL, "blocks.1", 48, 4),
    ("deit_tiny_distilled_patch16_224", SMALL, "blocks.1", 48, 4),
    ("vit_small_patch14_reg4_dinov2", SMALL, "blocks.1", 48, 4),
    ("vit_tiny_patch16_dinov3_qkvb", SMALL, "blocks.1", 48, 4),
    ("eva02_tiny_patch14_224", {**SMALL, "num_heads": 3}, "blocks.1", 48, 4),
]


@pytest.mark.parametrize(("name", "options", "module", "dim", "side"), RULE)
def test_where_each_family_is_read(name: str, options: dict, module: str, dim: int | None, side: int) -> None:
    torch.manual_seed(0)
    backbone, _ = start_backbone(name, weights="none", size_px=56 if "14" in name else 64, options=options)
    assert backbone.tap is not None
    assert (backbone.tap.module, backbone.mid_dim) == (module, dim or backbone.mid_dim)
    pixels = torch.randn(2, 3, backbone.spec.size_px, backbone.spec.size_px)
    calls, seen = [], []
    backbone.net.get_submodule(module).register_forward_hook(lambda _m, _i, output: seen.append(output.clone()))
    backbone.net.register_forward_pre_hook(lambda *_: calls.append("whole"))
    with torch.inference_mode():
        before = backbone(pixels)
        seen.clear()
        tokens, mid = backbone.with_mid(pixels)
    assert torch.equal(tokens, before)  # bit for bit
    assert len(seen) == 1  # one pass
    assert mid.shape == (2, *tokens.shape[1:3], backbone.mid_dim)
    raw = seen[0]
    if raw.ndim == 3:
        raw = raw[:, getattr(backbone.net, "num_prefix_tokens", 0) :].unflatten(1, (side, side))
    elif raw.shape[1] == backbone.mid_dim:
        raw = raw.permute(0, 2, 3, 1)
    assert raw.shape[1:] == (side, side, backbone.mid_dim)
    # As it was when that module gave it (nothing behind it wrote into it), each place the mean of the area it covers.
    step = side // tokens.shape[1]
    torch.testing.assert_close(mid, functional.avg_pool2d(raw.permute(0, 3, 1, 2), step).permute(0, 2, 3, 1))


def test_a_finer_last_stage_moves_no_tap() -> None:
    torch.manual_seed(0)
    finer, _ = start_backbone("mobilenetv2_035", weights="none", size_px=64, options={"output_stride": 16})
    plain, _ = start_backbone("mobilenetv2_035", weights="none", size_px=64, options={"output_stride": 32})
    assert finer.tap == plain.tap
    assert (finer.grid, plain.grid) == ((4, 4), (2, 2))


class Untrue(Eye):
    """It says that its stage has channels that it has not."""

    def __init__(self) -> None:
        super().__init__("NCHW")
        self.stage = nn.Identity()
        self.feature_info = [{"module": "stage", "reduction": r, "num_chs": 7} for r in (4, 8)]

    def forward_features(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.stage(super().forward_features(pixels))


@pytest.mark.parametrize("net", [Eye("NCHW"), Eye("tokens"), Untrue()])
def test_without_a_stage_to_read_mid_tokens_are_the_last(net: nn.Module) -> None:
    backbone = Backbone(BackboneSpec("eye", 32), net)
    assert backbone.tap is None
    tokens, mid = backbone.with_mid(torch.randn(1, 3, 32, 32))
    assert torch.equal(tokens, mid)
    assert backbone.mid_dim == backbone.dim


def test_a_stage_that_is_no_module_is_none() -> None:
    net = Eye("NCHW")
    net.feature_info = [{"module": f"block.{k}", "reduction": 2**k, "num_chs": 3} for k in range(3)]  # type: ignore[assignment]
    assert tap_of(net) is None


def test_areas_that_do_not_divide_are_averaged_by_what_each_place_covers() -> None:
    mid = torch.arange(9.0).reshape(1, 3, 3, 1)
    assert onto_grid(mid, (3, 3)) is mid
    assert onto_grid(mid, (1, 1)).item() == 4
    assert onto_grid(mid, (2, 2)).flatten().tolist() == [2, 3, 5, 6]


def test_two_threads_never_take_each_others_mid() -> None:
    torch.manual_seed(0)
    backbone, _ = start_backbone("test_resnet", weights="none", size_px=64)
    pictures = torch.randn(4, 1, 3, 64, 64)
    with torch.inference_mode():
        alone = [backbone.with_mid(picture)[1] for picture in pictures]
    wrong: list[int] = []

    def read(row: int) -> None:
        with torch.inference_mode():
            for _ in range(20):
                if not torch.equal(backbone.with_mid(pictures[row])[1], alone[row]):
                    wrong.append(row)

    threads = [threading.Thread(target=read, args=(row,)) for row in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    copy.deepcopy(backbone)  # nothing is left behind that cannot be copied
