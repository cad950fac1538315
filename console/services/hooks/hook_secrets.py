"""The secrets that sign a hook's deliveries: rotate them, open them, and its sealed header fields."""

from __future__ import annotations

from datetime import datetime, timedelta

from console.core.errors import Invalid
from console.core.signing import new_secret
from console.models import Hook, HookSecret
from console.services import audit
from console.services.hooks import credentials, hooks
from console.services.hooks.hook_fields import HookDraft, check
from console.services.work import Work

DEFAULT_OVERLAP_S = 86_400


LONGEST_OVERLAP_S = 30 * 86_400


SHORTEST_WITH_ENDING = 24


def rotate(work: Work, *, hook: Hook, overlap_s: int = DEFAULT_OVERLAP_S, secret: str | None = None) -> hooks.Made:
    """Give a hook a new secret; the old ones sign beside it for *overlap_s* seconds."""
    if not 0 <= overlap_s <= LONGEST_OVERLAP_S:
        raise Invalid.field("overlap_seconds", f"Between 0 and {LONGEST_OVERLAP_S} seconds (30 days).", code="range")
    made = secret or new_secret(work.token_bytes(32))
    check(work, organization_number=hook.organization_number, draft=HookDraft(secret=made), hook=hook)
    now = work.now()
    with work.transaction():
        hooks.lock(work, hook)
        until = now + timedelta(seconds=overlap_s)
        for old in living(hook, now=now):
            old.expires_at = min(old.expires_at or until, until)
        hook.secrets.insert(0, HookSecret(sealed=work.keys.seal(made), created_at=now))
        hooks.touch(work, hook)
        audit.record_of_hook(
            work, hook=hook, action="hook.secret_rotated", changes={"overlap_seconds": [None, overlap_s]}
        )
    return hooks.Made(hook, made)


def end_overlap(work: Work, *, hook: Hook) -> None:
    """Let only the newest secret sign from now on."""
    with work.transaction():
        hooks.lock(work, hook)
        newest, *older = hook.secrets
        for old in older:
            work.session.delete(old)
        hooks.touch(work, hook)
        audit.record_of_hook(work, hook=hook, action="hook.overlap_ended", changes={"secrets": [len(older) + 1, 1]})
    work.session.refresh(hook, ["secrets"])
    assert hook.secrets[0] is newest  # noqa: S101 the relationship is ordered newest first


def living(hook: Hook, *, now: datetime) -> list[HookSecret]:
    """Return the secrets that sign at *now*, newest first."""
    return [secret for secret in hook.secrets if secret.expires_at is None or secret.expires_at > now]


def secrets_of(work: Work, hook: Hook) -> list[tuple[HookSecret, str]]:
    """Give the secrets that sign now, newest first, in clear; raise KeyUnavailable."""
    return [(row, work.keys.open(row.sealed)) for row in living(hook, now=work.now())]


def headers_of(work: Work, hook: Hook) -> dict[str, str]:
    """Return the hook's own header fields in clear; raise KeyUnavailable."""
    return credentials.headers_of(work, hook)


def ending(text: str) -> str:
    """Return the last characters of a secret, by which people tell two apart; nothing of one that is short."""
    return text.rstrip("=")[-4:] if len(text) >= SHORTEST_WITH_ENDING else ""
