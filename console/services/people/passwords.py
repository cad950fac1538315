"""Passwords: how they are hashed and compared, and what one must be.

A hash (scrypt, N 2^15, r 8, p 1) takes about 0.1 s and 32 MiB on purpose, so only a few are computed at a time in
one process, few wait for their turn, and not for long: a flood of sign-ins takes neither the machine's memory nor the
threads that all other pages need.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache

from werkzeug.security import check_password_hash, generate_password_hash

from console.core.errors import Busy, Refused
from console.core.guessing import is_guessable

SHORTEST = 12
LONGEST = 1024
METHOD = "scrypt:32768:8:1"
HASHES_AT_A_TIME = max(1, (os.cpu_count() or 1) // 2)
"""Each takes a core as long as it runs; the others are for everybody else."""
MOST_WAITING = 3
LONGEST_WAIT_S = 1.0

GUESSABLE = (
    "This is guessed too soon: it is little more than common words, rows of keys, or a name of yours or of the "
    "organization. Take three or four words that have nothing to do with each other."
)

_slots = threading.BoundedSemaphore(HASHES_AT_A_TIME)
_places = threading.BoundedSemaphore(HASHES_AT_A_TIME + MOST_WAITING)
_mine = threading.local()


def check_rules(password: str, *, names: Iterable[str] = ()) -> None:
    """Raise Refused unless *password* may be somebody's: 12 to 1024 characters, any of them, and not guessed at once.

    *names* are those of the person and of their organizations.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise Refused(f"A password has {SHORTEST} to {LONGEST} characters.", code="password_length")
    if is_guessable(password, names=names):
        raise Refused(GUESSABLE, code="password_guessable")


def hash_password(password: str) -> str:
    """Hash *password* with a fresh salt; raise Refused when it breaks the rules, Busy when too many are under way."""
    check_rules(password)
    with turn():
        return generate_password_hash(password, METHOD)


def is_password(password: str, *, password_hash: str | None) -> bool:
    """Say whether *password* is the one that was hashed; raise Busy when too many are being compared.

    With None, for a user who does not exist, the answer is False after the same work.
    """
    if len(password) > LONGEST:
        return False
    with turn():
        matches = check_password_hash(password_hash or _nobodys_hash(METHOD), password)
    return matches and password_hash is not None


def rehash(password: str, *, password_hash: str) -> str | None:
    """Hash *password* again when its hash was made with other parameters than those in force; else None."""
    if password_hash.startswith(f"{METHOD}$"):
        return None
    with turn():
        return generate_password_hash(password, METHOD)


@cache
def _nobodys_hash(method: str) -> str:
    return generate_password_hash("nobody's password", method)


@contextmanager
def turn() -> Iterator[None]:
    """Take a turn at hashing, or raise Busy when too many have asked before.

    What is hashed inside, by the same thread, belongs to the turn: take it before anything is counted or stored, so
    that who is refused has left nothing behind.
    """
    if getattr(_mine, "turn", False):
        yield
        return
    if not _places.acquire(blocking=False):
        raise _too_many()
    try:
        if not _slots.acquire(timeout=LONGEST_WAIT_S):
            raise _too_many()
        _mine.turn = True
        try:
            yield
        finally:
            _mine.turn = False
            _slots.release()
    finally:
        _places.release()


def _too_many() -> Busy:
    return Busy("Too many people are signing in at this moment. Try again in a few seconds.", retry_after_s=3)
