from __future__ import annotations

import statistics
import threading
import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from werkzeug.security import generate_password_hash

from console import database
from console.core.errors import Invalid, TooMany, Unauthenticated
from console.models import BrowserSession, SignInFailure
from console.services import audit
from console.services.people import accounts, passwords, sign_in
from console.services.work import Work

pytestmark = pytest.mark.both_databases

PASSWORD = "correct horse battery"


def _fail(work: Work, login: Any = "ada", ip: Any = "198.51.100.7") -> Any:
    with pytest.raises(Unauthenticated) as caught:
        sign_in.authenticate(work, login=login, password="not the password", ip=ip)
    return caught.value


def _succeed(work: Work, login: Any = "ada", ip: Any = "198.51.100.7") -> Any:
    return sign_in.authenticate(work, login=login, password=PASSWORD, ip=ip).user


def _wait_left(work: Work, login: Any = "ada", ip: Any = "198.51.100.7") -> Any:
    with pytest.raises(TooMany) as caught:
        sign_in.authenticate(work, login=login, password=PASSWORD, ip=ip)
    return caught.value.retry_after_s


# --- who it is ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("login", ["ada", "ADA", "ada@example.com", " Ada@Example.com "])
def test_a_person_signs_in_by_user_name_or_e_mail_in_any_case(work: Work, ada: Any, login: Any) -> None:
    assert _succeed(work, login).number == ada.user.number


def test_a_wrong_password_and_an_unknown_user_get_the_same_words(work: Work, ada: Any) -> None:
    wrong, unknown = _fail(work, "ada"), _fail(work, "nobody@example.com", ip="203.0.113.9")

    assert wrong.message == unknown.message
    assert wrong.code == unknown.code == "sign_in_wrong"


def test_an_inactive_person_gets_the_same_words(work: Work, ada: Any) -> None:
    with work.transaction():
        ada.user.is_active = False

    with pytest.raises(Unauthenticated) as caught:
        _succeed(work)

    assert caught.value.message == sign_in.WRONG


def test_an_unknown_user_takes_as_long_as_a_known_one(work: Work, ada: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "METHOD", "scrypt:32768:8:1")  # the product's, not the suite's quick one
    accounts.set_password(work, user=ada.user, new=PASSWORD)
    _fail(work, "nobody")  # the first of all makes nobody's hash

    def seconds(login: str) -> float:
        started = time.thread_time()
        _fail(work, login, ip="203.0.113.9")
        return time.thread_time() - started

    known = statistics.median(seconds("ada") for _ in range(5))
    unknown = statistics.median(seconds("nobody") for _ in range(4))

    assert 0.6 < known / unknown < 1.6


@pytest.mark.parametrize("password", ["", "x" * 1025, "\x00" * 20])
def test_odd_passwords_are_merely_wrong(work: Work, ada: Any, password: Any) -> None:
    with pytest.raises(Unauthenticated):
        sign_in.authenticate(work, login="ada\x00", password=password, ip="not an address")


def test_a_hash_of_weaker_parameters_is_renewed_at_sign_in(work: Work, ada: Any) -> None:
    with work.transaction():
        ada.user.password_hash = generate_password_hash(PASSWORD, "scrypt:512:8:1")

    user = _succeed(work)

    assert user.password_hash.startswith(f"{passwords.METHOD}$")
    _succeed(work)


# --- the throttle ---------------------------------------------------------------------------------------------------


def test_after_five_failures_even_the_right_password_has_to_wait(work: Work, ada: Any, clock: Any) -> None:
    for _ in range(5):
        _fail(work)

    assert _wait_left(work) == 5

    clock.advance(seconds=5)
    assert _succeed(work).number == ada.user.number


def test_each_further_failure_doubles_the_wait_up_to_five_minutes(work: Work, ada: Any, clock: Any) -> None:
    for _ in range(5):
        _fail(work)
    waits = []
    for _ in range(8):
        waits.append(_wait_left(work))
        clock.advance(seconds=waits[-1])
        _fail(work)

    assert waits == [5, 10, 20, 40, 80, 160, 300, 300]


def test_attempts_while_throttled_do_not_lengthen_the_wait(work: Work, ada: Any, clock: Any) -> None:
    for _ in range(5):
        _fail(work)
    for _ in range(10):
        _wait_left(work)

    clock.advance(seconds=5)
    _succeed(work)


def test_failures_are_forgotten_after_fifteen_minutes(work: Work, ada: Any, clock: Any) -> None:
    for _ in range(5):
        _fail(work)
    clock.advance(minutes=15)

    _fail(work)
    _succeed(work)


def test_a_success_clears_the_failures_of_the_account(work: Work, ada: Any) -> None:
    for _ in range(4):
        _fail(work)
    _succeed(work)
    for _ in range(4):
        _fail(work)

    _succeed(work)


def test_one_account_does_not_slow_another(work: Work, ada: Any, ed: Any) -> None:
    for _ in range(5):
        _fail(work, "ada")

    assert _succeed(work, "ed").number == ed.user.number


def test_a_prefix_that_tries_many_accounts_has_to_wait(work: Work, ada: Any) -> None:
    for number in range(20):
        _fail(work, f"somebody{number}", ip=f"198.51.100.{number}")

    assert _wait_left(work, ip="198.51.100.200") == 5
    assert _succeed(work, ip="192.0.2.1").number == ada.user.number


def test_a_success_does_not_clear_the_failures_of_its_prefix(work: Work, ada: Any) -> None:
    for number in range(19):
        _fail(work, f"somebody{number}")
    _succeed(work)
    _fail(work, "somebody")

    assert _wait_left(work) == 5


def test_strangers_cannot_lock_a_person_out_of_where_they_signed_in_before(work: Work, ada: Any) -> None:
    sign_in.start_session(work, user=ada.user, ip="192.0.2.10", user_agent="home")
    for _ in range(5):
        _fail(work, ip="198.51.100.7")

    _wait_left(work, ip="198.51.100.7")
    assert _succeed(work, ip="192.0.2.77").number == ada.user.number


def test_no_name_that_a_stranger_types_counts_for_the_pair_of_somebody_else(work: Work, ada: Any) -> None:
    """A name may hold anything: also what would name the pair of a person and their network."""
    sign_in.start_session(work, user=ada.user, ip="192.0.2.10", user_agent="home")
    for kind in ("ada@192.0.2.0/24", "ada\x00192.0.2.0/24", "ada 192.0.2.0/24", "ada', '192.0.2.0/24"):
        for number in range(5):
            _fail(work, kind, ip=f"198.51.{number}.7")

    assert _succeed(work, ip="192.0.2.77").number == ada.user.number


def test_twenty_failures_of_strangers_do_not_stop_a_person_from_where_they_signed_in_before(
    work: Work, ada: Any
) -> None:
    sign_in.start_session(work, user=ada.user, ip="198.51.100.7", user_agent="home")
    for number in range(25):
        if number < 20:
            _fail(work, f"somebody{number}", ip=f"198.51.100.{number}")
        else:
            _wait_left(work, f"somebody{number}", ip=f"198.51.100.{number}")

    assert _succeed(work, ip="198.51.100.9").number == ada.user.number
    assert _wait_left(work, "nobody", ip="198.51.100.9")


def test_who_is_familiar_from_there_is_told_no_more_than_a_stranger(work: Work, ada: Any) -> None:
    """While the prefix has to wait, a wrong password of an account gets what any other name gets."""
    sign_in.start_session(work, user=ada.user, ip="198.51.100.7", user_agent="home")
    for number in range(20):
        _fail(work, f"somebody{number}")

    def answer(login: str) -> str:
        with pytest.raises(TooMany) as caught:
            sign_in.authenticate(work, login=login, password="not the password", ip="198.51.100.7")
        return caught.value.message

    assert [answer("ada") for _ in range(7)] == [answer("nobody") for _ in range(7)]


def test_a_familiar_prefix_is_no_way_to_guess_for_long(work: Work, ada: Any) -> None:
    sign_in.start_session(work, user=ada.user, ip="198.51.100.7", user_agent="home")
    for _ in range(5):
        _fail(work)

    assert _wait_left(work) == 5


def test_one_account_cannot_be_guessed_from_many_prefixes(work: Work, ada: Any) -> None:
    for number in range(5):
        _fail(work, ip=f"203.0.{number}.9")

    assert _wait_left(work, ip="192.0.2.1") == 5


def _answers(work: Work, logins: list[str]) -> list[str]:
    found = []
    for login in logins:
        try:
            sign_in.authenticate(work, login=login, password="not the password", ip="203.0.113.9")
        except (TooMany, Unauthenticated) as error:
            found.append(f"{error.code}: {error.message}")
    return found


@pytest.mark.parametrize(
    "order", [("{0}@example.com", "{0}"), ("{0}", "{0}@example.com"), ("{0}@example.com", "{0}@example.com")]
)
def test_waits_tell_nobody_whether_there_is_an_account(work: Work, ada: Any, order: tuple[str, str]) -> None:
    """Five failures with one of its names, then with the other: the same as of a person who does not exist."""
    first, second = order

    known = _answers(work, [first.format("ada")] * 6 + [second.format("ada")] * 2)
    unknown = _answers(work, [first.format("nobody")] * 6 + [second.format("nobody")] * 2)

    assert known == unknown


def test_attempts_at_the_same_moment_do_not_slip_through(
    work: Work, ada: Any, engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passwords, "_places", threading.Semaphore(9))
    monkeypatch.setattr(passwords, "_slots", threading.Semaphore(9))
    outcomes = []

    def attempt() -> Any:
        with Session(engine, expire_on_commit=False) as session:
            try:
                _fail(replace(work, session=session))
                outcomes.append("tried")
            except TooMany:
                outcomes.append("throttled")

    work.session.commit()
    threads = [threading.Thread(target=attempt) for _ in range(9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["throttled"] * 4 + ["tried"] * 5


@pytest.mark.parametrize(
    ("ip", "prefix"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("::ffff:192.0.2.77", "192.0.2.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", "unknown"),
        (None, "unknown"),
        ("unix:", "unknown"),
    ],
)
def test_addresses_are_throttled_by_prefix(ip: Any, prefix: Any) -> None:
    assert sign_in.prefix_of(ip) == prefix


def test_old_failures_of_everybody_are_swept_at_a_sign_in(work: Work, ada: Any, clock: Any) -> None:
    _fail(work, "nobody")
    clock.advance(days=2)

    _succeed(work)

    assert work.session.scalar(select(func.count()).select_from(SignInFailure)) == 0


def test_confirming_a_password_is_throttled_by_itself(work: Work, ada: Any) -> None:
    for _ in range(5):
        with pytest.raises(Invalid):
            sign_in.confirm_password(work, user=ada.user, password="not the password")

    with pytest.raises(TooMany):
        sign_in.confirm_password(work, user=ada.user, password=PASSWORD)
    assert _succeed(work).number == ada.user.number


# --- the audit log --------------------------------------------------------------------------------------------------


def test_sign_ins_are_audited_where_the_admins_look(work: Work, ada: Any) -> None:
    _fail(work, "ada")
    sign_in.start_session(work, user=_succeed(work, "ada"), ip="198.51.100.7", user_agent=None)

    entries = audit.find(work, organization_number=ada.organization.number)[:2]

    assert [entry.action for entry in entries] == ["user.signed_in", "user.sign_in_failed"]
    assert {entry.ip for entry in entries} == {"198.51.100.7"}
    assert {entry.actor for entry in entries} == {"ada@example.com"}


def test_what_was_typed_as_an_unknown_name_is_written_nowhere(work: Work, ada: Any) -> None:
    _fail(work, "my password, in the wrong field")

    entry = audit.find(work, organization_number=None)[0]

    assert entry.actor == "Somebody unknown"
    assert entry.object_name is None


# --- sessions -------------------------------------------------------------------------------------------------------


def test_a_session_is_found_by_the_secret_of_its_cookie(work: Work, ada: Any) -> None:
    secret = sign_in.start_session(work, user=ada.user, ip="192.0.2.1", user_agent="Firefox")

    session = sign_in.load_session(work, secret)

    assert session.user.number == ada.user.number
    assert (session.ip, session.user_agent) == ("192.0.2.1", "Firefox")
    assert sign_in.load_session(work, secret + "x") is None
    assert sign_in.why_ended(work, secret + "x") is None


def test_the_secret_is_stored_nowhere(work: Work, ada: Any) -> None:
    secret = sign_in.start_session(work, user=ada.user, ip=None, user_agent=None)

    row = work.session.scalar(select(BrowserSession))

    assert len(secret) == 43
    assert secret.encode() not in row.secret_hash


def test_a_session_ends_after_twelve_idle_hours(work: Work, ada: Any, clock: Any) -> None:
    secret = sign_in.start_session(work, user=ada.user, ip=None, user_agent=None)
    clock.advance(hours=11, minutes=59)
    assert sign_in.load_session(work, secret) is not None
    clock.advance(hours=12)

    assert sign_in.load_session(work, secret) is None
    assert "12 hours" in sign_in.why_ended(work, secret)


def test_a_session_ends_after_seven_days_however_busy(work: Work, ada: Any, clock: Any) -> None:
    secret = sign_in.start_session(work, user=ada.user, ip=None, user_agent=None)
    for _ in range(7 * 24 // 6 - 1):
        clock.advance(hours=6)
        assert sign_in.load_session(work, secret) is not None
    clock.advance(hours=6)

    assert sign_in.load_session(work, secret) is None
    assert "7 days" in sign_in.why_ended(work, secret)


@pytest.mark.parametrize("only_reading", [False, True])
def test_a_session_is_touched_at_most_once_a_minute(work: Work, ada: Any, clock: Any, only_reading: Any) -> None:
    secret = sign_in.start_session(work, user=ada.user, ip=None, user_agent=None)
    started = clock.now()

    def seen_after(seconds: Any) -> Any:
        clock.advance(seconds=seconds)
        if only_reading:
            with database.read_only():
                sign_in.load_session(work, secret)
        else:
            sign_in.load_session(work, secret)
        work.session.rollback()
        return work.session.scalar(select(BrowserSession.seen_at))

    assert seen_after(59) == started
    assert seen_after(1) == started + timedelta(seconds=60)


def test_signing_out_ends_one_session(work: Work, ada: Any) -> None:
    here = sign_in.start_session(work, user=ada.user, ip=None, user_agent="here")
    there = sign_in.start_session(work, user=ada.user, ip=None, user_agent="there")

    sign_in.end_session(work, session=sign_in.load_session(work, here))

    assert sign_in.load_session(work, here) is None
    assert sign_in.why_ended(work, here) == "You signed out."
    assert sign_in.load_session(work, there) is not None


def test_the_other_sessions_can_be_ended_and_are_told_why(work: Work, ada: Any, ed: Any) -> None:
    here = sign_in.start_session(work, user=ada.user, ip=None, user_agent="here")
    there = sign_in.start_session(work, user=ada.user, ip=None, user_agent="there")
    eds = sign_in.start_session(work, user=ed.user, ip=None, user_agent="ed")

    ended = sign_in.end_other_sessions(work, user=ada.user, keep=sign_in.load_session(work, here))

    assert ended == 1
    assert [session.user_agent for session in sign_in.sessions_of(work, user=ada.user)] == ["here"]
    assert sign_in.why_ended(work, there) == "You were signed out from another browser."
    assert sign_in.load_session(work, eds) is not None


def test_the_sessions_of_an_inactive_user_are_over(work: Work, ada: Any) -> None:
    secret = sign_in.start_session(work, user=ada.user, ip=None, user_agent=None)
    with work.transaction():
        ada.user.is_active = False

    assert sign_in.load_session(work, secret) is None


def test_sessions_older_than_ninety_days_are_deleted(work: Work, ada: Any, clock: Any) -> None:
    sign_in.start_session(work, user=ada.user, ip=None, user_agent="old")
    clock.advance(days=91)
    fresh = sign_in.start_session(work, user=ada.user, ip=None, user_agent="fresh")

    assert sign_in.forget_old(work) == 1
    assert sign_in.load_session(work, fresh) is not None
