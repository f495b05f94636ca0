"""Any timm network as a grid of tokens: tiny ones of many families, and the real weights where they are."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from huggingface_hub.errors import LocalEntryNotFoundError
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from fgdemo.learn.data.embed import embed
from fgdemo.learn.data.pictures import decode_all
from fgdemo.model import backbone as backbone_module
from fgdemo.model.backbone import Backbone, BackboneSpec, DataConfig, build_backbone, parse_options, start_backbone
from fgdemo.model.head import RidgeHead
from fgdemo.model.network import Network
from fgdemo.model.parts import fit_parts
from fgdemo.storage.formats.sources import read_source
from fgdemo.values.errors import BackboneError, FgdemoError, SettingsError
from fgdemo.values.labelled import LabelledPicture
from tests.support.tiny import SHARED

CNNS = ["test_resnet", "test_efficientnet", "test_convnext", "test_byobnet", "test_nfnet"]
HYBRIDS = ["test_maxvit", "test_mambaout"]
VITS = ["test_vit", "test_vit2", "test_vit3", "test_vit_relpos"]


def network_of(backbone: Backbone, classes: int = 7) -> Network:
    generator = torch.Generator().manual_seed(1)
    return Network(
        backbone,
        torch.randn(backbone.dim, classes, generator=generator),
        torch.randn(classes, generator=generator),
        torch.randn(backbone.dim, generator=generator),
        fit_parts(
            {"": torch.randn(2, *backbone.grid, backbone.dim, generator=generator)},
            torch.randn(backbone.dim, classes, generator=generator),
            parts_per_group=2,
        ),
    ).eval()


def assert_evidence_sums(network: Network, pixels: torch.Tensor) -> None:
    """To 1e-4 of the largest logit, over places and over parts."""
    with torch.inference_mode():
        tokens = network.tokens(pixels)
        logits, evidence = network(pixels), network.evidence(tokens)
        assert evidence.shape == (len(pixels), *network.backbone.grid, logits.shape[1])
        room = 1e-4 * float(logits.abs().max())
        torch.testing.assert_close(evidence.sum((1, 2)) + network.base, logits, atol=room, rtol=0)
        shares = network.assignment(tokens, "")
        of_parts = torch.einsum("bhwk,bhwc->bkc", shares, evidence)
        torch.testing.assert_close(of_parts.sum(1) + network.base, logits, atol=room, rtol=0)


@pytest.mark.parametrize("name", [*CNNS, *HYBRIDS, *VITS])
def test_evidence_sums_to_the_logits_for_every_family(name: str) -> None:
    torch.manual_seed(0)
    backbone, config = start_backbone(name, weights="none")
    pixels = torch.randn(2, 3, config.size_px, config.size_px)
    with torch.inference_mode():
        tokens = backbone(pixels)
    assert tokens.shape == (2, *backbone.grid, backbone.dim)
    assert_evidence_sums(network_of(backbone), pixels)


@pytest.mark.parametrize(
    ("name", "options", "prefix"),
    [
        ("vit_small_patch14_reg4_dinov2", {"depth": 1, "embed_dim": 48, "num_heads": 2}, 5),
        ("vit_tiny_patch16_dinov3_qkvb", {"depth": 1, "embed_dim": 48, "num_heads": 2}, 5),
        ("deit_tiny_distilled_patch16_224", {"depth": 1, "embed_dim": 48, "num_heads": 2}, 2),
        ("vit_tiny_patch16_224", {"depth": 1, "embed_dim": 48, "num_heads": 2}, 1),
        ("swin_tiny_patch4_window7_224", {"depths": (1, 1), "embed_dim": 24, "num_heads": (1, 2)}, 0),
    ],
)
def test_class_and_register_tokens_are_dropped(name: str, options: dict, prefix: int) -> None:
    torch.manual_seed(0)
    backbone, config = start_backbone(name, weights="none", size_px=112, options=options)
    assert getattr(backbone.net, "num_prefix_tokens", 0) == prefix
    pixels = torch.randn(1, 3, 112, 112)
    with torch.inference_mode():
        raw = backbone.net.forward_features(pixels)  # pyright: ignore[reportCallIssue]
        tokens = backbone(pixels)
    places = raw.reshape(1, -1, raw.shape[-1])[:, prefix:]
    torch.testing.assert_close(tokens.flatten(1, 2), places)
    assert backbone.grid[0] == backbone.grid[1]
    assert_evidence_sums(network_of(backbone), pixels)
    # What a checkpoint stores is enough to build it again.
    again = build_backbone(BackboneSpec(name, config.size_px, backbone.spec.options))
    again.load_state_dict(backbone.state_dict())
    with torch.inference_mode():
        torch.testing.assert_close(again(pixels), tokens)


class Eye(nn.Module):
    """A network that only looks: 4 × 4 patches as tokens, with two prefix tokens, or as a map in either layout."""

    def __init__(self, layout: str) -> None:
        super().__init__()
        self.layout = layout
        self.scale = nn.Parameter(torch.ones(1))
        if layout == "tokens":
            self.num_prefix_tokens = 2
        else:
            self.output_fmt = layout

    def forward_features(self, pixels: torch.Tensor) -> torch.Tensor:
        grid = nn.functional.avg_pool2d(pixels, 4) * self.scale
        if self.layout == "NCHW":
            return grid
        if self.layout == "NHWC":
            return grid.permute(0, 2, 3, 1)
        tokens = grid.flatten(2).transpose(1, 2)
        return torch.cat([tokens.new_full((len(tokens), 2, 3), 99.0), tokens], 1)


@pytest.mark.parametrize("layout", ["NCHW", "NHWC", "tokens"])
def test_rows_are_rows_and_columns_are_columns(layout: str) -> None:
    backbone = Backbone(BackboneSpec("eye", 32), Eye(layout))
    assert (backbone.grid, backbone.dim) == ((8, 8), 3)
    pixels = torch.zeros(1, 3, 32, 48)
    pixels[:, 1, 4:8, 40:44] = 1  # row 1 of 8, column 10 of 12
    tokens = backbone(pixels)
    assert tokens.shape == (1, 8, 12, 3)
    assert torch.nonzero(tokens).tolist() == [[0, 1, 10, 1]]


def test_a_vit_sees_a_corner_in_that_corner() -> None:
    torch.manual_seed(0)
    backbone, _ = start_backbone("vit_tiny_patch16_224", weights="none", size_px=96, options={"depth": 1})
    blank = torch.zeros(1, 3, 96, 96)
    marked = blank.clone()
    marked[..., 16:32, 64:80] = 5
    with torch.inference_mode():
        change = (backbone(marked) - backbone(blank)).norm(dim=-1)[0]
    assert divmod(int(change.argmax()), 6) == (1, 4)


def test_coarse_networks_get_a_finer_grid_with_the_same_weights() -> None:
    torch.manual_seed(0)
    backbone, config = start_backbone("mobilenetv2_035", weights="none", size_px=224, options={"pad_type": "same"})
    assert backbone.grid == (14, 14)
    assert backbone.spec.options == {"pad_type": "same", "output_stride": 16}
    assert config.size_px == 224
    kept, _ = start_backbone("mobilenetv2_035", weights="none", size_px=64, options={"output_stride": 32})
    assert kept.grid == (2, 2)


@pytest.mark.parametrize("name", ["test_vit", "test_vit3", "vit_tiny_patch16_224"])
def test_size_is_a_setting_and_positions_are_interpolated(name: str) -> None:
    options = {"depth": 1} if name.startswith("vit") else {}
    torch.manual_seed(0)
    own, config = start_backbone(name, weights="none", options=options)
    torch.manual_seed(0)
    larger, larger_config = start_backbone(name, weights="none", size_px=config.size_px + 64, options=options)
    assert larger_config.size_px == config.size_px + 64
    assert larger.grid == (own.grid[0] + 4, own.grid[1] + 4)
    positions = larger.net.pos_embed
    assert isinstance(positions, torch.Tensor)
    assert positions.std() > 0
    again = build_backbone(larger.spec)
    again.load_state_dict(larger.state_dict())


def test_sizes_out_of_bounds_are_refused() -> None:
    for size in (0, 16, 5000):
        with pytest.raises(SettingsError, match="choose between 32 and 2048"):
            start_backbone("test_resnet", weights="none", size_px=size)
        with pytest.raises(FgdemoError, match="choose between 32 and 2048"):
            build_backbone(BackboneSpec("test_resnet", size))


def test_training_at_another_size_is_asked_for_beforehand() -> None:
    fixed, _ = start_backbone("vit_tiny_patch16_224", weights="none", options={"depth": 1})
    with pytest.raises(BackboneError, match="cannot read pictures of 160 px"):
        fixed.require_size(160)
    flexible, _ = start_backbone("vit_tiny_patch16_224", weights="none", options={"depth": 1, "dynamic_img_size": True})
    flexible.require_size(160)


def test_an_unknown_name_suggests_near_ones() -> None:
    with pytest.raises(BackboneError, match=r"no backbone called “resnet19”\. Did you mean .*resnet18"):
        start_backbone("resnet19", weights="none")
    with pytest.raises(BackboneError, match="no backbone called"):
        start_backbone("hf-hub:someone/something", weights="none")


@pytest.mark.parametrize(
    "options",
    [{"no_such": 1}, {"output_stride": 5}, {"checkpoint_path": "x.pth"}, {"num_classes": 3}, {"act_layer": "q"}],
)
def test_options_it_does_not_take(options: dict) -> None:
    with pytest.raises(BackboneError, match=r"test_resnet|option"):
        start_backbone("test_resnet", weights="none", options=options)


@pytest.mark.parametrize(
    "error", [LocalEntryNotFoundError("no network"), OSError("no route"), RuntimeError("no weights")]
)
def test_without_the_hub_the_sentence_names_the_way_out(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def create_model(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(backbone_module.timm, "create_model", create_model)
    with pytest.raises(BackboneError, match=r"could not be had from the Hub .* --weights none"):
        start_backbone("test_resnet")


def test_parse_options() -> None:
    assert parse_options(["pad_type=same", "output_stride=16", "dynamic_img_size=true"]) == {
        "pad_type": "same",
        "output_stride": 16,
        "dynamic_img_size": True,
    }
    for bad in ("pad_type", "=3"):
        with pytest.raises(SettingsError, match="must look like name=value"):
            parse_options([bad])


# --- weights from files -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    torch.manual_seed(3)
    return timm.create_model("test_resnet", num_classes=5).state_dict()


@pytest.mark.parametrize("ending", [".pth", ".safetensors"])
def test_weights_files_are_loaded_and_their_classifier_left_out(
    ending: str, state: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    file = tmp_path / f"weights{ending}"
    if ending == ".pth":
        torch.save({"state_dict": {key: value.half() for key, value in state.items()}}, file)
    else:
        save_file(state, file)
    backbone, _ = start_backbone("test_resnet", weights=str(file), size_px=64)
    loaded = backbone.net.state_dict()
    assert set(state) - set(loaded) == {"fc.weight", "fc.bias"}
    for key, value in loaded.items():
        torch.testing.assert_close(value.float(), state[key].float(), atol=2e-3, rtol=2e-3)


def _truncated(state: dict) -> bytes:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()[: len(buffer.getvalue()) // 2]


def _pickled(content: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "change", "sentence"),
    [
        ("w.pth", lambda s: _truncated(s), "cannot be read|not a plain state dict"),
        ("w.pth", lambda s: b"", "cannot be read"),
        ("w.pth", lambda s: b"hello, I am text", "cannot be read|not a plain state dict"),
        ("w.safetensors", lambda s: b"hello, I am text", "cannot be read"),
        ("w.safetensors", lambda s: _pickled(s), "cannot be read"),
        ("w.pth", lambda s: _pickled(Path("not/weights")), "not a plain state dict"),
        ("w.pth", lambda s: _pickled([1, 2, 3]), "not a plain state dict"),
        ("w.pth", lambda s: _pickled({"a": "b"}), "not a plain state dict"),
        ("w.pth", lambda s: _pickled(dict(list(s.items())[4:])), "lacks"),
        ("w.pth", lambda s: _pickled({**s, "extra.weight": torch.ones(1)}), "has more than the backbone: extra.weight"),
        ("w.pth", lambda s: _pickled({k: v[:1] if v.ndim > 1 else v for k, v in s.items()}), "has other shapes for"),
        ("w.pth", lambda s: _pickled({k: v / 0 if v.ndim > 1 else v for k, v in s.items()}), "not finite"),
    ],
)
def test_weights_that_cannot_be_used_are_one_sentence(
    name: str, change, sentence: str, state: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    file = tmp_path / name
    file.write_bytes(change(state))
    with pytest.raises(BackboneError, match=sentence) as caught:
        start_backbone("test_resnet", weights=str(file), size_px=64)
    assert "\n" not in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


def test_a_pickle_that_would_run_code_does_not(tmp_path: Path) -> None:
    ran = tmp_path / "ran"

    class Evil:
        def __reduce__(self) -> tuple:
            return Path.touch, (ran,)

    file = tmp_path / "w.pth"
    torch.save({"a": Evil()}, file)
    assert zipfile.is_zipfile(file)
    with pytest.raises(BackboneError, match="not opened"):
        start_backbone("test_resnet", weights=str(file), size_px=64)
    assert not ran.exists()


def test_a_missing_weights_file(tmp_path: Path) -> None:
    with pytest.raises(BackboneError, match="There is no weights file"):
        start_backbone("test_resnet", weights=str(tmp_path / "none.pth"), size_px=64)


# --- the real weights ---------------------------------------------------------------------------------------

HALF = (0.5, 0.5, 0.5)
REAL = [
    ("mobilenetv2_100", {"pad_type": "same"}, "mobilenetv2_100_tf2_ptq_in1k.pth"),
    ("mobilenetv2_100", {"pad_type": "same"}, "mobilenetv2_100_inat_bird965.pth"),
    ("mobilenetv2_100", {"pad_type": "same"}, "mobilenetv2_100_inat_insect1022.pth"),
    ("vit_tiny_patch16_224", {}, "vit_tiny_patch16_224_ft_tinyimagenet200.pth"),
]


@pytest.mark.parametrize(("name", "options", "file"), REAL)
def test_real_weights_load_and_evidence_sums(name: str, options: dict, file: str) -> None:
    path = SHARED / "weights" / file
    if not path.is_file():
        pytest.skip(f"{file} is not beside the repository")
    backbone, config = start_backbone(name, weights=str(path), options=options, mean=HALF, std=HALF)
    assert backbone.grid == (14, 14)
    assert (config.size_px, config.mean) == (224, HALF)
    assert_evidence_sums(network_of(backbone), torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(0)))


@pytest.mark.parametrize(
    ("name", "options", "file", "least"),
    [(*REAL[0], 0.9), (*REAL[3], 0.55)],  # the ViT was trained on 64-pixel pictures: weaker features
)
def test_real_butterflies_are_told_apart_from_few_pictures(name: str, options: dict, file: str, least: float) -> None:
    path, folder = SHARED / "weights" / file, SHARED / "butterflies10"
    if not path.is_file() or not folder.is_dir():
        pytest.skip("the real photographs and weights are not beside the repository")
    backbone, config = start_backbone(name, weights=str(path), options=options, mean=HALF, std=HALF)
    source = read_source(folder)
    chosen = [
        picture
        for label in source.labels
        for listed, most in ((source.part("train"), 5), (source.part("val"), 3))
        for picture in [p for p in listed if p.label == label][:most]
    ]
    pictures = decode_all(chosen, config)
    labels = np.array([source.labels.index(label) for label in pictures.labels])
    embeddings = embed(backbone, pictures.pixels, config)
    train, val = pictures.where("train"), pictures.where("val")
    weight, bias = RidgeHead.fit(embeddings[train], labels[train], 10).linear()
    assert ((embeddings[val] @ weight + bias).argmax(1) == labels[val]).mean() >= least


def test_pictures_are_squashed_for_fitting_as_they_are_for_answering() -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (60, 90, 3), dtype=np.uint8))
    file = io.BytesIO()
    noise.save(file, "PNG")
    listed = [LabelledPicture("a.png", "a", "train", file.getvalue)]
    squashed = {}
    for interpolation, wanted in (("bilinear", Image.Resampling.BILINEAR), ("bicubic", Image.Resampling.BICUBIC)):
        config = DataConfig(32, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), interpolation)
        squashed[interpolation] = decode_all(listed, config).pixels[0]
        np.testing.assert_array_equal(squashed[interpolation], np.asarray(noise.resize((32, 32), wanted)))
    assert (squashed["bilinear"] != squashed["bicubic"]).any()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("crossvit_tiny_240", "several sets of features"),
        ("pit_ti_224", "none for its places"),
        ("volo_d1_224", "197 tokens lie on no grid"),
    ],
)
def test_what_cannot_be_read_is_told_by_its_reason(name: str, reason: str) -> None:
    with pytest.raises(BackboneError, match=reason):
        start_backbone(name, weights="none")


@pytest.mark.parametrize("name", ["test_vit_relpos", "test_vit2", "eva02_tiny_patch14_224"])
def test_tokens_of_a_mean_pooled_vit_are_normed_by_its_own_weights(name: str) -> None:
    backbone, config = start_backbone(name, weights="none")
    net = timm.create_model(name, pretrained=False, num_classes=0).eval()
    assert not isinstance(net.fc_norm, nn.Identity), "timm norms the mean"
    state = backbone.net.state_dict()
    for end in ("weight", "bias"):
        state[f"fc_norm.{end}"] = state.pop(f"norm.{end}")
    net.load_state_dict(state)
    pixels = torch.randn(1, 3, config.size_px, config.size_px)
    with torch.inference_mode():
        tokens, before = backbone(pixels)[0].flatten(0, 1), net.forward_features(pixels)[0, net.num_prefix_tokens :]  # type: ignore[operator]
        assert torch.allclose(tokens, net.fc_norm(before), atol=1e-5)  # type: ignore[operator]
    again = build_backbone(backbone.spec)
    again.load_state_dict(backbone.state_dict())
