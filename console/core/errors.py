"""The errors of Hookyard, one tree; web, api and each dialect map it to answers once.

HookyardError                a stable ``code`` and a sentence for people
├── Refused                  one value breaks a rule (core functions raise it; services turn it into Invalid)
├── Invalid                  one or more fields of an input are wrong            422
├── Unauthenticated          no credential, or one that is not (or no longer) valid  401
├── Forbidden                the permission named in ``permission`` is missing   403
├── NotFound                 no such object, or one of another organization      404
├── Conflict                 the state of things does not allow it now           409
├── TooLarge                 the body is over its limit                          413
├── TooMany                  asked too often; try after ``retry_after_s``        429
├── Busy                     the database is taken; try after ``retry_after_s``  503
└── KeyUnavailable           a stored secret cannot be decrypted with the keys at hand
"""

from __future__ import annotations

from dataclasses import dataclass


class HookyardError(Exception):
    """The root: *code* is stable and for programs, *message* is one sentence for people."""

    code = "error"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code


class Refused(HookyardError):
    """A single value breaks a rule; *code* names the rule."""

    code = "refused"


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field: *pointer* is an RFC 6901 JSON pointer such as ``/event_types/0``."""

    pointer: str
    code: str
    message: str


class Invalid(HookyardError):
    """One or more fields of an input are wrong; *fields* says which, in the order of the input."""

    code = "invalid"

    def __init__(self, *fields: FieldError, message: str | None = None) -> None:
        super().__init__(message or "; ".join(field.message for field in fields))
        self.fields = fields

    @classmethod
    def field(cls, name: str, message: str, *, code: str = "invalid") -> Invalid:
        """Build the error of a single top-level field."""
        return cls(FieldError(f"/{name}", code, message))


class Unauthenticated(HookyardError):
    """No credential was given, or it is unknown, expired or revoked; *code* says which."""

    code = "unauthenticated"


class Forbidden(HookyardError):
    """The caller lacks *permission* (a value of ``core.permissions.Permission``)."""

    code = "forbidden"

    def __init__(self, permission: str, *, message: str = "") -> None:
        super().__init__(message or f"This needs the permission {permission}.")
        self.permission = permission


class NotFound(HookyardError):
    """No such object in the caller's organization; foreign objects look the same."""

    code = "not_found"

    def __init__(self, what: str) -> None:
        super().__init__(f"There is no such {what}.")
        self.what = what


class Conflict(HookyardError):
    """The request is well-formed, but the present state of things does not allow it."""

    code = "conflict"


class TooLarge(HookyardError):
    """A body is over its limit."""

    code = "too_large"


class TooMany(HookyardError):
    """Asked too often; *retry_after_s* is in whole seconds."""

    code = "too_many"

    def __init__(self, message: str, *, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Busy(HookyardError):
    """The database could not be written in time; nothing was done. *retry_after_s* is in whole seconds."""

    code = "busy"

    def __init__(
        self, message: str = "The database is busy; nothing was stored. Try again.", *, retry_after_s: int = 2
    ) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class KeyUnavailable(HookyardError):
    """A stored secret cannot be decrypted: HOOKYARD_SECRET_KEY is missing its key."""

    code = "key_unavailable"
