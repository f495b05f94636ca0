"""Workspaces beside a mirror, and what two workspaces must have in common to be the same."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from fgdemo.storage.database.database import open_database, reading, utc_now
from fgdemo.storage.database.schema import (
    account_table,
    audit_table,
    label_event_table,
    model_version_table,
    promotion_table,
    remark_table,
    token_table,
)
from fgdemo.storage.mirror.destinations import open_destination
from fgdemo.storage.mirror.restoring.restore import Restored, restore
from fgdemo.storage.mirror.sending import Mirror
from fgdemo.storage.mirror.state import MirrorState
from fgdemo.storage.pictures.originals import ImageStore
from fgdemo.storage.records.inventory import Inventory
from fgdemo.storage.trainings.models import Models


def database_in(home: Path) -> Engine:
    return open_database(f"sqlite:///{home / 'fgdemo.sqlite'}")


def mirror_of(home: Path, url: str, engine: Engine | None = None, clock: Callable[[], datetime] = utc_now) -> Mirror:
    engine = engine or database_in(home)
    models = Models(engine, home / "models", home / "configured")
    images = ImageStore(home / "pictures")
    return Mirror(engine, images, models, home, open_destination(url), MirrorState(engine, url), clock)


def restored_into(
    home: Path,
    url: str,
    engine: Engine | None = None,
    check: Callable[[Path], object] = lambda folder: None,
    accept_rights: bool = False,
) -> Restored:
    engine = engine or database_in(home)
    images, state = ImageStore(home / "pictures"), MirrorState(engine, url)
    return restore(
        engine, images, home / "models", open_destination(url), state.name, check, accept_rights=accept_rights
    )


class WithStubs(Inventory):
    """Also the pictures that were removed, of which the history stays."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        table = label_event_table
        query = sa.select(table.c.image).group_by(table.c.image).order_by(sa.func.min(table.c.id))
        with reading(engine) as connection:
            self._images = list(connection.execute(query).scalars())


def contents(engine: Engine) -> dict[str, Any]:
    """All that a restart must not lose, with the numbers of events as they are."""
    inventory = WithStubs(engine)
    with reading(engine) as connection:
        accounts = [
            (row.name, row.folded, row.role, row.password_hash, row.created_at, bool(row.disabled))
            for row in connection.execute(sa.select(account_table).order_by(account_table.c.name))
        ]
        models = [
            {**row, "folder": Path(row["folder"]).name, "job": None}
            for row in connection.execute(sa.select(model_version_table)).mappings()
        ]
        promotions = [
            (row.version, row.kind, row.promoted_by, row.promoted_at)
            for row in connection.execute(sa.select(promotion_table).order_by(promotion_table.c.id))
        ]
        tokens = [
            dict(row) for row in connection.execute(sa.select(token_table).order_by(token_table.c.name)).mappings()
        ]
        remarks, audit = (
            [{**row, "id": None} for row in connection.execute(sa.select(table).order_by(table.c.id)).mappings()]
            for table in (remark_table, audit_table)
        )
    return {
        "pictures": list(inventory),
        "taxa": set(inventory.taxa),
        "sessions": inventory.sessions,
        "accounts": accounts,
        "models": models,
        "promotions": promotions,
        "tokens": tokens,
        "remarks": remarks,
        "audit": audit,
    }
