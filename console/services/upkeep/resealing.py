"""Key rotation: what older keys encrypted is encrypted again with the newest, so that the older ones can be dropped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.orm.attributes import flag_modified

from console.core.errors import KeyUnavailable
from console.models import Hook, HookSecret, User
from console.services.dialects import oms_hooks
from console.services.work import Work

Row = TypeVar("Row", HookSecret, Hook, User)

BATCH = 100
"""Rows a transaction looks at: some milliseconds of the database's write lock."""


def reseal(work: Work) -> int:
    """Encrypt with the newest key whatever an older one in force encrypted; say how many rows that were.

    Raise KeyUnavailable at the end when there are rows that no key in force opens; all others are done.
    """
    if not work.keys.has_older:
        return 0
    done = [_reseal(work, HookSecret), _reseal(work, Hook), _reseal(work, User)]
    unreadable = sum(count for _, count in done)
    if unreadable:
        raise KeyUnavailable(
            f"{unreadable} stored secrets cannot be re-encrypted: their key is not in HOOKYARD_SECRET_KEY."
        )
    return sum(count for count, _ in done)


def _reseal(work: Work, model: type[Row]) -> tuple[int, int]:
    """Give how many rows were renewed, and how many no key opens."""
    renewed, unreadable, after = 0, 0, 0
    while True:
        with work.transaction():
            query = select(model).where(model.number > after).order_by(model.number).limit(BATCH)
            rows: Sequence[Row] = work.session.scalars(query.with_for_update()).all()
            for row in rows:
                try:
                    renewed += _renew(work, row)
                except KeyUnavailable:
                    unreadable += 1
            if len(rows) < BATCH:
                return renewed, unreadable
            after = rows[-1].number


def _renew(work: Work, row: HookSecret | Hook | User) -> bool:
    if isinstance(row, HookSecret):
        return _renew_column(work, row, "sealed")
    if isinstance(row, User):
        return _renew_column(work, row, "sealed_totp")
    is_changed = _renew_column(work, row, "sealed_headers")
    data = oms_hooks.resealed(work.keys, dialect_data=row.dialect_data)
    if data is not None:
        row.dialect_data = data
        flag_modified(row, "dialect_data")
    return is_changed or data is not None


def _renew_column(work: Work, row: object, name: str) -> bool:
    sealed: bytes | None = getattr(row, name)
    if sealed is None or work.keys.is_newest(sealed):
        return False
    setattr(row, name, work.keys.rotate(sealed))
    return True
