"""Errors that a command expects, as one sentence each: what is wrong and what to do about it."""

from __future__ import annotations

from alembic.util import CommandError
from redis.exceptions import RedisError
from sqlalchemy.exc import DatabaseError, DBAPIError, OperationalError, SQLAlchemyError

from console.core.errors import HookyardError, Invalid


def describe(error: Exception) -> str | None:
    """Put *error* into words when it is one of ours, the database's, Redis' or the file system's; else None: a bug."""
    if isinstance(error, HookyardError):
        return _fields(error) if isinstance(error, Invalid) and error.fields else error.message
    if isinstance(error, DBAPIError):
        return describe_database(error)
    beginnings = {
        SQLAlchemyError: "HOOKYARD_DATABASE_URL cannot be used",
        CommandError: "The database cannot be taken there",
        RedisError: "Redis refused",
        OSError: getattr(error, "filename", None) or "The operating system refused",
    }
    beginning = next((words for kind, words in beginnings.items() if isinstance(error, kind)), None)
    ending = error.strerror if isinstance(error, OSError) and error.strerror else _first_line(error)
    return f"{beginning}: {ending}." if beginning else None


def _fields(error: Invalid) -> str:
    return "; ".join(f"{field.pointer.lstrip('/')}: {field.message}" for field in error.fields)


def describe_database(error: DBAPIError) -> str:
    """Say what is wrong with the database and what helps."""
    words = _first_line(error.orig or error)
    if "no such table" in words or "does not exist" in words or "no such column" in words:
        return f"The database lacks what this version needs ({words}): run `hookyard db upgrade`."
    if "not a database" in words or "malformed" in words:
        return f"The database file is damaged ({words}): restore it from a backup, or move it away to start empty."
    if "unable to open" in words:
        return f"The database file cannot be opened ({words}): check the data directory and its permissions."
    if "locked" in words or "busy" in words:
        return f"The database is in use by another program ({words}): try again."
    if isinstance(error, OperationalError | DatabaseError):
        return f"The database cannot be used: {words}."
    return f"The database refused: {words}."


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__
