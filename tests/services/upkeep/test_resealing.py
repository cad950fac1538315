"""Key rotation: after it, the old key opens nothing that is needed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from console.core.errors import KeyUnavailable
from console.services.dialects import oms_hooks
from console.services.hooks import hook_secrets, hooks
from console.services.hooks.hook_fields import HookDraft
from console.services.keys import KeyRing
from console.services.people import two_factor
from console.services.upkeep import resealing
from console.services.work import Work
from tests.conftest import PASSWORD, SECRET_KEY

pytestmark = pytest.mark.both_databases

NEW = "another key that is long enough"


@pytest.fixture
def stored(work: Work, ada: Any) -> Any:
    """Make one of everything that is encrypted."""
    draft = HookDraft(url="https://example.com/", all_events=True, headers={"Authorization": "Bearer hidden"})
    hook = hooks.create(work, organization_number=ada.organization.number, author_number=None, draft=draft).hook
    with work.transaction():
        fields = oms_hooks.OmsFields(None, {"auth": {"username": "u", "password": "p"}}, None)
        hook.dialect_data = oms_hooks.keeping(work, hook, fields=fields, posted=None)
    two_factor.begin(work, user=ada.user, password=PASSWORD)
    return hook


def test_everything_is_readable_with_the_new_key_alone(work: Work, ada: Any, stored: Any) -> None:
    rotating = replace(work, keys=KeyRing([NEW, SECRET_KEY]))
    before = hook_secrets.secrets_of(work, stored)

    assert resealing.reseal(rotating) == 3

    work.session.expire_all()
    later = replace(work, keys=KeyRing([NEW]))
    assert [text for _, text in hook_secrets.secrets_of(later, stored)] == [text for _, text in before]
    assert hook_secrets.headers_of(later, stored) == {"Authorization": "Bearer hidden"}
    assert oms_hooks.fields_of(later, stored).config["auth"] == {"username": "u", "password": "p"}
    assert two_factor.secret_of(later, user=ada.user)
    with pytest.raises(KeyUnavailable):
        hook_secrets.secrets_of(work, stored)


def test_a_second_round_finds_nothing_to_do(work: Work, stored: Any) -> None:
    rotating = replace(work, keys=KeyRing([NEW, SECRET_KEY]))
    resealing.reseal(rotating)

    assert resealing.reseal(rotating) == 0


def test_with_one_key_nothing_is_touched(work: Work, stored: Any) -> None:
    assert resealing.reseal(work) == 0


def test_a_missing_key_is_reported_and_changes_nothing(work: Work, stored: Any) -> None:
    with pytest.raises(KeyUnavailable):
        resealing.reseal(replace(work, keys=KeyRing([NEW, "neither of them is the right one"])))

    assert hook_secrets.headers_of(work, stored) == {"Authorization": "Bearer hidden"}


def test_one_secret_that_nobody_can_read_keeps_no_other_from_the_new_key(work: Work, ada: Any, stored: Any) -> None:
    with work.transaction():
        stored.secrets[0].sealed = KeyRing(["a key that was lost long ago"]).seal("whsec_lost")

    with pytest.raises(KeyUnavailable):
        resealing.reseal(replace(work, keys=KeyRing([NEW, SECRET_KEY])))

    work.session.expire_all()
    assert hook_secrets.headers_of(replace(work, keys=KeyRing([NEW])), stored) == {"Authorization": "Bearer hidden"}
