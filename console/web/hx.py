"""Answers to browsers and to htmx: pages or their blocks, toasts, redirects. The only importer of htmx_flask.

htmx-flask 0.1.0 sets no ``Vary`` and refuses half of the swap values, so headers are set here by hand.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Literal

from flask import Flask, Response, after_this_request, flash, g, make_response, redirect, render_template, request
from htmx_flask import Htmx
from jinja2.runtime import Context
from jinja2_fragments.flask import render_block

from console.core.errors import Conflict
from console.web import typed

Tone = Literal["good", "info", "warn", "bad"]


def install(app: Flask) -> None:
    """Give the requests of *app* the attribute ``htmx``, and its templates values that are computed late."""
    Htmx(app)
    app.jinja_env.context_class = LateContext


def wants_fragment() -> bool:
    """Say whether htmx asks for a part of a page: not on boost, not when it restores a page from history."""
    htmx = request.htmx  # type: ignore[attr-defined] # htmx-flask puts it on the request class
    return bool(htmx) and not htmx.boosted and not htmx.history_restore_request


def is_htmx() -> bool:
    """Say whether the request comes from htmx at all."""
    return bool(request.htmx)  # type: ignore[attr-defined] # htmx-flask puts it on the request class


class Later:
    """A value of a template's context that is computed when it is first used, and then known.

    A page and its parts share one context: a part that is asked for at every key computes only what it shows.
    """

    def __init__(self, compute: Callable[[], object]) -> None:
        self._compute = compute
        self._known: list[object] = []

    def value(self) -> object:
        """Return the value."""
        if not self._known:
            self._known.append(self._compute())
        return self._known[0]


class LateContext(Context):
    """The context of templates, which resolves ``Later``."""

    def resolve_or_missing(self, key: str) -> Any:
        """Return the value of a name."""
        found = super().resolve_or_missing(key)
        return found.value() if isinstance(found, Later) else found


def page(template: str, *, block: str | None = None, status: int = 200, **context: object) -> Response:
    """Render the whole *template*, or only its *block* when htmx asks for a part of the page; it sees *status* too."""
    context["status"] = status
    typed.fill(context)
    if block is not None and wants_fragment():
        body = render_block(template, block, **context)
    else:
        body = render_template(template, **context)
    response = make_response(body, status)
    response.vary.add("HX-Request")  # page and fragment share a URL
    return response


def is_for(target: str) -> bool:
    """Say whether htmx puts the answer into the element with the id *target*."""
    return is_htmx() and request.headers.get("HX-Target") == target


def whole_main(response: Response) -> Response:
    """Let htmx put the page into the place of the one that stands there, whatever part it asked for."""
    if is_htmx():
        response.headers["HX-Retarget"] = response.headers["HX-Reselect"] = "#main"
        response.headers["HX-Reswap"] = "outerHTML"
    return response


def nothing_new() -> Response:
    """Answer a poll that has nothing to swap: 204."""
    response = make_response("", 204)
    response.vary.add("HX-Request")
    return response


def toast(message: str, *, tone: Tone = "good") -> None:
    """Tell the person what happened: a toast with htmx, else a flash message above the heading.

    When the answer sends htmx to another page, the message is flashed there instead of being lost on the way.
    """
    if not is_htmx():
        flash(message, tone)
        return
    if "toasts" not in g:
        g.toasts = []
        after_this_request(_send_toasts)
    g.toasts.append({"message": message, "tone": tone})


def _send_toasts(response: Response) -> Response:
    """Put the toasts of this request into the HX-Trigger header, or flash them when the browser moves on."""
    if "HX-Redirect" in response.headers or "HX-Location" in response.headers or "HX-Refresh" in response.headers:
        for item in g.toasts:
            flash(item["message"], item["tone"])
        return response
    events = json.loads(response.headers.get("HX-Trigger") or "{}")
    response.headers["HX-Trigger"] = json.dumps(events | {"toasts": {"items": g.toasts}})
    return response


def announce(response: Response, name: str) -> Response:
    """Let the page know that *name* happened: what listens for that event asks for itself again."""
    events = json.loads(response.headers.get("HX-Trigger") or "{}")
    response.headers["HX-Trigger"] = json.dumps(events | {name: {}})
    return response


def redirect_to(url: str, *, message: str | None = None, tone: Tone = "good") -> Response:
    """Send the browser to *url*: 303 for a plain form, ``HX-Redirect`` for htmx; *message* is shown there."""
    if message is not None:
        flash(message, tone)
    if is_htmx():
        response = make_response("", 200)
        response.headers["HX-Redirect"] = url
    else:
        response = make_response(redirect(url, code=303))
    response.vary.add("HX-Request")
    return response


def answer_of(
    act: Callable[[], object], *, done: str | Callable[[], str], answer: Callable[[str, Tone], Response]
) -> Response:
    """Do something that may not be possible now, and answer with what is said then: *done*, or why not."""
    try:
        act()
    except Conflict as error:
        return answer(error.message, "warn")
    return answer(done if isinstance(done, str) else done(), "good")


def sign_in_again(url: str) -> Response:
    """Answer without a session: a browser goes to *url*; htmx gets 401.

    It follows to *url* from what only shows something. Where something was to be done it stays, with a toast that links
    to *url*: what was typed there may be more than what was sent.
    """
    if not is_htmx():
        return redirect_to(url)
    if request.method != "GET":
        return _linked("You have been signed out, and nothing was changed.", status=401, label="Sign in", url=url)
    response = make_response("", 401)
    response.headers["HX-Redirect"] = url
    response.vary.add("HX-Request")
    return response


def lead_back(url: str) -> Response:
    """Answer a form of a session before: a browser goes to *url*, which shows it again; htmx gets a toast to there."""
    if not is_htmx():
        return redirect_to(url)
    words = "You have signed in again since this page was opened. Nothing was changed."
    return _linked(words, status=409, label="Open it with what you typed", url=url)


def _linked(message: str, *, status: int, label: str, url: str) -> Response:
    toast(message, tone="bad")
    g.toasts[-1] |= {"label": label, "link": url}
    response = make_response("", status)
    response.vary.add("HX-Request")
    return response


def refuse(message: str, *, status: int) -> Response:
    """Answer an htmx request that failed with one sentence as a toast; nothing is swapped."""
    toast(message, tone="bad")
    response = make_response("", status)
    response.vary.add("HX-Request")
    return response
