"""Which taxa of the workspace are meant by the class names, and by the taxa of another workspace, of an import."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from fgdemo.storage.database import writing
from fgdemo.storage.schema import label_event_table, taxon_table
from fgdemo.storage.taxa import LONGEST_NAME
from fgdemo.taxonomy import Taxon, Taxonomy, display_name, slug


@dataclass(frozen=True)
class Kinds:
    """Attributes:
    taxon_of: the id of the workspace's taxon for each label and each taxon of another workspace.
    new: names of kinds that were added.
    faults: (label, reason) of those that cannot be a kind.
    """

    taxon_of: dict[str | Taxon, str] = field(default_factory=dict)
    new: list[str] = field(default_factory=list)
    faults: list[tuple[str, str]] = field(default_factory=list)


def settle_kinds(
    engine: Engine, labels: Iterable[str], taxa: Sequence[Taxon] = (), retired: Collection[str] = ()
) -> Kinds:
    """Match labels (by id, name, Latin name or alias; leaves before groups) and taxa (by id, then like a label).

    What matches nothing is added: a label as a kind at the root, a taxon below the same parent, with the same id. Costs
    one pass over the taxa, however many labels there are.

    Raises:
        StorageError: the database cannot be written; nothing was added.
    """
    with writing(engine) as connection:
        book = _Book(connection, frozenset(retired))
        for taxon in _parents_first(taxa):
            book.settle_taxon(taxon)
        for label in sorted(set(labels)):
            book.settle_label(label)
        return book.kinds


class _Book:
    """The taxa of the workspace within one transaction."""

    def __init__(self, connection: Connection, retired: frozenset[str]) -> None:
        self._connection, self._retired = connection, retired
        self.kinds = Kinds()
        self._ids: set[str] = set()
        self._out_of_use: set[str] = set()
        self._parents: set[str] = set()
        known = []
        for row in connection.execute(sa.select(taxon_table)).mappings():
            self._ids.add(row["id"])
            if row["retired"]:
                self._out_of_use.update((row["id"], slug(row["name"])))
            else:
                known.append(
                    Taxon(row["id"], row["name"], row["parent"], row["latin"], tuple(json.loads(row["aliases"])))
                )
        self._taxonomy = Taxonomy(tuple(known)) if known else None
        self._parents.update(taxon.parent for taxon in known if taxon.parent)
        self._groups = {name: t.id for t in reversed(known) for name in (t.id, t.name.casefold(), slug(t.name))}
        self._added: dict[str, str] = {}
        self._here: dict[str, str] = {}

    def settle_label(self, label: str) -> None:
        name = display_name(label)
        found = self._meant(label)
        if found is None and slug(name) in self._out_of_use:
            self.kinds.faults.append((label, "is the name of a kind that is no longer in use"))
        elif found is None and (not slug(name) or len(name) > LONGEST_NAME):
            self.kinds.faults.append((label, f"is no name: a new kind needs one of 1 to {LONGEST_NAME} characters"))
        else:
            self.kinds.taxon_of[label] = found or self._add(Taxon(slug(name), name), False)

    def settle_taxon(self, taxon: Taxon) -> None:
        found = taxon.id if taxon.id in self._ids else self._meant(taxon.name)
        if found is None:
            parent = self._parent(taxon)
            wanted = Taxon(taxon.id, taxon.name, parent, taxon.latin, taxon.aliases)
            found = self._add(wanted, taxon.id in self._retired)
        self.kinds.taxon_of[taxon] = self._here[taxon.id] = found

    def _meant(self, label: str) -> str | None:
        """The leaf, or else the group, that a label means."""
        leaf = self._taxonomy.match(label) if self._taxonomy else None
        plain = display_name(label).casefold()
        for name in (label, plain, slug(label)):
            leaf = leaf or self._groups.get(name) or self._added.get(name)
        return leaf

    def _parent(self, taxon: Taxon) -> str | None:
        """What the taxon's parent is here; None, and a note, where nothing can lie below that."""
        parent = self._here.get(taxon.parent) if taxon.parent else None
        if parent is None or parent in self._parents:
            return parent
        used = sa.select(label_event_table.c.id).where(label_event_table.c.taxon == parent).limit(1)
        if self._connection.execute(used).first() is not None:
            self.kinds.faults.append((taxon.name, "stands at the root: its group is a kind with pictures here"))
            return None
        return parent

    def _add(self, taxon: Taxon, retired: bool) -> str:
        row = {"id": taxon.id, "name": taxon.name, "parent": taxon.parent, "latin": taxon.latin}
        row |= {"aliases": json.dumps(taxon.aliases), "retired": retired}
        self._connection.execute(taxon_table.insert().values(**row))
        self._ids.add(taxon.id)
        if taxon.parent:
            self._parents.add(taxon.parent)
        self._added |= dict.fromkeys((taxon.id, taxon.name.casefold(), slug(taxon.name)), taxon.id)
        self.kinds.new.append(taxon.name)
        return taxon.id


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
