"""Who is asking, in which organization, and whether they may: sign-in state for every page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial, wraps
from typing import ParamSpec, TypeVar, cast
from zoneinfo import ZoneInfo

from flask import Flask, Response, g, request, session, url_for
from flask_login import UserMixin, current_user, login_required, login_user, logout_user
from werkzeug.exceptions import BadRequest

from console.core.errors import Forbidden, NotFound
from console.core.permissions import Permission, grants
from console.extensions import csrf, current_work, login
from console.models import BrowserSession, Organization, User
from console.services.organizations import organizations
from console.services.people import members, sign_in
from console.services.people.sight import Sight
from console.services.work import Actor
from console.web import hx, typed

__all__ = [
    "Place",
    "SignedIn",
    "for_staff",
    "install",
    "login_required",  # Flask-Login's, for pages outside an organization
    "only_own_tokens",
    "person",
    "place",
    "recover_form",
    "requires",
    "sight",
    "sign_in_person",
    "sign_out_person",
]

P = ParamSpec("P")
R = TypeVar("R")
MOST_TO_SWITCH = 50
OPEN_BLUEPRINTS = frozenset({"health", "catch"})  # neither sign-in nor CSRF: probes, and the bins' addresses


class SignedIn(UserMixin):  # type: ignore[misc]  # Flask-Login ships no types
    """The person behind a request, as Flask-Login wants it; the identity is the secret of the browser session."""

    def __init__(self, secret: str, row: BrowserSession) -> None:
        self.secret = secret
        self.session = row
        self.user: User = row.user

    def get_id(self) -> str:
        """Give what the cookie keeps."""
        return self.secret


@dataclass(frozen=True, slots=True)
class Place:
    """The organization of the address, and what the person may do in it."""

    organization: Organization
    permissions: frozenset[Permission]


def install(app: Flask) -> None:
    """Load the person and the organization before every page, check CSRF, and tell templates about both."""
    login.user_loader(_load)
    login.unauthorized_handler(_ask_to_sign_in)
    app.before_request(_refuse_nul)
    app.before_request(_check_csrf)
    app.before_request(_enter_organization)
    app.url_value_preprocessor(_take_organization)
    app.url_defaults(_add_organization)
    app.context_processor(_facts)
    app.after_request(_keep_private)


def sign_in_person(secret: str, row: BrowserSession) -> None:
    """Sign the person in: a fresh cookie, nothing of an older session kept."""
    session.clear()
    session.permanent = True
    typed.begin(row.user_number)
    login_user(SignedIn(secret, row))


def sign_out_person() -> None:
    """Forget the person in this browser."""
    logout_user()
    session.clear()


def person() -> SignedIn | None:
    """Give who is signed in."""
    return cast("SignedIn", current_user) if current_user.is_authenticated else None


def place() -> Place:
    """Give the organization of this page; only on pages inside one."""
    return cast("Place", g.place)


def only_own_tokens() -> int | None:
    """Return the number of the person whose tokens alone may be seen and revoked here; None: those of everybody."""
    someone = person()
    return None if someone is None or grants(place().permissions, Permission.TOKENS_MANAGE) else someone.user.number


def sight() -> Sight:
    """Return what the person sees in the organization of this page."""
    return Sight.of_person(place().permissions)


def requires(permission: Permission) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let only people with *permission* in this organization through; raise Forbidden for others."""

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        @wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            if not grants(place().permissions, permission):
                raise Forbidden(permission)
            return view(*args, **kwargs)

        return guarded

    return decorate


def for_staff(view: Callable[P, R]) -> Callable[P, R]:
    """Let only staff through: for others there is no such page."""

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        someone = person()
        if someone is None or not someone.user.is_staff:
            raise NotFound("page")
        return view(*args, **kwargs)

    return guarded


def _load(secret: str) -> SignedIn | None:
    row = sign_in.load_session(current_work(), secret)
    return SignedIn(secret, row) if row is not None else None


def _ask_to_sign_in() -> Response:
    back = typed.page() if request.method == "GET" else typed.keep()
    return hx.sign_in_again(url_for("sessions.new", next=back))


def recover_form() -> Response | None:
    """Answer a form that a page of another session made: what was typed is kept for the person of that page.

    None when nobody was signed in there, or somebody else is signed in here.
    """
    owner, someone = typed.owner(), person()
    if owner is None or (someone is not None and someone.user.number != owner):
        return None
    if someone is None:
        return _ask_to_sign_in()
    return hx.lead_back(typed.keep() or url_for("home.index"))


def _refuse_nul() -> None:
    """Refuse addresses with a NUL in them: it names nothing, and PostgreSQL takes none in a text."""
    is_ours = request.blueprint not in OPEN_BLUEPRINTS and not (request.blueprint or "").startswith("api")
    if is_ours and ("\x00" in request.path or b"%00" in request.query_string):
        raise BadRequest


def _check_csrf() -> None:
    if request.blueprint in OPEN_BLUEPRINTS or (request.blueprint or "").startswith("api"):
        return
    if request.routing_exception is not None:
        return  # no view will run: the answer is 404 or 405, which of them the API must say too
    if request.method not in {"GET", "HEAD", "OPTIONS"}:
        csrf.protect()


def _take_organization(_endpoint: str | None, values: dict[str, object] | None) -> None:
    g.organization_slug = (values or {}).pop("organization", None) if request.path.startswith("/o/") else None


def _add_organization(endpoint: str, values: dict[str, object]) -> None:
    slug = g.get("organization_slug")
    if slug and "organization" not in values and _expects_organization(endpoint):
        values["organization"] = slug


def _expects_organization(endpoint: str) -> bool:
    from flask import current_app  # noqa: PLC0415 only here

    return bool(current_app.url_map.is_endpoint_expecting(endpoint, "organization"))


def _enter_organization() -> Response | None:
    if (
        (request.blueprint or "").startswith("api")
        or request.blueprint in OPEN_BLUEPRINTS
        or request.endpoint == "static"
    ):
        return None
    someone = person()
    if someone is not None:
        g.actor = Actor(someone.user.email, user_number=someone.user.number, ip=request.remote_addr)
        g.zone = ZoneInfo(someone.user.time_zone)
    slug = g.get("organization_slug")
    if slug is None:
        return None
    if someone is None:
        return _ask_to_sign_in()
    g.place = place_in(someone.user, str(slug))
    return None


def place_in(user: User, slug: str) -> Place:
    """Give what a person may do in the organization *slug*; raise NotFound when they are not in it."""
    work = current_work()
    organization = organizations.get(work, slug=slug)
    permissions = members.permissions_of(work, user=user, organization_number=organization.number)
    if not permissions:
        raise NotFound("organization")
    return Place(organization, permissions)


def _keep_private(response: Response) -> Response:
    """Let no cache keep what a signed-in person saw: after signing out, Back shows nothing."""
    is_page = request.endpoint != "static" and request.blueprint not in OPEN_BLUEPRINTS
    if is_page and not (request.blueprint or "").startswith("api") and current_user.is_authenticated:
        response.headers.setdefault("Cache-Control", "no-store")
    return response


def _facts() -> dict[str, object]:
    someone = person() if request.blueprint not in OPEN_BLUEPRINTS else None
    here: Place | None = g.get("place")
    return {
        "person": someone.user if someone else None,
        "organization": here.organization if here else None,
        "organizations": hx.Later(partial(_organizations, someone)) if someone else [],
        "can": lambda permission: here is not None and grants(here.permissions, Permission(permission)),
    }


def _organizations(someone: SignedIn) -> list[Organization]:
    """Return the first organizations a person may switch between, for the menu; a search finds the others."""
    return members.organizations_of(current_work(), user=someone.user, limit=MOST_TO_SWITCH)
