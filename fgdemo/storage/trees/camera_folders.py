"""Folders that cameras, phones and dates have named: they sort pictures by when and by what, never by kind.

`100CANON` is three digits and five signs, as the standard of cameras has it (DCF 2.0, JEITA CP-3461B, 4.2.1); cameras
count from 100, so 911TURBO is none. What only digits say may be the number of a kind: it is a date where every folder
beside it can be one, too.
"""

import re
from collections import defaultdict
from collections.abc import Iterable

Path = tuple[str, ...]
_CAMERA = re.compile(
    r"1\d\d[A-Z0-9_]{5}"  # 100CANON, 101_PANA, 100MSDCF, 100_0512
    r"|\d{6}__"  # 202405__, of iPhones
    r"|(?:IMG|DSC|DSCN|DSCF|DSC_|PXL|MVIMG|PANO|BURST|GOPR|DJI)[-_ ]?\d+.*"
)
_WORDS = frozenset(
    "dcim|cameraroll|camera roll|camera uploads|camera imports|screenshots|whatsapp images|downloads|new folder|"
    "untitled folder|unsorted|unlabelled|unlabeled|uploads".split("|")
)
_DOUBTFUL = frozenset(("camera", "desktop", "download", "upload", "misc"))
"""A camera and a desktop may be kinds, where others stand beside them."""
_MONTH, _DAY, _YEAR = r"(?:0[1-9]|1[0-2])", r"(?:0[1-9]|[12]\d|3[01])", r"(?:19|20)\d\d"
_TIME = r"(?:[ T_-]+\d{1,2}[-_.:h]?\d{2}(?:[-_.:]?\d{2})?)?"
_DATE = re.compile(
    rf"{_YEAR}[-_. ]{_MONTH}(?:[-_. ]{_DAY}{_TIME})?"  # 2024-05, 2024-05-31, 2024-05-31 14.02
    rf"|{_YEAR}{_MONTH}{_DAY}[ T_-]\d{{4,6}}"  # 20240531_140200
    rf"|{_DAY}[-_.]{_MONTH}[-_.]{_YEAR}"
    rf"|{_MONTH}[-_.]{_DAY}[-_.]{_YEAR}"
)
_DIGITS = re.compile(rf"{_YEAR}(?:{_MONTH}{_DAY}?)?")
"""2024, 202405, 20240531."""


def is_of_camera(name: str) -> bool:
    """Whether a folder of this name says for certain nothing of kinds."""
    bare = " ".join(name.split())
    return bare.lower() in _WORDS or any(form.fullmatch(bare) is not None for form in (_CAMERA, _DATE))


def without_cameras(paths: Iterable[Path]) -> tuple[dict[Path, Path], list[str]]:
    """Each path without the folders that cameras and dates have named, which may leave nothing; and their names."""
    listed = list(paths)
    beside: defaultdict[int, set[str]] = defaultdict(set)
    for path in listed:
        for depth, name in enumerate(path):
            beside[depth].add(name)
    passed: dict[int, set[str]] = {}
    for depth, names in beside.items():
        certain = {name for name in names if is_of_camera(name)}
        doubtful = {name for name in names if _DIGITS.fullmatch(name) or name.lower() in _DOUBTFUL}
        passed[depth] = names if certain | doubtful == names else certain
    short = {path: tuple(name for depth, name in enumerate(path) if name not in passed[depth]) for path in listed}
    return short, sorted(set[str]().union(*passed.values()))
