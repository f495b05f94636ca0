"""The library's methods beside the exact evidence, read off the tokens of one reading: no second backbone pass."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol, cast

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from fgdemo.explain.drawn import Drawable, drawn_maps
from fgdemo.explain.faithfulness import trust_of
from fgdemo.explain.gradcam import Head, gradcam
from fgdemo.explain.gradcam import Method as Cam
from fgdemo.values.errors import BackboneError
from fgdemo.values.evidence import contrast_map
from fgdemo.values.methods import TITLES, Asks, Method, MethodMap
from fgdemo.values.types import Reading

SAME = 1e-4
"""Maps whose values differ by less than that share of their peak are the same."""
SENTENCES = {
    "linear": "For this head Grad-CAM and HiResCAM are the positive part of the exact evidence, and Finer-CAM is that "
    "of A versus B.",
    "background": "For this head Grad-CAM and HiResCAM are the positive part of the exact evidence, counted from zero "
    "and not from the background; Finer-CAM is that of A versus B.",
    "normed": "Grad-CAM and HiResCAM are one map for this head. It is not the exact evidence, because the head norms "
    "the mean of the places and a gradient moves that norm, too.",
    "other": "The head of this model is no sum over places, so no map is exact: “Evidence” is Grad-CAM here, "
    "before its negative part is cut off.",
}
"""Which of the methods say the same, by what a gradient of the head is to the evidence."""


class Readable(Drawable, Protocol):
    """What is asked of `fgdemo.model.classifier.Classifier`."""

    def head_of(self, reading: Reading) -> Head:
        """What turns the tokens of that reading into logits."""
        ...


def method_maps(
    classifier: Readable, reading: Reading, methods: Sequence[Method], a: str, b: str, picture: Image.Image | None
) -> tuple[tuple[MethodMap, ...], str]:
    """See `fgdemo.values.methods.MethodsFunction`.

    Raises:
        BackboneError: the reading kept no tokens.
    """
    if reading.tokens is None:
        raise BackboneError("This model keeps nothing of a picture that other methods could be run on.")
    pair = [classifier.taxonomy.leaf_index[leaf] for leaf in (a, b)]
    head, tokens = classifier.head_of(reading), torch.from_numpy(reading.tokens).to(classifier.network.device)
    own = classifier.maps(reading, pair)
    drawn: dict[Method, np.ndarray] = {
        method: _map(method, head, tokens, pair, own) for method in methods if method not in ("evidence", "contrast")
    }
    drawn |= {"evidence": own[..., 0]} if "evidence" in methods else {}
    drawn |= {"contrast": contrast_map(own[..., 0], own[..., 1])} if "contrast" in methods else {}
    found: list[MethodMap] = []
    for method in methods:
        values = drawn[method]
        same: Method | None = None
        for one in found:
            if one.same_as is None and _alike(drawn[one.method], values):
                same = one.method
        told = tuple(float(f"{value:.4g}") for value in values.ravel().tolist())
        found.append(MethodMap(method, TITLES[method], _asks(method), told, same))
    if picture is not None:
        fine = dict(zip(("evidence", "contrast"), drawn_maps(classifier, reading, picture, a, b), strict=True))
        found = _measured(classifier, picture, found, {**drawn, **fine}, pair)
    signed = gradcam(head, tokens, pair[0], cut=False)
    return tuple(found), SENTENCES[_kind(reading, signed, own[..., 0])]


def _asks(method: Method) -> Asks:
    return "contrast" if method in ("contrast", "FinerCAM") else "picture" if method == "EigenCAM" else "class"


def _map(method: Method, head: Head, tokens: Tensor, pair: list[int], own: np.ndarray) -> np.ndarray:
    if method == "FinerCAM":  # the library's own asks about similarity ranks, not about a class
        return gradcam(head, tokens, (pair[0], pair[1]))
    return gradcam(head, tokens, pair[0], cast("Cam", method))


def _alike(first: np.ndarray, second: np.ndarray) -> bool:
    """Whether two maps are one, but for their units."""
    peaks = float(np.abs(first).max()), float(np.abs(second).max())
    return min(peaks) > 0 and bool(np.abs(first / peaks[0] - second / peaks[1]).max() <= SAME)


def _kind(reading: Reading, signed: np.ndarray, evidence: np.ndarray) -> str:
    apart = signed - evidence
    near = SAME * max(float(np.abs(signed).max()), 1e-12)
    if not reading.evidence.shape[-1]:
        return "other"
    if np.abs(apart).max() <= near:
        return "linear"
    return "background" if np.ptp(apart) <= 2 * near else "normed"


def _measured(
    classifier: Readable,
    picture: Image.Image,
    found: list[MethodMap],
    drawn: Mapping[str, np.ndarray],
    pair: list[int],
) -> list[MethodMap]:
    pixels = classifier.pixels(picture).to(classifier.network.device)
    own = [one for one in found if one.same_as is None]
    questions = [(drawn[one.method], pair[0], pair[1] if one.asks == "contrast" else None) for one in own]
    figures = dict(zip((one.method for one in own), trust_of(classifier.network, pixels, questions), strict=True))
    return [replace(one, trust=figures[one.same_as or one.method]) for one in found]
