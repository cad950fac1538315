"""What the bins' pages share: the blueprint, finding the bin of an address, where it catches, how it answers."""

from __future__ import annotations

from uuid import UUID

from flask import Blueprint

from console.extensions import collaborators, current_work
from console.models import Bin
from console.services.bins import bins
from console.services.bins.bins import BEFORE, WITHIN
from console.web import access
from console.web.filters import milliseconds, plural

pages = Blueprint("bins", __name__, url_prefix="/o/<organization>/bins")

WRONG = 422


def bin_of(bin_id: UUID) -> Bin:
    """Give the bin of this address; raise NotFound."""
    return bins.get(current_work(), organization_number=access.place().organization.number, bin_id=bin_id)


def url_of(bin_: Bin) -> str:
    """Give the address at which a bin catches requests."""
    return f"{collaborators().settings.base_url}/in/{bin_.key}"


def answer_words(bin_: Bin) -> str:
    """Say how a bin answers: ``Answers 429 after 200 ms, Retry-After 30 s``."""
    words = "Closes the connection" if bin_.breaks_off == BEFORE else f"Answers {bin_.answer_status}"
    if bin_.delay_ms:
        words += f" after {milliseconds(bin_.delay_ms)}"
    if bin_.retry_after_s is not None and bin_.breaks_off != BEFORE:
        words += f", Retry-After {bin_.retry_after_s} s"
    if bin_.breaks_off == WITHIN:
        words += ", broken off midway"
    if bin_.fail_next:
        words += f"; fails the next {plural(bin_.fail_next, 'request')} with 500"
    return words
