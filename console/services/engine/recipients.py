"""Hooks as a sender needs them, as they are now: checked target, headers and secrets in clear, timeout, policy."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select

from console.core.errors import KeyUnavailable, Refused
from console.core.retry import RetryPolicy
from console.core.targets import Target, check_url
from console.models import Hook, HookSecret, Organization
from console.services.dialects import oms_hooks
from console.services.dialects.oms_hooks import OmsFields
from console.services.organizations import defaults
from console.services.work import Work

_COLUMNS = (
    Hook.number,
    Hook.version,
    Hook.organization_number,
    Organization.slug,
    Organization.retry_schedule,
    Organization.timeout_s.label("usual_timeout_s"),
    Hook.url,
    Hook.destination,
    Hook.sealed_headers,
    Hook.timeout_s,
    Hook.retry,
    Hook.max_in_flight,
    Hook.payload_format,
    Hook.dialect_data,
)


@dataclass(frozen=True, slots=True)
class Secret:
    """A signing secret in clear; *expires_at* ends its part in a rotation."""

    text: str
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Recipient:
    """A hook at one *version*.

    *target* is None when its URL breaks the rules that hold now; *refusal* says why. *fault* is set when its secrets,
    headers or credentials cannot be decrypted: nothing can be sent then, and the receiver is not to blame. *config* and
    *signs_body* are for the headers that payload formats add; *callback* is the name of what is called after attempts.
    """

    number: int
    version: int
    organization_number: int
    organization_slug: str
    url: str
    destination: str
    target: Target | None
    refusal: str | None
    fault: str | None
    headers: Mapping[str, str]
    secrets: tuple[Secret, ...]
    timeout_s: float
    policy: RetryPolicy
    max_in_flight: int
    config: Mapping[str, Any]
    callback: str | None
    signs_body: bool

    def given_secret(self, now: datetime) -> str | None:
        """Give the secret with which a payload format signs in a way of its own at *now*; None when it is not to."""
        return next(iter(self.signing_secrets(now)), None) if self.signs_body else None

    def signing_secrets(self, now: datetime) -> list[str]:
        """Give the secrets that sign at *now*, newest first."""
        return [secret.text for secret in self.secrets if secret.expires_at is None or secret.expires_at > now]


def load(work: Work, *, numbers: Collection[int]) -> dict[int, Recipient]:
    """Read hooks by number; one that has gone is left out. Opens a transaction that the caller ends."""
    hooks = work.session.execute(
        select(*_COLUMNS)
        .join(Organization, Organization.number == Hook.organization_number)
        .where(Hook.number.in_(numbers))
    ).all()
    sealed: dict[int, list[tuple[bytes, datetime | None]]] = defaultdict(list)
    rows = work.session.execute(
        select(HookSecret.hook_number, HookSecret.sealed, HookSecret.expires_at)
        .where(HookSecret.hook_number.in_(numbers))
        .order_by(HookSecret.number.desc())
    ).all()
    for row in rows:
        sealed[row.hook_number].append((row.sealed, row.expires_at))
    return {hook.number: _recipient(work, hook, sealed[hook.number]) for hook in hooks}


def _recipient(work: Work, hook: Row[Any], sealed: Sequence[tuple[bytes, datetime | None]]) -> Recipient:
    target, refusal = _target(work, hook.url)
    headers: dict[str, str] = {}
    secrets: tuple[Secret, ...] = ()
    oms = OmsFields()
    fault = None
    try:
        oms = oms_hooks.read(work.keys, dialect_data=hook.dialect_data)
        if hook.sealed_headers is not None:
            headers = json.loads(work.keys.open(hook.sealed_headers))
        secrets = tuple(Secret(work.keys.open(text), expires_at) for text, expires_at in sealed)
    except KeyUnavailable as error:
        fault = error.message
    return Recipient(
        number=hook.number,
        version=hook.version,
        organization_number=hook.organization_number,
        organization_slug=hook.slug,
        url=hook.url,
        destination=hook.destination,
        target=target,
        refusal=refusal,
        fault=fault,
        headers=headers,
        secrets=secrets,
        timeout_s=float(hook.timeout_s or defaults.timeout_of(work.settings, hook.usual_timeout_s)),
        policy=defaults.policy_of(work, hook.retry, schedule=hook.retry_schedule),
        max_in_flight=hook.max_in_flight,
        config=oms.config,
        callback=oms.callback,
        signs_body=oms.signs(hook.payload_format),
    )


def _target(work: Work, url: str) -> tuple[Target | None, str | None]:
    try:
        return check_url(url, policy=work.settings.target_policy), None
    except Refused as error:
        return None, error.message
