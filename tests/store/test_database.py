"""The database: opening, migrating, two writers, and what goes wrong said in words."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import exc

from fgdemo.storage.database.database import migrate, open_database, reading, register_taxa, sortable, writing
from fgdemo.storage.database.migrations import MIGRATIONS, Migration
from fgdemo.storage.database.schema import taxon_table
from fgdemo.storage.people.accounts import Accounts
from fgdemo.values.errors import StorageError, UnavailableError
from fgdemo.values.taxonomy import Taxon, Taxonomy
from tests.support.fakes import TAXONOMY

ROOT = Path(__file__).parents[2]


@pytest.fixture
def engine(database_url):
    engine = open_database(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def sqlite(tmp_path):
    engine = open_database(f"sqlite:///{tmp_path / 'deep' / 'er' / 'fgdemo.sqlite'}")
    yield engine
    engine.dispose()


def tables_of(engine) -> set[str]:
    with reading(engine) as connection:
        return set(sa.inspect(connection).get_table_names())


def test_a_new_workspace_has_all_tables(engine):
    assert {"image", "taxon", "label_event", "schema_version"} <= tables_of(engine)


def test_the_settings_of_sqlite_are_safe(sqlite):
    with reading(sqlite) as connection:
        pragmas = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]
    assert pragmas == ["wal", 2, 1, 15000]


def test_opening_again_changes_nothing(engine, database_url):
    register_taxa(engine, Taxonomy((Taxon("owl", "owl"),)))
    again = open_database(database_url)
    with reading(again) as connection:
        assert connection.execute(sa.select(taxon_table.c.name)).scalars().all() == ["owl"]
        assert connection.execute(sa.text("SELECT count(*) FROM schema_version")).scalar() == len(MIGRATIONS)
    again.dispose()


def test_a_migration_happens_whole_or_not_at_all(engine):
    newest = len(MIGRATIONS)
    good = Migration(newest + 1, ("CREATE TABLE nest (id {serial})",))
    bad = Migration(
        newest + 2,
        ("CREATE TABLE egg (id {serial})", "INSERT INTO nest DEFAULT VALUES", "CREATE TABLE nonsense ("),
    )
    with pytest.raises(StorageError):
        migrate(engine, (*MIGRATIONS, good, bad))
    assert "nest" in tables_of(engine)
    assert "egg" not in tables_of(engine)
    with reading(engine) as connection:
        assert connection.execute(sa.text("SELECT max(version) FROM schema_version")).scalar() == newest + 1
        assert connection.execute(sa.text("SELECT count(*) FROM nest")).scalar() == 0
    mended = Migration(newest + 2, ("CREATE TABLE egg (id {serial})",))
    migrate(engine, (*MIGRATIONS, good, mended))
    assert "egg" in tables_of(engine)


def test_an_account_of_before_keeps_all_but_what_nobody_reads(engine, database_url):
    with writing(engine) as connection:  # as version 10 of the schema had it
        for statement in (
            "ALTER TABLE account ADD COLUMN failures INTEGER NOT NULL DEFAULT 0",
            "ALTER TABLE account ADD COLUMN failed_at TEXT",
            "ALTER TABLE remark DROP COLUMN key_hash",
            "DROP INDEX label_event_point",
            "ALTER TABLE label_event DROP COLUMN point",
            "ALTER TABLE label_event DROP COLUMN publication",
            "DELETE FROM schema_version WHERE version > 10",
        ):
            connection.execute(sa.text(statement))
        connection.execute(
            sa.text(
                "INSERT INTO account (name, folded, role, password_hash, created_at, disabled, failures, failed_at) "
                "VALUES "
                "('Ada', 'ada', 'expert', 'x', '2026-01-01T00:00:00+00:00', FALSE, 3, '2026-01-02T00:00:00+00:00')"
            )
        )
    newer = open_database(database_url)
    assert not {"failures", "failed_at"} & {column["name"] for column in sa.inspect(newer).get_columns("account")}
    assert [(one.name, one.role) for one in Accounts(newer).all()] == [("Ada", "expert")]
    newer.dispose()


def test_migrations_are_numbered_from_one_without_gaps():
    assert [migration.version for migration in MIGRATIONS] == list(range(1, len(MIGRATIONS) + 1))


def test_a_newer_database_is_refused(engine, database_url):
    with writing(engine) as connection:
        connection.execute(sa.text("INSERT INTO schema_version VALUES (99, 'tomorrow')"))
    with pytest.raises(StorageError, match=r"newer fgdemo .*99.*update fgdemo"):
        open_database(database_url)


CHANGES = {
    "any": ["UPDATE label_event SET taxon = NULL", "DELETE FROM label_event"],
    "sqlite": ["REPLACE INTO label_event (id, image, kind, annotator, created_at) VALUES (1, 'i', 'label', 'me', '')"],
    "postgresql": [
        "TRUNCATE label_event CASCADE",
        """INSERT INTO label_event (id, image, kind, annotator, created_at) OVERRIDING SYSTEM VALUE
            VALUES (1, 'i', 'label', 'me', '') ON CONFLICT (id) DO UPDATE SET kind = 'label'""",
    ],
}


def test_label_events_are_append_only(engine):
    with writing(engine) as connection:
        connection.execute(
            sa.text(
                "INSERT INTO image (id, width_px, height_px, source, name, created_at) "
                "VALUES ('i', 1, 1, 's', 'n', 'now')"
            )
        )
        connection.execute(
            sa.text("INSERT INTO label_event (image, kind, annotator, created_at) VALUES ('i', 'import', 'me', 'now')")
        )
    for statement in CHANGES["any"] + CHANGES[engine.dialect.name]:
        with pytest.raises(StorageError, match="never changed or deleted"), writing(engine) as connection:
            connection.execute(sa.text(statement))
    with reading(engine) as connection:
        assert connection.execute(sa.text("SELECT id, kind FROM label_event")).all() == [(1, "import")]


def test_a_failed_block_leaves_nothing(engine):
    def fail_halfway():
        with writing(engine) as connection:
            connection.execute(taxon_table.insert().values(id="owl", name="owl", aliases="[]", retired=False))
            raise KeyError("a bug")

    with pytest.raises(KeyError):
        fail_halfway()
    with reading(engine) as connection:
        assert connection.execute(sa.select(taxon_table)).all() == []


def test_a_reader_does_not_wait_for_a_writer(engine):
    with writing(engine) as writer:
        writer.execute(taxon_table.insert().values(id="owl", name="owl", aliases="[]", retired=False))
        with reading(engine) as reader:
            assert reader.execute(sa.select(taxon_table)).all() == []


def test_a_reader_sees_one_moment_however_long_it_reads(engine):
    with reading(engine) as reader:
        before = reader.execute(sa.select(taxon_table)).all()
        register_taxa(engine, TAXONOMY)
        assert reader.execute(sa.select(taxon_table)).all() == before == []


def test_a_reader_cannot_write_on_a_server(engine):
    if engine.dialect.name == "postgresql":
        with pytest.raises(StorageError), reading(engine) as reader:
            reader.execute(taxon_table.insert().values(id="owl", name="owl", aliases="[]", retired=False))


def test_a_writer_that_waits_too_long_says_so(engine, monkeypatch, database_url):
    monkeypatch.setattr("fgdemo.storage.database.dialects.BUSY_TIMEOUT_S", 0)
    impatient = open_database(database_url)
    with writing(engine), pytest.raises(UnavailableError, match="Another program"), writing(impatient):
        pass
    with writing(impatient):
        pass
    impatient.dispose()


def test_a_full_disk_says_so_and_stores_nothing(sqlite):
    """SQLite's own "database or disk is full", by a limit on its pages."""
    with writing(sqlite) as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
    rows = [{"id": f"t{number}", "name": "x" * 500, "aliases": "[]", "retired": False} for number in range(500)]

    def write_too_much():
        with writing(sqlite) as connection:
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
            connection.execute(taxon_table.insert(), rows)

    with pytest.raises(StorageError, match="disk of the workspace is full"):
        write_too_much()
    with reading(sqlite) as connection:
        assert connection.execute(sa.select(taxon_table)).all() == []


def test_a_file_that_is_no_database(tmp_path):
    path = tmp_path / "fgdemo.sqlite"
    path.write_bytes(b"not a database at all, but long enough to be looked at " * 50)
    with pytest.raises(StorageError, match="damaged"):
        open_database(f"sqlite:///{path}")


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("", "not the URL of a database"),
        ("nonsense", "not the URL of a database"),
        ("nosuch://host/name", "not the URL|must begin with"),
        ("mysql://host/name", "must begin with sqlite"),
        ("sqlite:////proc/no/such/place.sqlite", "folder of the database cannot be made"),
        ("postgresql+pg8000://host/name", r"driver .* not installed here .*psycopg\[binary\]"),
        ("postgresql+psycopg://ada:secret@127.0.0.1:1/fgdemo", "server does not answer"),
        ("postgresql+psycopg://127.0.0.1:port/fgdemo", "not the URL of a database"),
    ],
)
def test_a_url_that_cannot_be_opened(url, sentence):
    with pytest.raises(StorageError, match=sentence) as caught:
        open_database(url)
    assert "/proc" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_server_that_lets_nobody_in_is_one_sentence(postgres):
    url = postgres.new_database()
    for wrong in (url.replace("fgdemo@", "nobody@"), url.replace("/postgres", "/nosuch")):
        with pytest.raises(UnavailableError, match="check DATABASE_URL"):
            open_database(wrong)


def test_after_a_restart_of_the_server_all_goes_on(postgres):
    engine = open_database(postgres.new_database())
    register_taxa(engine, TAXONOMY)
    postgres.stop()
    try:
        for refused in (reading, writing):
            with pytest.raises(UnavailableError, match="does not answer"), refused(engine) as connection:
                connection.execute(sa.select(taxon_table))
    finally:
        postgres.start()
    with writing(engine) as connection:
        assert len(connection.execute(sa.select(taxon_table)).all()) == len(TAXONOMY.taxa)
    engine.dispose()


def test_a_server_that_goes_in_the_middle_of_a_transaction_keeps_nothing_of_it(postgres):
    engine = open_database(postgres.new_database())

    def write_until_it_goes():
        with writing(engine) as connection:
            connection.execute(taxon_table.insert().values(id="owl", name="owl", aliases="[]", retired=False))
            postgres.stop()
            try:
                connection.execute(taxon_table.insert().values(id="gull", name="gull", aliases="[]", retired=False))
            finally:
                postgres.start()

    with pytest.raises(UnavailableError, match="does not answer"):
        write_until_it_goes()
    with reading(engine) as connection:
        assert connection.execute(sa.select(taxon_table)).all() == []
    engine.dispose()


@pytest.mark.parametrize("name", ["a\ud800b", "a\0b"])
def test_text_that_cannot_be_stored_is_one_sentence(engine, name):
    if engine.dialect.name == "sqlite" and "\0" in name:
        return  # SQLite keeps it
    with pytest.raises(StorageError, match="cannot be stored"), writing(engine) as connection:
        connection.execute(taxon_table.insert().values(id="owl", name=name, aliases="[]", retired=False))
    with pytest.raises(StorageError, match="cannot be stored"), reading(engine) as connection:
        connection.execute(sa.select(taxon_table).where(taxon_table.c.name == name))


def test_taxa_are_registered_once_and_never_overwritten(engine):
    tree = (Taxon("owl", "owl", "bird"), Taxon("bird", "bird", aliases=("fowl",)))
    register_taxa(engine, Taxonomy(tree))
    register_taxa(engine, Taxonomy((*tree[1:], Taxon("owl", "another name", "bird"), Taxon("gull", "gull", "bird"))))
    with reading(engine) as connection:
        rows = connection.execute(sa.select(taxon_table).order_by(taxon_table.c.id)).all()
    assert [(row.id, row.name, row.parent, row.aliases) for row in rows] == [
        ("bird", "bird", None, '["fowl"]'),
        ("gull", "gull", "bird", "[]"),
        ("owl", "owl", "bird", "[]"),
    ]


def test_processes_that_open_and_write_at_once_all_succeed(database_url):
    """Three processes make the same new workspace and write 40 rows each, one transaction a row."""
    script = """
import sys
from fgdemo.storage.database.database import open_database, writing
from fgdemo.storage.database.schema import taxon_table
engine = open_database(sys.argv[1])
for number in range(40):
    with writing(engine) as connection:
        row = {"id": f"{sys.argv[2]}-{number}", "name": "x", "aliases": "[]", "retired": False}
        connection.execute(taxon_table.insert().values(row))
"""
    started = [
        subprocess.Popen([sys.executable, "-c", script, database_url, str(n)], cwd=ROOT, stderr=subprocess.PIPE)
        for n in range(3)
    ]
    errors = [process.communicate(timeout=120)[1].decode() for process in started]
    assert errors == ["", "", ""]
    engine = open_database(database_url)
    with reading(engine) as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(taxon_table)).scalar() == 120
    engine.dispose()


def test_a_new_workspace_opened_eight_times_at_once(database_url):
    together = threading.Barrier(8)

    def open_and_register(_):
        together.wait()
        engine = open_database(database_url)
        register_taxa(engine, TAXONOMY)
        engine.dispose()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(open_and_register, range(8)))
    engine = open_database(database_url)
    with reading(engine) as connection:
        assert len(connection.execute(sa.select(taxon_table)).all()) == len(TAXONOMY.taxa)
    engine.dispose()


def test_errors_keep_the_drivers_words_as_their_cause(engine):
    with pytest.raises(StorageError) as caught, writing(engine) as connection:
        connection.execute(sa.text("SELECT nothing FROM nowhere"))
    assert isinstance(caught.value.__cause__, exc.SQLAlchemyError)
    assert "nowhere" not in str(caught.value)


def test_moments_compare_as_texts():
    noon = datetime(2026, 5, 1, 12, tzinfo=timezone.utc)
    berlin = timezone(timedelta(hours=2))
    later = [noon, noon + timedelta(microseconds=1), (noon + timedelta(seconds=1)).astimezone(berlin)]
    texts = [sortable(moment) for moment in later]
    assert texts == sorted(texts)
    assert {len(text) for text in texts} == {32}
    assert [datetime.fromisoformat(text) for text in texts] == later
