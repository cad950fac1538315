"""A receiver to try things with: it verifies each request's signature, prints what it got, and misbehaves on demand.

``python -m workers.receiver --host H --port N --fault NAME``; ``hookyard receiver`` is its face.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Sequence
from threading import Event, Lock

from console.core.errors import Refused
from console.core.redact import visible
from console.core.signing import Verification, verify
from workers.fault_server import FaultServer, Receipt
from workers.faults import FAULTS, fault_named

SHOWN_BYTES = 4096
SECRETS_VARIABLE = "HOOKYARD_RECEIVER_SECRETS"
VERDICTS = {
    Verification.VALID: "signature valid",
    Verification.NO_MATCH: "signature does NOT match: another secret, or the body was changed",
    Verification.MALFORMED: "signature malformed",
    Verification.TOO_OLD: "timestamp too old",
    Verification.TOO_NEW: "timestamp in the future",
}
# Of several secrets the one that tells most counts: whether one is right, else whether it is too late to tell.
_TELLING = (
    Verification.VALID,
    Verification.TOO_OLD,
    Verification.TOO_NEW,
    Verification.NO_MATCH,
    Verification.MALFORMED,
)


def judge(receipt: Receipt, *, secrets: Sequence[str], now: int) -> str:
    """Say in words what the signature of a request is worth to somebody who knows *secrets*."""
    signature = receipt.header("webhook-signature")
    if signature is None:
        return "not signed"
    if not secrets:
        return "signed; give --secret to verify it"
    found = {
        verify(
            message_id=receipt.header("webhook-id") or "",
            timestamp=receipt.header("webhook-timestamp") or "",
            body=receipt.body,
            signature_header=signature,
            secret=secret,
            now=now,
        )
        for secret in secrets
    }
    return VERDICTS[next(verdict for verdict in _TELLING if verdict in found)]


def describe(receipt: Receipt, *, verdict: str) -> str:
    """Lay out one request: what it is, its headers, its body; nothing in it can move the terminal's cursor."""
    lines = [
        f"#{receipt.number} {receipt.method} {receipt.path} ({len(receipt.body)} bytes): {verdict}",
        *(f"    {name}: {value}" for name, value in receipt.headers),
    ]
    body = receipt.body[:SHOWN_BYTES].decode("utf-8", errors="replace")
    lines += [f"    {line}" for line in ("", *body.splitlines())]
    if len(receipt.body) > SHOWN_BYTES:
        lines.append(f"    … {len(receipt.body) - SHOWN_BYTES} more bytes")
    return "\n".join(visible(line) for line in lines)


class Printer:
    """Prints each request as it comes, one at a time."""

    def __init__(self, *, secrets: Sequence[str]) -> None:
        self._secrets = secrets
        self._lock = Lock()

    def __call__(self, receipt: Receipt) -> None:
        """Print *receipt*; called from the connection's thread."""
        text = describe(receipt, verdict=judge(receipt, secrets=self._secrets, now=int(time.time())))
        with self._lock:
            print(text, flush=True)  # noqa: T201  printing is what it is for


def main() -> int:
    """Receive until told to stop; return the exit code."""
    parser = argparse.ArgumentParser(prog="hookyard receiver")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9000)
    parser.add_argument("--fault", default="ok")
    parser.add_argument("--list-faults", action="store_true")
    options = parser.parse_args()
    if options.list_faults:
        for fault in FAULTS.values():
            name = f"{fault.name}:{fault.argument}" if fault.argument else fault.name
            print(f"{name:30} {fault.description}")  # noqa: T201  as above
        return 0
    printer = Printer(secrets=[line for line in os.environ.get(SECRETS_VARIABLE, "").split("\n") if line])
    try:
        server = FaultServer(fault_named(options.fault), host=options.host, port=options.port, on_receipt=printer)
    except Refused as error:
        return _refuse(error.message)
    except (OSError, OverflowError) as error:
        return _refuse(f"{options.host}, port {options.port}, cannot be listened on: {error}.")
    stopped = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    with server:
        print(f"Receiving at {server.url}", flush=True)  # noqa: T201  as above
        stopped.wait()
    return 0


def _refuse(sentence: str) -> int:
    print(f"Error: {sentence}", file=sys.stderr)  # noqa: T201  as above
    return 1


if __name__ == "__main__":
    sys.exit(main())
