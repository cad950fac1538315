"""Organizations, people and their credentials."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint, true
from sqlalchemy.orm import Mapped, mapped_column, relationship

from console.models.base import Base, number_key, text40, text200


class Organization(Base):
    """The tenant; owns everything below it. The slug never changes: bodies that were sent contain it."""

    __tablename__ = "organizations"
    __table_args__ = ({"sqlite_autoincrement": True},)

    number: Mapped[number_key]
    id: Mapped[UUID] = mapped_column(unique=True)
    slug: Mapped[str] = mapped_column(String(50), unique=True)
    name: Mapped[text200]
    created_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]  # its slug is then ~number, which nobody can ask for
    # Its defaults; none leaves it to the installation.
    retry_schedule: Mapped[str | None] = mapped_column(Text)  # delays in seconds: 10,60,300
    timeout_s: Mapped[int | None]
    retention_days: Mapped[int | None]
    largest_payload: Mapped[int | None]  # bytes


class User(Base):
    """A person. Staff see all organizations."""

    __tablename__ = "users"
    __table_args__ = ({"sqlite_autoincrement": True},)

    number: Mapped[number_key]
    id: Mapped[UUID] = mapped_column(unique=True)
    username: Mapped[str] = mapped_column(String(150), unique=True)
    email: Mapped[str] = mapped_column(String(254), unique=True)
    full_name: Mapped[text200] = mapped_column(default="")
    password_hash: Mapped[str] = mapped_column(String(255))
    is_staff: Mapped[bool] = mapped_column(default=False)
    is_active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime]
    sealed_totp: Mapped[bytes | None] = mapped_column(LargeBinary)  # the secret of an authenticator app, encrypted
    totp_step: Mapped[int | None]  # the time step of the last code that was used
    two_factor_since: Mapped[datetime | None]
    time_zone: Mapped[str] = mapped_column(String(64), default="UTC")  # an IANA name
    has_shortcuts: Mapped[bool] = mapped_column(default=True, server_default=true())  # of one key
    generation: Mapped[int] = mapped_column(default=0, server_default="0")  # how often all sessions were ended
    last_organization_number: Mapped[int | None]  # where the person was last; it may be gone, or closed to them

    memberships: Mapped[list[Membership]] = relationship(back_populates="user", cascade="all, delete-orphan")

    @property
    def display_name(self) -> str:
        """Return what this person reads of themself: the full name, or the e-mail address without one."""
        return self.full_name or self.email

    @property
    def who(self) -> str:
        """Return what others read: the e-mail address, which nobody else can have, then the name they chose."""
        return f"{self.email} ({self.full_name})" if self.full_name else self.email


class RecoveryCode(Base):
    """Signs a person in once in place of a code of their lost authenticator app."""

    __tablename__ = "recovery_codes"
    __table_args__ = (UniqueConstraint("user_number", "code_hash"), {"sqlite_autoincrement": True})

    number: Mapped[number_key]
    user_number: Mapped[int] = mapped_column(ForeignKey("users.number", ondelete="CASCADE"))
    code_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    used_at: Mapped[datetime | None]


class Membership(Base):
    """A person's role in an organization."""

    __tablename__ = "memberships"
    __table_args__ = (UniqueConstraint("user_number", "organization_number"), {"sqlite_autoincrement": True})

    number: Mapped[number_key]
    user_number: Mapped[int] = mapped_column(ForeignKey("users.number", ondelete="CASCADE"))
    organization_number: Mapped[int] = mapped_column(ForeignKey("organizations.number", ondelete="CASCADE"), index=True)
    role: Mapped[str] = mapped_column(String(20))
    created_at: Mapped[datetime]

    user: Mapped[User] = relationship(back_populates="memberships")
    organization: Mapped[Organization] = relationship()


class BrowserSession(Base):
    """A sign-in in one browser, kept on the server so that it can be ended; the cookie holds only its secret."""

    __tablename__ = "browser_sessions"
    __table_args__ = ({"sqlite_autoincrement": True},)

    number: Mapped[number_key]
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    user_number: Mapped[int] = mapped_column(ForeignKey("users.number", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    ip: Mapped[text40]
    user_agent: Mapped[text200]
    ended_at: Mapped[datetime | None]
    end_reason: Mapped[str | None] = mapped_column(String(100))

    user: Mapped[User] = relationship()


class SignInFailure(Base):
    """A failed sign-in, kept for the throttle; *scope* is a hash of the account name or the address prefix."""

    __tablename__ = "sign_in_failures"
    __table_args__ = (Index(None, "scope", "at"), {"sqlite_autoincrement": True})

    number: Mapped[number_key]
    scope: Mapped[str] = mapped_column(String(80))
    at: Mapped[datetime]


class Invitation(Base):
    """A link with which somebody joins an organization; only the SHA-256 of its secret is stored."""

    __tablename__ = "invitations"
    __table_args__ = ({"sqlite_autoincrement": True},)

    number: Mapped[number_key]
    id: Mapped[UUID] = mapped_column(unique=True)
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    organization_number: Mapped[int] = mapped_column(ForeignKey("organizations.number", ondelete="CASCADE"), index=True)
    email: Mapped[str] = mapped_column(String(254))
    role: Mapped[str] = mapped_column(String(20))
    invited_by: Mapped[str] = mapped_column(String(254))
    invited_by_number: Mapped[int | None]  # the user, without whose right to invite the link is worth nothing
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]  # accepted or withdrawn

    organization: Mapped[Organization] = relationship()


class SetupLink(Base):
    """The one-time link with which the first admin is made."""

    __tablename__ = "setup_links"
    __table_args__ = ({"sqlite_autoincrement": True},)

    number: Mapped[number_key]
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class Token(Base):
    """An API credential: an organization, a set of permissions, an owner. Only its SHA-256 is stored.

    The owner of a personal token is a user; a service token has none and belongs to the organization. A token that
    another token created (its parent) is revoked with it and expires no later.
    """

    __tablename__ = "tokens"
    __table_args__ = ({"sqlite_autoincrement": True},)

    number: Mapped[number_key]
    id: Mapped[UUID] = mapped_column(unique=True)
    prefix: Mapped[str] = mapped_column(String(20), unique=True)
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    name: Mapped[text200]
    user_number: Mapped[int | None] = mapped_column(ForeignKey("users.number", ondelete="CASCADE"), index=True)
    organization_number: Mapped[int] = mapped_column(ForeignKey("organizations.number", ondelete="CASCADE"), index=True)
    parent_number: Mapped[int | None] = mapped_column(ForeignKey("tokens.number", ondelete="CASCADE"), index=True)
    permissions: Mapped[list[str]]
    created_by: Mapped[str] = mapped_column(String(254), default="", server_default="")  # the name as it was then
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    last_used_ip: Mapped[str | None] = mapped_column(String(40))
    revoked_at: Mapped[datetime | None]

    user: Mapped[User | None] = relationship()
    organization: Mapped[Organization] = relationship()
    membership: Mapped[Membership | None] = relationship(
        primaryjoin="and_(foreign(Token.user_number) == Membership.user_number,"
        " foreign(Token.organization_number) == Membership.organization_number)",
        viewonly=True,
        uselist=False,
    )

    @property
    def is_service(self) -> bool:
        """Whether it belongs to the organization, not to a person."""
        return self.user_number is None

    @property
    def label(self) -> str:
        """What people call it: its name, or how its text begins."""
        return self.name or self.prefix
