"""Colour profiles made from primaries and a gamma, as PNGs state them (PNG third edition, ICC.1:2010)."""

import struct

import numpy as np

Chromaticities = tuple[float, ...]
"""x and y of white, red, green and blue, eight numbers as PNG's cHRM has them."""
SRGB: Chromaticities = (0.3127, 0.329, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
_BT2020: Chromaticities = (0.3127, 0.329, 0.708, 0.292, 0.17, 0.797, 0.131, 0.046)
_DISPLAY_P3: Chromaticities = (0.3127, 0.329, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06)
_PRIMARIES = {1: SRGB, 9: _BT2020, 12: _DISPLAY_P3}
_SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
_VIDEO_CURVE = (1 / 0.45, 1 / 1.099, 0.099 / 1.099, 1 / 4.5, 0.081)
_CURVES: dict[int, tuple[float, ...]] = {
    1: _VIDEO_CURVE,
    6: _VIDEO_CURVE,
    14: _VIDEO_CURVE,
    15: _VIDEO_CURVE,
    4: (2.2,),
    5: (2.8,),
    8: (1.0,),
    13: _SRGB_CURVE,
}
"""Code points of ITU-T H.273 that stand for a curve of an ordinary range; PQ and HLG need a judgement of how bright."""
_D50 = np.array([0.9642, 1.0, 0.8249])
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_USUAL_GAMMA = 0.45455
_NEAR = 0.01


def stated_profile(png: bytes, gamma: float | None, chromaticities: Chromaticities | None) -> bytes | None:
    """The profile that a PNG without one states by cICP, else by gAMA and cHRM; None for sRGB, and for what is unclear.

    Args:
        png: the file.
        gamma: as gAMA has it, so about 0.45 for what screens show.
    """
    at = png[: png.find(b"IDAT")].find(b"\0\0\0\x04cICP")
    if at >= 0:
        primaries, curve = _PRIMARIES.get(png[at + 8]), _CURVES.get(png[at + 9])
        return matrix_profile(primaries, curve) if primaries and curve else None
    is_usual = gamma is None or abs(gamma - _USUAL_GAMMA) < _NEAR
    is_srgb = chromaticities is None or np.allclose(chromaticities, SRGB, atol=_NEAR)
    if (is_usual and is_srgb) or (gamma is not None and not 0.1 < gamma < 10):
        return None
    return matrix_profile(chromaticities or SRGB, _SRGB_CURVE if gamma is None or is_usual else (1 / gamma,))


def matrix_profile(chromaticities: Chromaticities, curve: tuple[float, ...]) -> bytes | None:
    """An ICC profile of version 4 of these primaries; None where they span no colours.

    Args:
        curve: (gamma,), or (gamma, a, b, c, d) of the parametric curve `(a x + b) ** gamma` from d on, `c x` below.
    """
    pairs = list(zip(chromaticities[::2], chromaticities[1::2], strict=True))
    if not all(y for _, y in pairs):
        return None
    white, *primaries = [np.array([x / y, 1.0, (1 - x - y) / y]) for x, y in pairs]
    columns = np.stack(primaries, axis=1)
    if abs(np.linalg.det(columns)) < 1e-6:
        return None
    adapted = np.linalg.inv(_BRADFORD) @ np.diag((_BRADFORD @ _D50) / (_BRADFORD @ white)) @ _BRADFORD
    matrix = adapted @ (columns * np.linalg.solve(columns, white))
    told = _fixed(b"para", struct.pack(">HH", 3 if len(curve) > 1 else 0, 0), *curve)
    text = b"mluc" + bytes(4) + struct.pack(">IIHHII", 1, 12, 0x656E, 0x5553, 12, 28) + "stated".encode("utf-16-be")
    return _assembled(
        {b"desc": text, b"cprt": text, b"wtpt": _fixed(b"XYZ ", b"", *_D50)}
        | {
            name: _fixed(b"XYZ ", b"", *column)
            for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), matrix.T, strict=True)
        }
        | dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), told)
    )


def _fixed(kind: bytes, more: bytes, *values: float) -> bytes:
    numbers = [round(min(max(value, -32000), 32000) * 65536) for value in values]
    return kind + bytes(4) + more + struct.pack(f">{len(numbers)}i", *numbers)


def _assembled(tags: dict[bytes, bytes]) -> bytes:
    at, table, body = 128 + 4 + 12 * len(tags), b"", b""
    for name, content in tags.items():
        table += struct.pack(">4sII", name, at + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    made, white = struct.pack(">6H", 2026, 1, 1, 0, 0, 0), (63190, 65536, 54061)
    head = struct.pack(">I4xI12s12s4s28x3i48x", at + len(body), 0x04300000, b"mntrRGB XYZ ", made, b"acsp", *white)
    return head + struct.pack(">I", len(tags)) + table + body
