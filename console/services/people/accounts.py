"""People: their accounts, names and passwords. Who may do what in which organization stands in ``members``."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any
from zoneinfo import available_timezones

from sqlalchemy import or_, select, update
from sqlalchemy.exc import IntegrityError

from console.core.errors import Conflict, FieldError, Invalid, NotFound, Refused
from console.core.permissions import Role
from console.database import take_turns
from console.models import BrowserSession, Membership, Organization, SetupLink, User
from console.services import audit
from console.services.organizations import organizations
from console.services.people import members, passwords, sign_in
from console.services.work import Work

_USERNAME = re.compile(r"[a-z0-9_][a-z0-9_.@+-]{0,149}", re.ASCII)
_EMAIL = re.compile(r"[^@\s\x00-\x1f\x7f]{1,64}@[^@\s\x00-\x1f\x7f]{1,189}")
_LONGEST_NAME = 200
FIRST_USER = "the first user"
"""What transactions that make a user, or a link for the first one, take turns by."""
_NOT_IN_A_USERNAME = re.compile(r"[^a-z0-9_.+-]+", re.ASCII)


def create_user(
    work: Work,
    *,
    username: str,
    email: str,
    full_name: str = "",
    password: str,
    organization_slug: str,
    role: str,
    is_staff: bool = False,
) -> User:
    """Make a person with a role in an organization, which is made too when it is missing.

    Raise Invalid, or Conflict when the user name or the e-mail is somebody's, in whatever case.
    """
    username, email = sign_in.normalized(username), sign_in.normalized(email)
    wrong = wrong_user(username, email, full_name, password, names=[organization_slug])
    wrong += organizations.wrong_fields(organization_slug, "")
    if role not in set(Role):
        wrong.append(FieldError("/role", "choice", f"A role is one of {', '.join(Role)}."))
    if wrong:
        raise Invalid(*wrong)
    password_hash = passwords.hash_password(password)  # before the transaction: it takes its time
    try:
        with work.transaction():
            organization = _organization_for(work, organization_slug)
            return add_user(
                work,
                User(
                    username=username,
                    email=email,
                    full_name=full_name.strip(),
                    password_hash=password_hash,
                    is_staff=is_staff,
                ),
                organization=organization,
                role=Role(role),
            )
    except IntegrityError as error:
        raise Conflict("That user name or e-mail is somebody's already.", code="user_exists") from error


def _organization_for(work: Work, slug: str) -> Organization:
    found = work.session.scalar(select(Organization).where(Organization.slug == slug))
    return found or organizations.add_within(work, slug=slug, name="")


def add_user(work: Work, user: User, *, organization: Organization, role: Role) -> User:
    """Add a checked user and the membership inside the caller's transaction.

    Either name may be used to sign in, so neither may be another's: raise Conflict. Whoever is first ends all links
    that would set up the first: those are for an installation that has nobody.
    """
    names = (user.username, user.email)
    take_turns(work.session, FIRST_USER)
    if work.session.scalar(select(User.number).where(or_(User.username.in_(names), User.email.in_(names)))):
        raise Conflict("That user name or e-mail is somebody's already.", code="user_exists")
    user.id, user.created_at = work.new_id(), work.now()
    user.memberships = [Membership(organization=organization, role=role.value, created_at=work.now())]
    work.session.add(user)
    work.session.flush()
    now = work.now()
    open_links = update(SetupLink).where(SetupLink.used_at.is_(None), SetupLink.expires_at > now)
    work.session.execute(open_links.values(expires_at=now))
    changes = {"role": [None, role.value], "is_staff": [None, user.is_staff]}
    _audit(work, user, "user.created", organization=organization, changes=changes)
    return user


def wrong_email(email: str) -> list[FieldError]:
    """Give what is wrong with a normalized e-mail address: an error, or nothing."""
    if _EMAIL.fullmatch(email):
        return []
    return [FieldError("/email", "email", "Give an e-mail address, such as ada@example.com.")]


def wrong_user(
    username: str, email: str, full_name: str, password: str, *, names: Iterable[str] = ()
) -> list[FieldError]:
    """Give what is wrong with the fields of a new person; *names* are those of the organization."""
    wrong = []
    if not _USERNAME.fullmatch(username):
        words = "A user name has 1 to 150 letters, digits and . _ + - @ characters."
        wrong.append(FieldError("/username", "username", words))
    wrong += wrong_email(email)
    if len(full_name) > _LONGEST_NAME or "\x00" in full_name:
        wrong.append(FieldError("/full_name", "too_long", f"A name has at most {_LONGEST_NAME} characters."))
    if "@" in unicodedata.normalize("NFKC", full_name):
        words = "Leave out the @: others could take the name for the e-mail address of somebody else."
        wrong.append(FieldError("/full_name", "name", words))
    return wrong + _wrong_password(password, field="password", names=(username, email, full_name, *names))


def _wrong_password(password: str, *, field: str, names: Iterable[str]) -> list[FieldError]:
    try:
        passwords.check_rules(password, names=names)
    except Refused as error:
        return [FieldError(f"/{field}", error.code, error.message)]
    return []


def _names_of(work: Work, user: User) -> list[str]:
    """Give the names of a person and of their organizations, which make a bad password."""
    theirs = [one.organization for one in members.memberships_of(work, user=user)]
    names = [name for one in theirs for name in (one.slug, one.name)]
    return [user.username, user.email, user.full_name, *names]


def get_user(work: Work, *, login: str) -> User:
    """Give the user with that e-mail or user name; raise NotFound."""
    login = sign_in.normalized(login)
    user = work.session.scalar(select(User).where(or_(User.email == login, User.username == login)))
    if user is None:
        raise NotFound("user")
    return user


def get_user_by_number(work: Work, *, number: int) -> User:
    """Give a user; raise NotFound."""
    user = work.session.get(User, number)
    if user is None:
        raise NotFound("user")
    return user


def change_time_zone(work: Work, *, user: User, name: str) -> None:
    """Show a person times in the IANA time zone *name*; raise Invalid for none."""
    if name not in available_timezones():
        raise Invalid.field("time_zone", "Give a time zone such as Europe/Berlin, or UTC.", code="time_zone")
    with work.transaction():
        user.time_zone = name


def switch_shortcuts(work: Work, *, user: User, is_on: bool) -> None:
    """Switch a person's shortcuts of one key on or off (WCAG 2.1.4)."""
    with work.transaction():
        user.has_shortcuts = is_on


def change_password(work: Work, *, user: User, current: str, new: str, keep: BrowserSession | None = None) -> None:
    """Change a person's password and end all their sessions but *keep*; raise Invalid, or TooMany while throttled."""
    wrong = _wrong_password(new, field="new", names=_names_of(work, user))
    if wrong:
        raise Invalid(*wrong)
    try:
        mark = sign_in.confirm_password(work, user=user, password=current)
    except Invalid as error:
        raise Invalid.field("current", error.message, code="wrong_password") from error
    _set_password(work, user, new, keep=keep, mark=mark)


def set_password(work: Work, *, user: User, new: str) -> None:
    """Give a person a new password, on the operator's word, and end all their sessions; raise Invalid."""
    wrong = _wrong_password(new, field="password", names=_names_of(work, user))
    if wrong:
        raise Invalid(*wrong)
    _set_password(work, user, new, keep=None)


def _set_password(work: Work, user: User, new: str, *, keep: BrowserSession | None, mark: str | None = None) -> None:
    work.session.commit()  # no transaction is open while hashing
    password_hash = passwords.hash_password(new)
    with work.transaction():
        if mark is not None:
            sign_in.hold(work, user=user, mark=mark)
        user.password_hash = password_hash
        sign_in.end_sessions_within(work, user=user, keep=keep, reason="The password of your account was changed.")
        for membership in members.memberships_of(work, user=user):
            _audit(work, user, "user.password_changed", organization=membership.organization)


def free_username(work: Work, email: str) -> str:
    """Make a user name of what stands before the @ of *email*, with a number when it is taken."""
    base = _NOT_IN_A_USERNAME.sub("", email.partition("@")[0]).lstrip(".+-")[:140] or "admin"
    taken = set(work.session.scalars(select(User.username).where(User.username.startswith(base, autoescape=True))))
    return next(name for name in (base, *(f"{base}{n}" for n in range(2, len(taken) + 3))) if name not in taken)


def _audit(
    work: Work, user: User, action: str, *, organization: Organization, changes: Mapping[str, Any] | None = None
) -> None:
    audit.record(
        work,
        action=action,
        organization_number=organization.number,
        object_type="user",
        object_id=str(user.id),
        object_name=user.email,
        changes=changes,
    )
