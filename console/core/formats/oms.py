"""The body and headers that receivers of the order management system's hooks expect (docs: the oms dialect).

The separators are ``, `` and ``: `` throughout, as ``json.dumps`` has them: a receiver may compute the signature over
what it parsed and wrote again.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Any

from console.core.formats.envelope import Envelope, Message, json_text

EVENT_HEADER = "X-Whisperer-Event"
SIGNATURE_HEADER = "X-Whisperer-Signature"

_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[ \t\r\n]+|[,:]')
_SEPARATORS = {b",": b", ", b":": b": "}


def envelope(message: Message) -> Envelope:
    """Write *message* as event and payload; the event's uuid is that of the delivery, without dashes."""
    event = {"type": message.event_type, "uuid": message.delivery_id.hex}
    return Envelope(
        (("event", spaced(json_text(event))), ("payload", spaced(message.payload))),
        headers={EVENT_HEADER: message.event_type},
        is_spaced=True,
    )


def extra_headers(*, body: bytes, secret: str | None, config: Mapping[str, Any]) -> dict[str, str]:
    """Sign *body* when the hook was given a secret, and show the user name and password of ``config.auth``."""
    headers = {}
    if secret:
        headers[SIGNATURE_HEADER] = "sha256=" + hmac.digest(secret.encode(), body, hashlib.sha256).hex()
    if (credentials := _credentials(config.get("auth"))) is not None:
        headers["Authorization"] = "Basic " + base64.b64encode(credentials).decode("ascii")
    return headers


def spaced(text: bytes) -> bytes:
    """Put one space after each comma and colon of a JSON text and none elsewhere; every value keeps its bytes."""
    return _TOKEN.sub(_respaced, text)


def _respaced(found: re.Match[bytes]) -> bytes:
    token = found[0]
    return token if token.startswith(b'"') else _SEPARATORS.get(token, b"")


def _credentials(auth: object) -> bytes | None:
    """Join user name and password in UTF-8 (RFC 7617); None unless both are there and the type is ``basic``."""
    if not isinstance(auth, dict) or auth.get("auth_type") != "basic":
        return None
    username, password = auth.get("username"), auth.get("password")
    if not isinstance(username, str) or not isinstance(password, str):
        return None
    return f"{username}:{password}".encode()
