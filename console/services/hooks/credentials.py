"""Stored credentials of a hook: they stay with the destination that they were given for.

Whoever may edit a hook may change its URL, and must not get a value that way which nobody is shown. So a secret header
value, or the password of Basic authentication, is kept only while scheme, host and port of the URL stay the same;
otherwise it has to be given again. Other header values are shown to editors anyway, and stay.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from console.core.catalogue import OMS
from console.core.errors import FieldError, Refused
from console.core.headers import is_sensitive
from console.core.urls import DEFAULT_PORTS, Place, read_url
from console.models import Hook
from console.services.work import Work

SEALED_AUTH = "sealed_auth"
"""Where the oms dialect keeps the encrypted ``config.auth`` in the ``dialect_data`` of a hook."""
PASSWORD_NEEDED = "password_needed"  # noqa: S105  the code of an error


@dataclass(frozen=True, slots=True)
class Kept:
    """Stands in a draft for the stored value of the header *name*, which the caller was not shown."""

    name: str


def headers_of(work: Work, hook: Hook) -> dict[str, str]:
    """Return the hook's own header fields in clear; raise KeyUnavailable."""
    if hook.sealed_headers is None:
        return {}
    headers: dict[str, str] = json.loads(work.keys.open(hook.sealed_headers))
    return headers


@dataclass(frozen=True, slots=True)
class Keeper:
    """What a draft may keep: the *headers* of a hook in clear, its *dialect_data*, and the *url* they were given for.

    *new_url* is where the hook will send.
    """

    headers: Mapping[str, str]
    dialect_data: Mapping[str, Any]
    url: str
    new_url: str

    @property
    def is_moving(self) -> bool:
        """Whether scheme, host or port change; a new URL that breaks the rules is refused anyway."""
        before, after = _place(self.url), _place(self.new_url)
        if after is None:
            return False
        if before is None:
            return self.url != self.new_url
        return (before.scheme, before.destination) != (after.scheme, after.destination)

    def resolve(self, given: Mapping[str, Any]) -> tuple[dict[str, Any], list[FieldError]]:
        """Return *given* headers with the stored values in place of ``Kept``, and what is wrong with those."""
        stored = {name.lower(): (name, value) for name, value in self.headers.items()}
        found: dict[str, Any] = {}
        wrong: list[FieldError] = []
        for name, value in given.items():
            found[name] = value
            if isinstance(value, Kept):
                old_name, found[name] = stored.get(value.name.lower(), ("", ""))
                if words := self._why_not(name, old_name=old_name):
                    wrong.append(about_header(name, words))
        return found, wrong

    def left_behind(self) -> list[FieldError]:
        """Return an error for each secret header of a hook that moves without its headers being given."""
        if not self.is_moving:
            return []
        return [about_header(name, self._again(name)) for name in self.headers if is_sensitive(name)]

    def password_left_behind(self, dialect_data: Mapping[str, Any]) -> list[FieldError]:
        """Return an error when a hook that moves would keep, in its new *dialect_data*, the password that is stored."""
        if not self.is_moving or SEALED_AUTH not in dialect_data.get(OMS, {}):
            return []
        words = (
            f"The password of its Basic authentication was given for {self._old_place} and is not sent anywhere else. "
            "Set it together with the new URL: in the console with the payload format OMS, or in config of the OMS API."
        )
        return [FieldError("/url", PASSWORD_NEEDED, words)]

    def _why_not(self, name: str, *, old_name: str) -> str:
        if not old_name:
            return f"No value is stored for {name}. Type its value."
        if not is_sensitive(old_name):
            return ""
        if not is_sensitive(name):
            return f"The value of {old_name} is secret, and that of {name} would be shown. Type the value again."
        return self._again(name) if self.is_moving else ""

    def _again(self, name: str) -> str:
        return f"Type the value of {name} again: it was given for {self._old_place} and is not sent anywhere else."

    @property
    def _old_place(self) -> str:
        before = _place(self.url)
        if before is None:
            return "another URL"
        host = before.destination.removesuffix(f":{DEFAULT_PORTS[before.scheme]}")
        return f"{before.scheme}://{host}"


def about_header(name: str, words: str) -> FieldError:
    """Return the error of one header that needs a value."""
    escaped = name.replace("~", "~0").replace("/", "~1")  # RFC 6901
    return FieldError(f"/headers/{escaped}", "value_needed", words)


def _place(url: str) -> Place | None:
    """Take a URL apart; None for one that breaks the rules."""
    try:
        return read_url(url, allow_http=True)
    except Refused:
        return None
