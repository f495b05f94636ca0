"""The databases that the tests of the store run on."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.postgres import Cluster


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    """A PostgreSQL server for the whole run."""
    cluster = Cluster()
    yield cluster
    cluster.remove()


@pytest.fixture(params=["sqlite", "postgresql"])
def new_database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], str]:
    """Makes URLs of empty databases, first of SQLite, then the same test again with PostgreSQL."""
    if request.param == "sqlite":
        return lambda: f"sqlite:///{tmp_path_factory.mktemp('database') / 'fgdemo.sqlite'}"
    return request.getfixturevalue("postgres").new_database


@pytest.fixture
def database_url(new_database: Callable[[], str]) -> str:
    """The URL of an empty database of either kind."""
    return new_database()
