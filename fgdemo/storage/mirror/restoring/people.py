"""Accounts and tokens of a mirror in the database. What takes a right away is done; what gives one needs a yes.

Who may write a mirror could make themselves maintainer by it. So a higher role, an account that is opened, a new
password of somebody who may do more than look, and a token of such a role come only where somebody said so.
"""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from fgdemo.storage.database.schema import account_table, removed_token_table, sign_in_table, token_table
from fgdemo.storage.mirror.records import ACCOUNT, REMOVED_TOKEN, TOKEN, TOKEN_REMOVED, digest_of, record_of
from fgdemo.storage.mirror.row_versions import FACETS, Versioned, merged, note_version, rank_of, versions_of
from fgdemo.storage.mirror.tables import with_versions
from fgdemo.storage.records.fields import Fields, Row


def has_people(connection: sa.Connection) -> bool:
    """Whether there is any account or token."""
    tables = (account_table, token_table)
    return any(connection.execute(sa.select(table.c.name).limit(1)).first() is not None for table in tables)


class RestoredPeople:
    """Adds who is missing, and follows what was changed elsewhere.

    Attributes:
        accounts: how many are new.
        raised: a line for each right that somebody would get; they have it now only where that was accepted.
        digests: what the mirror has like this.
    """

    def __init__(self, connection: sa.Connection, accept_rights: bool) -> None:
        self._connection, self._accept = connection, accept_rights
        self.accounts, self.raised = 0, list[str]()
        self.digests: dict[tuple[str, str], str] = {}

    def add(
        self, accounts: Mapping[str, Sequence[Versioned]], tokens: Mapping[str, Row], removed: Mapping[str, str]
    ) -> None:
        """All of a mirror; `removed` are names of removed tokens by their hash."""
        self._remove_tokens(removed)
        rows = self._connection.execute(sa.select(account_table)).mappings()
        here = {row["name"]: {key: row[key] for key in ACCOUNT} | {"disabled": bool(row["disabled"])} for row in rows}
        versions = versions_of(self._connection, "account")
        for name, states in sorted(accounts.items()):
            if name in here:
                own = Versioned(here[name], versions.get(name, {}))
                self._change(own, merged("account", [own, *states]))
            else:
                self._open(merged("account", states))
        self._add_tokens(tokens)

    # --- accounts -------------------------------------------------------------------------------------------

    def _open(self, state: Versioned) -> None:
        row = state.row
        if row["folded"] in self._taken():
            return  # nobody gets the name of another
        if rank_of(row["role"]) and not row["disabled"] and not self._may(f"{row['name']} would be {row['role']} here"):
            return
        self._connection.execute(account_table.insert().values(**row))
        self.accounts += 1
        self._note(state, list(FACETS["account"]))

    def _change(self, own: Versioned, state: Versioned) -> None:
        row, now, name = dict(own.row), state.row, own.row["name"]
        followed = [facet for facet in FACETS["account"] if self._is_followed(facet, row, now, name)]
        for facet in followed:
            row |= {field: now[field] for field in FACETS["account"][facet].fields}
        if row != own.row:
            self._connection.execute(account_table.update().where(account_table.c.name == name).values(row))
        if row["password_hash"] != own.row["password_hash"]:
            self._connection.execute(sign_in_table.delete().where(sign_in_table.c.account == name))
        self._note(state, followed)

    def _is_followed(self, facet: str, own: Row, now: Row, name: str) -> bool:
        """Whether the account here becomes as it is elsewhere."""
        role = max(own["role"], now["role"], key=rank_of)
        if facet == "role" and rank_of(now["role"]) > rank_of(own["role"]):
            return self._may(f"{name}, who is {own['role']} here, would be {now['role']}")
        if facet == "disabled" and own["disabled"] and not now["disabled"]:
            return self._may(f"the account {name} ({role}), which is shut here, would be opened")
        if facet == "password" and own["password_hash"] != now["password_hash"] and rank_of(role):
            return self._may(f"{name} ({role}) would have another password")
        return True

    def _note(self, state: Versioned, facets: Sequence[str]) -> None:
        note_version(self._connection, "account", state.row["name"], state, facets)
        if len(facets) == len(FACETS["account"]):
            record = with_versions(record_of("account", state.row, ACCOUNT), state.versions)
            self.digests["account", state.row["name"]] = digest_of(record)

    # --- tokens ---------------------------------------------------------------------------------------------

    def _remove_tokens(self, removed: Mapping[str, str]) -> None:
        known = set(self._connection.execute(sa.select(removed_token_table.c.token_hash)).scalars())
        for digest, name in removed.items():
            self._connection.execute(token_table.delete().where(token_table.c.token_hash == digest))
            row = {"token_hash": digest, "name": name}
            if digest not in known:
                self._connection.execute(removed_token_table.insert().values(row))
            self._remember(TOKEN_REMOVED, digest, row, REMOVED_TOKEN)

    def _add_tokens(self, tokens: Mapping[str, Row]) -> None:
        gone = set(self._connection.execute(sa.select(removed_token_table.c.token_hash)).scalars())
        here = set(self._connection.execute(sa.select(token_table.c.token_hash)).scalars())
        for row in sorted(tokens.values(), key=lambda row: (row["created_at"], row["token_hash"])):
            if row["token_hash"] in gone | here or row["folded"] in self._taken():
                continue
            if rank_of(row["role"]) and not self._may(f"the token {row['name']} would be {row['role']} here"):
                continue
            self._connection.execute(token_table.insert().values(row))
            self._remember("token", row["name"], row, TOKEN)

    # --- both -----------------------------------------------------------------------------------------------

    def _taken(self) -> set[str]:
        tables = (account_table, token_table)
        return {folded for one in tables for folded in self._connection.execute(sa.select(one.c.folded)).scalars()}

    def _may(self, what: str) -> bool:
        self.raised.append(what)
        return self._accept

    def _remember(self, kind: str, name: str, row: Row, columns: Fields) -> None:
        self.digests[kind, name] = digest_of(record_of(kind, row, columns))
