"""Forms that create something have one result, however often they are sent.

Each carries a one-time key (``form_key()`` in templates). The answer to the first request with a key and the same
content is kept for a day when it leads to what was created. A repetition (a double click, Enter twice, the form sent
again after Back) gets that answer, with the secret that is shown once as long as nobody has seen it.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Final, ParamSpec

from flask import Response, flash, g, json, request, session

from console.core.errors import Busy, Conflict
from console.extensions import current_work
from console.services import idempotency
from console.services.idempotency import Answer, Begun, InProgress, Standing
from console.web import access, hx, once

P = ParamSpec("P")
FIELD = "form_key"
MARK = "creates_once"
"""The attribute of views that create something; a test looks for their forms."""

PATIENCE_S: Final = 3.0
"""How long a repetition waits for the first request: creating takes milliseconds."""

PAUSE_S: Final = 0.1
LATE = timedelta(seconds=10)
"""A repetition after this is no double click: the person is told that nothing was created again."""

SENT_BEFORE = "You had sent this form before, and nothing was created again. To create another, open a new form."
IN_PROGRESS = "The same form was sent a moment ago and is not finished yet. Wait a moment, then look at the list."


def one_result(view: Callable[P, Response]) -> Callable[P, Response]:
    """Let *view*, which creates something, do so once for a form."""

    @wraps(view)
    def answered(*args: P.args, **kwargs: P.kwargs) -> Response:
        if not request.form.get(FIELD):
            return view(*args, **kwargs)  # no form of ours: nothing says that it is a repetition
        standing = _standing()
        if isinstance(standing, Answer):
            return _again(standing)
        if isinstance(standing, InProgress):
            raise Conflict(IN_PROGRESS)
        before = once.kept()
        try:
            response = view(*args, **kwargs)
        except BaseException:
            idempotency.release(current_work(), begun=standing)
            raise
        return _finished(response, standing, secret=once.kept() if once.kept() != before else None)

    answered.__dict__[MARK] = True
    return answered


def nothing_created(response: Response) -> Response:
    """Return *response*, which leads elsewhere although nothing was created: the form may be sent again."""
    g.nothing_created = True
    return response


def _standing() -> Standing:
    """Take the key of the form, or wait for whoever has taken it."""
    someone = access.person()
    fields = sorted((name, text) for name, text in request.form.items(multi=True) if name != "csrf_token")
    content = hashlib.sha256(repr(fields).encode()).hexdigest()
    credential = f"person {someone.user.number if someone else None} {request.path}"
    deadline = time.monotonic() + PATIENCE_S
    while True:
        standing = idempotency.begin(current_work(), token_number=None, credential=credential, key=content)
        if not isinstance(standing, InProgress) or time.monotonic() > deadline:
            return standing
        time.sleep(PAUSE_S)


def _finished(response: Response, begun: Begun, *, secret: tuple[str, str] | None) -> Response:
    """Keep where *response* leads, what is said there, and the secret that is shown there once."""
    work, place = current_work(), response.headers.get("HX-Redirect") or response.headers.get("Location")
    if not place or g.pop("nothing_created", False):
        idempotency.release(work, begun=begun)
        return response
    body = json.dumps({"place": place, "messages": session.get("_flashes", [])}).encode()
    try:
        idempotency.keep(work, begun=begun, status=303, headers=[secret] if secret else [], body=body)
        if secret:
            once.belongs_to(begun.number)
    except Busy:  # what was created stays; only a repetition would create it again
        idempotency.release(work, begun=begun)
    return response


def _again(answer: Answer) -> Response:
    """Give the first answer once more."""
    kept = json.loads(answer.body)
    for tone, message in kept["messages"]:
        flash(message, tone)
    if current_work().now() - answer.started_at > LATE:
        flash(SENT_BEFORE, "info")
    for about, sealed in answer.headers:
        once.keep_sealed(sealed, about=about, answer=answer.number)
    return hx.redirect_to(kept["place"])
