"""What a person typed into a form whose session had ended: kept, and shown again once they have signed in.

Every form's CSRF token names, signed, for whom the page was made (``begin``). A form that arrives without that person's
session is kept for them alone (``services.people.kept_forms``), and the page that it was typed on shows it again when
they have signed in (``?typed=``). Nothing is submitted for them, and passwords are never kept.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

from flask import current_app, g, request, session
from flask_login import current_user
from itsdangerous import BadData, URLSafeTimedSerializer
from werkzeug.datastructures import MultiDict

from console.extensions import current_work
from console.services.people import kept_forms
from console.services.people.kept_forms import Typed
from console.web.filters import with_query
from console.web.forms import Form

PARAMETER = "typed"
_OURS = frozenset({"csrf_token", "form_key"})
_PASSWORDS = frozenset({"current", "new", "code"})


@dataclass
class Shown:
    """A form that this page gives back; *is_filled*: one of its forms shows it."""

    typed: Typed
    is_filled: bool = field(default=False)


def begin(user_number: int) -> None:
    """Name the person in the CSRF tokens of this session."""
    session["csrf_token"] = f"{secrets.token_hex(20)}.{user_number}"


def owner() -> int | None:
    """Return the number of the person for whom the page with this form was made; None when nobody was signed in."""
    token = request.form.get("csrf_token") or request.headers.get("X-CSRFToken", "")
    try:
        known = URLSafeTimedSerializer(cast("str", current_app.secret_key), salt="wtf-csrf-token").loads(token)
    except BadData:
        return None
    number = str(known).rpartition(".")[2] if "." in str(known) else ""
    return int(number) if number.isdecimal() else None


def page() -> str | None:
    """Return the path and query of the page that the person sees, also behind a form; None when it is not known."""
    if request.method == "GET" and not request.headers.get("HX-Request"):
        return request.full_path.rstrip("?")
    seen = urlsplit(request.headers.get("HX-Current-URL") or request.referrer or "")
    return f"{seen.path}?{seen.query}".rstrip("?") or None


def keep() -> str | None:
    """Keep what this form holds for the person who typed it; return the address of the page that shows it again."""
    back, number = page(), owner()
    fields = tuple(
        (name, text)
        for name, text in request.form.items(multi=True)
        if name not in _OURS | _PASSWORDS and "password" not in name
    )
    if back is None or number is None or not any(text for _name, text in fields):
        return back
    form_id = kept_forms.keep(current_work(), user_number=number, typed=Typed(request.full_path.rstrip("?"), fields))
    seen = urlsplit(back)
    query = {name: values for name, values in MultiDict(parse_qsl(seen.query)).lists() if name != PARAMETER}
    return with_query(seen.path, query, **{PARAMETER: form_id}) if form_id else back


def shown() -> Shown | None:
    """Return the form that this page gives back to the person; it is forgotten by that."""
    if "typed" not in g:
        g.typed = _taken()
    return cast("Shown | None", g.typed)


def given() -> MultiDict[str, str] | None:
    """Return the fields of that form, for a page that reads them itself; None when there is none."""
    found = shown()
    if found is None:
        return None
    found.is_filled = True
    return MultiDict(found.typed.fields)


def sent() -> MultiDict[str, str]:
    """Return the fields that the page shows: those that were posted, else those that it gives back."""
    found = shown() if request.method == "GET" else None
    return request.form if found is None else MultiDict(found.typed.fields)


def fill(context: Mapping[str, object]) -> None:
    """Fill the form of a page whose fields were typed."""
    if request.method != "GET" or PARAMETER not in request.args:
        return
    found = shown()
    if found is None or found.is_filled:
        return
    names = {name for name, _text in found.typed.fields}
    forms = [one for one in context.values() if isinstance(one, Form)]
    best = max(forms, key=lambda form: len(names & form.data.keys()), default=None)
    if best is not None and names & best.data.keys():
        best.process(MultiDict(found.typed.fields))
        found.is_filled = True


def _taken() -> Shown | None:
    text = request.args.get(PARAMETER, "")
    if request.method != "GET" or not text or not current_user.is_authenticated:
        return None
    try:
        form_id = UUID(text)
    except ValueError:
        return None
    typed = kept_forms.take(current_work(), user_number=current_user.user.number, form_id=form_id)
    return Shown(typed) if typed else None
