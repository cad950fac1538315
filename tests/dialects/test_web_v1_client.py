"""The client that openapi-generator makes from the served Swagger document, unchanged, through all six operations."""

from __future__ import annotations

import importlib
import importlib.util
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from threading import Thread
from types import ModuleType
from typing import Any
from urllib.request import urlopen
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select
from werkzeug.serving import make_server

from console.models import Delivery
from console.services.work import Work
from console.settings import Settings
from tests.apps import app_of
from tests.dialects.web_v1_stage import URL, Colleague
from tests.receiver import Receiver

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SAID = {
    "create_webhook_using_post": ("**POST** /api/web/v1/webhooks", "Register a webhook", "WEBHOOKS:ADD"),
    "delete_webhook_using_delete": ("**DELETE** /api/web/v1/webhooks/{id}", "Delete a webhook", "WEBHOOKS:REMOVE"),
    "get_webhooks_using_get": ("**GET** /api/web/v1/webhooks", "List webhooks", "WEBHOOKS:VIEW"),
    "read_webhook_using_get": ("**GET** /api/web/v1/webhooks/{id}", "Get a webhook by id", "WEBHOOKS:VIEW"),
    "test_webhook_using_post": ("**POST** /api/web/v1/webhooks/test/{id}", "Test a webhook", "WEBHOOKS:EDIT"),
    "update_webhook_using_put": ("**PUT** /api/web/v1/webhooks/{id}", "Update a webhook", "WEBHOOKS:EDIT"),
}
STATUSES = ("200", "400", "401", "403", "404", "409")


@pytest.fixture
def served(settings: Settings) -> Iterator[str]:
    """The app with a worker beside it, on a socket; give its address, which is also its base URL."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        address = f"http://127.0.0.1:{port}"
        settings = Settings(**(settings.model_dump() | {"base_url": address}))
        with Colleague(settings) as colleague, app_of(settings, ring=colleague) as app:
            server = make_server("127.0.0.1", port, app, threaded=True, fd=listening.fileno())
            thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
            thread.start()
            yield address
            server.shutdown()
            thread.join()
            server.server_close()


@pytest.fixture
def generated(served: str, tmp_path: Path) -> Path:
    """The folder of a client made from what the app serves at /v2/api-docs."""
    java = shutil.which("java")
    if java is None:
        pytest.skip("openapi-generator needs a Java runtime, and none was found")
    if importlib.util.find_spec("openapi_generator_cli") is None:
        pytest.skip("the package openapi-generator-cli is not installed")
    document = tmp_path / "api-docs.json"
    with urlopen(f"{served}/v2/api-docs", timeout=10) as answer:  # noqa: S310 our own server
        document.write_bytes(answer.read())
    jar = files("openapi_generator_cli") / "openapi-generator.jar"
    folder = tmp_path / "generated"
    what = ["-i", document, "-g", "python", "-o", folder, "--additional-properties", "packageName=web_api_client"]
    subprocess.run([java, "-jar", str(jar), "generate", *what], check=True, capture_output=True, timeout=200)
    return folder


@dataclass
class Client:
    """The generated package; ``api(token)`` makes its ``WebhooksApi``."""

    package: ModuleType

    def api(self, token: str | None, *, prefix: str | None = None) -> Any:
        configuration = self.package.Configuration()  # the host is the one that the document names
        if token:
            configuration.api_key["Authorization"] = token
        if prefix:
            configuration.api_key_prefix["Authorization"] = prefix
        return self.package.WebhooksApi(self.package.ApiClient(configuration))

    def parms(self, **fields: Any) -> Any:
        return self.package.WebhookParms(**{"callback_url": URL, "events": ["package.created"], **fields})

    def refused(self, name: str) -> Any:
        """Expect the client's own exception of that name."""
        return pytest.raises(getattr(importlib.import_module("web_api_client.exceptions"), name))


@pytest.fixture
def client(generated: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    monkeypatch.syspath_prepend(generated)
    yield Client(importlib.import_module("web_api_client"))
    for name in [name for name in sys.modules if name.partition(".")[0] == "web_api_client"]:
        del sys.modules[name]


@pytest.mark.parametrize("prefix", [None, "Bearer", "Token"])
def test_the_generated_client_goes_through_all_operations(
    client: Client, work: Work, token_of: Callable[..., str], ada, prefix: str | None
) -> None:
    token = token_of(ada)
    work.session.commit()
    api = client.api(token, prefix=prefix)
    with Receiver() as receiver:
        parms = client.parms(name="Warehouse", callback_url=receiver.url, headers={"X-Shop": "7"}, secret="a secret")
        made = api.create_webhook_using_post(parms)
        assert (str(UUID(made.id)), made.name, made.enabled, made.created_by) == (made.id, "Warehouse", True, "ada")
        assert (made.callback_url, made.events, made.headers) == (
            receiver.url,
            ["package.created"],
            {"X-Shop": "7"},
        )
        assert made.created.tzinfo is not None
        assert api.get_webhooks_using_get() == [made]
        assert api.read_webhook_using_get(made.id) == made

        parms.description = "Changed"
        updated = api.update_webhook_using_put(made.id, parms)
        assert (updated.id, updated.description) == (made.id, "Changed")

        assert api.test_webhook_using_post(made.id) is None
        assert len(receiver.receipts) == 1

        receiver.answer = (500, {}, b"")
        with client.refused("BadRequestException") as failed:
            api.test_webhook_using_post(made.id)
        assert "Webhook test failed: receiver answered 500" in failed.value.body

    assert api.delete_webhook_using_delete(made.id) is None
    assert api.get_webhooks_using_get() == []
    states = list(work.session.scalars(select(Delivery.state).order_by(Delivery.number)))
    assert states == ["delivered", "failed"]


def test_each_status_is_an_exception_of_the_generated_client(
    client: Client, work: Work, token_of: Callable[..., str], ada
) -> None:
    viewing, everything = token_of(ada, "WEBHOOKS:VIEW"), token_of(ada)
    work.session.commit()
    api = client.api(everything)
    made = api.create_webhook_using_post(client.parms(enabled=False))

    with client.refused("UnauthorizedException"):
        client.api(None).get_webhooks_using_get()
    with client.refused("ForbiddenException") as forbidden:
        client.api(viewing).create_webhook_using_post(client.parms())
    assert "WEBHOOKS:ADD permission is required" in forbidden.value.body
    with client.refused("BadRequestException"):
        api.create_webhook_using_post(client.parms(events=["nothing"]))
    with client.refused("NotFoundException"):
        api.read_webhook_using_get(str(uuid4()))
    with client.refused("ConflictException"):
        api.create_webhook_using_post(client.parms())
    with client.refused("ConflictException"):
        api.test_webhook_using_post(made.id)
    assert api.get_webhooks_using_get() == [made]


def test_the_generated_documentation_says_what_the_original_says(generated: Path) -> None:
    text = (generated / "docs" / "WebhooksApi.md").read_text()

    for name, (request, summary, permission) in SAID.items():
        assert f"[**{name}**](WebhooksApi.md#{name}) | {request} | {summary}" in text
        section = text.partition(f"# **{name}**\n")[2].partition("\n# **")[0]
        assert f"Caller is required to have {permission} permission." in section
        assert all(f"**{status}** | " in section for status in STATUSES)
    assert "Sends a dummy payload to the registered webhook callback URL." in text
