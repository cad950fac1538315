"""Switching people off and on, and who is staff."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from threading import Barrier, Thread
from typing import Any

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from console.core.errors import Conflict, Unauthenticated
from console.core.permissions import Permission
from console.models import User
from console.services import audit
from console.services.people import accounts, members, sign_in, staffing, token_use, tokens
from console.services.work import Work

pytestmark = pytest.mark.both_databases

PASSWORD = "correct horse battery"


@pytest.fixture
def staff(work: Work, ada: Any) -> Any:
    """Ada, who is the only staff."""
    with work.transaction():
        ada.user.is_staff = True
    return ada


def _token(work: Work, person: Any, organization: Any = None) -> str:
    chosen = organization or person.organization
    return tokens.issue(
        work, user=person.user, organization=chosen, permissions=[Permission.EVENTS_VIEW], name="shop"
    ).text


def _refused(act: Callable[[], object]) -> tuple[str, str]:
    with pytest.raises(Conflict) as caught:
        act()
    return caught.value.code, caught.value.message


def test_tokens_that_are_kept_become_those_of_their_organizations_with_what_they_may_do(
    work: Work, staff: Any, ed: Any, mallory: Any
) -> None:
    with work.transaction():
        ed.user.is_staff = True
    texts = [_token(work, ed), _token(work, ed, mallory.organization)]

    kept = staffing.deactivate(work, user=ed.user, keep_tokens=True)

    assert [(one.revoked_at, one.is_service) for one in kept] == [(None, True)] * 2
    principals = [token_use.authenticate(work, text) for text in texts]
    assert [one.organization.slug for one in principals] == [ed.organization.slug, mallory.organization.slug]
    assert [set(one.permissions) for one in principals] == [{Permission.EVENTS_VIEW}] * 2
    assert staffing.tokens_of(work, user=ed.user) == []


def test_switching_a_person_off_ends_sessions_and_tokens_at_once(work: Work, staff: Any, ed: Any) -> None:
    secret = sign_in.start_session(work, user=ed.user, ip=None, user_agent=None)
    text = _token(work, ed)

    [ended] = staffing.deactivate(work, user=ed.user)

    assert ended.revoked_at is not None

    assert sign_in.load_session(work, secret) is None
    assert sign_in.why_ended(work, secret) == "This account is no longer active."
    with pytest.raises(Unauthenticated):
        token_use.authenticate(work, text)
    with pytest.raises(Unauthenticated) as caught:
        sign_in.authenticate(work, login="ed", password=PASSWORD, ip=None)
    assert caught.value.message == sign_in.WRONG
    found = audit.find(work, organization_number=ed.organization.number)
    assert [one.action for one in found if one.action.startswith(("user.d", "token.r"))] == [
        "user.deactivated",
        "token.revoked",
    ]


def test_switching_on_lets_a_person_sign_in_and_brings_no_token_back(work: Work, staff: Any, ed: Any) -> None:
    text = _token(work, ed)
    staffing.deactivate(work, user=ed.user)

    staffing.activate(work, user=ed.user)

    assert sign_in.authenticate(work, login="ed", password=PASSWORD, ip=None).user.number == ed.user.number
    assert members.role_of(work, user=ed.user, organization_number=ed.organization.number) == "editor"
    with pytest.raises(Unauthenticated) as caught:
        token_use.authenticate(work, text)
    assert caught.value.code == "token_revoked"


def test_ending_staff_signs_out_and_ends_tokens_for_organizations_of_others(
    work: Work, staff: Any, ed: Any, mallory: Any
) -> None:
    staffing.set_staff(work, user=mallory.user, is_staff=True)
    secret = sign_in.start_session(work, user=mallory.user, ip=None, user_agent=None)
    own, other = _token(work, mallory), _token(work, mallory, ed.organization)

    assert staffing.set_staff(work, user=mallory.user, is_staff=False) == 1

    assert sign_in.load_session(work, secret) is None
    assert token_use.authenticate(work, own).organization.slug == "elsewhere"
    with pytest.raises(Unauthenticated):
        token_use.authenticate(work, other)
    entry = audit.find(work, organization_number=mallory.organization.number)[0]
    assert (entry.action, entry.changes) == ("user.staff_changed", {"is_staff": [True, False]})


def test_the_last_staff_stays(work: Work, staff: Any, ed: Any) -> None:
    words = "ada@example.com is the only member of staff who can sign in; make somebody else staff first."

    assert _refused(lambda: staffing.deactivate(work, user=staff.user)) == ("last_staff", words)
    assert _refused(lambda: staffing.set_staff(work, user=staff.user, is_staff=False)) == ("last_staff", words)

    staffing.set_staff(work, user=ed.user, is_staff=True)
    staffing.set_staff(work, user=staff.user, is_staff=False)
    assert [one.username for one in work.session.scalars(select(User).where(User.is_staff))] == ["ed"]


def test_somebody_who_cannot_sign_in_is_no_other_staff(work: Work, staff: Any, ed: Any) -> None:
    staffing.set_staff(work, user=ed.user, is_staff=True)
    staffing.deactivate(work, user=ed.user)

    assert _refused(lambda: staffing.set_staff(work, user=staff.user, is_staff=False))[0] == "last_staff"


def test_two_staff_who_end_each_other_at_once_leave_one(work: Work, staff: Any, ed: Any, engine: Engine) -> None:
    staffing.set_staff(work, user=ed.user, is_staff=True)
    numbers, ready, outcomes = [staff.user.number, ed.user.number], Barrier(2), []
    work.session.commit()

    def end(number: int) -> None:
        with Session(engine, expire_on_commit=False) as session:
            mine = replace(work, session=session)
            user = accounts.get_user_by_number(mine, number=number)
            session.commit()
            ready.wait(10)
            try:
                staffing.set_staff(mine, user=user, is_staff=False)
                outcomes.append("ended")
            except Conflict as error:
                outcomes.append(error.code)

    threads = [Thread(target=end, args=(number,)) for number in numbers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert sorted(outcomes) == ["ended", "last_staff"]


def test_the_only_admin_of_an_organization_stays_unless_the_operator_insists(
    work: Work, staff: Any, mallory: Any
) -> None:
    code, words = _refused(lambda: staffing.deactivate(work, user=mallory.user))
    assert (code, words.split(";")[0]) == (
        "last_admin",
        f"mallory@example.com is the only admin of {mallory.organization.name}",
    )

    staffing.deactivate(work, user=mallory.user, even_last_admin=True)

    assert not mallory.user.is_active


def test_nobody_does_it_to_the_own_account(work: Work, staff: Any, ed: Any, as_person: Any) -> None:
    staffing.set_staff(work, user=ed.user, is_staff=True)

    assert _refused(lambda: staffing.deactivate(as_person(ed), user=ed.user))[0] == "own_account"


def test_people_are_found_by_any_of_their_names(work: Work, ada: Any, ed: Any, mallory: Any) -> None:
    assert [one.username for one in staffing.find(work)] == ["mallory", "ed", "ada"]
    assert [one.username for one in staffing.find(work, words="ED@EXAMPLE")] == ["ed"]
    assert [one.username for one in staffing.find(work, before=mallory.user.number, limit=1)] == ["ed"]
    assert staffing.find(work, words="%") == []
