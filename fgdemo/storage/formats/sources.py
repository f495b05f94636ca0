"""Labelled pictures as people have them: folders, archives, tables, Parquet files, Hub data sets.

A source is *found* here, not decoded: a file that turns out to be damaged is for whoever decodes it to name and
to leave out. Nothing is left out silently, except what systems leave behind: `Source.skipped` names the rest with the
reason.
"""

import hashlib
import random
import re
from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from fgdemo.storage.formats import hub_datasets as hub
from fgdemo.storage.formats import local as exchanged
from fgdemo.values.counting import counted
from fgdemo.values.errors import DatasetError
from fgdemo.values.labelled import LabelledPicture, SourceContent, SourceSession, SourceSplit
from fgdemo.values.taxonomy import Taxon


@dataclass(frozen=True)
class Source:
    """What was found, in a stable order. `labels` are sorted; `skipped` holds (name, reason)."""

    pictures: tuple[LabelledPicture, ...]
    labels: tuple[str, ...]
    skipped: tuple[tuple[str, str], ...] = ()
    taxa: tuple[tuple[Taxon, ...], frozenset[str]] = ((), frozenset())
    """Of other workspaces, and the ids of those that are retired there."""
    sessions: tuple[SourceSession, ...] = ()
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """What a label lies below, names from the root down, where the source has such groups."""
    notes: tuple[str, ...] = ()
    """Sentences about how the source was understood."""

    def part(self, split: SourceSplit) -> tuple[LabelledPicture, ...]:
        return tuple(picture for picture in self.pictures if picture.split == split)


def read_source(location: str | Path, fewest_classes: int = 2) -> Source:
    """Find the labelled pictures of one source; see `read_sources`."""
    return read_sources([location], fewest_classes)


def read_sources(locations: Sequence[str | Path], fewest_classes: int = 2) -> Source:
    """Find the labelled pictures of several sources as if they were one.

    A location is one of

    - a folder of class folders: everything is `train`;
    - a folder with train, val (valid, validation) and test folders of class folders, or with some of them;
    - a CSV table with the columns path and label, and split if there are splits; paths are relative to the table;
    - a data set of the Hugging Face Hub, `hf:owner/name`, or a Parquet file or folder of one.

    Classes of the same name in two sources are one class. The same bytes under two labels are kept under
    neither; a training copy of a held-out picture is left out. Both are named in `skipped`.

    Raises:
        DatasetError: nothing there, not a known layout, or fewer than `fewest_classes` classes.
    """
    found = SourceContent()
    for location in locations:
        prefix = f"{Path(location).name or location}/" if len(locations) > 1 else ""
        found.extend(_with_labels(_find(location)), prefix)
    where = " and ".join(f"“{location}”" for location in locations)
    if not found.pictures:
        raise DatasetError(f"There are no pictures in {where}: expected one folder of pictures for each class.")
    pictures, doubled = _without_conflicts(found.pictures)
    labels = tuple(sorted({picture.label for picture in pictures}))
    if len(labels) < fewest_classes:
        only = f"only the class “{labels[0]}”" if labels else "no class"
        raise DatasetError(f"There is {only} with usable pictures in {where}; at least {fewest_classes} are needed.")
    groups = {label: found.groups[label] for label in labels if label in found.groups}
    return Source(tuple(pictures), labels, (*found.skipped, *doubled), groups=groups, notes=tuple(found.notes))


def read_unlabelled(folder: str | Path) -> Source:
    """Find every picture below a folder, however it is arranged, with an empty label.

    Raises:
        DatasetError: no such folder, or no picture in it.
    """
    found = exchanged.read_any_folder(Path(folder).expanduser())
    if not found.pictures:
        raise DatasetError(f"There are no pictures in “{folder}”.")
    return Source(tuple(found.pictures), (), tuple(found.skipped))


def read_for_import(locations: Sequence[str | Path]) -> tuple[Source, bool]:
    """Pictures for a workspace, and whether the sources say which are held out (val, test).

    As `read_sources`, but one class is enough, a folder of pictures without class folders is unlabelled pictures, a zip
    archive is read like the folder that was packed, and so are all that `fgdemo.storage.exchange.export` writes,
    another workspace (its folder), and tasks of Label Studio (a `.json` file).

    Raises:
        DatasetError: nothing there that could be read.
    """
    found = SourceContent()
    for location in locations:
        prefix = f"{Path(location).name or location}/" if len(locations) > 1 else ""
        found.extend(_find(location, partly_labelled=True), prefix)
    if not found.pictures:
        where = " and ".join(f"“{location}”" for location in locations)
        first = ": “{}” {}".format(*found.skipped[0]) if found.skipped else ""
        reason = f" (of {counted(len(found.skipped), 'file')} none could be used{first})" if found.skipped else ""
        raise DatasetError(f"There are no pictures in {where}{reason}.")
    labels = tuple(sorted({picture.label for picture in found.pictures if picture.label}))
    # What is held out was put there on purpose, be it all there is; what is train only may just be called so.
    has_splits = any(picture.split != "train" for picture in found.pictures if picture.origin is None)
    taxa = tuple(found.taxa), frozenset(found.retired)
    source = Source(
        tuple(found.pictures),
        labels,
        tuple(found.skipped),
        taxa,
        tuple(found.sessions),
        found.groups,
        tuple(found.notes),
    )
    return source, has_splits


def split_off_val(source: Source, share: float = 0.2, seed: int = 0) -> Source:
    """Hold out a share of each class as `val`; a source that already has a `val` part comes back as it is.

    Byte-identical pictures stay together, a class never loses its last training picture, and adding a
    class does not change which pictures of the others are held out.
    """
    if source.part("val"):
        return source
    classes: dict[str, dict[Hashable, list[int]]] = defaultdict(lambda: defaultdict(list))
    for index, (picture, key) in enumerate(zip(source.pictures, _content_keys(source.pictures), strict=True)):
        if picture.split == "train":
            classes[picture.label][key].append(index)
    held_out: set[int] = set()
    for label, copies in classes.items():
        groups = list(copies.values())
        random.Random(f"{seed}:{label}").shuffle(groups)
        room = max(1, round(share * sum(map(len, groups))))
        for group in groups[1:]:
            if len(group) <= room:
                held_out.update(group)
                room -= len(group)
    pictures = tuple(replace(p, split="val") if i in held_out else p for i, p in enumerate(source.pictures))
    return replace(source, pictures=pictures)


def _find(location: str | Path, partly_labelled: bool = False) -> SourceContent:
    text = str(location)
    if text.startswith("hf:"):
        return hub.read_hub(text.removeprefix("hf:"), partly_labelled)
    found = exchanged.read_local(Path(text).expanduser(), partly_labelled)
    if found is not None:
        return found
    if re.fullmatch(r"[\w-][\w.-]*/[\w.-]+", text):
        return hub.read_hub(text, partly_labelled)
    raise DatasetError(f"There is no folder “{text}”. A data set of the Hugging Face Hub is written hf:owner/name.")


def _with_labels(found: SourceContent) -> SourceContent:
    """The pictures that have one label: where a source knows a history, the one that was given last."""
    if any(picture.origin is not None for picture in found.pictures):
        raise DatasetError("This is a workspace, whose labels have a history: import it, or export it as imagefolder.")
    labelled: list[LabelledPicture] = []
    for picture in found.pictures:
        given = [said.label for said in picture.said if isinstance(said.label, str) and not said.blind]
        if picture.label or given:
            labelled.append(replace(picture, label=picture.label or given[-1]))
        else:
            found.skip(picture.name, "has no label")
    found.pictures[:] = labelled
    return found


# --- the same bytes twice ----------------------------------------------------------------------------------


def _content_keys(pictures: Sequence[LabelledPicture]) -> list[Hashable]:
    """One key a picture, equal exactly for equal bytes; only files of equal length are read."""
    lengths = Counter(picture.size_bytes for picture in pictures)
    keys: list[Hashable] = []
    for index, picture in enumerate(pictures):
        if picture.size_bytes is not None and lengths[picture.size_bytes] == 1:
            keys.append(index)
            continue
        try:
            keys.append(hashlib.sha256(picture.load()).digest())
        except OSError:
            keys.append(index)  # whoever decodes it will name it
    return keys


def _without_conflicts(pictures: Sequence[LabelledPicture]) -> tuple[list[LabelledPicture], list[tuple[str, str]]]:
    same: dict[Hashable, list[LabelledPicture]] = defaultdict(list)
    keys = _content_keys(pictures)
    for key, picture in zip(keys, pictures, strict=True):
        same[key].append(picture)
    kept: list[LabelledPicture] = []
    skipped: list[tuple[str, str]] = []
    for key, picture in zip(keys, pictures, strict=True):
        others = [other for other in same[key] if other is not picture]
        rival = next((other for other in others if other.label != picture.label), None)
        held_out = next((other for other in others if other.split != "train"), None)
        if rival is not None:
            skipped.append((picture.name, f"is the same picture as {rival.name}, which has another label"))
        elif picture.split == "train" and held_out is not None:
            skipped.append((picture.name, f"is the same picture as {held_out.name}, which is held out"))
        else:
            kept.append(picture)
    return kept, skipped
