"""The numbered steps that made the tables."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Migration:
    """One step of the schema: all of `statements` happen, or none. Never edited once it has been released.

    `statements` are run on every database, `sqlite` and `postgresql` after them on that one only. `{serial}` stands for
    a whole number that grows with every row and is never used twice.
    """

    version: int
    statements: tuple[str, ...]
    sqlite: tuple[str, ...] = ()
    postgresql: tuple[str, ...] = ()


def _append_only(table: str) -> dict[str, tuple[str, ...]]:
    """No row of the table is ever changed or deleted: the triggers that see to that, for each kind of database."""
    refuse = f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
    function = f"{table}_is_append_only()"
    raising = f"$$ BEGIN RAISE EXCEPTION '{table} is append-only'; END $$"
    trigger = f"CREATE TRIGGER {table}_is_never_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
    return {
        "sqlite": (
            f"CREATE TRIGGER {table}_is_never_updated BEFORE UPDATE ON {table} {refuse}",
            f"CREATE TRIGGER {table}_is_never_deleted BEFORE DELETE ON {table} {refuse}",
        ),
        "postgresql": (
            f"CREATE FUNCTION {function} RETURNS trigger LANGUAGE plpgsql AS {raising}",
            f"{trigger} FOR EACH STATEMENT EXECUTE FUNCTION {function}",
        ),
    }


MIGRATIONS = (
    Migration(
        1,
        (
            """CREATE TABLE taxon (
                id TEXT PRIMARY KEY, name TEXT NOT NULL, parent TEXT REFERENCES taxon (id), latin TEXT,
                aliases TEXT NOT NULL DEFAULT '[]', retired BOOLEAN NOT NULL DEFAULT FALSE)""",
            """CREATE TABLE image (
                id TEXT PRIMARY KEY, width_px INTEGER NOT NULL, height_px INTEGER NOT NULL,
                source TEXT NOT NULL, split TEXT, name TEXT NOT NULL, created_at TEXT NOT NULL)""",
            """CREATE TABLE label_event (
                id {serial}, image TEXT NOT NULL REFERENCES image (id), kind TEXT NOT NULL,
                taxon TEXT REFERENCES taxon (id), new_name TEXT, annotator TEXT NOT NULL, shown_version INTEGER,
                model_version TEXT, seconds_spent DOUBLE PRECISION, comment TEXT, box TEXT,
                created_at TEXT NOT NULL, CHECK (taxon IS NULL OR new_name IS NULL))""",
            "CREATE INDEX label_event_image ON label_event (image, id)",
            "CREATE INDEX label_event_taxon ON label_event (taxon, id)",
        ),
        **_append_only("label_event"),
    ),
    Migration(
        2,
        (
            "ALTER TABLE label_event ADD COLUMN undoes BIGINT",
            "ALTER TABLE label_event ADD COLUMN batch TEXT",
            "ALTER TABLE label_event ADD COLUMN answer_key TEXT",
            "ALTER TABLE label_event ADD COLUMN blind BOOLEAN NOT NULL DEFAULT FALSE",
            "ALTER TABLE label_event ADD COLUMN session BIGINT",
            "ALTER TABLE label_event ADD COLUMN reason TEXT",
            "CREATE UNIQUE INDEX label_event_answer_key ON label_event (answer_key)",
            "CREATE INDEX label_event_session ON label_event (session, id)",
            "CREATE INDEX label_event_batch ON label_event (batch)",
            "CREATE INDEX label_event_undoes ON label_event (undoes)",
            "CREATE INDEX label_event_reason ON label_event (reason, id)",
            "ALTER TABLE image ADD COLUMN dhash TEXT",
            "ALTER TABLE image ADD COLUMN twin_of TEXT",
            "ALTER TABLE image ADD COLUMN imported_in TEXT",
            """CREATE TABLE session (
                id {serial}, annotator TEXT NOT NULL, opened_at TEXT NOT NULL, closed_at TEXT,
                order_of_work TEXT NOT NULL, pair_a TEXT, pair_b TEXT, goal INTEGER,
                blind_share DOUBLE PRECISION NOT NULL DEFAULT 0, accuracy_before TEXT)""",
            "CREATE INDEX session_annotator ON session (annotator, id)",
            """CREATE TABLE lease (
                image TEXT NOT NULL REFERENCES image (id), annotator TEXT NOT NULL, session BIGINT NOT NULL,
                leased_at TEXT NOT NULL, expires_at TEXT NOT NULL, PRIMARY KEY (image, annotator))""",
            """CREATE TABLE account (
                name TEXT PRIMARY KEY, folded TEXT NOT NULL UNIQUE, role TEXT NOT NULL,
                password_hash TEXT NOT NULL, created_at TEXT NOT NULL, disabled BOOLEAN NOT NULL DEFAULT FALSE,
                failures INTEGER NOT NULL DEFAULT 0, failed_at TEXT)""",
            """CREATE TABLE sign_in (
                token_hash TEXT PRIMARY KEY, account TEXT NOT NULL REFERENCES account (name),
                created_at TEXT NOT NULL, expires_at TEXT NOT NULL)""",
        ),
    ),
    Migration(
        3,
        (),
        postgresql=("ALTER TABLE label_event ALTER COLUMN shown_version TYPE BIGINT",),  # it holds ids of events
    ),
    Migration(
        4,
        (
            """CREATE TABLE job (
                id {serial}, state TEXT NOT NULL, preset TEXT NOT NULL, asked_by TEXT NOT NULL,
                parent TEXT NOT NULL, event BIGINT NOT NULL, created_at TEXT NOT NULL,
                launched_at TEXT NOT NULL, device TEXT NOT NULL, started_at TEXT, ended_at TEXT,
                stage TEXT NOT NULL DEFAULT '{}', sentence TEXT NOT NULL DEFAULT '', candidate TEXT,
                cancel_requested BOOLEAN NOT NULL DEFAULT FALSE)""",
            """CREATE TABLE job_epoch (
                job BIGINT NOT NULL REFERENCES job (id), number INTEGER NOT NULL, epoch TEXT NOT NULL,
                PRIMARY KEY (job, number))""",
            """CREATE TABLE model_version (
                version TEXT PRIMARY KEY, folder TEXT NOT NULL UNIQUE, parent TEXT, event BIGINT NOT NULL,
                job BIGINT REFERENCES job (id), preset TEXT, created_at TEXT NOT NULL, verdict TEXT,
                metrics TEXT NOT NULL DEFAULT '{}', size_bytes BIGINT NOT NULL DEFAULT 0, deleted_at TEXT)""",
            """CREATE TABLE promotion (
                id {serial}, version TEXT REFERENCES model_version (version), kind TEXT NOT NULL,
                promoted_by TEXT NOT NULL, promoted_at TEXT NOT NULL)""",
        ),
        **_append_only("promotion"),
    ),
    Migration(
        5,
        (
            """CREATE TABLE audit (
                id {serial}, at TEXT NOT NULL, person TEXT NOT NULL, role TEXT NOT NULL, action TEXT NOT NULL,
                about TEXT NOT NULL)""",
        ),
        **_append_only("audit"),
    ),
    Migration(
        6,
        (
            """CREATE TABLE token (
                name TEXT PRIMARY KEY, folded TEXT NOT NULL UNIQUE, role TEXT NOT NULL,
                token_hash TEXT NOT NULL UNIQUE, created_at TEXT NOT NULL, last_used_at TEXT)""",
        ),
    ),
    Migration(
        7,
        (
            "CREATE TABLE workspace_origin (id TEXT PRIMARY KEY)",
            """CREATE TABLE event_origin (
                event BIGINT PRIMARY KEY REFERENCES label_event (id), origin TEXT NOT NULL,
                number BIGINT NOT NULL)""",
            "CREATE TABLE mirror (destination TEXT PRIMARY KEY, event BIGINT NOT NULL, sent_at TEXT NOT NULL)",
            """CREATE TABLE mirrored (
                destination TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, digest TEXT NOT NULL,
                PRIMARY KEY (destination, kind, name))""",
        ),
    ),
    Migration(
        8,
        (
            """CREATE TABLE remark (
                id {serial}, answered TEXT, taxon TEXT REFERENCES taxon (id), new_name TEXT, comment TEXT,
                model_version TEXT, created_at TEXT NOT NULL)""",
        ),
    ),
    Migration(9, ("ALTER TABLE lease ADD COLUMN reason TEXT",)),  # why a picture was dealt
    Migration(
        10,  # what a mirror brings is put in order by what was known, not by clocks
        (
            "ALTER TABLE promotion ADD COLUMN ident TEXT",
            "ALTER TABLE promotion ADD COLUMN depth BIGINT",
            "ALTER TABLE promotion ADD COLUMN takes TEXT",
            "ALTER TABLE account ADD COLUMN passwords INTEGER NOT NULL DEFAULT 1",
            "CREATE TABLE removed_token (token_hash TEXT PRIMARY KEY, name TEXT NOT NULL)",
            """CREATE TABLE row_version (
                kind TEXT NOT NULL, name TEXT NOT NULL, facet TEXT NOT NULL, digest TEXT NOT NULL,
                version TEXT NOT NULL, PRIMARY KEY (kind, name, facet))""",
        ),
    ),
    # wrong passwords are counted in memory, by address and name
    Migration(11, ("ALTER TABLE account DROP COLUMN failures", "ALTER TABLE account DROP COLUMN failed_at")),
    Migration(12, ("ALTER TABLE remark ADD COLUMN key_hash TEXT",)),  # one that is sent twice counts once
    Migration(
        13,
        (
            "ALTER TABLE label_event ADD COLUMN point TEXT",
            "CREATE INDEX label_event_point ON label_event (image, id) WHERE point IS NOT NULL",
        ),
    ),
    Migration(14, ("ALTER TABLE label_event ADD COLUMN publication TEXT",)),
)

SERIAL = {
    "sqlite": "INTEGER PRIMARY KEY AUTOINCREMENT",
    "postgresql": "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
}
