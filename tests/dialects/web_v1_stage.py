"""What tests of web/v1 arrange: the app over the test's database, callers with tokens, a worker beside it."""

from __future__ import annotations

from threading import Event, Thread
from typing import Any, Self
from uuid import UUID

import pytest
from sqlalchemy import select
from werkzeug.test import TestResponse

from console.core.permissions import Permission
from console.models import Hook
from console.services.hooks import hook_secrets, hooks
from console.services.hooks.hook_fields import HookDraft
from console.services.keys import KeyRing
from console.services.work import DELIVERIES, Work
from console.settings import Settings
from tests import callers
from workers.beat import Beat
from workers.drain import Drain
from workers.equipment import Equipment, open_engine
from workers.sender import Sender

ROOT = "/api/web/v1/webhooks"
URL = "https://example.com/hook"
PARMS = {"callbackUrl": URL, "events": ["package.created"]}
KEYS = ["id", "name", "description", "callbackUrl", "events", "enabled", "headers", "created", "updated", "createdBy"]
ERROR_KEYS = ["timestamp", "status", "error", "message", "path"]
ID = "0193a1c2-7b1e-7c55-9d0a-5b8f0f6f2a11"
OPERATIONS = {
    "getWebhooksUsingGET": ("GET", "", "WEBHOOKS:VIEW"),
    "createWebhookUsingPOST": ("POST", "", "WEBHOOKS:ADD"),
    "readWebhookUsingGET": ("GET", f"/{ID}", "WEBHOOKS:VIEW"),
    "updateWebhookUsingPUT": ("PUT", f"/{ID}", "WEBHOOKS:EDIT"),
    "deleteWebhookUsingDELETE": ("DELETE", f"/{ID}", "WEBHOOKS:REMOVE"),
    "testWebhookUsingPOST": ("POST", f"/test/{ID}", "WEBHOOKS:EDIT"),
}
operations = pytest.mark.parametrize(("method", "path", "permission"), OPERATIONS.values(), ids=OPERATIONS)
WITHOUT_ADMIN = [permission.value for permission in Permission if permission is not Permission.ADMIN]
LONG_URL = "https://example.com/" + "x" * 2048
PRIVATE = "callbackUrl: This address is not allowed."


def native_hook(work: Work, person, **fields: object) -> Hook:
    draft = HookDraft(**{"url": "https://example.com/native", "event_types": ["order.paid"], **fields})
    number = person.organization.number
    return hooks.create(work, organization_number=number, author_number=person.user.number, draft=draft).hook


def stored(work: Work, webhook_id: str) -> Hook:
    """Give the row of a webhook as it is now."""
    query = select(Hook).where(Hook.id == UUID(webhook_id)).execution_options(populate_existing=True)
    return work.session.scalars(query).one()


def secrets_of(work: Work, webhook_id: str) -> list[str]:
    return [text for _, text in hook_secrets.secrets_of(work, stored(work, webhook_id))]


def changed(settings: Settings, **fields: object) -> Settings:
    """Give other settings; a copy would keep what was computed from the old ones."""
    return Settings(**(settings.model_dump() | fields))


class Caller(callers.Caller):
    """Somebody who calls the API, with a token or without; paths begin below the collection."""

    prefix = ROOT
    scheme = "Bearer"

    def call(self, method: str, path: str = "", **kwargs: Any) -> TestResponse:
        return super().call(method, path, **kwargs)

    def make(self, **fields: Any) -> dict[str, Any]:
        """Create a webhook and give what was answered."""
        answer = self.call("POST", json=PARMS | fields)
        assert answer.status_code == 200, answer.text
        return answer.get_json()

    def read(self, webhook_id: str) -> dict[str, Any]:
        answer = self.call("GET", f"/{webhook_id}")
        assert answer.status_code == 200, answer.text
        return answer.get_json()

    def list(self) -> list[dict[str, Any]]:
        answer = self.call("GET")
        assert answer.status_code == 200, answer.text
        return answer.get_json()


def refusal(answer: TestResponse) -> tuple[int, str]:
    """Check that *answer* is an error of this dialect; give its status and message."""
    assert answer.mimetype == "application/json"
    body = answer.get_json()
    assert list(body) == ERROR_KEYS
    assert body["status"] == answer.status_code
    assert body["path"] == answer.request.path
    return answer.status_code, body["message"]


class Colleague:
    """A worker in a thread, woken by the ring of the app beside it."""

    def __init__(self, settings: Settings) -> None:
        self._engine = open_engine(settings, pool_size=4)
        equipment = Equipment(self._engine, settings, KeyRing(settings.secret_keys))
        self._sender = Sender(settings.target_policy, user_agent="Hookyard/test", pool_size=8)
        self._beat = Beat(equipment, lane=DELIVERIES)
        self._drain = Drain(equipment, lane=DELIVERIES, beat=self._beat, sender=self._sender, threads=4)
        self._rung = Event()
        self._ending = Event()
        self._thread = Thread(target=self._run, name="colleague")

    def ring(self, lane: str) -> None:  # noqa: ARG002 every lane wakes it
        """Be the ring of the app."""
        self._rung.set()

    def __enter__(self) -> Self:
        self._beat.start()
        self._drain.start()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._rung.set()
        self._drain.stop()
        self._thread.join()
        self._drain.close()
        self._beat.stop()
        self._engine.dispose()

    def _run(self) -> None:
        while not self._ending.is_set():
            self._rung.wait()
            self._rung.clear()
            self._drain.run(slice_s=5)
