"""The local receiver as a process, and what it says about a request."""

from __future__ import annotations

import base64
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
import requests
from click.testing import Result
from standardwebhooks import Webhook

from workers.fault_server import Receipt
from workers.receiver import SHOWN_BYTES, describe

SECRET = "whsec_" + base64.b64encode(b"a secret of twenty-four bytes or more").decode()
OTHER = "whsec_" + base64.b64encode(b"another secret of twenty-four bytes").decode()
Run = Callable[..., Result]
Start = Callable[..., "tuple[subprocess.Popen[str], str]"]


@pytest.fixture
def receiver() -> Iterator[Start]:
    processes: list[subprocess.Popen[str]] = []

    def start(*words: str) -> tuple[subprocess.Popen[str], str]:
        command = [sys.executable, "-P", "-m", "console.cli", "receiver", "--port", "0", *words]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        processes.append(process)
        assert process.stdout
        return process, process.stdout.readline().removeprefix("Receiving at ").strip()

    yield start
    for process in processes:
        process.terminate()
        assert process.wait(10) == 0
        assert process.stdout
        process.stdout.close()


def signed(secret: str, body: str, *, at: float | None = None) -> dict[str, str]:
    moment = datetime.fromtimestamp(time.time() if at is None else at, UTC)
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": Webhook(secret).sign("msg_1", moment, body),
    }


@pytest.mark.parametrize(
    ("make_headers", "verdict"),
    [
        (lambda: signed(SECRET, "{}"), "signature valid"),
        (lambda: signed(OTHER, "{}"), "signature does NOT match"),
        (lambda: signed(SECRET, "[]"), "signature does NOT match"),
        (lambda: signed(SECRET, "{}", at=1_000_000), "timestamp too old"),
        (lambda: {**signed(SECRET, "{}"), "webhook-signature": "nonsense"}, "signature malformed"),
        (dict, "not signed"),
    ],
    ids=["valid", "other-secret", "other-body", "old", "malformed", "unsigned"],
)
def test_it_says_what_a_signature_is_worth(
    receiver: Start, make_headers: Callable[[], dict[str, str]], verdict: str
) -> None:
    process, url = receiver("--secret", SECRET)

    answer = requests.post(f"{url}/hook", data="{}", headers=make_headers(), timeout=5)

    assert answer.status_code == 200
    assert process.stdout
    assert process.stdout.readline().startswith(f"#1 POST /hook (2 bytes): {verdict}")


def test_one_of_several_secrets_is_enough(receiver: Start) -> None:
    process, url = receiver("--secret", OTHER, "--secret", SECRET)

    requests.post(url, data="{}", headers=signed(SECRET, "{}"), timeout=5)

    assert process.stdout
    assert "signature valid" in process.stdout.readline()


def test_secrets_do_not_stand_on_the_command_line(receiver: Start) -> None:
    process, _ = receiver("--secret", SECRET)

    with open(f"/proc/{process.pid}/cmdline", encoding="utf-8") as command:  # noqa: PTH123  a pseudo-file
        assert SECRET not in command.read()


def test_it_misbehaves_when_told(receiver: Start) -> None:
    _, url = receiver("--fault", "status:418")

    assert requests.post(url, data="{}", timeout=5).status_code == 418


def test_a_fault_that_does_not_exist_is_refused_with_those_that_do() -> None:
    command = [sys.executable, "-P", "-m", "console.cli", "receiver", "--port", "0", "--fault", "kindness"]

    refused = subprocess.run(command, capture_output=True, text=True, check=False)

    assert refused.returncode == 1
    assert "There is no fault named 'kindness'; known are: ok, " in refused.stderr


def test_the_faults_are_listed() -> None:
    command = [sys.executable, "-P", "-m", "console.cli", "receiver", "--list-faults"]

    listed = subprocess.run(command, capture_output=True, text=True, check=True)

    assert "status:418" in listed.stdout


def test_a_port_in_use_is_told(receiver: Start) -> None:
    _, url = receiver()
    command = [sys.executable, "-P", "-m", "console.cli", "receiver", "--port", url.rsplit(":", 1)[1]]

    refused = subprocess.run(command, capture_output=True, text=True, check=False)

    assert refused.returncode == 1
    assert "cannot be listened on" in refused.stderr


def test_a_hostile_body_cannot_move_the_cursor_and_a_long_one_is_cut() -> None:
    body = b"\x1b[2J" + b"x" * (SHOWN_BYTES * 2)
    receipt = Receipt(number=1, connection=1, method="POST", path="/", headers=(("x-a", "\x1b]0;t\x07"),), body=body)

    text = describe(receipt, verdict="not signed")

    assert "\x1b" not in text
    assert "more bytes" in text
