"""A hook as OMS writes it, and what a body in its words makes of a hook."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from console.api.dialects import drf
from console.api.dialects.drf import Field, Wrong, fields
from console.api.dialects.drf.fields import Parser
from console.api.dialects.oms.face import registered_types
from console.core.catalogue import OMS
from console.core.countdown import Countdown, CountdownRefused, parse_countdown
from console.core.errors import Refused
from console.core.headers import HeaderRefused, check_headers
from console.core.redact import MASK
from console.core.signing import check_secret, new_secret
from console.models import Hook
from console.services.dialects import oms_hooks
from console.services.dialects.oms_hooks import OmsFields
from console.services.engine import callbacks
from console.services.hooks import hook_secrets
from console.services.hooks.credentials import Kept
from console.services.hooks.hook_fields import UNSET, HookDraft
from console.services.people.sight import Sight
from console.services.work import Work

LONGEST_URL = 255
LONGEST_SECRET = 124
LONGEST_TYPE = 124
LONGEST_CALLBACK = 64
TIMEOUT_S = 10
_PLAIN_AUTH = frozenset({"auth_type", "username"})
"""What of ``config.auth`` everybody may see."""


# --- writing --------------------------------------------------------------------------------------------------------


def shown(work: Work, hook: Hook) -> dict[str, Any]:
    """Write a hook; its secret key and password are in it for callers who may edit it, masked headers for nobody."""
    sight = Sight.of_token(drf.principal())
    sees_secrets = sight.edits_hooks
    countdown = oms_hooks.countdown(hook)
    kept = oms_hooks.fields_of(work, hook)
    return {
        "id": hook.number,
        "retry_countdown_config": countdown.to_json() if countdown is not None else None,
        "created_date": drf.moment(hook.created_at),
        "modified_date": drf.moment(hook.modified_at),
        "target_url": hook.url,
        "is_active": hook.is_active,
        "secret_key": oms_hooks.secret_key(work, hook) if sees_secrets else None,
        "event_type": hook.event_types[0],
        "callback": kept.callback,
        "additional_headers": sight.hook_headers(hook_secrets.headers_of(work, hook)),
        "config": dict(kept.config) if sees_secrets else _without_password(kept.config),
    }


def _without_password(config: Mapping[str, Any]) -> dict[str, Any]:
    """Make null what may be a secret."""
    shown = dict(config)
    if "auth" in shown:
        auth = shown["auth"]
        is_known = isinstance(auth, Mapping)
        shown["auth"] = {name: auth[name] if name in _PLAIN_AUTH else None for name in auth} if is_known else None
    return shown


# --- reading --------------------------------------------------------------------------------------------------------


def new(work: Work) -> HookDraft:
    """Read the body of this request as a new hook; raise ErrorAnswer."""
    given = drf.take(drf.body(), _fields(work, hook=None))
    draft = _draft(work, given, hook=None)
    return HookDraft(**draft, payload_format=OMS, timeout=TIMEOUT_S)


def changes(work: Work, *, hook: Hook, is_partial: bool) -> HookDraft:
    """Read the body of this request as what changes of *hook*; raise ErrorAnswer. *is_partial*: nothing is required."""
    given = drf.take(drf.body(), _fields(work, hook=hook), is_partial=is_partial)
    return HookDraft(**_draft(work, given, hook=hook))


def _draft(work: Work, given: Mapping[str, Any], *, hook: Hook | None) -> dict[str, Any]:
    names = {"target_url": "url", "is_active": "is_active", "additional_headers": "headers"}
    draft = {ours: given[theirs] for theirs, ours in names.items() if theirs in given}
    if "event_type" in given:
        draft["event_types"] = [given["event_type"]]
    countdown: Countdown | None = given.get("retry_countdown_config")
    if countdown is not None:
        draft["retry"] = countdown.to_retry()
    if hook is None or given.keys() & {"retry_countdown_config", "secret_key", "callback", "config"}:
        before = oms_hooks.fields_of(work, hook) if hook is not None else OmsFields(is_key_given=False)
        draft["secret"], is_key_given = _secret(work, given, before=before, hook=hook)
        after = OmsFields(
            is_key_given, config=given.get("config", before.config), callback=given.get("callback", before.callback)
        )
        posted = countdown.to_json() if countdown is not None else None
        draft["has_new_password"] = "config" in given
        draft["dialect_data"] = oms_hooks.keeping(work, hook, fields=after, posted=posted)
    return draft


def _secret(
    work: Work, given: Mapping[str, Any], *, before: OmsFields, hook: Hook | None
) -> tuple[object, bool | None]:
    """Give the secret to set, or UNSET, and whether it is a secret key now.

    Null takes a secret key away: a new secret, which nobody has seen, signs by Standard Webhooks alone. One that is
    sent back as it was changes nothing, so that a rotation goes on.
    """
    if "secret_key" not in given:
        return UNSET, before.is_key_given
    key = given["secret_key"]
    if key is None:
        return (new_secret(work.token_bytes(32)), False) if before.is_key_given else (UNSET, before.is_key_given)
    is_known = hook is not None and key == oms_hooks.secret_key(work, hook)
    return UNSET if is_known else key, True


def _fields(work: Work, *, hook: Hook | None) -> tuple[Field, ...]:
    """Say what a body may hold, in the order of the answer."""
    url = fields.url(
        policy=work.settings.target_policy, max_length=LONGEST_URL, kept=hook.url if hook is not None else None
    )
    names = set(callbacks.names())
    if hook is not None and (kept := oms_hooks.fields_of(work, hook).callback) is not None:
        names.add(kept)  # it may be sent back although its package is gone
    is_oms = hook is None or hook.payload_format == OMS
    stored = hook_secrets.headers_of(work, hook) if hook is not None else {}
    return (
        Field(name="retry_countdown_config", parse=_countdown, is_required=True, is_object=True),
        Field(name="target_url", parse=url, is_required=True),
        Field(name="is_active", parse=fields.boolean),
        Field(name="secret_key", parse=_secret_key, is_nullable=True),
        Field(name="event_type", parse=_one_of(registered_types(work), longest=LONGEST_TYPE), is_required=True),
        Field(name="callback", parse=_one_of(names, longest=LONGEST_CALLBACK, may_be_blank=True), is_nullable=True),
        Field(name="additional_headers", parse=_headers(stored, allow_content_type=is_oms), is_object=True),
        Field(name="config", parse=fields.dictionary, is_object=True),
    )


def _countdown(value: Any) -> Countdown:
    try:
        return parse_countdown(value)
    except CountdownRefused as error:
        raise Wrong(detail=error.errors) from None


def _secret_key(value: Any) -> str | None:
    key: str = fields.text(max_length=LONGEST_SECRET, may_be_blank=True)(value)
    if not key:
        return None
    try:
        check_secret(key)
    except Refused as error:
        raise Wrong(error.message) from None
    return key


def _one_of(names: Collection[str], *, longest: int, may_be_blank: bool = False) -> Parser:
    """Take one of *names*; blank, if it may be, is none."""
    as_text, as_choice = fields.text(max_length=longest, may_be_blank=may_be_blank), fields.choice(names)

    def parse(value: Any) -> str | None:
        words = as_text(value)
        return as_choice(words) if words else None

    return parse


def _headers(stored: Mapping[str, str], *, allow_content_type: bool) -> Parser:
    """Take an object of texts that a hook may send as headers; a masked one keeps the value that is *stored*."""
    values = {name.lower(): text for name, text in stored.items()}

    def parse(value: Any) -> dict[str, str | Kept]:
        headers: dict[str, str] = {}
        wrong: dict[str, Any] = {}
        for name, text in fields.dictionary(value).items():
            try:
                headers[name] = fields.as_text(text)
            except Wrong as error:
                wrong[name] = [fields.NULL] if text is None else error.detail
        if wrong:
            raise Wrong(detail=wrong)
        kept = {name for name, text in headers.items() if text == MASK and name.lower() in values}
        whole = {name: values[name.lower()] if name in kept else text for name, text in headers.items()}
        try:
            check_headers(whole, allow_content_type=allow_content_type)
        except Refused as error:
            if isinstance(error, HeaderRefused) and error.code == "header_denied":
                raise Wrong(f"{error.header} may not be set.") from None
            raise Wrong(error.message) from None
        return {name: Kept(name) if name in kept else text for name, text in headers.items()}

    return parse
