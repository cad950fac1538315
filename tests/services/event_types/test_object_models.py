"""The integers of object models."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from console.models import ObjectModel
from console.services.event_types import object_models
from console.services.events import publishing
from console.services.events.event_drafts import EventDraft
from console.services.work import Work

pytestmark = pytest.mark.both_databases


def noted(work: Work, *names: str | None) -> dict[str, int]:
    with work.transaction():
        object_models.note(work, names=names)
    found = object_models.numbers_of(work, names=[name.lower() for name in names if name])
    work.session.commit()
    return found


def test_a_name_keeps_its_number_in_any_case(work: Work) -> None:
    first = noted(work, "package", None, "Order")

    assert noted(work, "PACKAGE", "order", "shipment") == first | {"shipment": 3}
    assert object_models.name_of(work, number=first["order"]) == "order"
    assert object_models.name_of(work, number=99) is None


def test_the_longest_name_has_room_for_its_lower_case(work: Work) -> None:
    assert len(noted(work, "İ" * 100)) == 1


def test_many_publishers_of_new_models_agree_on_their_numbers(work: Work, ada: Any, engine: Engine) -> None:
    names = [f"model{number}" for number in range(5)]
    start = Barrier(4)

    def publish(turn: int) -> None:
        ordered = names if turn % 2 else names[::-1]
        drafts = [EventDraft(type="a.b", payload=b"{}", object_model=name, object_pk="1") for name in ordered]
        start.wait(10)
        with Session(engine, expire_on_commit=False) as session:
            own = replace(work, session=session)
            publishing.publish_batch(own, organization_number=ada.organization.number, drafts=drafts)

    work.session.commit()
    with ThreadPoolExecutor(4) as pool:
        for future in [pool.submit(publish, turn) for turn in range(4)]:
            future.result(30)

    assert work.session.scalar(select(func.count()).select_from(ObjectModel)) == 5
