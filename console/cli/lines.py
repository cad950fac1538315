"""Log lines for processes that are too small for a logging library: the form is that of console.logs."""

from __future__ import annotations

import contextlib
import json
import logging
import sys
import traceback
from datetime import UTC, datetime


def line(event: str, *, level: str, logger: str, **fields: object) -> str:
    """Lay out one event: JSON, or words when somebody watches a terminal."""
    moment = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    if sys.stderr.isatty():
        details = " ".join(f"{name}={value}" for name, value in fields.items())
        return f"{moment} [{level:<9}] {event} [{logger}] {details}".rstrip()
    return json.dumps({**fields, "event": event, "level": level, "logger": logger, "timestamp": moment})


def write(text: str) -> None:
    """Write a line to standard error; whoever read it may be gone, and the work matters more."""
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr, flush=True)  # noqa: T201  no logging library in these processes


class LineFormatter(logging.Formatter):
    """Gives the standard library's records the same form."""

    def format(self, record: logging.LogRecord) -> str:
        """Lay out *record*, its traceback in a field of its own."""
        fields: dict[str, object] = {"pid": record.process}
        if record.exc_info:
            fields["exception"] = "".join(traceback.format_exception(*record.exc_info))
        return line(record.getMessage(), level=record.levelname.lower(), logger=record.name, **fields)
