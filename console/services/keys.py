"""Encryption at rest of what must be given back: signing secrets and sensitive header values (Fernet).

Several keys may be in force, newest first: the first encrypts, all decrypt, ``rotate`` re-encrypts with the first.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from console.core.errors import KeyUnavailable

STAMP_SIZE = 8
"""Bytes: nobody guesses one, and cursors that carry one stay short."""


def derive(secret_key: str, *, purpose: str) -> bytes:
    """Derive 32 bytes for one *purpose* from a secret key (HKDF-SHA256, RFC 5869)."""
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=f"hookyard {purpose}".encode()).derive(
        secret_key.encode()
    )


class KeyRing:
    """The encryption keys in force."""

    def __init__(self, secret_keys: Sequence[str]) -> None:
        keys = [base64.urlsafe_b64encode(derive(key, purpose="encryption")) for key in secret_keys]
        self._newest = Fernet(keys[0])
        self._fernet = MultiFernet([Fernet(key) for key in keys])
        self.has_older = len(keys) > 1
        self._stamps = [derive(key, purpose="stamps") for key in secret_keys]

    def seal(self, text: str) -> bytes:
        """Encrypt *text*."""
        return self._fernet.encrypt(text.encode())

    def open(self, sealed: bytes) -> str:
        """Decrypt; raise KeyUnavailable when no key in force made *sealed*."""
        try:
            return self._fernet.decrypt(sealed).decode()
        except InvalidToken as error:
            raise KeyUnavailable(
                "A stored secret cannot be decrypted: HOOKYARD_SECRET_KEY no longer lists the key that encrypted it."
            ) from error

    def stamp(self, text: bytes) -> bytes:
        """Return 8 bytes that show that this installation wrote *text* (HMAC-SHA256, cut)."""
        return _stamp(self._stamps[0], text)

    def stamped(self, text: bytes, stamp: bytes) -> bool:
        """Return whether *stamp* was made for *text* with one of the keys."""
        return any(hmac.compare_digest(_stamp(key, text), stamp) for key in self._stamps)

    def is_newest(self, sealed: bytes) -> bool:
        """Say whether the newest key made *sealed*."""
        try:
            self._newest.decrypt(sealed)
        except InvalidToken:
            return False
        return True

    def rotate(self, sealed: bytes) -> bytes:
        """Encrypt again with the newest key; raise KeyUnavailable as ``open`` does."""
        try:
            return self._fernet.rotate(sealed)
        except InvalidToken as error:
            raise KeyUnavailable(
                "A stored secret cannot be re-encrypted: its key is not in HOOKYARD_SECRET_KEY."
            ) from error


def _stamp(key: bytes, text: bytes) -> bytes:
    return hmac.digest(key, text, "sha256")[:STAMP_SIZE]
