from __future__ import annotations

import pytest
from sqlalchemy import delete

from console.models import HookState, Turn
from console.services.events.outbox import HELD_REASON
from console.services.hooks import hooks
from console.services.upkeep import repairing
from console.services.work import Work
from tests.engine import (
    claim,
    delivery,
    hire,
    make_hook,
    publish,
    put,
    rows_of,
)

pytestmark = pytest.mark.both_databases


def test_a_hook_without_the_engines_rows_gets_them(work: Work, ada) -> None:
    hook = make_hook(work, ada)
    publish(work, ada)
    work.session.execute(delete(HookState).where(HookState.hook_number == hook.number))
    work.session.execute(delete(Turn).where(Turn.hook_number == hook.number))
    work.session.commit()

    repairing.repair(work)

    assert len(rows_of(claim(work, hire(work)))) == 1


def test_what_became_pending_as_its_hook_was_switched_off_is_settled(work: Work, ada) -> None:
    disabled, deleted = make_hook(work, ada), make_hook(work, ada)
    held, canceled = publish(work, ada)
    hooks.disable(work, hook=disabled)
    hooks.delete(work, hook=deleted)
    for number in (held, canceled):
        put(work, number, state="pending", next_attempt_at=work.now())

    assert repairing.settle(work) == 2

    assert (delivery(work, held).state, delivery(work, canceled).state) == ("held", "canceled")


def test_what_was_held_as_its_hook_was_enabled_is_settled_and_what_is_to_be_kept_stays(work: Work, ada) -> None:
    hook, keeping, disabled = (make_hook(work, ada) for _ in range(3))
    missed, kept, waits = publish(work, ada)
    for one in (hook, keeping, disabled):
        hooks.disable(work, hook=one)
    held = {"state": "held", "waiting_reason": HELD_REASON, "next_attempt_at": None}
    hooks.enable(work, hook=hook)
    put(work, missed, **held)
    hooks.enable(work, hook=keeping, held="keep")

    assert repairing.settle(work) == 1

    assert (delivery(work, missed).state, delivery(work, missed).next_attempt_at) == ("pending", work.now())
    assert [delivery(work, number).state for number in (kept, waits)] == ["held", "held"]


def test_what_was_held_as_its_hook_was_deleted_is_settled(work: Work, ada) -> None:
    hook = make_hook(work, ada)
    [number] = publish(work, ada)
    hooks.delete(work, hook=hook)
    put(work, number, state="held", waiting_reason=HELD_REASON, finished_at=None)

    assert repairing.settle(work) == 1
    assert (delivery(work, number).state, delivery(work, number).finished_at) == ("canceled", work.now())
