"""The layout of a log line, for all processes: those too small for a logging library, and console.logs."""

from __future__ import annotations

import contextlib
import json
import logging
import sys
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime


def line(event: str, *, level: str, logger: str, **fields: object) -> str:
    """Lay out one event: JSON, or words when somebody watches a terminal."""
    moment = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    named = {**fields, "event": event, "level": level, "logger": logger, "timestamp": moment}
    return words(named) if sys.stderr.isatty() else json.dumps(named)


def words(named: Mapping[str, object]) -> str:
    """Lay out an event for a terminal: time, level, what happened, who says so, fields; a traceback below.

    What could pass for another line, or move the cursor, is written as in Python's source.
    """
    fixed = {"timestamp", "level", "event", "logger", "exception"}
    details = [f"{name}={_plain(value)}" for name, value in named.items() if name not in fixed]
    event = f"{named['timestamp']} [{named['level']:<9}] {_plain(named['event'])}"
    said = " ".join((event, f"[{named.get('logger', 'root')}]", *details))
    return f"{said}\n{named['exception']}" if "exception" in named else said


def _plain(value: object) -> str:
    text = str(value)
    return text if text.isprintable() else repr(text)


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
