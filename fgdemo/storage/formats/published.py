"""Data sets as their authors publish them, with lists of their own: CUB-200-2011, Oxford-IIIT Pets."""

from collections.abc import Sequence

from fgdemo.storage.trees.listing import Listing
from fgdemo.storage.trees.tree import Tree
from fgdemo.values.errors import DatasetError
from fgdemo.values.labelled import LabelledPicture, SourceContent, SourceSplit

CUB = ("images.txt", "image_class_labels.txt", "classes.txt")
PETS = "annotations/trainval.txt"


def read(tree: Tree, listing: Listing, pictures: Sequence[str], found: SourceContent) -> set[str] | None:
    """Read one of the known data sets; gives the lists that were read, or None where it is none of them.

    Raises:
        DatasetError: a list is damaged.
    """
    for name in listing.files:
        folder = name[: -len(CUB[0])]
        if name.rpartition("/")[2] == CUB[0] and all(folder + other in listing.files for other in CUB):
            return _read_cub(tree, folder, pictures, found)
        if name == PETS or name.endswith(f"/{PETS}"):
            return _read_pets(tree, name[: -len(PETS)], pictures, found)
    return None


def _read_cub(tree: Tree, folder: str, pictures: Sequence[str], found: SourceContent) -> set[str]:
    """https://www.vision.caltech.edu/datasets/cub_200_2011: ids and paths, ids and classes, ids and 1 for train."""
    paths, labels, classes = (dict(_pairs(tree, folder + name)) for name in CUB)
    used = {folder + name for name in CUB}
    trains: dict[str, str] = {}
    if tree.size(f"{folder}train_test_split.txt"):
        used.add(f"{folder}train_test_split.txt")
        trains = dict(_pairs(tree, f"{folder}train_test_split.txt"))
    listed: set[str] = set()
    for number, path in paths.items():
        name, label = f"{folder}images/{path}", classes.get(labels.get(number, ""), "")
        split: SourceSplit = "train" if trains.get(number, "1") == "1" else "test"
        listed.add(name)
        _add(tree, name, label, split, found, f"picture {number} of images.txt")
    for name in pictures:
        if name not in listed:
            found.skip(name, "is in no row of images.txt")
    found.note("Read as CUB-200-2011: its classes and its train and test pictures. Nothing else of it.")
    return used


def _read_pets(tree: Tree, folder: str, pictures: Sequence[str], found: SourceContent) -> set[str]:
    """https://www.robots.ox.ac.uk/~vgg/data/pets: `Abyssinian_100 1 1 1` is of the breed Abyssinian."""
    used: set[str] = set()
    listed: set[str] = set()
    parts: tuple[tuple[str, SourceSplit], ...] = (("trainval.txt", "train"), ("test.txt", "test"))
    for part, split in parts:
        list_name = f"{folder}annotations/{part}"
        if tree.size(list_name) is None:
            continue
        used.add(list_name)
        for stem, _ in _pairs(tree, list_name):
            name = f"{folder}images/{stem}.jpg"
            listed.add(name)
            _add(tree, name, stem.rpartition("_")[0], split, found, f"{stem} of {part}")
    for name in pictures:
        if name not in listed and name.startswith(f"{folder}images/"):
            found.skip(name, "is in no row of trainval.txt or test.txt")
    found.note("Read as Oxford-IIIT Pets: its breeds and its lists trainval and test. Boxes and masks are not.")
    return used


def _add(tree: Tree, name: str, label: str, split: SourceSplit, found: SourceContent, where: str) -> None:
    size = tree.size(name)
    if not size:
        found.skip(name, f"is not there ({where})")
    elif not label:
        found.skip(name, f"has no label ({where})")
    else:
        found.pictures.append(LabelledPicture(name, label, split, tree.loader(name), size))


def _pairs(tree: Tree, name: str) -> list[tuple[str, str]]:
    """First word and rest of every line."""
    try:
        lines = tree.read(name).decode().splitlines()
    except UnicodeDecodeError as error:
        raise DatasetError(f"“{name}” is no text, so the data set cannot be read.") from error
    pairs = [line.strip().partition(" ") for line in lines if line.strip() and not line.startswith("#")]
    return [(first, rest.strip()) for first, _, rest in pairs]
