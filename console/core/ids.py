"""UUIDv7 (RFC 9562 section 5.7): identifiers whose order is the order of time."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID


def uuid7(now: datetime, random_bytes: bytes) -> UUID:
    """Build a UUIDv7 from the moment *now* (its milliseconds) and 10 *random_bytes*."""
    milliseconds = int(now.timestamp() * 1000) & 0xFFFF_FFFF_FFFF
    tail = int.from_bytes(random_bytes[:10], "big")
    value = milliseconds << 80 | tail
    value = value & ~(0xF000 << 64) | 0x7000 << 64  # version
    value = value & ~(0xC000 << 48) | 0x8000 << 48  # variant
    return UUID(int=value)
