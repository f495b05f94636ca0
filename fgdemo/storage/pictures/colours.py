"""From the colours that a file has to 8-bit sRGB, which is what the page shows, the model reads and a sheet prints."""

# Not all of ImageCms has types:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnnecessaryIsInstance=false
import io

import numpy as np
from PIL import Image, ImageCms

GREY = (128, 128, 128)
LARGEST_PROFILE_BYTES = 4_000_000
"""Profiles of printers have up to three megabytes."""
UNSEEN = 2
"""A profile that moves no colour by more than so many of 255 is taken for sRGB, and the pixels stay as they are."""
_MODES = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK"}
_PROBE_STEPS = 6
_WHITE_IS_ZERO = 0
_PHOTOMETRIC = 262


def to_srgb(picture: Image.Image, stated: bytes | None = None) -> Image.Image:
    """A new RGB picture without metadata: deep grey scaled to 8 bits, the profile applied, transparency on mid-grey.

    A profile that is damaged, too large, or of other colours than the picture has is left out, as browsers do.

    Args:
        stated: the profile to apply where the picture carries none.
    """
    profile = picture.info.get("icc_profile") or stated
    layers = None
    if picture.mode.startswith("I") or picture.mode == "F":
        picture = _from_deep_grey(picture)
    elif picture.has_transparency_data:
        layers = picture.convert("RGBA")
        picture = layers.convert("L" if picture.mode in ("LA", "La", "L", "1") else "RGB")  # as its profile has it
    rgb = _converted(picture, profile) if profile else None
    rgb = picture.convert("RGB") if rgb is None else rgb
    if layers is not None:
        ground = Image.new("RGB", rgb.size, GREY)
        ground.paste(rgb, mask=layers.getchannel("A"))
        rgb = ground
    rgb.info = {}
    return rgb


def _converted(picture: Image.Image, profile: bytes) -> Image.Image | None:
    """The picture in sRGB; None where the profile changes nothing, or says nothing of such a picture."""
    if not isinstance(profile, bytes) or len(profile) > LARGEST_PROFILE_BYTES:
        return None
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode = _MODES.get(getattr(source.profile, "xcolor_space", ""))
        if mode is None or (mode == "CMYK") != (picture.mode == "CMYK"):
            return None
        if mode == "L" and picture.mode not in ("1", "L", "LA", "La"):
            return None
        way = (source, ImageCms.createProfile("sRGB"), mode, "RGB", ImageCms.Intent.PERCEPTUAL)
        quick = ImageCms.buildTransform(*way, flags=ImageCms.Flags.NOOPTIMIZE)  # to build, for a few colours
        if mode != "CMYK" and not _is_seen(quick, mode):
            return None
        return ImageCms.buildTransform(*way).apply(picture.convert(mode))
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None


def _is_seen(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    """Whether it moves any of a few hundred colours by more than `UNSEEN`."""
    steps = np.linspace(0, 255, _PROBE_STEPS if mode == "RGB" else 256).astype(np.uint8)
    if mode == "L":
        before = Image.fromarray(steps[None])
    else:
        colours = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(1, -1, 3)
        greys = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
        before = Image.fromarray(np.concatenate([colours, greys], axis=1))
    after = transform.apply(before)
    moved = np.asarray(after, dtype=int) - np.asarray(before.convert("RGB"), dtype=int)
    return bool(np.abs(moved).max() > UNSEEN)


def _from_deep_grey(picture: Image.Image) -> Image.Image:
    """8-bit grey from 16-bit, 32-bit or floating-point grey; Pillow's own conversion clips them to white.

    Full scale is the smallest usual one that holds the brightest pixel, because cameras store 12 bits in 16 and
    programs write floats up to 1; anything else is stretched from its darkest to its brightest pixel.
    """
    values = np.nan_to_num(np.asarray(picture).astype(np.float32))
    low, high = 0.0, next((full for full in (1.0, 255.0, 4095.0, 65535.0) if values.max() <= full), None)
    if high is None or values.min() < 0:
        low, high = float(values.min()), float(values.max())
    scaled = (values - low) * (255.0 / max(high - low, 1e-12))
    grey = np.rint(scaled).astype(np.uint8)
    return Image.fromarray(255 - grey if is_white_zero(picture) else grey)


def is_white_zero(picture: Image.Image) -> bool:
    """Whether it is deep grey of a TIFF that counts from white to black, which Pillow reads as black to white."""
    tags = getattr(picture, "tag_v2", {})
    return (picture.mode.startswith("I") or picture.mode == "F") and tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO
