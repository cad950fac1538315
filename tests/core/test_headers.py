"""Which request headers a hook may add, and which values may be shown."""

from __future__ import annotations

import pytest

from console.core.errors import Refused
from console.core.headers import HARMLESS_HEADERS, HeaderRefused, check_headers, denied_names, is_sensitive

DENIED = [
    "host",
    "content-length",
    "content-type",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "upgrade",
    "expect",
    "proxy-authorization",
    "proxy-connection",
    "cookie",
    "via",
    "forwarded",
    "proxy",
    "x-original-url",
    "x-original-host",
    "x-rewrite-url",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "cf-connecting-ip",
    "true-client-ip",
    "client-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "fastly-client-ip",
    "x-accel-redirect",
    "x-accel-buffering",
    "x-sendfile",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-real-ip",
    "accept-encoding",
    "content-encoding",
    "date",
    "webhook-id",
    "webhook-signature",
    "x-hookyard-delivery",
    "metadata",
    "metadata-flavor",
    "x-aws-ec2-metadata-token",
    "x-aws-ec2-metadata-token-ttl-seconds",
]


def code_of(headers: dict[str, str], *, allow_content_type: bool = False) -> str | None:
    """Return the code of the refusal, None when the headers may be sent."""
    try:
        check_headers(headers, allow_content_type=allow_content_type)
    except Refused as refused:
        return refused.code
    return None


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer abc.def-123"},
        {"X-Shop": "one two\tthree", "x-tenant": "7"},
        {"X-Empty": ""},
        {"!#$%&'*+.^_|~-": "~!"},
        {"X" * 64: "v" * 4096},
        {f"X-{number}": "v" for number in range(32)},
        {"Hostname": "a", "Dates": "b", "Proxies": "c", "X-Forwarded": "d", "Web-Hook": "e"},
    ],
)
def test_ordinary_headers_may_be_sent(headers: dict[str, str]) -> None:
    assert code_of(headers) is None


@pytest.mark.parametrize("name", DENIED)
def test_a_header_of_ours_or_of_the_connection_is_denied_in_any_case(name: str) -> None:
    assert code_of({name: "x"}) == "header_denied"
    assert code_of({name.upper(): "x"}) == "header_denied"
    assert code_of({name.title(): "x"}) == "header_denied"


def test_an_underscore_does_not_hide_a_denied_name() -> None:
    assert code_of({"X_Forwarded_For": "127.0.0.1"}) == "header_denied"
    assert code_of({"webhook_id": "1"}) == "header_denied"
    assert code_of({"X_HTTP_Method_Override": "DELETE"}) == "header_denied"
    assert code_of({"CF_Connecting-IP": "127.0.0.1"}) == "header_denied"
    assert code_of({"api_key": "1"}) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [("Host", "169.254.169.254"), ("Connection", "x"), ("Connection", "close\r\nX: y")],
)
def test_a_denied_name_is_refused_whatever_its_value(name: str, value: str) -> None:
    assert code_of({name: value}) == "header_denied"


@pytest.mark.parametrize(
    "name", ["", " X", "X Y", "X:", "X\r\nY", "X\x00", "\u00dc", "X" * 65, "X`", "(X)", "X\n", 5, None]
)
def test_a_malformed_name_is_refused(name: object) -> None:
    assert code_of({name: "x"}) == "header_invalid"  # type: ignore[dict-item]  # JSON and forms can hold anything


@pytest.mark.parametrize(
    "value",
    ["a\r\nX-Injected: 1", "a\n", "a\x00", " a", "a ", "\ta", "caf\u00e9", "a\x7f", " ", "v" * 4097, 5, None, ["a"]],
)
def test_a_malformed_value_is_refused(value: object) -> None:
    assert code_of({"X-Shop": value}) == "header_invalid"  # type: ignore[dict-item]  # as above


def test_more_than_32_headers_are_refused() -> None:
    assert code_of({f"X-{number}": "v" for number in range(33)}) == "header_invalid"


def test_all_lines_together_have_at_most_16_kib() -> None:
    four_lines = {f"X-{number}": "v" * (4096 - len("X-0: \r\n")) for number in range(4)}

    assert code_of(four_lines) is None
    assert code_of(four_lines | {"Y": ""}) == "header_invalid"


def test_the_same_name_in_two_cases_is_refused() -> None:
    assert code_of({"X-Shop": "1", "x-shop": "2"}) == "header_invalid"


def test_the_content_type_may_be_set_only_where_it_is_allowed() -> None:
    assert code_of({"Content-Type": "text/plain"}) == "header_denied"
    assert code_of({"Content-Type": "text/plain"}, allow_content_type=True) is None
    assert code_of({"Content-Length": "5"}, allow_content_type=True) == "header_denied"
    assert code_of({"Content-Type": "text/plain\r\nX: y"}, allow_content_type=True) == "header_invalid"


@pytest.mark.parametrize(("name", "value"), [("Host", "x"), ("X Y", "x"), ("X-Shop", "a\nb"), ("X-Shop", "v" * 5000)])
def test_a_refusal_says_which_header_it_is_about(name: str, value: str) -> None:
    with pytest.raises(HeaderRefused) as caught:
        check_headers({"X-Good": "1", name: value})

    assert caught.value.header == name
    assert caught.value.message.endswith(".")


@pytest.mark.parametrize(
    "name",
    [
        *("Authorization", "X-Auth", "X-API-Key", "apikey", "X-Gitlab-Token", "Client-Secret", "X-Hub-SECRET"),
        *("X-Password", "X-Jwt", "X-Session", "Set-Cookie", "Cookie", "X-CSRF", "X-Credential", "X-Pwd"),
        *("X-Hub-Signature-256", "webhook-signature"),
    ],
)
def test_a_name_that_says_so_holds_a_secret(name: str) -> None:
    assert is_sensitive(name)


@pytest.mark.parametrize("name", ["Content-Type", "X-Shop", "User-Agent", "WWW-Authenticate", ""])
def test_an_ordinary_name_holds_no_secret(name: str) -> None:
    assert not is_sensitive(name)


def test_no_header_with_a_secret_or_a_signature_is_among_those_shown() -> None:
    assert not any(is_sensitive(name) or "signature" in name or "cookie" in name for name in HARMLESS_HEADERS)
    assert all(name == name.lower() for name in HARMLESS_HEADERS)


def test_names_that_are_never_sent_are_told_from_those_that_are() -> None:
    stored = {"X-Shop": "1", "X_Original_URL": "/admin", "Content-Type": "text/plain", "Proxy": "x"}

    assert denied_names(stored) == ["X_Original_URL", "Content-Type", "Proxy"]
    assert denied_names(stored, allow_content_type=True) == ["X_Original_URL", "Proxy"]
