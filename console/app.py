"""The application factory: everything is put together here, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, suppress
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from apiflask import APIFlask
from flask import Flask, Request, Response, g, request
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionMixin
from jinja2 import StrictUndefined
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import BadRequest, HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.sansio.utils import host_is_trusted

from console import api, compression, database, forwarding, health, metrics, web
from console.clocks import DatabaseClock
from console.core.errors import HookyardError
from console.extensions import Collaborators, collaborators, csrf, db, login
from console.failpoints import Failpoints
from console.paths import STATIC, TEMPLATES
from console.rates import Rates
from console.ring import RedisRing
from console.services.keys import KeyRing, derive
from console.services.work import Clock, Ring, SilentRing
from console.settings import Settings, load_settings
from console.waits import THREADS, Waits
from console.web import origins
from console.web.indentation import Unindented

MIB = 1024 * 1024
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
SECURITY_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
IMMUTABLE = timedelta(days=365)
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class Console(APIFlask):
    """The app. All its views are plain functions, so nothing has to be asked whether it is a coroutine."""

    def send_static_file(self, filename: str) -> Response:
        """Answer a static file, compressed where that helps."""
        return compression.compress_file(super().send_static_file(filename), path=STATIC / filename)

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Give *func* as it is."""
        return func


class Cookies(SecureCookieSessionInterface):
    """Flask's cookies, for the console's pages alone: the APIs know no session."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """Read the cookie of a page's request."""
        return None if api.owns(request.path) else super().open_session(app, request)

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Write the cookie, unless a form of another site would set it.

        Such a form comes without our cookie (SameSite), so the session it sees is empty: kept, it would sign the person
        out. Over plain http browsers send no Sec-Fetch-Site, so the missing cookie and the origin decide.
        """
        has_cookie = self.get_cookie_name(app) in request.cookies
        if request.method in SAFE_METHODS or has_cookie or origins.is_from_here():
            super().save_session(app, session, response)


def create_app(
    settings: Settings | None = None, *, clock: Clock | None = None, ring: Ring | None = None, threads: int = THREADS
) -> Flask:
    """Build the app, for a server of so many *threads*.

    *clock* and *ring* are for tests; the ring is Redis when a URL is set.
    """
    settings = settings or load_settings()
    app = Console(
        "console",
        template_folder=str(TEMPLATES),
        static_folder=str(STATIC),
        json_errors=False,
        docs_path=None,
        spec_path=None,
        title="Hookyard",
        version="1",
    )
    app.session_interface = Cookies()
    _configure(app, settings)
    Collaborators(
        settings=settings,
        keys=KeyRing(settings.secret_keys),
        clock=clock or DatabaseClock(),
        ring=ring or (RedisRing(settings.redis_url) if settings.redis_url else SilentRing()),
        rates=Rates(settings.redis_url),
        failpoints=Failpoints(settings.failpoints),
        waits=Waits(threads),
    ).install(app)
    db.init_app(app)
    with app.app_context():
        database.prepare(db.engine)
    csrf.init_app(app)
    login.init_app(app)
    _keep_readers_reading(app)
    if settings.base_url and settings.proxy_hops:
        _refuse_other_names(app, urlsplit(settings.base_url).netloc)
    app.before_request(_look_at_the_clock)
    forwarding.install(app, settings)
    web.install(app)
    api.install(app)
    health.install(app)
    metrics.install(app)
    _answer_errors(app)
    app.after_request(_add_security_headers)
    app.after_request(compression.compress_page)
    if settings.proxy_hops:
        hops = settings.proxy_hops
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]  # as Flask's docs do
    return app


def _cookie_name(base_url: str) -> str:
    """Name the session's cookie: browsers send a cookie to every port of its host (RFC 6265, section 8.5).

    With the port in its name, consoles beside each other on one host do not sign each other's people out.
    """
    parts = urlsplit(base_url)
    name = "__Host-hookyard" if parts.scheme == "https" else "hookyard"
    return f"{name}-{parts.port}" if parts.port else name


def _configure(app: Flask, settings: Settings) -> None:
    is_https = settings.base_url.startswith("https://")
    app.config.update(
        SECRET_KEY=derive(settings.secret_keys[0], purpose="cookies"),
        SECRET_KEY_FALLBACKS=[derive(key, purpose="cookies") for key in settings.secret_keys[1:]],
        SQLALCHEMY_DATABASE_URI=settings.sqlalchemy_url,
        SQLALCHEMY_ENGINE_OPTIONS=database.engine_options(settings.sqlalchemy_url),
        SESSION_COOKIE_NAME=_cookie_name(settings.base_url),
        SESSION_COOKIE_SECURE=is_https,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        PERMANENT_SESSION_LIFETIME=timedelta(days=7),
        SESSION_REFRESH_EACH_REQUEST=False,
        WTF_CSRF_TIME_LIMIT=None,
        WTF_CSRF_CHECK_DEFAULT=False,  # web.access checks it on every route but the API's and the bins'
        SEND_FILE_MAX_AGE_DEFAULT=IMMUTABLE,
        MAX_CONTENT_LENGTH=MIB,
        MAX_FORM_MEMORY_SIZE=MIB,
        MAX_FORM_PARTS=2000,
    )
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    app.jinja_env.add_extension(Unindented)
    app.jinja_env.undefined = StrictUndefined  # a name that is missing is a fault, never empty text


def _refuse_other_names(app: Flask, name: str) -> None:
    """Answer 400 to requests for another host than *name*, but for probes and Prometheus, which come by address.

    Not Flask's TRUSTED_HOSTS: it refuses before there is anything that a page of an error could make its links with.
    """

    @app.before_request
    def look_at_the_name() -> None:
        if request.path not in {*health.PATHS, metrics.PATH} and not host_is_trusted(request.host, [name]):
            raise BadRequest("This installation has another name.")


def _keep_readers_reading(app: Flask) -> None:
    """Let requests take SQLite's write lock only for the transaction of a service that writes.

    What a page reads before and after it, all of its rendering included, keeps nobody waiting.
    """

    @app.before_request
    def _enter() -> None:
        g.readers = ExitStack()
        g.readers.enter_context(database.read_only())

    @app.teardown_request
    def _leave(_error: BaseException | None) -> None:
        readers = g.pop("readers", None)
        if readers is not None:
            readers.close()


def _look_at_the_clock() -> None:
    """Let what is published be due by the clock that workers go by; without the database, by the one known so far."""
    clock = collaborators().clock
    if isinstance(clock, DatabaseClock) and request.blueprint not in {None, health.checks.name}:
        with suppress(SQLAlchemyError):
            clock.keep_sampled(db.session())
        db.session.rollback()


def _answer_errors(app: Flask) -> None:
    """Give every error to the room its path belongs to: routing errors belong to no blueprint."""

    def answer(error: HTTPException | HookyardError) -> Response:
        db.session.rollback()
        return api.answer_error(error) if api.owns(request.path) else web.answer_error(error)

    def answer_crash(error: Exception) -> Response:
        app.logger.error("request failed", exc_info=error)
        db.session.rollback()
        return api.answer_crash(error) if api.owns(request.path) else web.answer_crash(error)

    app.register_error_handler(HTTPException, answer)
    app.register_error_handler(HookyardError, answer)
    app.register_error_handler(Exception, answer_crash)


def _add_security_headers(response: Response) -> Response:
    headers = response.headers
    present = {name.lower() for name, _ in headers}
    headers.extend((name, value) for name, value in SECURITY_HEADERS.items() if name.lower() not in present)
    if request.is_secure:
        headers.setdefault("Strict-Transport-Security", "max-age=31536000")
    return response
