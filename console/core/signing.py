"""Signatures of delivered requests, by the Standard Webhooks specification (symmetric, ``v1``).

What is signed is ``<webhook-id>.<webhook-timestamp>.<body>`` with HMAC-SHA256; the header holds one ``v1,<base64>`` for
each live secret, so a receiver that knows either secret of a rotation accepts the request.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Sequence
from enum import StrEnum

from console.core.errors import Refused

SECRET_PREFIX = "whsec_"  # noqa: S105  marks a secret, is none
FEWEST_SECRET_BYTES = 24
MOST_SECRET_BYTES = 64
LONGEST_SECRET = 255
TOLERANCE_S = 300

_SIGNATURE = re.compile(r"v[0-9]+[a-z]?,[A-Za-z0-9+/=_-]+", re.ASCII)
_TIMESTAMP = re.compile(r"[0-9]{1,15}", re.ASCII)


class Verification(StrEnum):
    """What a receiver makes of the three headers."""

    VALID = "valid"
    NO_MATCH = "no_match"
    MALFORMED = "malformed"
    TOO_OLD = "too_old"
    TOO_NEW = "too_new"


def new_secret(random_bytes: bytes) -> str:
    """Write *random_bytes* (24 to 64) as a ``whsec_…`` secret."""
    if not FEWEST_SECRET_BYTES <= len(random_bytes) <= MOST_SECRET_BYTES:
        raise ValueError(f"a secret has {FEWEST_SECRET_BYTES} to {MOST_SECRET_BYTES} bytes, not {len(random_bytes)}")
    return SECRET_PREFIX + base64.b64encode(random_bytes).decode("ascii")


def secret_key_bytes(secret: str) -> bytes:
    """Return the HMAC key of *secret*: what ``whsec_`` encodes in base64, else the text itself in UTF-8."""
    return _encoded_key(secret) or secret.encode()


def check_secret(secret: str) -> None:
    """Raise Refused unless *secret*, which somebody chose, will do for signing."""
    if not 1 <= len(secret) <= LONGEST_SECRET or not secret.isprintable():
        raise Refused(f"A secret has 1 to {LONGEST_SECRET} printable characters.", code="secret_invalid")
    _check_is_symmetric(secret.strip().lower())
    if not secret.startswith(SECRET_PREFIX):
        return
    key = _encoded_key(secret)
    if key is None or not FEWEST_SECRET_BYTES <= len(key) <= MOST_SECRET_BYTES:
        raise Refused(
            f"After whsec_ comes the base64 of {FEWEST_SECRET_BYTES} to {MOST_SECRET_BYTES} random bytes.",
            code="secret_invalid",
        )


def _check_is_symmetric(secret: str) -> None:
    """Raise Refused for the ed25519 keys of Standard Webhooks: as text for HMAC, no receiver could verify with them."""
    if secret.startswith("whsk_"):
        words = "whsk_ marks a private key for ed25519 signatures; only whsec_ secrets are accepted."
        raise Refused(words, code="secret_invalid")
    if secret.startswith("whpk_"):
        words = "whpk_ marks a public key, which verifies and cannot sign; only whsec_ secrets are accepted."
        raise Refused(words, code="secret_invalid")


def sign(*, message_id: str, timestamp: int, body: bytes, secrets: Sequence[str]) -> str:
    """Return the ``webhook-signature`` header: one signature for each of *secrets*, in their order.

    *timestamp* is that of the attempt, in seconds since 1970.
    """
    return " ".join(
        _signature(message_id=message_id, timestamp=str(timestamp), body=body, secret=secret) for secret in secrets
    )


def verify(
    *,
    message_id: str,
    timestamp: int | str,
    body: bytes,
    signature_header: str,
    secret: str,
    now: int,
    tolerance_s: int = TOLERANCE_S,
) -> Verification:
    """Say what a receiver that knows *secret* makes of the request, at *now* (seconds since 1970).

    Malformed is a timestamp that is no number, or a header in which nothing looks like a signature; signatures of
    other versions are passed over. The time is judged before the signature, as receivers' libraries do.
    """
    signatures = [part for part in signature_header.split(" ") if _SIGNATURE.fullmatch(part)]
    if not signatures or not _TIMESTAMP.fullmatch(str(timestamp)):
        return Verification.MALFORMED
    if int(timestamp) < now - tolerance_s:
        return Verification.TOO_OLD
    if int(timestamp) > now + tolerance_s:
        return Verification.TOO_NEW
    expected = _signature(message_id=message_id, timestamp=str(timestamp), body=body, secret=secret)
    agreeing = [hmac.compare_digest(expected, given) for given in signatures]
    return Verification.VALID if any(agreeing) else Verification.NO_MATCH


def _signature(*, message_id: str, timestamp: str, body: bytes, secret: str) -> str:
    signed = b".".join((message_id.encode(), timestamp.encode(), body))
    digest = hmac.digest(secret_key_bytes(secret), signed, hashlib.sha256)
    return "v1," + base64.b64encode(digest).decode("ascii")


def _encoded_key(secret: str) -> bytes | None:
    """Return the bytes that a ``whsec_`` secret encodes; None when it is no such secret or encodes nothing."""
    if not secret.startswith(SECRET_PREFIX):
        return None
    try:
        return base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True) or None
    except (binascii.Error, ValueError):
        return None
