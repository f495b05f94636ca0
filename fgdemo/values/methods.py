"""The field's saliency methods beside the exact evidence, as a page or a program gets them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from PIL import Image

from fgdemo.values.classification.answers import FineMap
from fgdemo.values.errors import SettingsError
from fgdemo.values.types import Reading, Trust

Method = Literal["evidence", "GradCAM", "HiResCAM", "GradCAM++", "LayerCAM", "EigenCAM", "contrast", "FinerCAM"]
METHODS: tuple[Method, ...] = get_args(Method)
TITLES: dict[Method, str] = {
    "evidence": "Evidence",
    "GradCAM": "Grad-CAM",
    "HiResCAM": "HiResCAM",
    "GradCAM++": "Grad-CAM++",
    "LayerCAM": "LayerCAM",
    "EigenCAM": "EigenCAM",
    "contrast": "Evidence, A versus B",
    "FinerCAM": "Finer-CAM",
}
Asks = Literal["class", "contrast", "picture"]
"""What a map answers: why A, why A and not B, or only what stands out in the picture."""


@dataclass(frozen=True)
class MethodMap:
    """One method's map of one picture.

    Attributes:
        values: h × w numbers, row by row, in the method's own units: log-odds of the evidence, signed; of the others
            ≥ 0, and all 0 where nothing speaks for what was asked.
        same_as: the method before it whose map this is, but for its units; None where it is its own.
        trust: how faithful it is to the pixels, as it is drawn; None where that was not measured.
        spread: how the exact evidence is drawn, where the picture tells on which pixels; None: as `values`.
    """

    method: Method
    title: str
    asks: Asks
    values: tuple[float, ...]
    same_as: Method | None = None
    trust: Trust | None = None
    spread: FineMap | None = None


@dataclass(frozen=True)
class MethodMaps:
    """Maps of one picture by several methods, all read off one pass of the network.

    Attributes:
        asked, rival: taxon ids of A and B.
        sentence: which of the methods say the same for a head like this, and what is exact.
    """

    model_version: str
    grid: tuple[int, int]
    asked: str
    rival: str
    sentence: str
    maps: tuple[MethodMap, ...]


MethodsFunction = Callable[
    [Reading, Sequence[Method], str, str, "Image.Image | None"], tuple[tuple[MethodMap, ...], str]
]
"""(reading, methods, a, b, picture) → the maps, and what is to be said of them. With a picture, which is what was read,
each is measured: tens of forward passes a map."""


def methods_of(names: Sequence[str] | None) -> tuple[Method, ...]:
    """The methods of these names, however they are written; `all` and none at all are all of them.

    Raises:
        SettingsError: there is no such method.
    """
    known: dict[str, Method] = {_plain(method): method for method in METHODS}
    wanted = {_plain(name): name.strip() for name in names or ("all",)}
    if "all" in wanted:
        return METHODS
    strange = [name for plain, name in wanted.items() if plain not in known]
    if strange:
        raise SettingsError(f"There is no method “{strange[0][:40]}”: choose among {', '.join(METHODS)}, or all.")
    return tuple(method for name, method in known.items() if name in wanted)


def beside_evidence(wanted: Sequence[Method]) -> tuple[Method, ...]:
    """The exact evidence, and beside it what is wanted; Finer-CAM stands beside A versus B."""
    asked = {"evidence", *wanted, *(["contrast"] if "FinerCAM" in wanted else [])}
    return tuple(method for method in METHODS if method in asked)


def _plain(name: str) -> str:
    return name.strip().lower().replace("-", "").replace("_", "")
