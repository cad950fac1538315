"""The client that openapi-generator makes from the served Swagger document, unchanged, through all six operations."""

from __future__ import annotations

import html
import importlib
import importlib.util
import re
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

WEBHOOK, PARMS, ID = "Webhook", "webhookParms", "id"
OPERATIONS = {
    "createWebhookUsingPOST": ("POST /api/web/v1/webhooks", "Register a webhook", "ADD", [PARMS], WEBHOOK),
    "deleteWebhookUsingDELETE": ("DELETE /api/web/v1/webhooks/{id}", "Delete a webhook", "REMOVE", [ID], None),
    "getWebhooksUsingGET": ("GET /api/web/v1/webhooks", "List webhooks", "VIEW", [], f"List<{WEBHOOK}>"),
    "readWebhookUsingGET": ("GET /api/web/v1/webhooks/{id}", "Get a webhook by id", "VIEW", [ID], WEBHOOK),
    "testWebhookUsingPOST": ("POST /api/web/v1/webhooks/test/{id}", "Test a webhook", "EDIT", [ID], None),
    "updateWebhookUsingPUT": ("PUT /api/web/v1/webhooks/{id}", "Update a webhook", "EDIT", [ID, PARMS], WEBHOOK),
}
"""Of each operation in the original's documentation: request, summary, permission, parameters, what it returns."""

ABOUT_ID = {
    "deleteWebhookUsingDELETE": "The UUID of the webhook to be deleted.",
    "readWebhookUsingGET": "The UUID of the webhook.",
    "testWebhookUsingPOST": "The UUID of the webhook to test.",
    "updateWebhookUsingPUT": "The UUID of the webhook to be updated.",
}
NO_PARAMETER = "This endpoint does not need any parameter."
ANSWERS = {
    "200": "Successful",
    "400": "Bad Request",
    "401": "Access denied",
    "403": "Forbidden",
    "404": "Not Found",
    "409": "Conflict",
}


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


Generate = Callable[..., Path]


@pytest.fixture
def generate(served: str, tmp_path: Path) -> Generate:
    """Make a client in a language from what the app serves at /v2/api-docs; give its folder."""
    java = shutil.which("java")
    if java is None:
        pytest.skip("openapi-generator needs a Java runtime, and none was found")
    if importlib.util.find_spec("openapi_generator_cli") is None:
        pytest.skip("the package openapi-generator-cli is not installed")
    document = tmp_path / "api-docs.json"
    with urlopen(f"{served}/v2/api-docs", timeout=10) as answer:  # noqa: S310 our own server
        document.write_bytes(answer.read())
    jar = files("openapi_generator_cli") / "openapi-generator.jar"

    def run(language: str, *more: str) -> Path:
        folder = tmp_path / language
        what = ["-i", document, "-g", language, "-o", folder, *more]
        subprocess.run([java, "-jar", str(jar), "generate", *what], check=True, capture_output=True, timeout=200)
        return folder

    return run


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
def client(generate: Generate, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    monkeypatch.syspath_prepend(generate("python", "--additional-properties", "packageName=web_api_client"))
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


def test_the_generated_documentation_says_what_the_original_says(generate: Generate) -> None:
    """The original's is of the generator's Java kind. It differs in the Accept of answers that have no body."""
    text = (generate("java") / "docs" / "WebhooksApi.md").read_text()
    without_code = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    head, *sections = re.split(r"^# \*\*(?=\w+\*\*$)", without_code, flags=re.MULTILINE)

    for (name, (request, summary, *_)), section in zip(OPERATIONS.items(), sections, strict=True):
        assert f"{name} | {request} | {summary}" in _plain(head)
        assert list(filter(None, _plain(section).splitlines())) == _documented(name)


def _plain(text: str) -> str:
    """Take links, tables' frames and marks away."""
    text = re.sub(r"\[(.*?)\]\(.*?\)", r"\1", html.unescape(text).replace("**", ""))
    text = re.sub(r"^<a id=.*|^[|\s-]+$", "", text, flags=re.MULTILINE)
    return re.sub(r"^[#>| -]*(.*?)[| -]*$", lambda line: re.sub(r" *\| *", " | ", line[1]), text, flags=re.MULTILINE)


def _documented(name: str) -> list[str]:
    """Write the section of an operation as it is documented."""
    _, summary, permission, parameters, returned = OPERATIONS[name]
    about = {PARMS: f"{PARMS} | WebhookParms | webhookParms", ID: f"{ID} | String | {ABOUT_ID.get(name)}"}
    words = {
        "Register a webhook": "Register a webhook with callback URL, webhook events etc.",
        "Delete a webhook": "Delete a registered webhook by ID.",
        "List webhooks": "Return a list of webhooks.",
        "Get a webhook by id": "Get the specified webhook.",
        "Test a webhook": "Sends a dummy payload to the registered webhook callback URL. "
        "Use this to ensure your API is ready to start accepting webhook notifications.",
        "Update a webhook": "Update a webhook with callback URL, webhook events etc.",
    }
    return [
        name,
        f"{f'{returned} ' if returned else ''}{name}({', '.join(parameters)})",
        summary,
        f"{words[summary]} Caller is required to have WEBHOOKS:{permission} permission.",
        "Example",
        "Parameters",
        *(["Name | Type | Description | Notes", *map(about.get, parameters)] if parameters else [NO_PARAMETER]),
        "Return type",
        returned or "null (empty response body)",
        "Authorization",
        "Authorization",
        "HTTP request headers",
        f"Content-Type: {'application/json' if PARMS in parameters else 'Not defined'}",
        f"Accept: {'application/json' if returned else 'Not defined'}",
        "HTTP response details",
        "Status code | Description | Response headers",
        *(f"{status} | {reason}" for status, reason in ANSWERS.items()),
    ]
