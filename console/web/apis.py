"""Which APIs of other systems are on in the organization of this page: what belongs to the others does not show."""

from __future__ import annotations

from flask import g

from console.core.foreign_apis import APIS
from console.extensions import current_work
from console.services.organizations import foreign_apis
from console.web import access


def on_here() -> frozenset[str]:
    """Return the names of the APIs that are on, looked up once a request."""
    if "apis_on" not in g:
        g.apis_on = foreign_apis.switched_on(current_work(), organization_number=access.place().organization.number)
    found: frozenset[str] = g.apis_on
    return found


def names_with_types() -> str:
    """Return whose event types come with Hookyard here, in words: ``Hookyard, Waldur and pretix``."""
    names = ["Hookyard", *(api.short for api in APIS.values() if api.name in on_here() and api.has_types)]
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
