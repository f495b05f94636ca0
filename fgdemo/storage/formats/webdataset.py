"""Samples of WebDataset: a picture `0001.jpg` and its class in `0001.cls` or `0001.json` beside it."""

from collections.abc import Sequence
from typing import Any

from fgdemo.storage.disk.strict_json import BadJsonError, as_object, read_json
from fgdemo.storage.tables.columns import LABELS
from fgdemo.storage.tables.sheets import cell, is_single
from fgdemo.storage.trees.folders import split_in
from fgdemo.storage.trees.listing import Listing
from fgdemo.storage.trees.tree import Tree
from fgdemo.values.labelled import LabelledPicture, SourceContent

CLASSES = (".cls", ".cls.txt", ".label", ".json")


def read(tree: Tree, listing: Listing, pictures: Sequence[str], found: SourceContent) -> set[str] | None:
    """Read the samples; gives the files that were read, or None where most pictures have no class beside them."""
    beside = {name: _class_file(listing, name) for name in pictures}
    if not pictures or sum(map(bool, beside.values())) * 2 < len(pictures):
        return None
    labels = {name: _label(tree, file) if file else "" for name, file in beside.items()}
    if not any(labels.values()):  # whatever lies beside them says something else
        return None
    used: set[str] = set()
    split, numbers = split_in(tree.title.rpartition(".")[0]) or "train", 0
    for name, file in beside.items():
        label = labels[name]
        if file:
            used.add(file)
        if not label:
            found.skip(name, f"has no label in “{file}”" if file else "has no class beside it")
            continue
        numbers += label.isdigit()
        found.pictures.append(LabelledPicture(name, label, split, tree.loader(name), listing.files[name]))
    if found.pictures and numbers == len(found.pictures):
        found.note(f"The classes of “{tree.title}” are numbers without names: the kinds are called by them.")
    return used


def _class_file(listing: Listing, picture: str) -> str:
    folder, _, last = picture.rpartition("/")
    stem = (f"{folder}/" if folder else "") + last.partition(".")[0]
    return next((stem + ending for ending in CLASSES if stem + ending in listing.files), "")


def _label(tree: Tree, file: str) -> str:
    text = tree.read(file)[:1_000_000].decode("utf-8", "replace").strip()
    if not file.endswith(".json"):
        return text if "\n" not in text and len(text) <= 300 else ""
    try:
        told: Any = read_json(text)
    except BadJsonError:
        return ""
    names = ("label_name", "class_name", *LABELS)
    named = as_object(told)
    if named is not None:
        told = next((named[name] for name in names if named.get(name) not in (None, "")), None)
    return cell(told) if is_single(told) else ""
