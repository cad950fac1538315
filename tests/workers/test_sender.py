from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from console.core.targets import TargetPolicy
from workers.adapter import GuardedAdapter
from workers.failures import Failure
from workers.fault_server import FaultServer

Play = Callable[..., FaultServer]


def test_a_request_arrives_exactly_as_it_was_given(play_fault: Play, attempt: Any) -> None:
    server = play_fault("ok")
    body = b'{"b": 1,  "a": "\xc3\xa9"}'

    result = attempt(f"{server.url}/in?a=%0d&b", headers={"webhook-id": "msg_1", "X-Shop": "a b"}, body=body)

    [receipt] = server.receipts
    assert result.outcome == "ok"
    assert (result.status, result.body, result.truncated, result.error) == (200, b"ok", False, None)
    assert result.peer == f"127.0.0.1:{server.port}"
    assert (receipt.method, receipt.path, receipt.body) == ("POST", "/in?a=%0d&b", body)
    assert dict(receipt.headers) == {
        "Host": f"127.0.0.1:{server.port}",
        "Accept-Encoding": "identity",
        "Content-Length": str(len(body)),
        "webhook-id": "msg_1",
        "X-Shop": "a b",
        "User-Agent": "Hookyard/test",
    }


def test_a_user_agent_of_the_hook_replaces_ours(play_fault: Play, attempt: Any) -> None:
    server = play_fault("ok")

    attempt(server, headers={"user-agent": "shop/1"})

    assert [value for name, value in server.receipts[0].headers if name.lower() == "user-agent"] == ["shop/1"]


@pytest.mark.parametrize(
    ("fault", "outcome", "status"),
    [
        ("ok", "ok", 200),
        ("empty", "ok", 204),
        ("status:201", "ok", 201),
        ("status:304", "redirect", 304),
        ("status:418", "client_error", 418),
        ("gone", "gone", 410),
        ("throttled:7", "throttled", 429),
        ("error", "server_error", 500),
        ("unavailable", "server_error", 503),
        ("slow:0.1", "ok", 200),
        ("http-1.0", "ok", 200),
    ],
)
def test_the_status_decides_the_outcome(play_fault: Play, attempt: Any, fault: str, outcome: str, status: int) -> None:
    result = attempt(play_fault(fault))

    assert (result.outcome, result.status) == (outcome, status)
    assert (result.error is None) == (outcome == "ok")


def test_the_headers_of_the_answer_are_kept_in_order(play_fault: Play, attempt: Any) -> None:
    result = attempt(play_fault("throttled:7"))

    assert result.headers == (("Retry-After", "7"), ("Content-Length", "0"))
    assert result.error == "The receiver answered 429 Too Many Requests."


@pytest.mark.parametrize("fault", ["redirect:http://169.254.169.254/latest", "redirect-loop"])
def test_a_redirect_is_not_followed(play_fault: Play, attempt: Any, fault: str) -> None:
    server = play_fault(fault)

    result = attempt(server)

    assert result.outcome == "redirect"
    assert len(server.receipts) == server.connections == 1


def test_a_redirect_is_kept_without_its_query(play_fault: Play, attempt: Any) -> None:
    result = attempt(play_fault("redirect:https://sso.example.com/login?token=s3cret"))

    assert "s3cret" not in str(result)
    assert dict(result.headers)["Location"].startswith("https://sso.example.com/login")


@pytest.mark.parametrize(
    "headers",
    [
        {"Bad Name": "x"},
        {"X-\x00": "x"},
        {"": "x"},
        {"X-A": "1\r\nX-B: 2"},
        {"X-A": "1\n 2"},
        {"X-A": "caf\u00e9"},
        {"Host": "169.254.169.254"},
        {"host": "x"},
        {"Transfer-Encoding": "chunked"},
        {"CONTENT-LENGTH": "1"},
        {"Connection": "close"},
        {"Expect": "100-continue"},
        {"X-A": None},
    ],
    ids=ascii,
)
def test_a_header_that_could_be_misread_is_never_sent(play_fault: Play, attempt: Any, headers: Any) -> None:
    server = play_fault("ok")

    result = attempt(server, headers=headers)

    assert result.outcome == "invalid_request"
    assert result.error.endswith(".")
    assert server.connections == 0


@pytest.mark.parametrize("method", ["", "post", "GET /x HTTP/1.1\r\nX: y\r\n\r\nGET"])
def test_a_method_that_is_none_is_never_sent(play_fault: Play, attempt: Any, method: str) -> None:
    server = play_fault("ok")

    assert attempt(server, method=method).outcome == "invalid_request"
    assert server.connections == 0


def test_an_answer_to_head_has_no_body_whatever_its_length_says(play_fault: Play, attempt: Any) -> None:
    result = attempt(play_fault("cut-body"), method="HEAD")

    assert (result.outcome, result.body, result.truncated) == ("ok", b"", False)


def test_no_time_is_given_to_the_dns_for_an_address(play_fault: Play, attempt: Any) -> None:
    assert attempt(play_fault("ok")).timings.dns == 0


def test_the_timings_add_up(play_fault: Play, attempt: Any) -> None:
    timings = attempt(play_fault("slow:0.1")).timings

    phases = timings.dns + timings.connect + timings.tls + timings.send + timings.first_byte + timings.body
    assert timings.first_byte >= 90
    assert timings.tls == 0
    assert phases <= timings.total < phases + 50


def test_many_threads_share_a_sender_without_mixing_answers(play_fault: Play, attempt: Any) -> None:
    server = play_fault("ok")

    with ThreadPoolExecutor(32) as threads:
        results = list(threads.map(lambda n: attempt(server, body=b"%d" % n, timeout_s=20), range(500)))

    assert {result.outcome for result in results} == {"ok"}
    assert sorted(int(receipt.body) for receipt in server.receipts) == list(range(500))


def test_the_adapter_speaks_requests(play_fault: Play, attempt: Any) -> None:
    """Its errors are requests' errors, and it takes neither a plain request nor a proxy."""
    adapter = GuardedAdapter(TargetPolicy(), pool_size=1)

    with pytest.raises(requests.RequestException):
        adapter.proxy_manager_for("http://127.0.0.1:3128")
    with pytest.raises(TypeError):
        adapter.send(requests.Request("GET", play_fault("ok").url).prepare())
    assert issubclass(Failure, requests.RequestException)
    adapter.close()


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"])
def test_a_proxy_in_the_environment_is_not_used(
    play_fault: Play, attempt: Any, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    proxy, server = play_fault("error"), play_fault("ok")
    monkeypatch.setenv(variable, proxy.url)

    assert attempt(server).outcome == "ok"
    assert proxy.connections == 0


def test_a_worker_without_file_descriptors_is_to_blame_itself(
    play_fault: Play, attempt: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = play_fault("ok")

    def no_socket(*_: Any) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("socket.socket.settimeout", no_socket)

    assert attempt(server).outcome == "system_error"


def test_an_error_nobody_thought_of_is_an_outcome_and_keeps_its_words_to_itself(
    play_fault: Play, attempt: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = play_fault("ok")

    def strange(*_: Any) -> None:
        raise LookupError("s3cret")

    monkeypatch.setattr("socket.socket.settimeout", strange)

    result = attempt(server)

    assert result.outcome == "invalid_request"
    assert "s3cret" not in str(result)
