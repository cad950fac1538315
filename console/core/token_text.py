"""The text of API tokens: ``hy_<8>_<43>_<6>``, the name it is found by, 256 random bits, and a checksum.

The checksum (CRC-32 over what stands before it) tells a mistyped token from an unknown one without a look-up. All parts
are letters and digits, so that a double click selects the token whole.
"""

from __future__ import annotations

import hmac
import re
import zlib

_FORM = re.compile(r"(hy_[0-9A-Za-z]{8})_[0-9A-Za-z]{43}_([0-9A-Za-z]{6})", re.ASCII)
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def written(*, name: bytes, secret: bytes) -> tuple[str, str]:
    """Give the prefix (62^8 of them) and the whole text of a token, of 8 and 32 random bytes."""
    prefix = "hy_" + _in_digits(int.from_bytes(name, "big"), length=8)
    head = f"{prefix}_{_in_digits(int.from_bytes(secret, 'big'), length=43)}"
    return prefix, f"{head}_{_checksum(head)}"


def prefix_of(text: str) -> str | None:
    """Give the prefix that a token is found by; None for what is no token, or was cut off or mistyped."""
    found = _FORM.fullmatch(text)
    if found is None or not hmac.compare_digest(_checksum(text.rpartition("_")[0]), found[2]):
        return None
    return found[1]


def _checksum(head: str) -> str:
    return _in_digits(zlib.crc32(head.encode()), length=6)


def _in_digits(number: int, *, length: int) -> str:
    """Write the low part of *number* in base 62 with *length* digits."""
    digits = []
    for _ in range(length):
        number, digit = divmod(number, len(_DIGITS))
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))
