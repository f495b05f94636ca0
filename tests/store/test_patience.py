"""A PostgreSQL server that hangs, or waits for a lock: nobody waits for it without limit, and it is told."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest

from fgdemo.storage.database import patience
from fgdemo.storage.database.database import check_database, open_database, writing
from fgdemo.values.errors import UnavailableError
from tests.support.postgres import Cluster


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "SILENCE_S", 1.5)
    monkeypatch.setattr(patience, "STATEMENT_S", 1)
    monkeypatch.setitem(patience.REACH, "connect_timeout", 2)


def test_a_server_that_hangs_is_told_and_works_again(impatient: None) -> None:
    cluster = Cluster()
    engine = open_database(cluster.new_database())
    try:
        check_database(engine)
        server = (cluster.folder / "data" / "postmaster.pid").read_text().split()[0]
        children = subprocess.run(["pgrep", "-P", server], stdout=subprocess.PIPE, text=True).stdout.split()
        for number in (server, *children):
            os.kill(int(number), signal.SIGSTOP)
        for _ in range(2):
            with pytest.raises(UnavailableError, match="does not answer"):
                check_database(engine)
            with pytest.raises(UnavailableError, match="does not answer"), writing(engine):
                pass
        for number in (server, *children):
            os.kill(int(number), signal.SIGCONT)
        check_database(engine)
    finally:
        engine.dispose()
        cluster.remove()


def test_a_question_that_takes_too_long_is_ended(impatient: None, postgres: Cluster) -> None:
    engine = open_database(postgres.new_database())
    with engine.connect() as other, other.begin():
        other.exec_driver_sql("LOCK TABLE taxon IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(UnavailableError, match="took too long"):
            check_database(engine)
    check_database(engine)
    engine.dispose()


def test_a_long_answer_that_keeps_coming_is_waited_for(
    impatient: None, postgres: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = open_database(postgres.new_database())
    with engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT repeat('x', 1000) FROM generate_series(1, 50000)").all()
    assert len(rows) == 50_000
    engine.dispose()
