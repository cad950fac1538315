from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any

import pytest

from workers.fault_server import FaultServer

Play = Callable[..., FaultServer]


def test_a_valid_certificate_is_accepted_and_the_connection_kept(play_fault: Play, make_attempts: Any) -> None:
    server = play_fault("ok", tls="valid")
    attempt = make_attempts(trusting=server)

    first = attempt(f"https://localhost:{server.port}/hook")
    second = attempt(f"https://localhost:{server.port}/hook")

    assert (first.outcome, first.reused) == ("ok", False)
    assert (second.outcome, second.reused) == ("ok", True)
    assert first.timings.tls > 0
    assert second.timings.tls == 0


def test_the_name_is_kept_for_the_certificate_although_an_address_is_dialled(
    play_fault: Play, make_attempts: Any, fake_dns: Any
) -> None:
    fake_dns.names = {"hooks.example.com": ["127.0.0.1"], "other.example.com": ["127.0.0.1"]}
    server = play_fault("ok", tls="valid")
    attempt = make_attempts(trusting=server)

    named = attempt(f"https://hooks.example.com:{server.port}/")
    other = attempt(f"https://other.example.com:{server.port}/")

    assert named.outcome == "ok"
    assert server.receipts[0].header("host") == f"hooks.example.com:{server.port}"
    assert (other.outcome, len(server.receipts)) == ("tls_error", 1)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("tls-expired", "certificate has expired"),
        ("tls-self-signed", "self-signed certificate"),
        ("tls-wrong-host", "certificate is not valid for '127.0.0.1'"),
        ("tls-1.0", "protocol version"),
    ],
)
def test_a_certificate_or_protocol_that_is_not_accepted_is_named(
    play_fault: Play, make_attempts: Any, fault: str, reason: str
) -> None:
    server = play_fault(fault)

    result = make_attempts(trusting=server)(server)

    assert result.outcome == "tls_error"
    assert reason in result.error
    assert server.receipts == []


def test_an_authority_that_is_not_trusted_is_named(play_fault: Play, attempt: Any) -> None:
    result = attempt(play_fault("ok", tls="valid"))

    assert result.outcome == "tls_error"
    assert "issuer certificate" in result.error


@pytest.mark.parametrize("fault", ["tls-stall", "tls-drip"])
def test_a_handshake_that_does_not_end_times_out(play_fault: Play, attempt: Any, fault: str) -> None:
    server = play_fault(fault)

    result = attempt(server.url.replace("http:", "https:"), timeout_s=0.4)

    assert result.outcome == "timeout"
    assert "TLS handshake" in result.error
    assert 350 < result.timings.tls < 1500


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        ("ssh", ("tls_error",)),
        ("answers-early", ("tls_error",)),
        # Python 3.11's ssl may read a reset as the end of the stream, depending on when it comes.
        ("reset-at-once", ("connection_reset", "no_response")),
        ("http-2", ("tls_error",)),
    ],
)
def test_a_receiver_that_speaks_no_tls_is_not_asked_in_plain_text(
    play_fault: Play, attempt: Any, fault: str, outcome: tuple[str, ...]
) -> None:
    server = play_fault(fault)

    result = attempt(server.url.replace("http:", "https:"), timeout_s=1.0)

    assert result.outcome in outcome
    assert server.connections == 1
    assert server.receipts == []


def test_the_environment_can_neither_add_authorities_nor_log_keys(
    play_fault: Play, make_attempts: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    server = play_fault("ok", tls="valid")
    authority, keys = tmp_path / "authority.pem", tmp_path / "keys"
    authority.write_bytes(server.authority.pem if server.authority else b"")
    for variable in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(variable, str(authority))
    monkeypatch.setenv("SSLKEYLOGFILE", str(keys))

    assert make_attempts()(server).outcome == "tls_error"
    assert not keys.exists()


def test_tls_is_verified_and_1_2_at_least(make_attempts: Any) -> None:
    context = make_attempts().sender._adapter._context

    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
