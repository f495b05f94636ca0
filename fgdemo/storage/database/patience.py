"""How long a PostgreSQL server is waited for. One that hangs answers nothing, and its machine still takes our bytes.

The server ends a statement that takes too long, or waits too long for a lock. Where it says nothing at all we hang up;
a long answer that keeps coming is waited for.
"""

import time
from collections.abc import Generator
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine

CONNECT_TIMEOUT_S = 10
LOCK_S = 15
STATEMENT_S = 20
SILENCE_S = 25.0
POOL_S = 15.0
"""So long is waited for one of our own connections."""
REACH = {
    "connect_timeout": CONNECT_TIMEOUT_S,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}
"""For libpq: a machine that is gone is noticed."""


def be_patient(engine: Engine) -> None:
    """Let no question to this PostgreSQL wait without limit."""
    import psycopg

    class Connection(psycopg.Connection):
        """One that hangs up on a server that says nothing."""

        def wait(self, gen: Any, *args: Any, **options: Any) -> Any:
            try:
                return super().wait(_heard(gen), *args, **options)
            except SilentError as error:
                self.pgconn.finish()
                raise psycopg.OperationalError("the server says nothing") from error

    def connect(dialect: Any, record: Any, arguments: Any, parameters: Any) -> Any:
        return Connection.connect(*arguments, **parameters)

    def limit(connection: Any, record: Any) -> None:
        limits = f"SET statement_timeout = {STATEMENT_S * 1000}; SET lock_timeout = {LOCK_S * 1000}"
        connection.execute(limits)
        connection.commit()

    event.listen(engine, "do_connect", connect)
    event.listen(engine, "connect", limit)


class SilentError(Exception):
    """Nothing came for too long."""


def _heard(waiting: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
    """The same as `waiting`, psycopg's generator, until nothing was ready for SILENCE_S."""
    heard_s, ready = time.monotonic(), None
    while True:
        try:
            state = waiting.send(ready)
        except StopIteration as done:
            return done.value
        ready = yield state
        if ready:
            heard_s = time.monotonic()
        elif time.monotonic() - heard_s > SILENCE_S:
            waiting.close()
            raise SilentError
