from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from console.core.errors import Forbidden, Invalid, NotFound
from console.core.permissions import Permission
from console.models import Token
from console.services.people import tokens
from console.services.work import Work

pytestmark = pytest.mark.both_databases


def test_the_text_is_letters_and_digits_in_four_parts(token_of: Any, ada: Any) -> None:
    parts = token_of(ada).split("_")

    assert [len(part) for part in parts] == [2, 8, 43, 6]
    assert all(part.isalnum() and part.isascii() for part in parts)


def test_only_the_hash_of_a_token_is_stored(work: Work, ada: Any, token_of: Any) -> None:
    text = token_of(ada)

    row = tokens.find(work, organization_number=ada.organization.number)[0]

    stored = repr({column.name: getattr(row, column.name) for column in Token.__table__.columns})
    assert text not in stored
    assert text.split("_")[2] not in stored


def test_nobody_issues_what_their_role_does_not_have(work: Work, ed: Any) -> None:
    with pytest.raises(Forbidden) as caught:
        tokens.issue(work, user=ed.user, organization=ed.organization, permissions=[Permission.TOKENS_MANAGE])

    assert caught.value.permission == "TOKENS:MANAGE"


def test_a_stranger_issues_no_token_for_an_organization(work: Work, ada: Any, mallory: Any) -> None:
    with pytest.raises(Forbidden):
        tokens.issue(work, user=mallory.user, organization=ada.organization, permissions=[Permission.WEBHOOKS_VIEW])


@pytest.mark.parametrize("days", [0, -1, 3651])
def test_a_life_in_days_has_bounds(work: Work, ada: Any, days: int) -> None:
    with pytest.raises(Invalid):
        tokens.issue(
            work,
            user=ada.user,
            organization=ada.organization,
            permissions=[Permission.ADMIN],
            expires_in_days=days,
        )


def test_an_expiry_lies_in_the_future(work: Work, ada: Any, clock: Any) -> None:
    with pytest.raises(Invalid):
        tokens.issue(
            work,
            user=ada.user,
            organization=ada.organization,
            permissions=[Permission.ADMIN],
            expires_at=clock.now() - timedelta(seconds=1),
        )


def test_a_token_without_permissions_is_refused(work: Work, ada: Any) -> None:
    with pytest.raises(Invalid):
        tokens.issue(work, user=ada.user, organization=ada.organization, permissions=[])


def test_tokens_of_another_organization_are_not_found(work: Work, ada: Any, mallory: Any, token_of: Any) -> None:
    token_of(ada)
    token = tokens.find(work, organization_number=ada.organization.number)[0]

    assert tokens.find(work, organization_number=mallory.organization.number) == []
    with pytest.raises(NotFound):
        tokens.get(work, organization_number=mallory.organization.number, token_id=token.id)


def test_tokens_are_listed_newest_first_in_pages(work: Work, ada: Any, token_of: Any) -> None:
    for _ in range(5):
        token_of(ada)

    first = tokens.find(work, organization_number=ada.organization.number, limit=2)
    second = tokens.find(work, organization_number=ada.organization.number, before=first[-1].number, limit=2)

    numbers = [token.number for token in first + second]
    assert numbers == sorted(numbers, reverse=True)
    assert len(set(numbers)) == 4
