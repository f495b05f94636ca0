"""What the program tells whoever runs it: plain lines for a person at a terminal, JSON lines for what collects logs.

Neither ever holds a token, a password, a query string, or the name of a visitor's file: what is asked for is named by
its route, and by nothing that a visitor wrote.
"""

import json
import logging
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from fgdemo.settings import LogStyle

REQUESTS = "fgdemo.requests"
"""The logger that has one line for each request; a person at a terminal sees of it only what went wrong."""


@dataclass
class Asking:
    """One request while it is answered; who answers it notes here what is known by then.

    Attributes:
        person: empty for somebody who has not signed in.
        question: the name of a server function or an endpoint; empty for other requests.
        outcome: ok, forbidden, stale, bad or failed; empty where no question was asked.
        count: told the question, its outcome and its seconds.
    """

    request_id: str
    person: str = ""
    question: str = ""
    outcome: str = ""
    count: Callable[[str, str, float], None] = field(default=lambda question, outcome, elapsed_s: None, repr=False)


now_asking: ContextVar[Asking | None] = ContextVar("now_asking", default=None)
"""What the current thread or task answers, so that whatever it logs carries the request's id."""


def configure_logs(style: LogStyle) -> None:
    """To be called once, at the entry. What is not ours (libraries) is heard from warnings on."""
    handler = logging.StreamHandler()
    handler.setFormatter(_JsonLines() if style == "json" else _PlainLines())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("fgdemo").setLevel(logging.INFO)
    logging.getLogger(REQUESTS).setLevel(logging.INFO if style == "json" else logging.WARNING)
    logging.captureWarnings(style == "json")


def adopt_server_logs() -> None:
    """Have the web server's lines written as all others are: it sets up lines of its own when it starts."""
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        asking = now_asking.get()
        if asking is not None:
            line |= {"request_id": asking.request_id, "person": asking.person, "question": asking.question}
        line |= getattr(record, "fields", {})
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps({key: value for key, value in line.items() if value != ""}, ensure_ascii=False, default=str)


class _PlainLines(logging.Formatter):
    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s", "%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's own name
        asking = now_asking.get()
        return super().formatMessage(record) + (f" [{asking.request_id}]" if asking is not None else "")
