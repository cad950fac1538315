"""Whether a password is among the first that anybody would guess: common words, rows of keys, names of its owner.

No list of leaked passwords: what they have in common is found instead. Everything of that kind is crossed out, and what
is left must be long enough and varied enough by itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

LEAST_LEFT = 6
LEAST_KINDS = 5
"""So many letters and digits must be left, and so many different ones among them."""
SHORTEST_NAME = 3
_ROW = 4
_RUN = 3

_COMMON = re.findall(
    r"\S+",
    """
    password passwort passwd passphrase motdepasse contrasena welcome willkommen bienvenue letmein login signin logon
    admin administrator root user guest default changeme changeit change secret master access hello hallo iloveyou
    sunshine princess monkey dragon football baseball superman batman shadow trustno test testing temp demo example
    winter spring summer autumn january february march april june july august september october november december
    hookyard webhook webhooks company office server system qwerty qwertz azerty abc123 correcthorsebatterystaple
    """,
)
_ROWS = ("qwertyuiop", "qwertzuiop", "azertyuiop", "asdfghjkl", "zxcvbnm", "yxcvbnm", "1234567890", "1qaz2wsx3edc4rfv")
_LEET = str.maketrans("01345@$!|", "oleasasii")
_YEAR = re.compile(r"(?:19|20)[0-9]{2}")


def is_guessable(password: str, *, names: Iterable[str] = ()) -> bool:
    """Say whether little is left of *password* without what is guessed first; *names* are its owner's."""
    plain = password.casefold()
    crossed = set(_places(plain, names=names))
    left = [sign for place, sign in enumerate(plain) if place not in crossed and sign.isalnum()]
    return len(left) < LEAST_LEFT or len(set(left)) < LEAST_KINDS


def _places(plain: str, *, names: Iterable[str]) -> Iterator[int]:
    """Yield the places of *plain* that hold a common word, a name, a year, a run or a row of keys."""
    spoken = plain.translate(_LEET)
    own = {part for name in names for part in re.split(r"[\W_]+", name.casefold()) if len(part) >= SHORTEST_NAME}
    for word in {*_COMMON, *own}:
        for text in (plain, spoken):
            yield from _found(text, word)
    for row in _ROWS:
        for way in (row, row[::-1]):
            for start in range(len(way) - _ROW + 1):
                yield from _found(plain, way[start : start + _ROW])
    for year in _YEAR.finditer(plain):
        yield from range(*year.span())
    for start in range(len(plain) - _RUN + 1):
        steps = {ord(plain[place + 1]) - ord(plain[place]) for place in range(start, start + _RUN - 1)}
        if steps in ({0}, {1}, {-1}):
            yield from range(start, start + _RUN)


def _found(text: str, word: str) -> Iterator[int]:
    start = text.find(word)
    while start >= 0:
        yield from range(start, start + len(word))
        start = text.find(word, start + 1)
