"""Models of a mirror in the database: their trainings, what went live, and what was deleted."""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from fgdemo.storage.database.schema import job_epoch_table, job_table, model_version_table, promotion_table
from fgdemo.storage.mirror.models import MirroredModel
from fgdemo.storage.mirror.records import PROMOTION, Identity, digest_of, record_of
from fgdemo.storage.mirror.restoring.content import MirrorContent
from fgdemo.storage.mirror.segments import Damage
from fgdemo.storage.trainings.promotions import Promotion, deleted_models, live_of, promotions, row_of_promotion


def add_models(
    connection: sa.Connection,
    models: Sequence[tuple[MirroredModel, str]],
    content: MirrorContent,
    numbers: Mapping[Identity, int],
    damage: Damage,
) -> dict[tuple[str, str], str]:
    """Add what is missing, and let go what was deleted elsewhere; gives what the mirror has like this.

    Args:
        models: those that are new here, each with its folder.
        numbers: of the events of this workspace.
    """
    digests: dict[tuple[str, str], str] = {}
    for told, folder in models:
        event = numbers.get(told.event, 0) if told.event else 0
        job = None if told.job is None else _add_job(connection, told, event)
        row = {**told.row, "metrics": told.row["metrics"] or "{}", "folder": folder, "event": event, "job": job}
        connection.execute(model_version_table.insert().values(row))
        digests["model", told.row["version"]] = _mark(told)
    digests |= _add_promotions(connection, list(content.promotions.values()), damage)
    _delete(connection, content.models)
    return digests


def _mark(told: MirroredModel) -> str:
    return digest_of({"files": dict(told.files), "deleted_at": told.row["deleted_at"]})


def _add_job(connection: sa.Connection, told: MirroredModel, event: int) -> int:
    """The training that left a model; it is over, whatever it was when the model was sent."""
    assert told.job is not None
    job = dict(told.job)
    if job["state"] not in ("done", "cancelled"):
        job |= {"state": "done", "ended_at": told.row["created_at"]}
    job |= {
        "event": event,
        "candidate": told.row["version"],
        "stage": job["stage"] or "{}",
        "sentence": job["sentence"] or "",
        "cancel_requested": False,
    }
    number = connection.execute(job_table.insert().values(job).returning(job_table.c.id)).scalar_one()
    epochs = [{"job": number, "number": at, "epoch": epoch} for at, epoch in sorted(told.epochs.items())]
    if epochs:
        connection.execute(job_epoch_table.insert(), epochs)
    return number


def _add_promotions(connection: sa.Connection, told: Sequence[Promotion], damage: Damage) -> dict[tuple[str, str], str]:
    """What went live elsewhere. A roll-back to a model that is not here still takes away what it took away."""
    models = set(connection.execute(sa.select(model_version_table.c.version)).scalars())
    here = {one.ident for one in promotions(connection)}
    digests: dict[tuple[str, str], str] = {}
    for one in sorted(told, key=lambda one: (one.depth, one.ident)):
        row = row_of_promotion(one)
        if one.ident in here:
            continue
        if one.version is not None and one.version not in models:
            damage.name(f"the promotion of {one.version}", "is of a model that is not there")
            if one.kind == "promote":
                continue
            row["version"] = None
        connection.execute(promotion_table.insert().values(row))
        digests["promotion", one.ident] = digest_of(record_of("promotion", row, PROMOTION))
    return digests


def _delete(connection: sa.Connection, models: Mapping[str, MirroredModel]) -> None:
    """One that is live here, or was before that, stays, as it does when a maintainer asks."""
    kept = live_of(promotions(connection), deleted_models(connection)).versions[-2:]
    for version, told in models.items():
        if told.row["deleted_at"] is not None and version not in kept:
            here = (model_version_table.c.version == version) & model_version_table.c.deleted_at.is_(None)
            connection.execute(model_version_table.update().where(here).values(deleted_at=told.row["deleted_at"]))
