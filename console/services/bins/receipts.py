"""What the built-in receiver saw of a hook's secrets."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select

from console.models import Bin, BinRequest, HookSecret
from console.services.work import Work


def last_verified(work: Work, *, organization_number: int, secrets: Sequence[HookSecret]) -> dict[int, datetime]:
    """Map the numbers of those *secrets* that made a valid signature in a bin to when the latest such request came."""
    query = (
        select(BinRequest.verified_with, func.max(BinRequest.received_at))
        .join(Bin, Bin.number == BinRequest.bin_number)
        .where(
            Bin.organization_number == organization_number,
            BinRequest.verified_with.in_([str(secret.number) for secret in secrets]),
        )
        .group_by(BinRequest.verified_with)
    )
    return {int(number): at for number, at in work.session.execute(query) if number is not None}
