"""The document of WebhooksApi web/v1."""

from __future__ import annotations

import pytest
from flask import Flask

from console.api.dialects.web_v1 import document
from console.settings import Settings
from tests.apps import app_of
from tests.dialects.web_v1_stage import (
    ID,
    KEYS,
    OPERATIONS,
    ROOT,
    changed,
    refusal,
)


def test_the_document_is_served_to_anyone_with_the_address_of_this_installation(app: Flask) -> None:
    answer = app.test_client().get("/v2/api-docs")

    served = answer.get_json()
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    assert (served["host"], served["schemes"], served["basePath"]) == ("hookyard.test", ["http"], "/")
    assert list(served) == [
        "swagger",
        "info",
        "host",
        "basePath",
        "schemes",
        "tags",
        "securityDefinitions",
        "paths",
        "definitions",
    ]


def test_the_document_names_the_operations_that_there_are(app: Flask) -> None:
    served = app.test_client().get("/v2/api-docs").get_json()

    described = {
        (method.upper(), path, operation["operationId"]): operation
        for path, item in served["paths"].items()
        for method, operation in item.items()
    }
    expected = {
        (method, f"{ROOT}{path}".replace(ID, "{id}"), name) for name, (method, path, _permission) in OPERATIONS.items()
    }
    assert set(described) == expected
    for (_, _, name), operation in described.items():
        assert f"required to have {OPERATIONS[name][2]} permission" in operation["description"]
        assert list(operation["responses"]) == ["200", "400", "401", "403", "404", "409"]
    assert list(served["definitions"]["Webhook"]["properties"]) == KEYS


@pytest.mark.parametrize(
    ("base_url", "address"),
    [
        ("https://hooks.example.com", ("hooks.example.com", ["https"], "/")),
        ("http://127.0.0.1:8000/", ("127.0.0.1:8000", ["http"], "/")),
        ("https://example.com/hooks", ("example.com", ["https"], "/hooks")),
    ],
)
def test_the_address_in_the_document_is_the_base_url(base_url: str, address: tuple[str, list[str], str]) -> None:
    served = document.addressed(base_url)

    assert (served["host"], served["schemes"], served["basePath"]) == address


def test_without_a_base_url_the_document_has_the_address_it_was_asked_at(settings: Settings) -> None:
    with app_of(changed(settings, base_url="")) as app:
        assert app.test_client().get("/v2/api-docs").get_json()["host"] == "localhost"


def test_another_method_at_the_document_is_405(app: Flask) -> None:
    assert refusal(app.test_client().post("/v2/api-docs"))[0] == 405
