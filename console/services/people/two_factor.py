"""The second factor of signing in: codes of an authenticator app (TOTP, RFC 6238), and recovery codes for a lost one.

The app's secret is encrypted; of recovery codes only a SHA-256 is kept, which is enough for 80 random bits. A code
works once: of an app's codes the time step of the last one is remembered, so that what somebody read over a shoulder
is worth nothing.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import b32encode

import pyotp
from sqlalchemy import delete, func, or_, select, update

from console.core.errors import Conflict, Invalid
from console.models import RecoveryCode, User
from console.services.people import sign_in, throttle
from console.services.work import Work

ISSUER = "Hookyard"
SECRET_BYTES = 20  # as long as the HMAC-SHA1 of the codes: RFC 4226, section 4
STEP_S = 30
DIGITS = 6
DRIFT_STEPS = 1
"""How many steps a person's clock may be off, or their typing late."""
RECOVERY_CODES = 10
RECOVERY_BYTES = 10


def is_on(user: User) -> bool:
    """Say whether signing in asks *user* for a code."""
    return user.two_factor_since is not None


def begin(work: Work, *, user: User, password: str) -> None:
    """Make a secret for the person's app, in force only when ``confirm`` has seen a code of it.

    Raise Invalid for a wrong password, TooMany while throttled, Conflict when a second factor is in force.
    """
    if is_on(user):
        raise _on_already()
    mark = sign_in.confirm_password(work, user=user, password=password)
    with work.transaction():
        sign_in.hold(work, user=user, mark=mark)
        _read_again(work, user)
        if is_on(user):  # in another browser, while the password was looked at
            raise _on_already()
        user.sealed_totp = work.keys.seal(b32encode(work.token_bytes(SECRET_BYTES)).decode("ascii"))
        user.totp_step = None


def address_of(work: Work, *, user: User) -> str | None:
    """Give the ``otpauth://`` address of a secret that waits to be confirmed, which the app reads; else None."""
    if user.sealed_totp is None or is_on(user):
        return None
    return _totp(work, user).provisioning_uri(name=user.email, issuer_name=ISSUER)


def secret_of(work: Work, *, user: User) -> str | None:
    """Give the secret that waits to be confirmed, for typing it into an app; else None."""
    return None if user.sealed_totp is None or is_on(user) else work.keys.open(user.sealed_totp)


def confirm(work: Work, *, user: User, code: str) -> list[str]:
    """Turn the second factor on, since the app gives the right *code*; give the recovery codes, this once.

    Raise Invalid for a wrong code, TooMany while throttled, Conflict when nothing waits to be confirmed.
    """
    with throttle.throttled(work, f"code:{user.number}"), work.transaction():
        _read_again(work, user)
        if user.sealed_totp is None or is_on(user):
            raise Conflict("Begin again: there is no app that waits for its first code.", code="two_factor_not_begun")
        step = _step_of(work, user, _plain(code))
        if step is None:
            raise _wrong_code("Give the one that the app shows now; if it stays wrong, look at the clock of the phone.")
        user.two_factor_since, user.totp_step = work.now(), step
        codes = _renew_codes(work, user)
        sign_in.audit_for(work, user, "user.two_factor_on")
    return codes


def check(work: Work, *, user: User, code: str, mark: str | None = None) -> None:
    """Use up a code of the app or a recovery code, of an account that still has *mark*.

    Raise Invalid for a wrong or used code, TooMany while throttled, Unauthenticated as ``sign_in.hold`` does.
    """
    with throttle.throttled(work, f"code:{user.number}"), work.transaction():
        sign_in.hold(work, user=user, mark=mark)
        plain = _plain(code)
        # Told apart by length, so that recovery codes work even while the key of the app's secret is missing.
        use = _use_step if len(plain) == DIGITS else _use_recovery_code
        if not use(work, user, plain):
            raise _wrong_code("Give the one that the app shows now, or a recovery code.")


def renew_recovery_codes(work: Work, *, user: User, password: str) -> list[str]:
    """Give new recovery codes, after which the old ones are worth nothing.

    Raise Invalid for a wrong password, TooMany while throttled, Conflict while the second factor is off.
    """
    if not is_on(user):
        raise Conflict("Two-factor sign-in is off.", code="two_factor_off")
    mark = sign_in.confirm_password(work, user=user, password=password)
    with work.transaction():
        sign_in.hold(work, user=user, mark=mark)
        codes = _renew_codes(work, user)
        sign_in.audit_for(work, user, "user.recovery_codes_renewed")
    return codes


def turn_off(work: Work, *, user: User, password: str) -> None:
    """Ask for no code any more; raise Invalid for a wrong password, TooMany while throttled."""
    reset(work, user=user, mark=sign_in.confirm_password(work, user=user, password=password))


def reset(work: Work, *, user: User, mark: str | None = None) -> None:
    """Turn the second factor off: on the operator's word, or on that of the person, whose account has *mark*."""
    with work.transaction():
        if mark is not None:
            sign_in.hold(work, user=user, mark=mark)
        if is_on(user):
            sign_in.audit_for(work, user, "user.two_factor_off")
        user.sealed_totp = user.two_factor_since = user.totp_step = None
        work.session.execute(delete(RecoveryCode).where(RecoveryCode.user_number == user.number))


def recovery_codes_left(work: Work, *, user: User) -> int:
    """Count the recovery codes that were not used."""
    unused = select(func.count()).where(RecoveryCode.user_number == user.number, RecoveryCode.used_at.is_(None))
    return work.session.scalar(unused) or 0


def _read_again(work: Work, user: User) -> None:
    """Read how it stands now and keep others from changing it: the code must fit the secret that stays."""
    work.session.refresh(user, ["sealed_totp", "two_factor_since", "totp_step"], with_for_update=True)


def _on_already() -> Conflict:
    return Conflict("Two-factor sign-in is on already.", code="two_factor_on")


def _plain(code: str) -> str:
    """Write a code as it is compared: people and apps put spaces and dashes into them."""
    return "".join(code.split()).replace("-", "").lower()


def _totp(work: Work, user: User) -> pyotp.TOTP:
    return pyotp.TOTP(work.keys.open(user.sealed_totp or b""), digits=DIGITS, interval=STEP_S)


def _step_of(work: Work, user: User, code: str) -> int | None:
    """Give the time step whose code of the app is *code*, now or nearly; None when there is none."""
    totp, now = _totp(work, user), int(work.now().timestamp()) // STEP_S
    steps = range(now - DRIFT_STEPS, now + DRIFT_STEPS + 1)
    return next((one for one in steps if hmac.compare_digest(totp.generate_otp(one).encode(), code.encode())), None)


def _use_step(work: Work, user: User, code: str) -> bool:
    step = _step_of(work, user, code)
    if step is None:
        return False
    is_new = or_(User.totp_step.is_(None), User.totp_step < step)
    used = update(User).where(User.number == user.number, is_new).values(totp_step=step).returning(User.number)
    return work.session.scalar(used) is not None


def _use_recovery_code(work: Work, user: User, code: str) -> bool:
    used = (
        update(RecoveryCode)
        .where(RecoveryCode.user_number == user.number, RecoveryCode.used_at.is_(None))
        .where(RecoveryCode.code_hash == _digest(code))
        .values(used_at=work.now())
        .returning(RecoveryCode.number)
    )
    is_used = work.session.scalar(used) is not None
    if is_used:
        sign_in.audit_for(work, user, "user.recovery_code_used")
    return is_used


def _renew_codes(work: Work, user: User) -> list[str]:
    work.session.execute(delete(RecoveryCode).where(RecoveryCode.user_number == user.number))
    plain = [b32encode(work.token_bytes(RECOVERY_BYTES)).decode("ascii").lower() for _ in range(RECOVERY_CODES)]
    work.session.add_all(RecoveryCode(user_number=user.number, code_hash=_digest(code)) for code in plain)
    return ["-".join(code[at : at + 4] for at in range(0, len(code), 4)) for code in plain]


def _digest(code: str) -> bytes:
    return hashlib.sha256(code.encode("utf-8", "surrogatepass")).digest()


def _wrong_code(way_out: str) -> Invalid:
    return Invalid.field("code", f"That code is wrong or was used. {way_out}", code="wrong_code")
