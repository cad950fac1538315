"""The second factor: codes of an app and recovery codes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pyotp
import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from console.core.errors import Conflict, Invalid, TooMany
from console.models import RecoveryCode, User
from console.services import audit
from console.services.people import two_factor
from console.services.work import Work

pytestmark = pytest.mark.both_databases

PASSWORD = "correct horse battery"


def _app(work: Work, user: User, clock: Any) -> Any:
    """Connect an app and give a function that says what it shows now."""
    two_factor.begin(work, user=user, password=PASSWORD)
    app = pyotp.TOTP(two_factor.secret_of(work, user=user) or "")
    return lambda: app.at(clock.now())


def _on(work: Work, user: User, clock: Any) -> tuple[Any, list[str]]:
    shown = _app(work, user, clock)
    codes = two_factor.confirm(work, user=user, code=shown())
    clock.advance(seconds=30)
    return shown, codes


def _refused(work: Work, user: User, code: str) -> None:
    with pytest.raises(Invalid) as caught:
        two_factor.check(work, user=user, code=code)
    assert caught.value.fields[0].code == "wrong_code"


def test_it_is_off_until_the_app_has_shown_a_right_code(work: Work, ada: Any, clock: Any) -> None:
    shown = _app(work, ada.user, clock)
    assert not two_factor.is_on(ada.user)

    with pytest.raises(Invalid):
        two_factor.confirm(work, user=ada.user, code="000000" if shown() != "000000" else "000001")
    assert not two_factor.is_on(ada.user)

    two_factor.confirm(work, user=ada.user, code=shown())
    assert two_factor.is_on(ada.user)
    assert two_factor.secret_of(work, user=ada.user) is None, "the secret is not shown again"


def test_the_address_that_an_app_scans_names_the_person_and_the_product(work: Work, ada: Any, clock: Any) -> None:
    _app(work, ada.user, clock)

    read = pyotp.parse_uri(two_factor.address_of(work, user=ada.user) or "")

    assert (read.name, read.issuer) == ("ada@example.com", "Hookyard")


def test_beginning_takes_the_right_password(work: Work, ada: Any) -> None:
    with pytest.raises(Invalid):
        two_factor.begin(work, user=ada.user, password="not the password")
    assert two_factor.address_of(work, user=ada.user) is None


def test_a_secret_that_is_in_force_is_not_replaced_by_who_began_at_the_same_moment(
    work: Work, engine: Engine, ada: Any, clock: Any
) -> None:
    assert not two_factor.is_on(ada.user)
    with Session(engine, expire_on_commit=False) as session:
        other = replace(work, session=session)
        shown, _ = _on(other, session.get_one(User, ada.user.number), clock)

    with pytest.raises(Conflict):
        two_factor.begin(work, user=ada.user, password=PASSWORD)

    two_factor.check(work, user=ada.user, code=shown())


def test_the_code_of_an_app_whose_secret_was_replaced_meanwhile_turns_nothing_on(
    work: Work, engine: Engine, ada: Any, clock: Any
) -> None:
    shown = _app(work, ada.user, clock)
    with Session(engine, expire_on_commit=False) as session:
        newer = _app(replace(work, session=session), session.get_one(User, ada.user.number), clock)

    with pytest.raises(Invalid):
        two_factor.confirm(work, user=ada.user, code=shown())
    two_factor.confirm(work, user=ada.user, code=newer())


def test_a_code_works_once(work: Work, ada: Any, clock: Any) -> None:
    shown, _ = _on(work, ada.user, clock)

    two_factor.check(work, user=ada.user, code=shown())

    _refused(work, ada.user, shown())


def test_the_code_that_turned_it_on_does_not_sign_in(work: Work, ada: Any, clock: Any) -> None:
    shown = _app(work, ada.user, clock)
    code = shown()
    two_factor.confirm(work, user=ada.user, code=code)

    _refused(work, ada.user, code)


def test_a_clock_may_be_half_a_minute_off_but_not_more(work: Work, ada: Any, clock: Any) -> None:
    shown, _ = _on(work, ada.user, clock)
    late = shown()

    clock.advance(seconds=30)
    two_factor.check(work, user=ada.user, code=f"{late[:3]} {late[3:]}")

    clock.advance(seconds=30)
    old = shown()
    clock.advance(seconds=90)
    _refused(work, ada.user, old)


def test_each_recovery_code_signs_in_once(work: Work, ada: Any, clock: Any) -> None:
    _, codes = _on(work, ada.user, clock)
    assert len(set(codes)) == 10

    two_factor.check(work, user=ada.user, code=codes[3].upper())

    _refused(work, ada.user, codes[3])
    assert two_factor.recovery_codes_left(work, user=ada.user) == 9


def test_new_recovery_codes_end_the_old_ones(work: Work, ada: Any, clock: Any) -> None:
    _, old = _on(work, ada.user, clock)

    new = two_factor.renew_recovery_codes(work, user=ada.user, password=PASSWORD)

    _refused(work, ada.user, old[0])
    two_factor.check(work, user=ada.user, code=new[0])


def test_guessing_codes_is_slowed_down(work: Work, ada: Any, clock: Any) -> None:
    shown, _ = _on(work, ada.user, clock)
    for guess in range(5):
        _refused(work, ada.user, f"wrong {guess}")

    with pytest.raises(TooMany):
        two_factor.check(work, user=ada.user, code=shown())

    clock.advance(seconds=301)
    two_factor.check(work, user=ada.user, code=shown())


def test_turning_it_off_takes_the_password_and_forgets_everything(work: Work, ada: Any, clock: Any) -> None:
    _on(work, ada.user, clock)
    with pytest.raises(Invalid):
        two_factor.turn_off(work, user=ada.user, password="not the password")
    assert two_factor.is_on(ada.user)

    two_factor.turn_off(work, user=ada.user, password=PASSWORD)

    assert not two_factor.is_on(ada.user)
    assert work.session.scalars(select(RecoveryCode)).all() == []
    actions = [entry.action for entry in audit.find(work, organization_number=ada.organization.number)]
    assert actions[:2] == ["user.two_factor_off", "user.two_factor_on"]


def test_an_app_that_is_connected_is_not_replaced_by_another(work: Work, ada: Any, clock: Any) -> None:
    _on(work, ada.user, clock)

    with pytest.raises(Conflict):
        two_factor.begin(work, user=ada.user, password=PASSWORD)


def test_nothing_that_is_stored_shows_the_secret_or_a_code(work: Work, ada: Any, clock: Any) -> None:
    two_factor.begin(work, user=ada.user, password=PASSWORD)
    secret = two_factor.secret_of(work, user=ada.user) or ""
    codes = two_factor.confirm(work, user=ada.user, code=pyotp.TOTP(secret).at(clock.now()))

    stored = [ada.user.sealed_totp or b"", *work.session.scalars(select(RecoveryCode.code_hash))]

    assert not any(text.encode() in one for one in stored for text in (secret, *codes))
