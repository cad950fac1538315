"""What the oms dialect keeps with a hook: whether a secret key was given, its config, callback and countdown.

What is in ``config.auth`` may be a password, so it is encrypted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from console.core.catalogue import OMS
from console.core.countdown import Countdown, countdown_of
from console.core.errors import Conflict
from console.models import Hook
from console.services.dialects import dialect_hooks, dialect_words
from console.services.dialects.dialect_hooks import CanSay
from console.services.hooks import hook_secrets
from console.services.hooks.credentials import SEALED_AUTH
from console.services.keys import KeyRing
from console.services.organizations import organizations
from console.services.work import Work

_COUNTDOWN = "retry_countdown_config"


@dataclass(frozen=True, slots=True)
class OmsFields:
    """The fields in clear.

    *is_key_given* says whether the hook's secret is a secret key of oms: True, and it is shown; False, and nothing is
    signed in oms's way; None when the hook was made elsewhere, whose secrets are shown once and never again.
    """

    is_key_given: bool | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    callback: str | None = None

    def signs(self, payload_format: str) -> bool:
        """Say whether the secret signs in oms's way: receivers of a hook made elsewhere with that format expect it."""
        return payload_format == OMS if self.is_key_given is None else self.is_key_given


def read(keys: KeyRing, *, dialect_data: Mapping[str, Any]) -> OmsFields:
    """Read what is kept with a hook; raise KeyUnavailable."""
    kept: Mapping[str, Any] = dialect_data.get(OMS, {})
    config = dict(kept.get("config", {}))
    if SEALED_AUTH in kept:
        config["auth"] = json.loads(keys.open(kept[SEALED_AUTH].encode("ascii")))
    return OmsFields(kept.get("is_key_given"), config, kept.get("callback"))


def fields_of(work: Work, hook: Hook) -> OmsFields:
    """Give the fields of a hook; raise KeyUnavailable."""
    return read(work.keys, dialect_data=hook.dialect_data)


def keeping(work: Work, hook: Hook | None, *, fields: OmsFields, posted: Mapping[str, Any] | None) -> dict[str, Any]:
    """Give the ``dialect_data`` of a hook, or of a new one, with *fields*.

    *posted* is the countdown as it was sent, None when it was not: then the one before stays.
    """
    config = dict(fields.config)
    kept: dict[str, Any] = {"is_key_given": fields.is_key_given, "callback": fields.callback, "config": config}
    if "auth" in config:
        kept[SEALED_AUTH] = work.keys.seal(json.dumps(config["auth"])).decode("ascii")
        config["auth"] = None  # keeps its place
    before = hook.dialect_data if hook is not None else {}
    kept[_COUNTDOWN] = before.get(OMS, {}).get(_COUNTDOWN) if posted is None else posted
    return {**before, OMS: kept}


def resealed(keys: KeyRing, *, dialect_data: Mapping[str, Any]) -> dict[str, Any] | None:
    """Give *dialect_data* with its credentials encrypted by the newest key; None when they are, or there are none."""
    kept: Mapping[str, Any] = dialect_data.get(OMS, {})
    sealed = kept.get(SEALED_AUTH, "").encode("ascii")
    if not sealed or keys.is_newest(sealed):
        return None
    return {**dialect_data, OMS: {**kept, SEALED_AUTH: keys.rotate(sealed).decode("ascii")}}


def countdown(hook: Hook) -> Countdown | None:
    """Give the countdown that a hook's retry policy is; None when it is none."""
    return countdown_of(hook.retry, posted=dialect_hooks.kept(hook, OMS).get(_COUNTDOWN))


def can_say(hook: Any) -> bool:
    """Say whether oms has words for a hook."""
    return not dialect_words.oms_lacks(hook)


def secret_key(work: Work, hook: Hook) -> str | None:
    """Give the secret key that was given, or what it was rotated to; None when there is none. Raise KeyUnavailable."""
    if not fields_of(work, hook).is_key_given:
        return None
    return next((text for _, text in hook_secrets.secrets_of(work, hook)), None)


def take_turn(work: Work, *, organization_number: int) -> None:
    """Let no other change of oms in this organization begin before this transaction ends.

    So two equal hooks cannot be made at the same moment, nor two changes of one hook undo each other. (SQLite has one
    writer anyway.)
    """
    organizations.lock_within(work, number=organization_number)


def refuse_twin(
    work: Work,
    *,
    organization_number: int,
    author_number: int | None,
    url: str,
    event_type: str,
    but: int | None = None,
) -> None:
    """Raise Conflict (``registered``) when the author has a hook other than number *but* with that URL and type.

    No author: the hooks that belong to no person, as those of service tokens.
    """
    is_alike = _saying(event_type)
    twins = dialect_hooks.numbers(
        work,
        organization_number=organization_number,
        can_say=lambda hook: hook.author_number == author_number and is_alike(hook),
        wanted=dialect_hooks.HooksWanted(url=url),
    )
    if any(number != but for number in twins):
        raise Conflict("The author has a hook with this URL and event type.", code="registered")


def _saying(event_type: str) -> CanSay:
    def judge(hook: Any) -> bool:
        return can_say(hook) and hook.event_types == [event_type]

    return judge
