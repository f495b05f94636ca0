"""A folder or an archive of pictures, whatever says what they show: an export, tables or folders. One for all."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from fgdemo.storage.disk.left_out import harmful_again
from fgdemo.storage.formats import published, webdataset
from fgdemo.storage.formats.label_studio.tasks import TASKS, export_among, read_tasks_in
from fgdemo.storage.formats.unread import TAXONOMY_TABLE, Asked, name_unread
from fgdemo.storage.records.workspace_records import WORKSPACE_TABLE, read_workspace_lines
from fgdemo.storage.tables.columns import PATHS, choose_columns
from fgdemo.storage.tables.places import Places
from fgdemo.storage.tables.rows import Located, Row, add_picture, are_bare, read_rows
from fgdemo.storage.tables.sheets import ENDINGS, read_sheet
from fgdemo.storage.trees.folders import MASKS, Arrangement, arrange, split_in
from fgdemo.storage.trees.listing import Listing
from fgdemo.storage.trees.tree import Below, Tree
from fgdemo.values.counting import counted
from fgdemo.values.errors import DatasetError
from fgdemo.values.labelled import PICTURE_ENDINGS, LabelledPicture, SourceContent, ending_of
from fgdemo.values.taxonomy import Taxon

PICTURES_TABLE = "pictures.csv"
"""The table that an export writes beside pictures."""
OUTSIDE_CLASSES = "lies outside the class folders"


def read_tree(tree: Tree, partly_labelled: bool) -> SourceContent:
    """Everything that is understood of a tree of files; what is not is named.

    Args:
        partly_labelled: pictures without a label are taken too, rather than named and left out.

    Raises:
        DatasetError: a table that says what the pictures show cannot be read.
    """
    listing = tree.listing()
    folder = _holding(listing, WORKSPACE_TABLE)
    if folder is not None:
        asked = Asked(tree)
        found = read_workspace_lines(Below(asked, folder), WORKSPACE_TABLE)
        found.skipped[:0] = listing.faults
        name_unread(listing, {*asked.names, _join(folder, WORKSPACE_TABLE)}, found)
        return found
    tasks = _tasks(tree, listing)
    if tasks is not None:
        return tasks
    found = SourceContent(skipped=list(listing.faults))
    pictures = [name for name in listing.files if ending_of(name) in PICTURE_ENDINGS]
    used = published.read(tree, listing, pictures, found)
    if used is None:
        used = webdataset.read(tree, listing, pictures, found)
    if used is None:
        used = _tables(tree, listing, pictures, found, partly_labelled)
    name_unread(listing, {*pictures, *used}, found)
    return found


def _holding(listing: Listing, file: str) -> str | None:
    """The outermost folder with this file in it."""
    folders = [name.rpartition("/")[0] for name in listing.files if name.rpartition("/")[2] == file]
    return min(folders, key=lambda folder: (folder.count("/"), len(folder), folder), default=None)


def _tasks(tree: Tree, listing: Listing) -> SourceContent | None:
    """An export of Label Studio in the outermost folder that has files which may be one."""
    tables = [name for name in listing.files if name.lower().endswith((".json", ".csv", ".tsv"))]
    folder = min(
        (name.rpartition("/")[0] for name in tables), key=lambda folder: (folder.count("/"), folder), default=""
    )
    asked = Asked(tree)
    inner = Below(asked, folder)
    outermost = [name for name in tables if name.rpartition("/")[0] == folder]
    tasks = export_among(inner, [name.rpartition("/")[2] for name in outermost])
    if tasks is None:
        return None
    pictures = [name for name in inner.listing().files if ending_of(name) in PICTURE_ENDINGS]
    found = read_tasks_in(inner, tasks, pictures)
    found.skipped[:0] = listing.faults
    name_unread(listing, asked.names.union(_join(folder, name) for name in (tasks, TASKS, "interface.xml")), found)
    return found


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


# --- tables ----------------------------------------------------------------------------------------------------


def _tables(
    tree: Tree, listing: Listing, pictures: Sequence[str], found: SourceContent, partly_labelled: bool
) -> set[str]:
    """Read what tables say, and folders where they say nothing; gives the tables that were read."""
    places = Places(tree)
    located = Located(tree, places, found)
    used: set[str] = set()
    labels = False
    faults: list[DatasetError] = []
    for name in _candidates(tree, listing):
        try:
            rows, has_label = _rows(tree, name, places, found)
        except DatasetError as error:
            if name.rpartition("/")[2].startswith("metadata."):
                raise
            faults.append(error)
            continue
        if rows:
            used.add(name)
            labels, bare = labels or has_label, are_bare(rows)
            for row in rows:
                located.add(row, name.rpartition("/")[0], bare)
    tables_in = {name.split("/")[-2] for name in used if "/" in name}
    plan = arrange([tuple(name.split("/")[:-1]) for name in pictures], tables_in)
    if not used:
        _folders(tree, listing, pictures, plan, found, partly_labelled)
        if faults and not any(picture.label for picture in found.pictures):
            raise faults[0]
        return used
    taxa = _taxa(tree, used, found) if partly_labelled else {}
    _listed(tree, located, plan, found, labels, partly_labelled, taxa)
    unnamed = [name for name in pictures if name not in located.rows]
    shown = ", ".join(sorted(used)[:3])
    if unnamed and partly_labelled:
        came = "which came without a label" if labels else "with the label of its folder"
        found.note(f"In no row of {shown}: {counted(len(unnamed), 'picture')}, {came}.")
    for name in unnamed:
        folder = tuple(name.split("/")[:-1])
        groups, label = ((), "") if labels else plan.label_of(folder)
        if partly_labelled or label:
            split = plan.split_of(folder) or "train"
            if groups:
                found.groups[label] = groups
            found.pictures.append(LabelledPicture(name, label, split, tree.loader(name), listing.files[name]))
        else:
            found.skip(name, f"is in no row of {shown}")
    return used


def _candidates(tree: Tree, listing: Listing) -> list[str]:
    """Tables that may be about the pictures: that of an export alone, else `metadata` anywhere, and the outermost."""
    tables = [name for name in listing.files if name.lower().endswith(ENDINGS)]
    export = _export(tree, listing)
    if export is not None:
        return [export]
    return [name for name in tables if not name.lower().endswith(".parquet") or _is_metadata(name)]


def _export(tree: Tree, listing: Listing) -> str | None:
    """The table of an export of fgdemo; others may call a table pictures.csv, too."""
    folder = _holding(listing, PICTURES_TABLE)
    name = None if folder is None else _join(folder, PICTURES_TABLE)
    return name if name and {"path", "label", "answer"} <= set(read_sheet(tree, name).titles) else None


def _is_metadata(name: str) -> bool:
    return name.rpartition("/")[2].lower() == "metadata.parquet"


def _rows(tree: Tree, name: str, places: Places, found: SourceContent) -> tuple[list[Row], bool]:
    """The rows of a table that is about pictures of this tree, and whether it has labels; none of another table."""
    sheet = read_sheet(tree, name)
    is_metadata = name.rpartition("/")[2].lower().startswith("metadata.")
    if not is_metadata and not any(t in PATHS or t.endswith("_file_name") for t in sheet.titles):
        return [], False
    quiet = SourceContent()
    columns = choose_columns(sheet)
    rows = list(read_rows(sheet, columns, quiet))
    folder, bare = name.rpartition("/")[0], are_bare(rows)
    if not is_metadata and not any(places.find(row.path, folder, bare)[0] for row in rows):
        return [], False
    found.extend(quiet, "")
    stem = name.rpartition("/")[2].rpartition(".")[0]
    if any(row.split is not None for row in rows):
        return rows, bool(columns.label)
    split = split_in(stem)
    return [row if split is None else replace(row, split=split) for row in rows], bool(columns.label)


def _taxa(tree: Tree, used: set[str], found: SourceContent) -> dict[str, Taxon]:
    """The taxa of the workspace that wrote an export; none for other tables."""
    folder = next((name.rpartition("/")[0] for name in used if name.rpartition("/")[2] == PICTURES_TABLE), None)
    name = f"{folder}/{TAXONOMY_TABLE}" if folder else TAXONOMY_TABLE
    if folder is None or tree.size(name) is None:
        return {}
    for where, cells in read_sheet(tree, name).rows(found.skip):
        told = {title: harmful_again(text) for title, text in cells.items()}
        if not told.get("id") or not told.get("name"):
            found.skip(where, "is no taxon: it needs id and name")
            continue
        aliases = tuple(alias for alias in told.get("aliases", "").split("|") if alias)
        parent, latin = told.get("parent") or None, told.get("latin") or None
        found.taxa.append(Taxon(told["id"], told["name"], parent, latin, aliases))
        found.retired.update({told["id"]} if told.get("retired") == "true" else ())
    return {taxon.id: taxon for taxon in found.taxa}


def _listed(
    tree: Tree,
    located: Located,
    plan: Arrangement,
    found: SourceContent,
    labels: bool,
    partly_labelled: bool,
    taxa: Mapping[str, Taxon],
) -> None:
    """The pictures that rows are about; where no table has labels they are those of the folders."""
    for file, rows in located.rows.items():
        folder = tuple(file.split("/")[:-1])
        split = plan.split_of(folder)
        groups, label = plan.label_of(folder)
        told = [replace(row, split=row.split or split or "train") for row in rows]
        if not labels and label:
            told = [replace(row, label=label) for row in told]
            if groups:
                found.groups[label] = groups
        add_picture(tree, file, told, found, partly_labelled, taxa)


# --- folders ---------------------------------------------------------------------------------------------------


def _folders(
    tree: Tree,
    listing: Listing,
    pictures: Sequence[str],
    plan: Arrangement,
    found: SourceContent,
    partly_labelled: bool,
) -> None:
    for sentence in plan.notes:
        found.note(sentence)
    other: dict[str, int] = {}
    for name in pictures:
        folder = tuple(name.split("/")[:-1])
        split, (groups, label) = plan.split_of(folder), plan.label_of(folder)
        if split is None and folder[len(plan.top) :]:
            other[folder[len(plan.top)]] = other.get(folder[len(plan.top)], 0) + 1
        elif not label and not partly_labelled:
            found.skip(name, OUTSIDE_CLASSES)
        else:
            if groups:
                found.groups[label] = groups
            loader = tree.loader(name)
            found.pictures.append(LabelledPicture(name, label, split or "train", loader, listing.files[name]))
    for folder, count in sorted(other.items()):
        if folder != MASKS:
            found.skip("/".join((*plan.top, folder)), "is not a train, val or test folder")
        found.note(f"Left out: {counted(count, 'picture')} in “{folder}”, which is not a train, val or test folder.")
    _empty_classes(listing, pictures, plan, found)


def _empty_classes(listing: Listing, pictures: Sequence[str], plan: Arrangement, found: SourceContent) -> None:
    """Name the folders beside class folders that have no pictures."""
    if not plan.kinds:
        return
    filled = {"/".join(name.split("/")[: depth + 1]) for name in pictures for depth in range(name.count("/"))}
    tops = ["/".join((*plan.top, split)) for split in plan.splits] if plan.splits else ["/".join(plan.top)]
    for folder in sorted(listing.folders - filled):
        parent, _, last = folder.rpartition("/")
        if parent in tops and not (not plan.splits and last.lower() == MASKS):
            found.skip(folder, "is a class folder without pictures")
