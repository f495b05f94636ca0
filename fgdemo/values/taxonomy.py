"""The tree of taxa: groups above, leaves (the classes a model tells apart) below."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from fgdemo.values.errors import TaxonomyError
from fgdemo.values.naming import NameBook, display_name, display_names, slug, unique_id

DEEPEST = 100
"""So many groups may lie one below the other."""


@dataclass(frozen=True)
class Taxon:
    """One node. `id` is stable and never shown; `name` is what people read; `latin` is set in italics."""

    id: str
    name: str
    parent: str | None = None
    latin: str | None = None
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class Taxonomy:
    """An immutable forest of taxa; parents may stand in any order.

    Raises:
        TaxonomyError: a doubled id, an unknown parent, or a cycle.
    """

    taxa: tuple[Taxon, ...]

    def __post_init__(self) -> None:
        if not self.taxa:
            raise TaxonomyError("The taxonomy is empty: it needs at least one taxon.")
        ids = [taxon.id for taxon in self.taxa]
        doubled = sorted({i for i in ids if ids.count(i) > 1}) if len(set(ids)) != len(ids) else []
        if doubled:
            raise TaxonomyError(f"The taxonomy has these ids more than once: {', '.join(doubled[:5])}.")
        for taxon in self.taxa:
            if taxon.parent is not None and taxon.parent not in self.by_id:
                raise TaxonomyError(
                    f"Taxon “{taxon.id}” names the parent “{taxon.parent}”, which is not in the taxonomy."
                )
        for taxon in self.taxa:
            seen = {taxon.id}
            while taxon.parent is not None:
                taxon = self.by_id[taxon.parent]
                if taxon.id in seen:
                    raise TaxonomyError(f"The taxonomy has a cycle through “{taxon.id}”.")
                if len(seen) > DEEPEST:
                    raise TaxonomyError(f"Taxon “{taxon.id}” has more than {DEEPEST} groups one below the other.")
                seen.add(taxon.id)

    @classmethod
    def flat(cls, folders: Iterable[str]) -> Taxonomy:
        """One leaf for each folder name, no groups; leaves are as many as names that differ, in their order."""
        return cls.grown(folders, {})

    @classmethod
    def grown(cls, labels: Iterable[str], groups: Mapping[str, Sequence[str]]) -> Taxonomy:
        """One leaf for each label, below the groups that are named for it from the root down."""
        names = display_names(labels)
        taxa: dict[str, Taxon] = {}
        folders: dict[tuple[str, ...], str] = {}
        leaves: set[str] = set()
        for label, name in names.items():
            parent, path = None, tuple(groups.get(label, ()))
            for depth in range(1, len(path) + 1):
                if path[:depth] not in folders:
                    group = Taxon(unique_id(path[depth - 1], taxa), display_name(path[depth - 1]), parent)
                    taxa[group.id] = group
                    folders[path[:depth]] = group.id
                parent = folders[path[:depth]]
            if name not in leaves:
                leaf = Taxon(unique_id(name, taxa), name, parent, aliases=other_names(label, name))
                taxa[leaf.id] = leaf
                leaves.add(name)
        return cls(tuple(taxa.values()))

    @classmethod
    def read_csv(cls, path: Path) -> Taxonomy:
        """Columns id, name, parent, latin, aliases (separated by `|`); only id is required.

        Raises:
            TaxonomyError: unreadable, no id column, or inconsistent.
        """
        try:
            with path.open(newline="", encoding="utf-8-sig") as file:
                rows = list(csv.DictReader(file))
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise TaxonomyError(f"The taxonomy {path.name} cannot be read as a UTF-8 CSV table ({error}).") from error
        if not rows or "id" not in rows[0]:
            raise TaxonomyError(f"The taxonomy {path.name} needs a header line with at least the column “id”.")
        return cls(
            tuple(
                Taxon(
                    id=slug(row["id"]),
                    name=row.get("name") or display_name(row["id"]),
                    parent=slug(row["parent"]) if row.get("parent") else None,
                    latin=row.get("latin") or None,
                    aliases=tuple(alias for alias in (row.get("aliases") or "").split("|") if alias),
                )
                for row in rows
            )
        )

    @classmethod
    def from_json(cls, rows: Sequence[Mapping[str, Any]]) -> Taxonomy:
        """The inverse of `to_json`."""
        try:
            fields: list[dict[str, Any]] = [{**row, "aliases": tuple(row.get("aliases", ()))} for row in rows]
            return cls(tuple(Taxon(**one) for one in fields))
        except TypeError as error:
            raise TaxonomyError(f"A taxon has fields that do not belong there ({error}).") from error

    def to_json(self) -> list[dict[str, Any]]:
        return [
            {"id": t.id, "name": t.name, "parent": t.parent, "latin": t.latin, "aliases": list(t.aliases)}
            for t in self.taxa
        ]

    @cached_property
    def by_id(self) -> dict[str, Taxon]:
        return {taxon.id: taxon for taxon in self.taxa}

    @cached_property
    def leaves(self) -> tuple[str, ...]:
        """Ids of the taxa without children, in the order given: the class order of every model array."""
        parents = {taxon.parent for taxon in self.taxa}
        return tuple(taxon.id for taxon in self.taxa if taxon.id not in parents)

    @cached_property
    def leaf_index(self) -> dict[str, int]:
        return {leaf: index for index, leaf in enumerate(self.leaves)}

    @cached_property
    def membership(self) -> np.ndarray:
        """(taxa, leaves) of bool: whether the leaf lies under (or is) the taxon."""
        table = np.zeros((len(self.taxa), len(self.leaves)), dtype=bool)
        rows = {taxon.id: row for row, taxon in enumerate(self.taxa)}
        for column, leaf in enumerate(self.leaves):
            for taxon in self.path(leaf):
                table[rows[taxon.id], column] = True
        return table

    def __getitem__(self, taxon_id: str) -> Taxon:
        try:
            return self.by_id[taxon_id]
        except KeyError:
            raise TaxonomyError(f"There is no taxon “{taxon_id}” in this model's taxonomy.") from None

    def path(self, taxon_id: str) -> tuple[Taxon, ...]:
        """From the root down to the taxon itself."""
        steps = [self[taxon_id]]
        while steps[-1].parent is not None:
            steps.append(self.by_id[steps[-1].parent])
        return tuple(reversed(steps))

    def root(self, taxon_id: str) -> str:
        return self.path(taxon_id)[0].id

    def group(self, leaf_id: str) -> str:
        """The root above a leaf; "" for a leaf that stands alone, as all do where there are no groups."""
        root = self.root(leaf_id)
        return "" if root == leaf_id else root

    def roll_up(self, leaf_probs: np.ndarray) -> dict[str, float]:
        """Probability of every taxon: a parent is exactly the sum of its leaves. `leaf_probs`: (C,)."""
        totals = self.membership @ leaf_probs.astype(np.float64)
        return {taxon.id: float(total) for taxon, total in zip(self.taxa, totals, strict=True)}

    def match(self, folder: str) -> str | None:
        """The leaf that a class folder means (by id, name, Latin name or alias), or None."""
        return self.match_all([folder]).get(folder)

    def match_all(self, labels: Iterable[str]) -> dict[str, str]:
        """The leaf of each label of a source that means one; see `fgdemo.values.naming.NameBook.meant`."""
        return self._leaf_names.meant(labels)

    @cached_property
    def _leaf_names(self) -> NameBook:
        book = NameBook()
        for leaf in self.leaves:
            book.add(leaf, [self.by_id[leaf].name])
        for leaf in self.leaves:
            book.add(leaf, [self.by_id[leaf].latin or "", *self.by_id[leaf].aliases])
        return book

    def restrict(self, leaves: Iterable[str]) -> Taxonomy:
        """The smallest taxonomy that still holds these leaves."""
        kept = {taxon.id for leaf in leaves for taxon in self.path(leaf)}
        return Taxonomy(tuple(taxon for taxon in self.taxa if taxon.id in kept))


def other_names(label: str, name: str) -> tuple[str, ...]:
    """The label as an alias of the name that was made of it, where that would not find it again."""
    return () if slug(label) == slug(name) else (label,)


@dataclass(frozen=True)
class KnownGroup:
    """A taxon at the root of the taxonomy, and how many kinds lie under it."""

    taxon: str
    name: str
    kinds: int


@dataclass(frozen=True)
class About:
    """What the served model knows."""

    model_version: str
    kinds_known: int
    groups: tuple[KnownGroup, ...]
    """Largest first; kinds without a group are left out, so a flat taxonomy has none."""
    sentence: str
