"""Which taxa of the workspace are meant by the class names, and by the taxa of another workspace, of an import."""

import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import sqlalchemy as sa

from fgdemo.storage.database.database import taxon_in, taxon_row, writing
from fgdemo.storage.database.schema import label_event_table, taxon_table
from fgdemo.values.limits import LONGEST_KIND_NAME
from fgdemo.values.naming import NameBook, alike, display_name, display_names, exact, joined, slug, unique_id
from fgdemo.values.taxonomy import Taxon, other_names

SHOWN = 5
"""So many labels are told in one note."""


@dataclass(frozen=True)
class Kinds:
    """Attributes:
    taxon_of: the id of the workspace's taxon for each label and each taxon of another workspace.
    new: names of kinds that were added; names: of each of their ids.
    faults: (label, reason) of those that cannot be a kind.
    notes: sentences about labels that were taken for one kind, and about kinds that are easily confused.
    """

    taxon_of: dict[str | Taxon, str] = field(default_factory=dict[str | Taxon, str])
    new: list[str] = field(default_factory=list[str])
    names: dict[str, str] = field(default_factory=dict[str, str])
    faults: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    notes: list[str] = field(default_factory=list[str])


def settle_kinds(
    engine: sa.Engine,
    labels: Iterable[str],
    taxa: Sequence[Taxon] = (),
    retired: Collection[str] = (),
    groups: Mapping[str, Sequence[str]] | None = None,
) -> Kinds:
    """Match labels (by id, name, Latin name or alias; leaves before groups) and taxa (by id, then like a label).

    What matches nothing is added: a label as a kind of the name that it has, below its `groups` (names from the root
    down), a taxon below the same parent, with the same id. Costs one pass over the taxa, however many labels there are.

    Raises:
        StorageError: the database cannot be written; nothing was added.
    """
    with writing(engine) as connection:
        return _settled(connection, labels, taxa, retired, groups)


def foresee_kinds(
    engine: sa.Engine,
    labels: Iterable[str],
    taxa: Sequence[Taxon] = (),
    retired: Collection[str] = (),
    groups: Mapping[str, Sequence[str]] | None = None,
) -> Kinds:
    """What `settle_kinds` would give now; nothing is added. Raises StorageError."""
    kinds = Kinds()
    with suppress(_NothingAddedError), writing(engine) as connection:
        kinds = _settled(connection, labels, taxa, retired, groups)
        raise _NothingAddedError  # so that the transaction is rolled back
    return kinds


class _NothingAddedError(Exception):
    """The end of a transaction that was only tried."""


def _settled(
    connection: sa.Connection,
    labels: Iterable[str],
    taxa: Sequence[Taxon],
    retired: Collection[str],
    groups: Mapping[str, Sequence[str]] | None,
) -> Kinds:
    book = _Book(connection, frozenset(retired), frozenset(taxon.id for taxon in taxa))
    for taxon in _parents_first(taxa):
        book.settle_taxon(taxon)
    book.settle_labels(sorted(set(labels)), groups or {})
    return book.kinds


class _Book:
    """The taxa of the workspace within one transaction."""

    def __init__(self, connection: sa.Connection, retired: frozenset[str], theirs: frozenset[str]) -> None:
        self._connection, self._retired, self._theirs = connection, retired, theirs
        self.kinds = Kinds()
        self._ids: set[str] = set()
        self._out_of_use: set[str] = set()
        self._names: dict[str, str] = {}
        self._parent_of: dict[str, str | None] = {}
        self._here: dict[str, str] = {}
        known: list[Taxon] = []
        for row in connection.execute(sa.select(taxon_table)).mappings():
            self._ids.add(row["id"])
            if row["retired"]:
                self._out_of_use.update((row["id"], slug(row["name"])))
            else:
                known.append(taxon_in(row))
        self._parents = {taxon.parent for taxon in known if taxon.parent}
        self._book = NameBook()
        leaves, groups = ([t for t in known if (t.id in self._parents) is inner] for inner in (False, True))
        for some in (leaves, groups):  # a name means the leaf first, and its own name before another one's alias
            for taxon in some:
                self._learn(taxon, False)
            for taxon in some:
                self._learn(taxon, True)

    def settle_labels(self, labels: Sequence[str], groups: Mapping[str, Sequence[str]]) -> None:
        meant = self._book.meant(labels)
        full = self._apart(meant, groups)
        meant = {label: taxon for label, taxon in meant.items() if label not in full}
        meant |= {label: taxon for label, name in full.items() if (taxon := self._book.exactly(name)) is not None}
        self.kinds.taxon_of.update(meant)
        for taxon, some in joined(meant).items():
            listed = " and ".join(f"“{label}”" for label in some[:5])
            self.kinds.notes.append(f"{listed} are taken for one kind, {self._names.get(taxon, taxon)}.")
        self._tell_loose(meant)
        fresh = display_names(full.get(label, label) for label in labels if label not in meant)
        added: dict[str, str] = {}
        self._tell_unseen(label for label in labels if label not in meant)
        for label in labels:
            if label in meant:
                continue
            written = full.get(label, label)
            name = fresh[written]
            fault = self._fault(name)
            if fault is not None:
                self.kinds.faults.append((label, fault))
                continue
            if name not in added:
                parent = self._group(groups.get(label, ()), label)
                taxon = Taxon(unique_id(name, self._ids), name, parent, aliases=other_names(written, name))
                added[name] = self._add(taxon, False)
            self.kinds.taxon_of[label] = added[name]
        for some in alike([*added, *(self._names[taxon] for taxon in set(meant.values()))]):
            if any(name in added for name in some):
                named = " and ".join(f"“{name}”" for name in some)
                self.kinds.notes.append(f"{named} are different kinds, though their names are nearly the same.")

    def _apart(self, meant: Mapping[str, str], groups: Mapping[str, Sequence[str]]) -> dict[str, str]:
        """Full names of labels whose group is another one here than that of the kind of this name."""
        apart: dict[str, str] = {}
        elsewhere: list[str] = []
        for label, taxon in meant.items():
            path, above = groups.get(label, ()), self._above(taxon)
            if not path or not above or any(_is_like(path[-1], self._names[one]) for one in above):
                continue
            group = self._book.meant([path[-1]]).get(path[-1])
            if group is not None and group not in (taxon, *above):
                apart[label] = " ".join((*path, label))
                self.kinds.notes.append(
                    f"“{label}” below {path[-1]} is another kind than “{self._names[taxon]}” below "
                    f"{self._names[above[0]]}: it is called “{apart[label]}”."
                )
            else:
                elsewhere.append(f"“{label}” below {path[-1]} for “{self._names[taxon]}” below {self._names[above[0]]}")
        if elsewhere:
            self.kinds.notes.append(
                f"Taken for kinds that lie elsewhere here: {', '.join(elsewhere[:SHOWN])}"
                f"{f' and {len(elsewhere) - SHOWN} more' * (len(elsewhere) > SHOWN)}."
            )
        return apart

    def _tell_unseen(self, fresh: Iterable[str]) -> None:
        """Tell new labels that become one kind, since nothing that can be seen tells them apart."""
        alike_to_see: defaultdict[str, list[str]] = defaultdict(list)
        for label in fresh:
            alike_to_see[exact(label)].append(label)
        for name, some in alike_to_see.items():
            if len({unicodedata.normalize("NFC", label) for label in some}) > 1:
                self.kinds.notes.append(
                    f"{len(some)} labels that differ in blanks or in what cannot be seen are taken "
                    f"for one kind, {name}."
                )

    def _tell_loose(self, meant: Mapping[str, str]) -> None:
        """Tell labels that are no spelling of the name, but for folders that are called by its id (`gadwall`)."""
        loose = [
            f"“{label}” for “{self._names.get(taxon, taxon)}”"
            for label, taxon in sorted(meant.items())
            if (label != taxon or len(label) == 1) and self._book.exactly(label) is None
        ]
        if loose:
            self.kinds.notes.append(
                f"Taken for kinds whose names differ in case and punctuation: "
                f"{', '.join(loose[:SHOWN])}"
                f"{f' and {len(loose) - SHOWN} more' * (len(loose) > SHOWN)}."
            )

    def _above(self, taxon: str) -> list[str]:
        """The groups of a taxon, the nearest first."""
        found: list[str] = []
        while (parent := self._parent_of.get(taxon)) is not None and parent not in found:
            found.append(parent)
            taxon = parent
        return found

    def settle_taxon(self, taxon: Taxon) -> None:
        found = taxon.id if taxon.id in self._ids else self._book.meant([taxon.name]).get(taxon.name)
        if found != taxon.id and found in self._theirs:  # two taxa there are two taxa here, however alike their names
            found = None
        if found is None:
            parent = self._parent(self._here.get(taxon.parent) if taxon.parent else None, taxon.name)
            wanted = Taxon(taxon.id, taxon.name, parent, taxon.latin, taxon.aliases)
            found = self._add(wanted, taxon.id in self._retired)
        self.kinds.taxon_of[taxon] = self._here[taxon.id] = found

    def _fault(self, name: str) -> str | None:
        if slug(name) in self._out_of_use:
            return "is the name of a kind that is no longer in use"
        if not slug(name) or len(name) > LONGEST_KIND_NAME:
            return f"is no name: a new kind needs one of 1 to {LONGEST_KIND_NAME} characters"
        return None

    def _group(self, path: Sequence[str], label: str) -> str | None:
        """The taxon of a group by the names from the root down; those that are missing are added."""
        parent = None
        for name in path:
            found = self._book.meant([name]).get(name)
            if found is None and slug(name):
                readable = display_name(name)[:LONGEST_KIND_NAME]
                found = self._add(Taxon(unique_id(readable, self._ids), readable, parent), False)
            parent = self._parent(found, label)
        return parent

    def _parent(self, parent: str | None, name: str) -> str | None:
        """The parent; None, and a note, where nothing can lie below that."""
        if parent is None or parent in self._parents:
            return parent
        used = sa.select(label_event_table.c.id).where(label_event_table.c.taxon == parent).limit(1)
        if self._connection.execute(used).first() is not None:
            self.kinds.faults.append((name, "stands at the root: its group is a kind with pictures here"))
            return None
        return parent

    def _add(self, taxon: Taxon, retired: bool) -> str:
        self._connection.execute(taxon_table.insert().values(taxon_row(taxon, retired)))
        self._ids.add(taxon.id)
        if taxon.parent:
            self._parents.add(taxon.parent)
        self._learn(taxon, False)
        self._learn(taxon, True)
        self.kinds.new.append(taxon.name)
        self.kinds.names[taxon.id] = taxon.name
        return taxon.id

    def _learn(self, taxon: Taxon, others: bool) -> None:
        self._names[taxon.id], self._parent_of[taxon.id] = taxon.name, taxon.parent
        self._book.add(taxon.id, [taxon.latin or "", *taxon.aliases] if others else [taxon.name])


def _is_like(folder: str, group: str) -> bool:
    """Whether a folder is called as a group, be it in the plural."""
    return slug(folder).removesuffix("s") == slug(group).removesuffix("s")


def _parents_first(taxa: Sequence[Taxon]) -> list[Taxon]:
    """Those whose parents lead to a root, parents before children; one in a circle, or below nothing, stands alone."""
    by_id = {taxon.id: taxon for taxon in taxa}
    depth: dict[str, int] = {}
    for taxon in taxa:
        path: list[str] = []
        at: str | None = taxon.id
        while at in by_id and at not in depth and at not in path:
            path.append(at)
            at = by_id[at].parent
        start = depth.get(at, -1) if at is not None else -1
        for step, name in enumerate(reversed(path), 1):
            depth[name] = start + step
    return sorted(by_id.values(), key=lambda taxon: depth[taxon.id])
