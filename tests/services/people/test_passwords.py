"""Turns at hashing: a flood of sign-ins takes few threads, for a short time."""

from __future__ import annotations

from time import monotonic

import pytest

from console.core.errors import Busy
from console.services.people import passwords
from tests.hashing import others_hashing


def test_who_comes_when_enough_wait_is_sent_away_at_once() -> None:
    begun = monotonic()
    with others_hashing(), pytest.raises(Busy, match="Too many people are signing in") as caught:
        passwords.is_password("wrong", password_hash=None)

    assert caught.value.retry_after_s == 3
    assert monotonic() - begun < 5


def test_who_may_wait_does_not_wait_for_long() -> None:
    with others_hashing(passwords.HASHES_AT_A_TIME):
        begun = monotonic()
        with pytest.raises(Busy):
            passwords.hash_password("a good long passphrase of ours")

        assert passwords.LONGEST_WAIT_S <= monotonic() - begun < passwords.LONGEST_WAIT_S + 2

    assert passwords.hash_password("a good long passphrase of ours").startswith(passwords.METHOD)


def test_what_is_hashed_within_a_turn_needs_no_other() -> None:
    with others_hashing(passwords.HASHES_AT_A_TIME - 1), passwords.turn():
        hashed = passwords.hash_password("a good long passphrase of ours")

        assert passwords.is_password("a good long passphrase of ours", password_hash=hashed)
