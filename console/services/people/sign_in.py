"""Signing in and the sessions of browsers.

Guessing is slowed down in the database, so over all processes: after five failures within 15 minutes a name, and after
twenty an address prefix (/24, /64), has to wait, longer each time. Strangers lock nobody out: who signed in from a
prefix before waits only for failures with the same name from there.
"""

from __future__ import annotations

import hashlib
import unicodedata
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

from sqlalchemy import ColumnElement, delete, or_, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import joinedload

from console.core.errors import Busy, Invalid, Unauthenticated
from console.models import BrowserSession, Membership, SignInFailure, User
from console.services import audit
from console.services.people import passwords, throttle
from console.services.work import Actor, Work

FAMILIAR_FOR = timedelta(days=90)
IDLE = timedelta(hours=12)
LONGEST = timedelta(days=7)
TOUCH_EVERY = timedelta(minutes=1)
WRONG = "That e-mail and password do not go together."


# --- signing in -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Proven:
    """Somebody who gave the right password, and the *mark* of the account as it was then."""

    user: User
    mark: str


def mark_of(user: User) -> str:
    """Return what changes with the password and whenever all sessions of *user* are ended."""
    return hashlib.sha256(f"{user.number}:{user.generation}:{user.password_hash}".encode()).hexdigest()


def hold(work: Work, *, user: User, mark: str | None) -> None:
    """Keep the account of *user* as it is until the caller's transaction ends.

    Raise Unauthenticated when the person is switched off, or when the account no longer has *mark*, which the password
    that gave the right to go on left; None: no password did.
    """
    work.session.refresh(user, ["is_active", "generation", "password_hash"], with_for_update=True)
    if not user.is_active or mark not in {None, mark_of(user)}:
        raise Unauthenticated("Your account was changed meanwhile. Sign in again.", code="sign_in_over")


def authenticate(work: Work, *, login: str, password: str, ip: str | None) -> Proven:
    """Return who has that e-mail or user name and password.

    Raise Unauthenticated with the same sentence, after the same work, whatever is wrong; TooMany while throttled, after
    the same failures whether there is such an account or not, and whichever of its names is typed; Busy when too many
    passwords are being compared. Nobody is signed in yet: a second factor may be missing.
    """
    with passwords.turn():  # before all else: who is sent away costs nothing, and has not failed
        login, prefix = normalized(login), prefix_of(ip)
        user = work.session.scalar(select(User).where(or_(User.email == login, User.username == login)))
        password_hash, mark = (user.password_hash, mark_of(user)) if user else (None, None)
        is_familiar = _is_familiar(work, user, prefix=prefix)
        own, account, network = _scopes(login, prefix=prefix)
        admission = throttle.admit(work, own, shared=[account, network])  # ends the transaction: none while hashing
        is_right = passwords.is_password(password, password_hash=password_hash)
        renewed = passwords.rehash(password, password_hash=password_hash or "") if is_right else None
    if user is None or not is_right or not user.is_active or (admission.delay and not is_familiar):
        if admission.delay:  # a familiar person with the wrong password is told no more than a stranger
            raise admission.delay
        # Not what was typed: people type passwords into the wrong field.
        actor = Actor(user.email, user.number, ip) if user else Actor("Somebody unknown", ip=ip)
        _note_refusal(replace(work, actor=actor), user)
        raise Unauthenticated(WRONG, code="sign_in_wrong")
    with work.transaction():
        hold(work, user=user, mark=mark)
        if renewed is not None:
            user.password_hash = renewed
        # What strangers did elsewhere still counts against strangers.
        throttle.forget(work, scopes=[own] if is_familiar else [own, account], attempts=admission.attempts)
    return Proven(user, mark_of(user))


def confirm_password(work: Work, *, user: User, password: str) -> str:
    """Make sure again, before something delicate, that it is *user*, and return the mark of the account for ``hold``.

    Raise Invalid for a wrong password, TooMany while throttled, Busy when too many are compared.
    """
    password_hash, mark = user.password_hash, mark_of(user)
    with passwords.turn(), throttle.throttled(work, f"confirm:{user.number}"):
        if not passwords.is_password(password, password_hash=password_hash):
            raise Invalid.field("password", "That is not your password.", code="wrong_password")
    return mark


def normalized(login: str) -> str:
    """Write an e-mail or a user name the one way in which it is stored and compared."""
    return unicodedata.normalize("NFKC", login.replace("\x00", "").strip()).lower()


def _note_refusal(work: Work, user: User | None) -> None:
    with work.transaction():
        audit_for(work, user, "user.sign_in_failed")


def audit_for(work: Work, user: User | None, action: str, *, changes: Mapping[str, Any] | None = None) -> None:
    """Write an entry in each organization of the user, where its admins look, or in the installation's own log."""
    numbers: list[int | None] = []
    if user is not None:
        query = select(Membership.organization_number).where(Membership.user_number == user.number)
        numbers += work.session.scalars(query)
    for number in numbers or [None]:
        audit.record(
            work,
            action=action,
            organization_number=number,
            object_type="user",
            object_id=str(user.id) if user else None,
            object_name=user.email if user else None,
            changes=changes,
        )


# --- the throttle ---------------------------------------------------------------------------------------------------


def _scopes(login: str, *, prefix: str) -> tuple[throttle.Scope, throttle.Scope, throttle.Scope]:
    """Return what an attempt counts for: the pair of name and prefix, the name, the prefix.

    A name is what was typed, not the account it belongs to: nobody learns from a wait which accounts there are.
    """
    return (
        throttle.Scope(throttle.hashed("pair", login, prefix), free=5),
        throttle.Scope(throttle.hashed("account", login), free=5),
        throttle.Scope(throttle.hashed("prefix", prefix), free=20),
    )


def prefix_of(ip: str | None) -> str:
    """Give the network that an address is throttled with: /24, or /64 for IPv6; mapped addresses count as IPv4."""
    try:
        address: IPv4Address | IPv6Address = ip_address(ip or "")
    except ValueError:
        return "unknown"
    if isinstance(address, IPv6Address):
        mapped = address.ipv4_mapped
        address = mapped if mapped is not None else IPv6Address(int(address))  # drops a zone such as %eth0
    length = 24 if isinstance(address, IPv4Address) else 64
    return str(ip_network((address, length), strict=False))


def _is_familiar(work: Work, user: User | None, *, prefix: str) -> bool:
    query = select(BrowserSession.ip).where(
        BrowserSession.user_number == (user.number if user else 0),
        BrowserSession.created_at > work.now() - FAMILIAR_FOR,
    )
    return any(prefix_of(ip) == prefix for ip in work.session.scalars(query.distinct()))


# --- sessions -------------------------------------------------------------------------------------------------------


def start_session(work: Work, *, user: User, ip: str | None, user_agent: str | None, mark: str | None = None) -> str:
    """Start a session and return the secret for its cookie, which is stored nowhere.

    *mark* is that of the account when it was proven whose it is; raise Unauthenticated as ``hold`` does.
    """
    secret = urlsafe_b64encode(work.token_bytes(32)).decode().rstrip("=")
    now = work.now()
    with work.transaction():
        hold(work, user=user, mark=mark)
        work.session.add(
            BrowserSession(
                secret_hash=_digest(secret),
                user_number=user.number,
                created_at=now,
                seen_at=now,
                ip=(ip or "")[:40],
                user_agent=(user_agent or "").replace("\x00", "")[:200],
            )
        )
        audit_for(replace(work, actor=Actor(user.email, user.number, ip)), user, "user.signed_in")
    return secret


def load_session(work: Work, secret: str) -> BrowserSession | None:
    """Give the living session of a cookie, its user loaded, and note at most once a minute that it was seen.

    None when there is none, it ended, or its user is inactive; ``why_ended`` then has the words.
    """
    session = _session_of(work, secret)
    if session is None or _end_of(session, now=work.now()) is not None:
        return None
    if session.seen_at <= work.now() - TOUCH_EVERY:
        _touch(work, session)
    return session


def why_ended(work: Work, secret: str) -> str | None:
    """Say why a cookie no longer signs in, for the person; None when nothing is known about it."""
    session = _session_of(work, secret)
    return None if session is None else _end_of(session, now=work.now())


def sessions_of(work: Work, *, user: User) -> list[BrowserSession]:
    """List a user's living sessions, the one seen last first."""
    now = work.now()
    query = select(BrowserSession).where(*_living(user.number), BrowserSession.seen_at > now - IDLE)
    query = query.where(BrowserSession.created_at > now - LONGEST)
    return list(work.session.scalars(query.order_by(BrowserSession.seen_at.desc(), BrowserSession.number.desc())))


def end_session(work: Work, *, session: BrowserSession, reason: str = "You signed out.") -> None:
    """End one session; the reason is what its browser is told."""
    with work.transaction():
        if session.ended_at is None:
            session.ended_at, session.end_reason = work.now(), reason


def end_other_sessions(
    work: Work, *, user: User, keep: BrowserSession | None, reason: str = "You were signed out from another browser."
) -> int:
    """End a user's sessions but *keep*; say how many were ended."""
    with work.transaction():
        return end_sessions_within(work, user=user, keep=keep, reason=reason)


def end_sessions_within(work: Work, *, user: User, keep: BrowserSession | None, reason: str) -> int:
    """End a user's sessions but *keep*, and every sign-in that is not complete, inside the caller's transaction.

    Return how many sessions were ended.
    """
    work.session.execute(update(User).where(User.number == user.number).values(generation=User.generation + 1))
    kept = keep.number if keep is not None else 0
    return len(
        work.session.scalars(
            update(BrowserSession)
            .where(*_living(user.number), BrowserSession.number != kept)
            .values(ended_at=work.now(), end_reason=reason)
            .returning(BrowserSession.number)
        ).all()
    )


def forget_old(work: Work) -> int:
    """Delete sessions that began longer ago than a prefix stays familiar, and old failures; say how many sessions."""
    with work.transaction():
        work.session.execute(delete(SignInFailure).where(SignInFailure.at < work.now() - throttle.WINDOW))
        old = delete(BrowserSession).where(BrowserSession.created_at < work.now() - FAMILIAR_FOR)
        return len(work.session.scalars(old.returning(BrowserSession.number)).all())


def _living(user_number: int) -> tuple[ColumnElement[bool], ...]:
    return BrowserSession.user_number == user_number, BrowserSession.ended_at.is_(None)


def _session_of(work: Work, secret: str) -> BrowserSession | None:
    query = select(BrowserSession).where(BrowserSession.secret_hash == _digest(secret))
    return work.session.scalar(query.options(joinedload(BrowserSession.user)))


def _end_of(session: BrowserSession, *, now: datetime) -> str | None:
    """Say why a session is at its end; None while it lives."""
    if session.ended_at is not None:
        return session.end_reason or "You were signed out."
    if not session.user.is_active:
        return "This account is no longer active."
    if session.seen_at <= now - IDLE:
        return "You were signed out after 12 hours without activity."
    if session.created_at <= now - LONGEST:
        return "You were signed out: a session lasts 7 days at most."
    return None


def _touch(work: Work, session: BrowserSession) -> None:
    """Note that a session was seen; a database that is busy is let be."""
    seen = work.now()
    stale = BrowserSession.seen_at <= seen - TOUCH_EVERY
    with suppress(Busy, SQLAlchemyError), work.transaction():
        work.session.execute(
            update(BrowserSession).where(BrowserSession.number == session.number, stale).values(seen_at=seen)
        )


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
