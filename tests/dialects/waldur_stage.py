"""What tests of Waldur's dialect arrange: hooks, and what is answered about them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import select

from console.models import Hook
from console.services.work import Work

ROOT = "/api/hooks-web/"
URL = "https://receiver.example.com/hook"
SSH = ["ssh_key_creation_succeeded", "ssh_key_deletion_succeeded"]
CUSTOMER = "customer_update_succeeded"
KEYS = [
    "url",
    "uuid",
    "is_active",
    "author_uuid",
    "event_types",
    "event_groups",
    "created",
    "modified",
    "hook_type",
    "author_fullname",
    "author_username",
    "author_email",
    "destination_url",
    "content_type",
]
NO_HOOK = {"detail": "No WebHook matches the given query."}
NO_CHOICE = "Select a valid choice. {} is not one of the available choices."


def make(api: Any, **fields: Any) -> dict[str, Any]:
    """Make a hook through the dialect."""
    answer = api.post(ROOT, json={"destination_url": URL} | fields)
    assert answer.status_code == 201, answer.text
    return answer.get_json()


def path_of(hook: dict[str, Any]) -> str:
    return f"{ROOT}{hook['uuid']}/"


def row_of(work: Work, hook: dict[str, Any]) -> Hook:
    """Give the hook as the core keeps it."""
    row = work.session.scalar(select(Hook).where(Hook.id == UUID(hook["uuid"])))
    assert row is not None
    work.session.refresh(row)
    return row


def uuids(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [hook["uuid"] for hook in answer.get_json()]
