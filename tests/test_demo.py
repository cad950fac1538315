from __future__ import annotations

import threading
from dataclasses import replace
from itertools import islice

import pytest
from sqlalchemy import func, select

from console import demo
from console.models import Bin, Delivery, Event, Hook, Organization
from console.services.work import Work


def counts(work: Work) -> list[int]:
    return [work.session.scalar(select(func.count()).select_from(model)) or 0 for model in (Organization, Bin, Hook)]


def test_the_demo_is_prepared_once(work: Work) -> None:
    demo.prepare(work)
    before = counts(work)

    demo.prepare(work)

    assert counts(work) == before == [1, len(demo.SAMPLES), len(demo.SAMPLES)]


def test_its_hooks_follow_hookyard_to_another_address(work: Work) -> None:
    demo.prepare(work)
    moved = replace(work, settings=work.settings.model_copy(update={"base_url": "http://127.0.0.1:9999"}))

    demo.prepare(moved)

    assert all(url.startswith("http://127.0.0.1:9999/in/") for url in work.session.scalars(select(Hook.url)))


def test_a_hook_that_somebody_pointed_elsewhere_stays_there(work: Work) -> None:
    demo.prepare(work)
    hook = work.session.scalars(select(Hook)).first()
    assert hook
    hook.url = "https://example.com/mine"
    work.session.commit()

    demo.prepare(work)

    assert hook.url == "https://example.com/mine"


def test_every_kind_of_sample_event_reaches_a_hook_besides_the_archive(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    organization = demo.prepare(work)
    stopped = threading.Event()
    some = list(islice(demo.happenings(), demo.BURST))
    monkeypatch.setattr(demo, "happenings", lambda: iter(some))

    demo.trickle(work, organization, stopped=stopped)

    assert work.session.scalar(select(func.count()).select_from(Event)) == demo.BURST
    hooks = work.session.scalars(select(Delivery.hook_number).distinct()).all()
    assert len(hooks) == len(demo.SAMPLES)


def test_the_trickle_ends_when_told(work: Work) -> None:
    organization = demo.prepare(work)
    stopped = threading.Event()
    stopped.set()

    demo.trickle(work, organization, stopped=stopped)

    assert work.session.scalar(select(func.count()).select_from(Event)) == 0
