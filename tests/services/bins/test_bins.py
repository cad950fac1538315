from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, select

from console.core.errors import Invalid, NotFound
from console.models import BinRequest
from console.services.bins import bins, catching
from console.services.work import Work

pytestmark = pytest.mark.both_databases


def _bin(work: Work, person: Any, **fields: Any) -> Any:
    return bins.create(work, organization=person.organization, name="Try me", **fields)


def _catch(work, bin_, headers=(), body=b"{}", **more):
    return catching.catch(
        work, key=bin_.key, method=more.pop("method", "POST"), path="/in/x", headers=list(headers), body=body, **more
    )


def test_a_bin_has_an_unguessable_address(work: Work, ada: Any) -> None:
    keys = {_bin(work, ada).key for _ in range(3)}

    assert len(keys) == 3
    assert {len(key) for key in keys} == {22}
    assert all(key.replace("-", "").replace("_", "").isalnum() for key in keys)


def test_bins_are_listed_newest_first_within_the_organization(work: Work, ada: Any, mallory: Any) -> None:
    first, second = _bin(work, ada), _bin(work, ada)
    foreign = _bin(work, mallory)

    listed = bins.find(work, organization_number=ada.organization.number)

    assert [one.number for one in listed] == [second.number, first.number]
    assert bins.find(work, organization_number=ada.organization.number, before=second.number) == [first]
    with pytest.raises(NotFound):
        bins.get(work, organization_number=ada.organization.number, bin_id=foreign.id)


def test_a_bin_is_gone_after_seven_days_unless_pinned(work: Work, ada: Any, clock: Any) -> None:
    brief, pinned = _bin(work, ada), _bin(work, ada, is_pinned=True)
    clock.advance(days=7)

    assert bins.find(work, organization_number=ada.organization.number) == [pinned]
    with pytest.raises(NotFound):
        _catch(work, brief)
    assert _catch(work, pinned).status == 200
    assert bins.remove_expired(work) == 1
    assert bins.remove_expired(work) == 0


def test_pinning_keeps_a_bin_and_unpinning_gives_it_seven_days(work: Work, ada: Any, clock: Any) -> None:
    bin_ = _bin(work, ada)
    bins.change(work, changed=bin_, is_pinned=True)
    clock.advance(days=30)
    assert bins.get(work, organization_number=ada.organization.number, bin_id=bin_.id) is bin_

    bins.change(work, changed=bin_, is_pinned=False)

    assert bin_.expires_at == clock.now() + bins.LIFE


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"answer_status": 199}, "/answer_status"),
        ({"answer_status": 600}, "/answer_status"),
        ({"answer_status": True}, "/answer_status"),
        ({"delay_ms": 5001}, "/delay_ms"),
        ({"fail_next": -1}, "/fail_next"),
        ({"retry_after_s": 86_401}, "/retry_after_s"),
        ({"answer_body": "ä" * 2049}, "/answer_body"),
        ({"name": " "}, "/name"),
    ],
)
def test_what_a_bin_may_answer_has_bounds(work: Work, ada: Any, fields: Any, pointer: Any) -> None:
    bin_ = _bin(work, ada)

    with pytest.raises(Invalid) as caught:
        bins.change(work, changed=bin_, **fields)

    assert caught.value.fields[0].pointer == pointer


def test_clearing_forgets_the_requests_and_deleting_the_bin_too(work: Work, ada: Any) -> None:
    bin_ = _bin(work, ada)
    _catch(work, bin_)
    assert bins.counts_of(work, bins=[bin_]) == {bin_.number: 1}

    bins.clear(work, cleared=bin_)
    assert bins.counts_of(work, bins=[bin_]) == {bin_.number: 0}

    _catch(work, bin_)
    bins.remove(work, removed=bin_)
    assert work.session.scalar(select(func.count()).select_from(BinRequest)) == 0
    with pytest.raises(NotFound):
        _catch(work, bin_)
