"""The taxa of a workspace: those of the models that were served, and the kinds that experts added."""

import threading
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from fgdemo.storage.database.database import reading, taxon_in, taxon_row, writing
from fgdemo.storage.database.schema import label_event_table, taxon_table
from fgdemo.values.bidi import isolated
from fgdemo.values.errors import TaxonomyError
from fgdemo.values.limits import LONGEST_KIND_NAME
from fgdemo.values.naming import slug
from fgdemo.values.taxonomy import Taxon, Taxonomy

_PRINT = sa.select(
    sa.func.count(),
    sa.func.sum(sa.cast(taxon_table.c.retired, sa.Integer)),
    *(sa.func.sum(sa.func.length(taxon_table.c[name])) for name in ("name", "parent", "latin", "aliases")),
)
"""Differs once a taxon has come, was retired or reinstated, or has got another name: cheap enough for every answer."""


class TaxonStore:
    """Reads and extends the taxa of one database."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._known: tuple[tuple[Any, ...], Taxonomy | None] = ((), None)

    def load(self) -> Taxonomy:
        """All taxa in use, in the order in which they came. Raises TaxonomyError where there is none."""
        with self._lock, reading(self._engine) as connection:
            found = tuple(connection.execute(_PRINT).one())
            if self._known[1] is None or self._known[0] != found:
                self._known = found, Taxonomy(tuple(_rows(connection)))
            return self._known[1]  # type: ignore[return-value]

    def add(self, name: str, parent: str | None = None, latin: str | None = None) -> Taxon:
        """A new leaf below a group, or below nothing. It is durable when this returns.

        Raises:
            TaxonomyError: no usable name, the name is taken, or the parent is not a group.
        """
        return self.add_many([(name, parent, latin)])[0]

    def add_many(self, kinds: Iterable[tuple[str, str | None, str | None]]) -> list[Taxon]:
        """Several (name, parent, latin): all or none. Raises as `add`."""
        with writing(self._engine) as connection:
            taxa = {taxon.id: taxon for taxon in _rows(connection)}
            added: list[Taxon] = []
            for name, parent, latin in kinds:
                taxon = _new_taxon(connection, taxa, " ".join(name.split()), parent, latin)
                taxa[taxon.id] = taxon
                connection.execute(taxon_table.insert().values(taxon_row(taxon)))
                added.append(taxon)
            return added


def _new_taxon(
    connection: sa.Connection, taxa: dict[str, Taxon], name: str, parent: str | None, latin: str | None
) -> Taxon:
    if not slug(name) or len(name) > LONGEST_KIND_NAME:
        raise TaxonomyError(f"A new kind needs a name of 1 to {LONGEST_KIND_NAME} characters.")
    taken = next((taxon for taxon in taxa.values() if slug(taxon.name) == slug(name) or taxon.id == slug(name)), None)
    if taken is not None:
        raise TaxonomyError(f"There is a kind of this name already: {isolated(taken.name)}.")
    if parent is not None:
        if parent not in taxa:
            raise TaxonomyError("The group that the new kind shall belong to does not exist.")
        used = sa.select(label_event_table.c.id).where(label_event_table.c.taxon == parent).limit(1)
        is_group = any(taxon.parent == parent for taxon in taxa.values())
        if not is_group and connection.execute(used).first() is not None:
            raise TaxonomyError(
                f"{isolated(taxa[parent].name)} is a kind with labelled pictures, so nothing can lie below it."
            )
    return Taxon(slug(name), name, parent, " ".join((latin or "").split()) or None)


def _rows(connection: sa.Connection) -> Iterable[Taxon]:
    query = sa.select(taxon_table).where(taxon_table.c.retired.is_(sa.false()))
    return map(taxon_in, connection.execute(query).mappings())
