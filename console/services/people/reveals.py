"""Looking at the signing secrets of a hook: only after the password was given again, and never unnoticed."""

from __future__ import annotations

from console.models import Hook, HookSecret, User
from console.services import audit
from console.services.hooks import hook_secrets
from console.services.people import sign_in
from console.services.work import Work


def reveal(work: Work, *, hook: Hook, user: User, password: str) -> list[tuple[HookSecret, str]]:
    """Give the secrets that sign now, newest first, in clear, and note who looked.

    Raise Invalid for a wrong password, TooMany while throttled, KeyUnavailable.
    """
    mark = sign_in.confirm_password(work, user=user, password=password)
    secrets = hook_secrets.secrets_of(work, hook)
    with work.transaction():
        sign_in.hold(work, user=user, mark=mark)
        audit.record_of_hook(work, hook=hook, action="hook.secret_revealed")
    return secrets
