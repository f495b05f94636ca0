"""The database: opening, migrating, two writers, and what goes wrong said in words."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import exc

from fgdemo.errors import StorageError
from fgdemo.storage.database import migrate, open_database, reading, register_taxa, writing
from fgdemo.storage.schema import MIGRATIONS, Migration, taxon_table
from fgdemo.taxonomy import Taxon, Taxonomy
from tests.fakes import TAXONOMY

ROOT = Path(__file__).parents[1]


def url_in(folder: Path) -> str:
    return f"sqlite:///{folder / 'deep' / 'er' / 'fgdemo.sqlite'}"


@pytest.fixture
def engine(tmp_path):
    engine = open_database(url_in(tmp_path))
    yield engine
    engine.dispose()


def tables_of(engine) -> set[str]:
    with reading(engine) as connection:
        return set(sa.inspect(connection).get_table_names())


def test_a_new_workspace_has_all_tables_and_safe_settings(engine):
    assert {"image", "taxon", "label_event", "schema_version"} <= tables_of(engine)
    with reading(engine) as connection:
        pragmas = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]
    assert pragmas == ["wal", 2, 1, 15000]


def test_opening_again_changes_nothing(engine, tmp_path):
    register_taxa(engine, Taxonomy((Taxon("owl", "owl"),)))
    again = open_database(url_in(tmp_path))
    with reading(again) as connection:
        assert connection.execute(sa.select(taxon_table.c.name)).scalars().all() == ["owl"]
        assert connection.execute(sa.text("SELECT count(*) FROM schema_version")).scalar() == len(MIGRATIONS)
    again.dispose()


def test_a_migration_happens_whole_or_not_at_all(engine):
    good = Migration(2, ("CREATE TABLE lease (id {serial})",))
    bad = Migration(3, ("CREATE TABLE job (id {serial})", "INSERT INTO lease VALUES (1)", "CREATE TABLE nonsense ("))
    with pytest.raises(StorageError):
        migrate(engine, (*MIGRATIONS, good, bad))
    assert "lease" in tables_of(engine)
    assert "job" not in tables_of(engine)
    with reading(engine) as connection:
        assert connection.execute(sa.text("SELECT max(version) FROM schema_version")).scalar() == 2
        assert connection.execute(sa.text("SELECT count(*) FROM lease")).scalar() == 0
    mended = Migration(3, ("CREATE TABLE job (id {serial})",))
    migrate(engine, (*MIGRATIONS, good, mended))
    assert "job" in tables_of(engine)


def test_migrations_are_numbered_from_one_without_gaps():
    assert [migration.version for migration in MIGRATIONS] == list(range(1, len(MIGRATIONS) + 1))


def test_a_newer_database_is_refused(engine, tmp_path):
    with writing(engine) as connection:
        connection.execute(sa.text("INSERT INTO schema_version VALUES (99, 'tomorrow')"))
    with pytest.raises(StorageError, match=r"newer fgdemo .*99.*update fgdemo"):
        open_database(url_in(tmp_path))


@pytest.mark.parametrize("statement", ["UPDATE label_event SET taxon = NULL", "DELETE FROM label_event"])
def test_label_events_are_append_only(engine, statement):
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
    with pytest.raises(StorageError, match="never changed or deleted"), writing(engine) as connection:
        connection.execute(sa.text(statement))
    with reading(engine) as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM label_event")).scalar() == 1


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


def test_a_writer_that_waits_too_long_says_so(engine, monkeypatch, tmp_path):
    monkeypatch.setattr("fgdemo.storage.database.BUSY_TIMEOUT_S", 0)
    impatient = open_database(url_in(tmp_path))
    with writing(engine), pytest.raises(StorageError, match="Another program"), writing(impatient):
        pass
    impatient.dispose()


def test_a_full_disk_says_so_and_stores_nothing(engine):
    """SQLite's own "database or disk is full", by a limit on its pages."""
    with writing(engine) as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
    rows = [{"id": f"t{number}", "name": "x" * 500, "aliases": "[]", "retired": False} for number in range(500)]

    def write_too_much():
        with writing(engine) as connection:
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
            connection.execute(taxon_table.insert(), rows)

    with pytest.raises(StorageError, match="disk of the workspace is full"):
        write_too_much()
    with reading(engine) as connection:
        assert connection.execute(sa.select(taxon_table)).all() == []


def test_a_file_that_is_no_database(tmp_path):
    path = tmp_path / "fgdemo.sqlite"
    path.write_bytes(b"not a database at all, but long enough to be looked at " * 50)
    with pytest.raises(StorageError, match="damaged"):
        open_database(f"sqlite:///{path}")


@pytest.mark.parametrize("url", ["", "nonsense", "nosuch://host/name", "sqlite:////proc/no/such/place.sqlite"])
def test_a_url_that_cannot_be_opened(url):
    with pytest.raises(StorageError) as caught:
        open_database(url)
    assert "/proc" not in str(caught.value)


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


def test_processes_that_open_and_write_at_once_all_succeed(tmp_path):
    """Three processes make the same new workspace and write 40 rows each, one transaction a row."""
    script = """
import sys
from fgdemo.storage.database import open_database, writing
from fgdemo.storage.schema import taxon_table
engine = open_database(sys.argv[1])
for number in range(40):
    with writing(engine) as connection:
        row = {"id": f"{sys.argv[2]}-{number}", "name": "x", "aliases": "[]", "retired": False}
        connection.execute(taxon_table.insert().values(row))
"""
    started = [
        subprocess.Popen([sys.executable, "-c", script, url_in(tmp_path), str(n)], cwd=ROOT, stderr=subprocess.PIPE)
        for n in range(3)
    ]
    errors = [process.communicate(timeout=120)[1].decode() for process in started]
    assert errors == ["", "", ""]
    found = sqlite3.connect(tmp_path / "deep" / "er" / "fgdemo.sqlite").execute("SELECT count(*) FROM taxon").fetchone()
    assert found == (120,)


def test_a_new_workspace_opened_eight_times_at_once(tmp_path):
    together = threading.Barrier(8)

    def open_and_register(_):
        together.wait()
        engine = open_database(url_in(tmp_path))
        register_taxa(engine, TAXONOMY)
        engine.dispose()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(open_and_register, range(8)))
    engine = open_database(url_in(tmp_path))
    with reading(engine) as connection:
        assert len(connection.execute(sa.select(taxon_table)).all()) == len(TAXONOMY.taxa)
    engine.dispose()


def test_errors_keep_the_drivers_words_as_their_cause(engine):
    with pytest.raises(StorageError) as caught, writing(engine) as connection:
        connection.execute(sa.text("SELECT nothing FROM nowhere"))
    assert isinstance(caught.value.__cause__, exc.SQLAlchemyError)
    assert "nowhere" not in str(caught.value)
