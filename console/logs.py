"""Logging: one event per line on standard error, a constant message and fields; JSON when nobody watches a terminal.

Our own code logs through ``structlog.get_logger()``; what Gunicorn, RQ, Alembic and SQLAlchemy say through ``logging``
takes the same road. Secrets that slip into a field are masked here, once, for all.
"""

from __future__ import annotations

import logging
import logging.config
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog
from structlog.typing import Processor

from console.core.redact import redact_text
from console.lines import words

TALKATIVE = ("alembic", "rq.worker", "urllib3", "sqlalchemy.engine", "httpx")
"""Libraries whose INFO lines tell an operator nothing."""


def _mask(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = redact_text(value)
    return event


def _processors() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]


def _words(_logger: object, _method: str, event: MutableMapping[str, Any]) -> str:
    return words(event)


def _renderers(*, as_json: bool) -> list[Processor]:
    # Tracebacks become one field: as JSON an event stays one line.
    last = structlog.processors.JSONRenderer(ensure_ascii=False) if as_json else _words
    return [structlog.processors.format_exc_info, _mask, last]


def configure(level: str = "INFO", *, stream: TextIO | None = None, as_json: bool | None = None) -> None:
    """Set up logging for this process; the last call wins.

    *as_json* None: JSON unless *stream* (default: standard error) is a terminal.
    """
    stream = stream or sys.stderr
    if as_json is None:
        as_json = not stream.isatty()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*_processors(), structlog.stdlib.PositionalArgumentsFormatter()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_renderers(as_json=as_json)],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(max(logging.getLevelName(level), logging.WARNING))
    logging.captureWarnings(capture=True)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_processors(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
