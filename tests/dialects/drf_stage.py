"""What tests of the dialects of Django REST framework share: oms and pretix say much in the same words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from console.api.dialects.drf import Field, fields
from console.models import Hook
from console.services.hooks import hooks
from console.services.hooks.hook_fields import HookDraft
from console.services.work import Work

URL = "https://receiver.example.com/hook"
PAGE_KEYS = ["count", "next", "previous", "results"]
NOT_FOUND = {"detail": "Not found."}
FORBIDDEN = {"detail": "You do not have permission to perform this action."}
TOY = (
    Field(name="title", parse=fields.text(max_length=5), is_required=True),
    Field(name="is_red", parse=fields.boolean),
    Field(name="parts", parse=fields.choices({"wheel", "door"}), is_list=True),
    Field(name="size", parse=fields.nested(Field(name="cm", parse=fields.integer(), is_required=True)), is_object=True),
)
"""The fields of something that no dialect has."""


def row_of(work: Work, webhook: dict[str, Any]) -> Hook:
    """Give the hook as the core keeps it."""
    row = work.session.get_one(Hook, webhook["id"], populate_existing=True)
    work.session.commit()
    return row


def make_native(work: Work, person: Any, *, author_number: int | None = None, **fields: Any) -> Hook:
    """Make a hook that comes from no dialect."""
    draft = HookDraft(**{"url": URL, **fields})
    number = person.organization.number
    return hooks.create(work, organization_number=number, author_number=author_number, draft=draft).hook


def is_of_the_framework(
    answer: Any, *, shown: Callable[[Any], bool], errors: Callable[[Any], bool], fields: set[str] | None = None
) -> bool:
    """Say whether an answer has a shape of the framework: *shown* judges a body, *errors* what is wrong with a field.

    *fields* are those that may be wrong; None: any.
    """
    if answer.status_code in {204, 308}:
        return not answer.data
    if answer.mimetype != "application/json":
        return False
    body = answer.get_json()
    if answer.status_code in {200, 201}:
        return shown(body)
    if answer.status_code == 400 and "detail" not in body:
        return bool(body) and all((not fields or name in fields) and errors(words) for name, words in body.items())
    return answer.status_code in {400, 401, 403, 404, 405, 406, 409, 413, 415} and list(body) == ["detail"]


def are_sentences(words: Any) -> bool:
    return isinstance(words, list) and bool(words) and all(isinstance(one, str) for one in words)
