"""The payload format of oms: its bytes, its signature and its credentials."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.core.envelopes import extra_headers
from console.core.formats.oms import spaced
from tests.core.formats_stage import MESSAGE, fields, made, values

EVENT = b'{"type": "package.created", "uuid": "d2a839f009cc4755a731081d4cc1330a"}'
PACKAGE = replace(MESSAGE, event_type="package.created", payload=b'{"pk":1,"model":"package"}')


def test_an_oms_body_is_written_as_json_dumps_does() -> None:
    body = made(PACKAGE, "oms")

    assert body.data == b'{"event": ' + EVENT + b', "payload": {"pk": 1, "model": "package"}}'
    assert body.data == json.dumps(json.loads(body.data)).encode()
    assert body.headers == {"X-Whisperer-Event": "package.created"}


@pytest.mark.parametrize("payload", [b"null", b"[1, 2]", b'"a,b"', b"1.50", b"{}"])
def test_an_oms_payload_may_be_anything(payload: bytes) -> None:
    assert (
        made(replace(PACKAGE, payload=payload), "oms").data == b'{"event": ' + EVENT + b', "payload": ' + payload + b"}"
    )


def test_an_oms_form_has_two_fields() -> None:
    assert fields(made(PACKAGE, "oms", content_type="form")) == [
        ("event", EVENT.decode()),
        ("payload", '{"pk": 1, "model": "package"}'),
    ]


@given(
    values, st.none() | st.integers(0, 2), st.booleans(), st.sampled_from([(",", ":"), (", ", ": "), (" ,\t", " : ")])
)
def test_an_oms_body_has_one_spacing_whatever_the_payload_had(
    value: object,
    indent: int | None,
    ascii_: bool,  # noqa: FBT001  a drawn value
    separators: tuple[str, str],
) -> None:
    payload = json.dumps(value, indent=indent, ensure_ascii=ascii_, separators=separators).encode()

    assert spaced(payload) == json.dumps(value, ensure_ascii=ascii_).encode()


@pytest.mark.parametrize(
    ("text", "written"),
    [
        (b'{"a":1.50,"b":1e400}', b'{"a": 1.50, "b": 1e400}'),
        (b"[ 1 ,\n 2 ]", b"[1, 2]"),
        (b"{ }", b"{}"),
        (b'"a,b:c  d"', b'"a,b:c  d"'),
        (b'{"\\"":"\\\\","x":":"}', b'{"\\"": "\\\\", "x": ":"}'),
        (b'"\\u00e9\\/"', b'"\\u00e9\\/"'),
    ],
)
def test_spacing_leaves_every_number_and_text_as_it_was_written(text: bytes, written: bytes) -> None:
    assert spaced(text) == written


def test_oms_signs_the_raw_body_with_the_text_of_the_secret() -> None:
    body = made(PACKAGE, "oms").data
    secret = "whsec_Grüße"

    headers = extra_headers("oms", body=body, secret=secret)

    expected = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    assert headers == {"X-Whisperer-Signature": f"sha256={expected}"}


def test_an_oms_signature_is_the_one_that_rfc_4231_shows() -> None:
    headers = extra_headers("oms", body=b"what do ya want for nothing?", secret="Jefe")

    assert headers["X-Whisperer-Signature"] == (
        "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    )


@pytest.mark.parametrize("secret", [None, ""])
def test_oms_signs_nothing_without_a_secret(secret: str | None) -> None:
    assert extra_headers("oms", body=b"{}", secret=secret) == {}


def test_oms_shows_the_user_name_and_password_of_its_configuration() -> None:
    config = {"auth": {"auth_type": "basic", "username": "Aladdin", "password": "open sesame"}, "other": 1}

    assert extra_headers("oms", body=b"{}", secret=None, config=config) == {
        "Authorization": "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
    }


def test_oms_credentials_are_utf_8() -> None:
    config = {"auth": {"auth_type": "basic", "username": "jörg", "password": "\n"}}

    authorization = extra_headers("oms", body=b"{}", secret=None, config=config)["Authorization"]

    assert base64.b64decode(authorization.removeprefix("Basic ")).decode() == "jörg:\n"
    assert authorization.isascii()


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"auth": None},
        {"auth": "basic"},
        {"auth": {"auth_type": "digest", "username": "a", "password": "b"}},
        {"auth": {"username": "a", "password": "b"}},
        {"auth": {"auth_type": "basic", "username": "a"}},
        {"auth": {"auth_type": "basic", "username": 1, "password": "b"}},
    ],
)
def test_oms_shows_no_credentials_unless_they_are_whole(config: dict[str, object]) -> None:
    assert extra_headers("oms", body=b"{}", secret=None, config=config) == {}
