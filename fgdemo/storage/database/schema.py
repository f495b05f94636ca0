"""The tables, as `fgdemo.storage.database.migrations` has made them."""

from __future__ import annotations

import sqlalchemy as sa


def _table(name: str, columns: str) -> sa.TableClause:
    return sa.table(name, *map(sa.column, columns.split()))


taxon_table = _table("taxon", "id name parent latin aliases retired")
image_table = _table("image", "id width_px height_px source split name created_at dhash twin_of imported_in")
label_event_table = _table(
    "label_event",
    "id image kind taxon new_name annotator shown_version model_version seconds_spent comment box created_at "
    "undoes batch answer_key blind session reason",
)
session_table = _table(
    "session", "id annotator opened_at closed_at order_of_work pair_a pair_b goal blind_share accuracy_before"
)
lease_table = _table("lease", "image annotator session leased_at expires_at reason")
account_table = _table("account", "name folded role password_hash created_at disabled passwords")
sign_in_table = _table("sign_in", "token_hash account created_at expires_at")
token_table = _table("token", "name folded role token_hash created_at last_used_at")
job_table = _table(
    "job",
    "id state preset asked_by parent event created_at launched_at device started_at ended_at stage sentence candidate "
    "cancel_requested",
)
job_epoch_table = _table("job_epoch", "job number epoch")
model_version_table = _table(
    "model_version", "version folder parent event job preset created_at verdict metrics size_bytes deleted_at"
)
promotion_table = _table("promotion", "id version kind promoted_by promoted_at ident depth takes")
audit_table = _table("audit", "id at person role action about")
workspace_origin_table = _table("workspace_origin", "id")
event_origin_table = _table("event_origin", "event origin number")
mirror_table = _table("mirror", "destination event sent_at")
mirrored_table = _table("mirrored", "destination kind name digest")
removed_token_table = _table("removed_token", "token_hash name")
row_version_table = _table("row_version", "kind name facet digest version")
remark_table = _table("remark", "id answered taxon new_name comment model_version created_at key_hash")
