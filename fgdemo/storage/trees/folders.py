"""Pictures in folders: train, val and test, groups, classes."""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from fgdemo.storage.trees.camera_folders import without_cameras
from fgdemo.values.labelled import SPLIT_NAMES, SourceSplit

Path = tuple[str, ...]
_INATURALIST = re.compile(r"\d{5}_[^\W\d_]+_[^_]+_([^_]+)_([^_]+)_([^_]+)_([^_]+)_(.+)")
"""`00042_Animalia_Chordata_Aves_Passeriformes_Paridae_Parus_major`, as iNaturalist's competitions have it."""
_COLLECTIONS = frozenset(
    "set sets data dataset split image images img imgs photo photos picture pictures jpg jpeg jpegs jpegimages png "
    "files raw".split()
)
"""Words for pictures of any kind: no name of a kind, and nothing that makes `train_set` another split than `train`."""
MASKS = "masks"
"""Where masks of the pictures lie, beside train and val."""


@dataclass(frozen=True)
class Arrangement:
    """What the folders of pictures mean.

    Attributes:
        top: folders that wrap everything, as in an archive of “birds” that begins with “birds/”.
        splits: the split of each folder `depth` steps below `top` that is one; empty where there are none.
        depth: 0, or 1 where each class folder has its own train and test.
        kinds: the groups and the label of each path of folders below a split (or `top`), which may be the label of a
            folder above it.
        notes: sentences about what is not plain.
    """

    top: Path = ()
    splits: dict[str, SourceSplit] = field(default_factory=dict[str, SourceSplit])
    kinds: dict[Path, tuple[Path, str]] = field(default_factory=dict[Path, tuple[Path, str]])
    notes: tuple[str, ...] = ()
    depth: int = 0

    def split_of(self, folder: Path) -> SourceSplit | None:
        """The split of a picture in this folder; None where it lies in none although there are some."""
        inner = folder[len(self.top) :]
        if not self.splits:
            return "train"
        return self.splits.get(inner[self.depth]) if len(inner) > self.depth else None

    def label_of(self, folder: Path) -> tuple[Path, str]:
        """Groups and label of a picture in this folder; the label is empty where it lies in no class folder."""
        inner = folder[len(self.top) :]
        return self.kinds.get(_without(inner, self.depth) if self.splits else inner, ((), ""))


def arrange(folders: Iterable[Path], is_split: Collection[str] = ()) -> Arrangement:
    """Understand the folders that hold pictures (one entry a picture, or one a folder).

    Args:
        is_split: folders that are splits by what lies in them, such as a table, though no folders do.
    """
    unlike = list(dict.fromkeys(folders))
    shared = _shared(unlike)
    inner = [folder[shared:] for folder in unlike]
    splits, depth = _splits(inner, is_split), 0
    if not splits:
        splits = _splits_in_classes(inner)
        depth = 1 if splits else 0
    below = [_without(path, depth) for path in inner if path[depth : depth + 1] and path[depth] in splits]
    notes: list[str] = []
    short, cameras = without_cameras({path for path in (below if splits else inner) if path})
    kinds = _kinds({path for path in short.values() if path}, notes)
    if len(kinds) == 1 and not splits and _is_collection(name := next(iter(kinds))[0]):
        notes.append(f"All pictures lie in “{name}”, which is no name of a kind: they came without a label.")
        kinds = {}
    kinds = told_apart(_of_inaturalist(kinds, notes))
    if cameras:
        named = ", ".join(f"“{name}”" for name in cameras[:3]) + (" …" if len(cameras) > 3 else "")
        notes.append(f"Folders that a camera or a date has named are no kinds, so they say nothing here: {named}.")
    kinds = {path: kinds[bare] for path, bare in short.items() if bare in kinds}
    return Arrangement(unlike[0][:shared] if unlike else (), splits, kinds, tuple(notes), depth)


def _without(path: Path, depth: int) -> Path:
    return path[:depth] + path[depth + 1 :]


def _is_collection(name: str) -> bool:
    return bool(_words(name)) and _COLLECTIONS.issuperset(_words(name))


def _of_inaturalist(kinds: dict[Path, tuple[Path, str]], notes: list[str]) -> dict[Path, tuple[Path, str]]:
    """The species and what it belongs to, where the folders say all of it in one name."""
    found = {path: _INATURALIST.fullmatch(label) for path, (_, label) in kinds.items()}
    if not all(found.values()):
        return kinds
    if kinds:
        notes.append("Folders are read as those of iNaturalist: the species below its class, order and family.")
    return {
        path: ((*kinds[path][0], *told.groups()[:3]), f"{told[4]} {told[5].replace('_', ' ')}")
        for path, told in found.items()
        if told
    }


def told_apart(kinds: dict[Path, tuple[Path, str]]) -> dict[Path, tuple[Path, str]]:
    """The same with the groups before each label that stands in several of them; two kinds never have one label."""
    unlike = set(kinds.values())
    uses = Counter(label for _, label in unlike)
    spaced = {(groups, label): " ".join((*groups, label)) for groups, label in unlike if uses[label] > 1}
    wanted = Counter([*spaced.values(), *(label for label in uses if uses[label] == 1)])
    full = {kind: name if wanted[name] == 1 else " / ".join((*kind[0], kind[1])) for kind, name in spaced.items()}
    return {path: (groups, full.get((groups, label), label)) for path, (groups, label) in kinds.items()}


def split_in(words: str) -> SourceSplit | None:
    """The split that a name such as `train-00000-of-00002`, `labels_val` or `my test` says."""
    found: set[SourceSplit] = {SPLIT_NAMES[word] for word in _words(words) if word in SPLIT_NAMES}
    return found.pop() if len(found) == 1 else None


def _words(name: str) -> list[str]:
    return "".join(c if c.isalnum() else " " for c in name.lower()).split()


def _split_called(folder: str) -> SourceSplit | None:
    """The split that a folder of this name can only be: `train`, `Train Images`, `testset`."""
    words = [word for word in _words(folder) if word not in _COLLECTIONS]
    bare = words[0].removesuffix("set") if len(words) == 1 else ""
    return SPLIT_NAMES.get(bare)


def _splits_in_classes(inner: Sequence[Path]) -> dict[str, SourceSplit]:
    """Folders that are called like a split in each class folder (`robin/train`, `robin/test`)."""
    names = {path[1] for path in inner if len(path) > 1}
    called: dict[str, SourceSplit] = {name: split for name in names if (split := _split_called(name)) is not None}
    if all(len(path) > 1 for path in inner) and len(called) == len(names) and len({*called.values()}) > 1:
        return called
    return {}


def _shared(folders: Sequence[Path]) -> int:
    """How many outer folders wrap everything; one that holds classes is left if it is a split."""
    shared = 0
    while folders and all(len(folder) > shared + 1 for folder in folders):
        names = {folder[shared] for folder in folders}
        if len(names) > 1 or _split_called(next(iter(names))) is not None:
            break
        shared += 1
    return shared


def _splits(inner: Sequence[Path], is_split: Collection[str]) -> dict[str, SourceSplit]:
    """Folders that are called like a split, if one has folders in it or a table, or there are only such folders.

    Where each folder has one split in its name, and there are several, they are splits (`cars_train`, `cars_test`).
    """
    deep = {path[0] for path in inner if len(path) > 1}
    tops = {path[0] for path in inner if path}
    called: dict[str, SourceSplit] = {top: split for top in sorted(tops) if (split := _split_called(top)) is not None}
    named: dict[str, SourceSplit] = {
        top: split for top in sorted(tops) if (split := called.get(top) or split_in(top)) is not None
    }
    if len(named) == len(tops) and len({*named.values()}) > 1 and all(inner):
        return named
    certain = called.keys() & (deep | set(is_split))
    if called and (certain or (called.keys() == tops and all(inner))):
        return called if called.keys() == tops or certain == called.keys() else {t: called[t] for t in certain}
    return {}


def _kinds(paths: set[Path], notes: list[str]) -> dict[Path, tuple[Path, str]]:
    """Groups and label of each path of folders.

    Folders within folders are kinds within a group, unless pictures lie beside them, or the same names come again and
    again (2019, 2020, or adult, juvenile): then they are parts of their class.
    """
    within: defaultdict[str, set[Path]] = defaultdict(set)
    for path in paths:
        within[path[0]].add(path[1:])
    inner = {top: {path[0] for path in some if path} for top, some in within.items() if any(some)}
    if not _are_groups(inner, [top for top, some in within.items() if () in some]):
        if inner:
            some = sorted(f"{top}/{name}" for top, names in inner.items() for name in names)
            shown = ", ".join(some[:3]) + (" …" if len(some) > 3 else "")
            notes.append(f"Folders in class folders ({shown}) are read as parts of their class.")
        return {path: ((), path[0]) for path in paths}
    found: dict[Path, tuple[Path, str]] = {}
    for top, some in within.items():
        if top not in inner:
            found[top,] = (), top
            continue
        for path, (groups, label) in _kinds(some, notes).items():
            found[(top, *path)] = (top, *groups), label
    shown = ", ".join(sorted(inner)[:3]) + (" …" if len(inner) > 3 else "")
    notes.append(f"Folders with folders of pictures in them ({shown}) are read as groups of kinds.")
    return found


def _are_groups(inner: dict[str, set[str]], direct: Collection[str]) -> bool:
    if not inner or inner.keys() & set(direct):
        return False
    uses = Counter(name.lower() for names in inner.values() for name in names)
    repeated = sum(count > 1 for count in uses.values())
    if 2 * repeated >= len(uses) or not any(any(map(str.isalpha, name)) for name in uses):
        return False
    return any(len(names) > 1 for names in inner.values()) or (not direct and len(inner) > 1)
