"""A PostgreSQL server of our own, for one test run: a private cluster in a temporary folder, gone at the end.

It is set up as unlike our needs as a server may be found: other transaction levels, another time zone, a collation that
overlooks capitals and points, so that what the store relies on it must ask for.
"""

from __future__ import annotations

import itertools
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

MISSING = "PostgreSQL is not installed here, and the tests need it: apt-get install postgresql (tests/run.sh does it)."
PLACES = "/usr/lib/postgresql/*/bin", "/usr/local/pgsql/bin", "/opt/homebrew/opt/postgresql*/bin"
HOSTILE = {
    "default_transaction_isolation": "serializable",
    "fsync": "off",  # no test cuts the power
    "listen_addresses": "",
    "log_min_messages": "fatal",
    "max_connections": "60",
    "timezone": "Asia/Kathmandu",
}


def server_programs() -> Path:
    """The folder of initdb and postgres, of the newest version there is. Raises RuntimeError where there is none."""
    on_path = shutil.which("postgres")
    found = [Path(on_path).parent] if on_path else []
    found += [path for place in PLACES for path in Path("/").glob(place[1:]) if (path / "initdb").exists()]
    if not found:
        raise RuntimeError(MISSING)
    return max(found, key=lambda path: [int(number) for number in re.findall(r"\d+", str(path))])


class Cluster:
    """A server that only we can reach, through a socket in its folder."""

    def __init__(self) -> None:
        self._programs = server_programs()
        # The server does not run as root, and its socket's path must be short.
        self._as = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
        self.folder = Path(tempfile.mkdtemp(prefix="fgdemo-pg-"))
        if self._as:
            shutil.chown(self.folder, "postgres", "postgres")
        self._numbers = itertools.count()
        words = subprocess.run([self._programs / "postgres", "--version"], stdout=subprocess.PIPE, text=True).stdout
        knows_icu = int(re.findall(r"\d+", words)[0]) >= 15
        icu = ("--locale-provider", "icu", "--icu-locale", "en-u-ka-shifted") if knows_icu else ()
        self._run(
            "initdb",
            "--pgdata",
            "data",
            "--username",
            "fgdemo",
            "--auth",
            "trust",
            "--encoding",
            "UTF8",
            "--no-sync",
            "--locale",
            "C.UTF-8",
            *icu,
        )
        self.start()

    def start(self) -> None:
        """Returns when the server takes questions."""
        settings = {**HOSTILE, "unix_socket_directories": str(self.folder)}
        options = " ".join(f"-c {name}='{value}'" for name, value in settings.items())
        self._run("pg_ctl", "start", "--wait", "--silent", "--pgdata", "data", "--log", "log", "--options", options)

    def stop(self) -> None:
        """Whoever is connected is thrown out."""
        self._run("pg_ctl", "stop", "--wait", "--silent", "--pgdata", "data", "--mode", "fast")

    def remove(self) -> None:
        self._run("pg_ctl", "stop", "--wait", "--silent", "--pgdata", "data", "--mode", "immediate")
        shutil.rmtree(self.folder)

    def new_database(self) -> str:
        """The URL of an empty database: a schema of its own, which is made a hundred times faster than a database."""
        import psycopg  # here, so that without it only these tests fail

        name = f"test{next(self._numbers)}"
        with psycopg.connect(host=str(self.folder), user="fgdemo", dbname="postgres", autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {name}".encode())
        return f"postgresql+psycopg://fgdemo@/postgres?host={self.folder}&options=-csearch_path%3D{name}"

    def _run(self, program: str, *arguments: str) -> None:
        command: Sequence[str] = (str(self._programs / program), *arguments)
        done = subprocess.run(
            command,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env={**os.environ, "LC_ALL": "C.UTF-8"},
            **self._as,
        )
        if done.returncode:
            log = self.folder / "log"
            raise RuntimeError(f"{program} failed: {done.stdout}{log.read_text() if log.exists() else ''}")
