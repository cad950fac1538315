"""One test a row: what a hostile or broken receiver does, and what is made of it, in time and in memory."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from workers.fault_server import FaultServer
from workers.faults import FAULTS

Play = Callable[..., FaultServer]
KIB = 1024

ROWS = [
    # Too slow or without end.
    ("drip-status-line", "timeout", None),
    ("drip-headers", "timeout", None),
    ("drip-continue", "timeout", None),
    ("drip-body", "ok", "had not ended when the time was up"),
    ("endless-headers", "invalid_http", None),
    ("endless-continue", "invalid_http", None),
    ("endless-body", "ok", "first 64 KiB"),
    ("endless-chunks", "ok", "first 64 KiB"),
    ("endless-trailers", "ok", "do not end"),
    ("never-answers", "timeout", None),
    ("never-reads", "timeout", None),
    # Other than asked.
    ("interim-102", "ok", None),
    ("interim-103", "ok", None),
    ("switching", "unexpected_upgrade", None),
    ("status-600", "invalid_status", None),
    ("status-text", "invalid_http", None),
    ("ssh", "invalid_http", None),
    ("http-0.9", "invalid_http", None),
    ("http-2", "invalid_http", None),
    ("two-lengths", "invalid_http", None),
    ("many-headers", "invalid_http", None),
    ("big-headers", "invalid_http", None),
    ("extra-bytes", "ok", "more bytes after its answer"),
    # Bodies.
    ("gzip-bomb", "ok", None),
    ("broken-gzip", "ok", None),
    ("big-body", "ok", "first 64 KiB"),
    ("cut-body", "ok", "closed before"),
    ("broken-chunk", "ok", "rules of chunked transfer"),
    ("reset-in-body", "ok", "broke before"),
    # Hanging up.
    ("reset-at-once", "connection_reset", None),
    ("reset-after-request", "connection_reset", None),
    ("close-after-request", "no_response", None),
    ("cut-headers", "no_response", None),
    ("answers-early", "ok", None),
    ("answers-early-and-resets", "client_error", None),
]


@pytest.mark.parametrize(("fault", "outcome", "note"), ROWS, ids=[row[0] for row in ROWS])
def test_each_fault_has_its_outcome_in_time(
    play_fault: Play, attempt: Any, fault: str, outcome: str, note: str | None
) -> None:
    server = play_fault(fault)
    begun = monotonic()

    result = attempt(server, timeout_s=0.5)

    assert monotonic() - begun < 2.5
    assert result.outcome == outcome
    assert (note or "") in (result.body_note or "")
    assert bool(note) == bool(result.body_note)
    assert len(result.body) <= 64 * KIB
    assert not result.error or result.error.endswith(".")
    assert len(server.receipts) <= 1


def test_every_fault_that_can_be_played_has_a_row() -> None:
    elsewhere = {name for name, fault in FAULTS.items() if fault.is_harmless or name.startswith(("tls", "close-"))}

    assert set(FAULTS) - elsewhere - {"never-accepts", "http-1.0"} <= {fault for fault, _, _ in ROWS}


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        ("drip-headers", "timeout"),
        ("drip-body", "ok"),
        ("endless-body", "ok"),
        ("never-answers", "timeout"),
        ("never-reads", "timeout"),
        ("big-body", "ok"),
        ("cut-body", "ok"),
        ("extra-bytes", "ok"),
        ("interim-103", "ok"),
        ("close-after-request", "no_response"),
        ("answers-early", "ok"),
    ],
)
def test_the_same_holds_under_tls(play_fault: Play, make_attempts: Any, fault: str, outcome: str) -> None:
    server = play_fault(fault, tls="valid")
    begun = monotonic()

    result = make_attempts(trusting=server)(server, timeout_s=0.6)

    assert monotonic() - begun < 2.6
    assert result.outcome == outcome


def test_a_reset_under_tls_is_no_answer_by_either_name(play_fault: Play, make_attempts: Any) -> None:
    """Python 3.11's ssl module reports a reset as the end of the stream, newer ones as a reset."""
    server = play_fault("reset-after-request", tls="valid")

    assert make_attempts(trusting=server)(server).outcome in {"connection_reset", "no_response"}


@pytest.mark.parametrize("tls", [None, "valid"], ids=["plain", "tls"])
@pytest.mark.parametrize(
    ("fault", "outcome"),
    [("never-reads", "timeout"), ("answers-early", "ok"), ("answers-early-and-resets", "client_error"), ("ok", "ok")],
)
def test_a_body_too_big_for_any_buffer_meets_the_same_end(
    play_fault: Play, make_attempts: Any, fault: str, outcome: str, tls: str | None
) -> None:
    server = play_fault(fault, tls=tls)

    result = make_attempts(trusting=server)(server, body=b"x" * (16 * KIB * KIB), timeout_s=5 if fault == "ok" else 0.6)

    assert result.outcome == outcome
    assert result.timings.total < 5000


def test_a_receiver_that_does_not_read_is_told_from_one_that_does_not_answer(play_fault: Play, attempt: Any) -> None:
    unread = attempt(play_fault("never-reads"), body=b"x" * (16 * KIB * KIB), timeout_s=0.4)
    unanswered = attempt(play_fault("never-answers"), timeout_s=0.4)

    assert unread.error == "127.0.0.1 did not read the whole request within 0.4 s."
    assert unanswered.error == "127.0.0.1 did not answer within 0.4 s."
    assert unanswered.timings.first_byte > 300


def test_a_connection_that_is_never_accepted_times_out_while_connecting(play_fault: Play, attempt: Any) -> None:
    result = attempt(play_fault("never-accepts"), timeout_s=0.4)

    assert result.outcome == "connect_timeout"
    assert result.peer is None
    assert result.timings.connect > 300


def test_a_bomb_is_kept_packed(play_fault: Play, attempt: Any) -> None:
    server = play_fault("gzip-bomb")
    attempt(server)  # the server packs it once

    tracemalloc.start()
    try:
        result = attempt(server)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert result.body[:2] == b"\x1f\x8b"
    assert peak < 2 * KIB * KIB


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="The memory in use is read from /proc.")
def test_a_thousand_hostile_answers_leave_no_memory_behind(play_fault: Play, attempt: Any) -> None:
    names = ["endless-body", "endless-chunks", "endless-headers", "many-headers", "big-body", "gzip-bomb", "cut-body"]
    servers = [play_fault(name) for name in names]
    for server in servers * 5:
        attempt(server)
    gc.collect()
    before = _resident_bytes()

    for number in range(1000):
        attempt(servers[number % len(servers)])

    gc.collect()
    assert _resident_bytes() - before < 20 * KIB * KIB


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4096
