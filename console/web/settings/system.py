"""The System page: what ``hookyard doctor`` finds, who works, what it runs on and the settings in force. For staff."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version

from flask import Response
from pydantic.fields import FieldInfo

from console import examining
from console.core.redact import redact_url
from console.examining import Finding
from console.extensions import collaborators, current_work
from console.services.figures import installation
from console.settings import Settings
from console.web import access, hx
from console.web.settings.shared import pages, tabs

ADDRESSES = frozenset({"database_url", "redis_url"})
"""Settings that may hold a password: shown without it."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting in force: *value* in words, without secrets."""

    variable: str
    value: str
    is_default: bool
    about: str


@pages.get("/system")
@access.for_staff
def system() -> Response:
    """Show the installation as a whole."""
    work, settings = current_work(), collaborators().settings
    seen = installation.look(work)
    keys, findings = examining.look_at_host(settings)
    findings.append(examining.look_at_schema(kind=seen.database.kind, revision=seen.database.revision))
    redis, found = examining.look_at_redis(settings.redis_url) if settings.redis_url else (None, [])
    if redis is not None:
        found += examining.look_at_proxy(settings, redis_url=settings.redis_url)
    findings += [*found, *examining.look_at_services(work, keys=keys)]
    return hx.page(
        "settings/system.html",
        tabs=tabs(),
        findings=sorted(findings, key=_urgency),
        seen=seen,
        redis=redis,
        version=version("hookyard"),
        settings=in_force(settings),
    )


def in_force(settings: Settings) -> list[Setting]:
    """List every setting with the value that this process goes by."""
    return [
        Setting(
            f"HOOKYARD_{name.upper()}",
            _value(name, getattr(settings, name)),
            is_default=name not in settings.model_fields_set,
            about=_about(field),
        )
        for name, field in Settings.model_fields.items()
    ]


def _value(name: str, value: object) -> str:
    if name == "secret_key":
        return "set, not shown" if value else "generated in the data directory, not shown"
    if name in ADDRESSES:
        return _without_password(str(value))
    if isinstance(value, bool):
        return "true" if value else "false"
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _without_password(address: str) -> str:
    """Leave out user and password: up to the last @, since databases take any sign in a password, a / or # too."""
    scheme, colon, rest = address.partition("://")
    return redact_url(f"{scheme}{colon}{rest.rpartition('@')[2]}")


def _about(field: FieldInfo) -> str:
    return (field.description or "").replace("`", "")


def _urgency(finding: Finding) -> int:
    return -list(examining.Level).index(finding.level)
