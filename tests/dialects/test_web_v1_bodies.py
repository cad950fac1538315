"""WebhooksApi web/v1: bodies that are refused, in its own words."""

from __future__ import annotations

import json

import pytest

from console.core.redact import MASK
from console.services.work import Work
from console.settings import Settings
from tests.apps import app_of
from tests.dialects.web_v1_stage import (
    LONG_URL,
    PARMS,
    PRIVATE,
    Caller,
    changed,
    refusal,
)


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "application/xml", ""])
def test_another_type_of_body_is_415(ada_v1: Caller, content_type: str) -> None:
    answer = ada_v1.call("POST", data=json.dumps(PARMS), content_type=content_type)

    assert refusal(answer) == (415, f"Content type '{content_type}' is not supported")
    assert answer.get_json()["error"] == "Unsupported Media Type"


def test_a_charset_beside_the_type_is_fine(ada_v1: Caller) -> None:
    answer = ada_v1.call("POST", data=json.dumps(PARMS), content_type="application/json; charset=UTF-8")

    assert answer.status_code == 200


@pytest.mark.parametrize(
    "data", ["", "{", "nonsense", '{"a":1,}', '{"a":NaN}', '{"name":"\\u0000"}', "\ufeff{}", "[" * 100_000, "1" * 5000]
)
def test_what_is_no_json_is_400(ada_v1: Caller, data: str) -> None:
    answer = ada_v1.call("POST", data=data, content_type="application/json")

    assert refusal(answer) == (400, "Request body is not valid JSON")


def test_no_body_at_all_is_400(ada_v1: Caller) -> None:
    assert refusal(ada_v1.call("POST")) == (400, "Request body is not valid JSON")


@pytest.mark.parametrize("data", ["[]", "null", '"text"', "5", "true"])
def test_json_that_is_no_object_is_400(ada_v1: Caller, data: str) -> None:
    answer = ada_v1.call("POST", data=data, content_type="application/json")

    assert refusal(answer) == (400, "Request body must be a JSON object")


def test_a_body_over_a_mebibyte_is_413_in_the_same_form(ada_v1: Caller) -> None:
    assert refusal(ada_v1.call("POST", json=PARMS | {"name": "x" * 2**20}))[0] == 413


NO_URL = "callbackUrl: must be an http or https URL"
WRONG = [
    ("name", 5, "name: must be a string"),
    ("name", "x" * 101, "name: must be at most 100 characters"),
    ("description", ["x"], "description: must be a string"),
    ("description", "x" * 256, "description: must be at most 255 characters"),
    ("callbackUrl", None, "callbackUrl: must not be blank"),
    ("callbackUrl", "", "callbackUrl: must not be blank"),
    ("callbackUrl", " \t", "callbackUrl: must not be blank"),
    ("callbackUrl", 5, NO_URL),
    ("callbackUrl", "example.com/hook", NO_URL),
    ("callbackUrl", "ftp://example.com/hook", NO_URL),
    ("callbackUrl", "javascript:alert(1)", NO_URL),
    ("callbackUrl", "https://user:secret@example.com/", NO_URL),
    ("callbackUrl", "https://example.com/#part", NO_URL),
    ("callbackUrl", " https://example.com/", NO_URL),
    ("callbackUrl", LONG_URL, "callbackUrl: must be at most 2048 characters"),
    ("callbackUrl", "http://10.1.2.3/", PRIVATE),
    ("callbackUrl", "http://[::1]/", PRIVATE),
    ("callbackUrl", "http://169.254.169.254/", PRIVATE),
    ("callbackUrl", "http://2130706433/", PRIVATE),
    ("callbackUrl", "http://example.com:22/", PRIVATE),
    ("events", None, "events: must not be empty"),
    ("events", [], "events: must not be empty"),
    ("events", "package.created", "events: must be a list of strings"),
    ("events", ["package.created", 5], "events: must be a list of strings"),
    ("events", {}, "events: must be a list of strings"),
    ("events", ["package.created", "foo", "bar"], "events: unknown event foo"),
    ("events", ["foo.*"], "events: unknown event foo.*"),
    ("events", ["package created"], "events: unknown event package created"),
    ("events", [""], "events: unknown event "),
    ("events", ["x" * 5000], "events: unknown event " + "x" * 200),
    ("events", [f"package.{n}" for n in range(1001)], "events: must be at most 1000"),
    ("enabled", "true", "enabled: must be a boolean"),
    ("enabled", 1, "enabled: must be a boolean"),
    ("headers", [], "headers: must be an object of strings"),
    ("headers", {"X-A": 5}, "headers: must be an object of strings"),
    ("headers", {"X-A": None}, "headers: must be an object of strings"),
    ("headers", {"Host": "a"}, "headers: Host may not be set"),
    ("headers", {"content-length": "1"}, "headers: content-length may not be set"),
    ("headers", {"Content-Type": "text/plain"}, "headers: Content-Type may not be set"),
    ("headers", {"Transfer-Encoding": "chunked"}, "headers: Transfer-Encoding may not be set"),
    ("headers", {"Connection": "close"}, "headers: Connection may not be set"),
    ("headers", {"Webhook-Id": "a"}, "headers: Webhook-Id may not be set"),
    ("headers", {"X A": "a"}, "headers: X A may not be set"),
    ("headers", {"X-A": "a\r\nb"}, "headers: X-A may not be set"),
    ("headers", {"X-A": MASK}, "headers: X-A may not be set"),
    ("secret", 5, "secret: must be a string"),
    ("secret", "", "secret: must be 1 to 255 characters"),
    ("secret", "x" * 256, "secret: must be 1 to 255 characters"),
]


@pytest.mark.parametrize(("field", "value", "message"), WRONG)
def test_a_wrong_field_is_400_and_named(ada_v1: Caller, field: str, value: object, message: str) -> None:
    assert refusal(ada_v1.call("POST", json=PARMS | {field: value})) == (400, message)
    assert ada_v1.list() == []


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_an_empty_object_is_400(ada_v1: Caller, method: str) -> None:
    path = f"/{ada_v1.make()['id']}" if method == "PUT" else ""

    assert refusal(ada_v1.call(method, path, json={})) == (
        400,
        "callbackUrl: must not be blank; events: must not be empty",
    )


def test_all_wrong_fields_are_named_in_the_order_of_the_document(ada_v1: Caller) -> None:
    body = {"secret": 1, "headers": 1, "enabled": 1, "events": 1, "callbackUrl": 1, "description": 1, "name": 1}

    assert refusal(ada_v1.call("POST", json=body))[1].split("; ") == [
        "name: must be a string",
        "description: must be a string",
        "callbackUrl: must be an http or https URL",
        "events: must be a list of strings",
        "enabled: must be a boolean",
        "headers: must be an object of strings",
        "secret: must be a string",
    ]


def test_where_http_is_switched_off_the_message_says_so(settings: Settings, work: Work, token_of, ada) -> None:
    strict = changed(settings, allow_http=False)
    with app_of(strict) as app:
        answer = Caller(app.test_client(), token_of(ada)).call("POST", json=PARMS | {"callbackUrl": "http://a.com/"})

    assert refusal(answer) == (400, "callbackUrl: must be an https URL")
