"""The System page: for staff alone, with what the doctor finds and without secrets."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from sqlalchemy import make_url

from console.models import Leader, Worker
from console.services.upkeep.leading import DISPATCHER
from console.settings import Settings
from console.web.settings.system import in_force

PATH = "/o/acme/settings/system"


@pytest.fixture
def staff(work, ada):
    """Ada, who runs the installation."""
    ada.user.is_staff = True
    work.session.commit()
    return ada


def put_to_work(work, *, lane: str = "deliveries") -> Worker:
    now = work.now()
    worker = Worker(
        lane=lane, host="mill", pid=17, version="0.1", started_at=now, beat_at=now, in_flight=3, stopped_at=None
    )
    work.session.add(worker)
    work.session.commit()
    return worker


@pytest.mark.both_databases
def test_staff_see_workers_queues_and_what_it_runs_on(signed_in, staff, work, scene, database_kind) -> None:
    worker = put_to_work(work)
    work.session.merge(Leader(name=DISPATCHER, worker_number=worker.number, beat_at=work.now()))
    scene.hook()
    scene.publish()

    text = " ".join(signed_in(staff).see(PATH).main.get_text(" ").split())

    assert "mill 17 leads Deliveries 3 just now" in text
    assert "Deliveries 1 3 1 just now" in text
    assert ("SQLite 3." if database_kind == "sqlite" else "PostgreSQL 1") in text
    assert re.search(r"schema \d{4}\b", text)
    assert "1 active, 0 disabled" in text


def test_it_says_what_the_doctor_says_the_worst_first(signed_in, staff) -> None:
    checks = signed_in(staff).see(PATH).select("#checks-title")[0].find_parent("section").get_text(" ", strip=True)

    worst = checks.index("Workers of background None is alive: start `hookyard worker --lane background`")
    assert worst < checks.index("Clock The database uses this host's.")


def test_there_is_no_such_page_for_anybody_else(signed_in, ada, ed, vi) -> None:
    for person in (ada, ed, vi):
        browser = signed_in(person)
        assert browser.get(PATH).status_code == 404
        assert PATH not in browser.get("/o/acme/settings/sources").text


def test_staff_find_it_among_the_settings_and_in_the_account_menu(signed_in, staff) -> None:
    page = signed_in(staff).see("/o/acme/settings/tokens")

    assert page.select_one(f".tabs a[href='{PATH}']").get_text() == "System"
    assert page.select_one(f".account a[href='{PATH}']") is not None


def test_no_secret_is_among_the_settings_in_force(app: Flask, tmp_path) -> None:
    told = in_force(
        Settings(
            data=tmp_path,
            secret_key="a key that must not be seen",
            database_url="postgresql://hookyard:hunter2@db/hookyard",
            redis_url="rediss://:hunter3@queue:6380/0?password=hunter4",
        )
    )
    by_variable = {one.variable: one for one in told}
    everything = " ".join(one.value for one in told)

    assert by_variable["HOOKYARD_DATABASE_URL"].value == "postgresql://db/hookyard"
    assert by_variable["HOOKYARD_TIMEOUT"].is_default
    assert not by_variable["HOOKYARD_DATA"].is_default
    assert "hunter" not in everything
    assert "must not be seen" not in everything


@pytest.mark.parametrize("password", ["se/cret", "se#cret", "se?cret", "s%40cret", "se:cret"])
def test_no_part_of_a_password_is_shown_whatever_signs_are_in_it(tmp_path, password: str) -> None:
    """SQLAlchemy takes them as they are."""
    url = f"postgresql://hookyard:{password}@db:5432/hookyard"
    assert make_url(url).host == "db"

    told = in_force(Settings(data=tmp_path, secret_key="a key that must not be seen", database_url=url))

    by_variable = {one.variable: one.value for one in told}
    assert by_variable["HOOKYARD_DATABASE_URL"] == "postgresql://db:5432/hookyard"
