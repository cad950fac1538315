"""The console: HTML pages, one module per page family. A view parses, calls one service, renders."""

from __future__ import annotations

from flask import Flask

from console.web import access, filters, hx, periods, typed
from console.web.errors import answer_crash, answer_error

__all__ = ["answer_crash", "answer_error", "install"]


def install(app: Flask) -> None:
    """Register every page, the template filters and who may see what."""
    from console.web import (  # noqa: PLC0415  the pages need this package's modules
        account,
        bins,
        catch,
        dashboard,
        deliveries,
        docs,
        events,
        home,
        hooks,
        joining,
        organizations,
        palette,
        replays,
        search,
        sessions,
        settings,
        setup,
        two_factor,
    )

    hx.install(app)
    filters.install(app)
    access.install(app)
    app.jinja_env.globals["typed_form"] = typed.shown
    app.before_request(periods.redirect_to_offsets)
    for module in (
        home,
        sessions,
        setup,
        joining,
        account,
        two_factor,
        organizations,
        dashboard,
        hooks,
        deliveries,
        events,
        replays,
        bins,
        catch,
        palette,
        search,
        settings,
        docs,
    ):
        app.register_blueprint(module.pages)
