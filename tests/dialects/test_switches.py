"""Each API of another system is switched per organization: the first request that may use it switches it on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine, event, func, select

from console.core.foreign_apis import APIS, ApiState
from console.models import ApiSwitch, AuditEntry
from console.services.organizations import foreign_apis
from console.services.work import Work
from tests.callers import Caller

PATHS = {
    "waldur": "/api/hooks-web/",
    "web_v1": "/api/web/v1/webhooks",
    "pretix": "/api/v1/organizers/acme/webhooks/",
    "oms": "/api/v1/oms/oms_hooks/",
}
MORE_PATHS = [
    ("waldur", "/api/hooks-web/00000000000000000000000000000000/"),
    ("web_v1", "/api/web/v1/webhooks/00000000-0000-0000-0000-000000000000"),
    ("web_v1", "/api/web/v1/no-such-path"),
    ("pretix", "/api/v1/organizers/acme/webhooks/1/"),
    ("oms", "/api/v1/oms/oms_hook_events/"),
    ("oms", "/whisperer/hooks/"),
]


@pytest.fixture
def state_of(work: Work, ada: Any) -> Callable[[str], ApiState]:
    def state(api: str) -> ApiState:
        work.session.expire_all()
        found = foreign_apis.states(work, organization_number=ada.organization.number)[api]
        work.session.rollback()
        return found

    return state


def audited(work: Work) -> list[tuple[str, str, dict[str, Any]]]:
    entries = select(AuditEntry).where(AuditEntry.action.startswith("organization.api_")).order_by(AuditEntry.number)
    found = [(one.action, one.actor, one.changes) for one in work.session.scalars(entries)]
    work.session.rollback()
    return found


def count_writes(engine: Engine, act: Callable[[], object]) -> int:
    """Count the statements by which *act* writes, but for the note of a token's use."""
    written: list[str] = []

    def look(_connection: Any, _cursor: Any, statement: str, *_: object) -> None:
        if statement.startswith(("INSERT", "UPDATE", "DELETE")) and "last_used_at" not in statement:
            written.append(statement)

    event.listen(engine, "before_cursor_execute", look)
    act()
    event.remove(engine, "before_cursor_execute", look)
    return len(written)


@pytest.mark.both_databases
@pytest.mark.parametrize("api", PATHS)
def test_the_first_request_that_may_use_an_api_switches_it_on_and_later_ones_write_nothing(
    caller: Any, token_of: Any, ada: Any, work: Work, engine: Engine, state_of: Any, api: str
) -> None:
    mine = caller(token_of(ada, "WEBHOOKS:VIEW"))
    before = state_of(api)

    first = mine.get(PATHS[api])
    writes = count_writes(engine, lambda: mine.get(PATHS[api]))

    assert before is ApiState.AUTOMATIC
    assert first.status_code == 200
    assert state_of(api) is ApiState.ON
    assert writes == 0
    [(action, actor, changes)] = audited(work)
    assert (action, actor, changes) == ("organization.api_on", ada.user.email, {api: ["automatic", "on"]})
    assert all(state_of(other) is ApiState.AUTOMATIC for other in APIS if other != api)


@pytest.mark.parametrize("api", PATHS)
def test_a_request_that_may_not_use_an_api_switches_nothing_on(
    caller: Any, anyone: Caller, token_of: Any, ada: Any, mallory: Any, state_of: Any, api: str
) -> None:
    answers = [
        anyone.get(PATHS[api]).status_code,
        caller("hy_wrong").get(PATHS[api]).status_code,
        caller(token_of(ada, "EVENTS:PUBLISH")).get(PATHS[api]).status_code,
    ]
    if api == "pretix":
        answers.append(caller(token_of(mallory)).get(PATHS[api]).status_code)

    assert answers[:3] == [401, 401, 403]
    assert answers[3:] in ([], [403])
    assert state_of(api) is ApiState.AUTOMATIC


@pytest.mark.parametrize(("api", "path"), [*PATHS.items(), *MORE_PATHS])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "TRACE"])
def test_an_api_that_is_switched_off_answers_404_in_its_own_words(
    ada_api: Caller, work: Work, ada: Any, state_of: Any, api: str, path: str, method: str
) -> None:
    foreign_apis.switch(work, organization=ada.organization, api=api, is_on=False)

    answer = ada_api.call(method, path, json={})

    assert answer.status_code == 404
    assert answer.mimetype == "application/json"
    if api == "web_v1":
        body = answer.get_json()
        assert list(body) == ["timestamp", "status", "error", "message", "path"]
        assert (body["status"], body["error"], body["message"]) == (404, "Not Found", "Webhook not found")
    else:
        assert answer.get_json() == {"detail": "Not found."}
    assert state_of(api) is ApiState.OFF


@pytest.mark.parametrize("api", PATHS)
def test_a_request_without_a_good_token_cannot_tell_whether_an_api_is_off(
    anyone: Caller, caller: Any, token_of: Any, work: Work, ada: Any, api: str
) -> None:
    foreign_apis.switch(work, organization=ada.organization, api=api, is_on=False)

    assert anyone.get(PATHS[api]).status_code == 401
    assert caller(token_of(ada, "EVENTS:PUBLISH")).get(PATHS[api]).status_code == 403


def test_another_organization_is_not_concerned(
    ada_api: Caller, mallory_api: Caller, work: Work, ada: Any, mallory: Any
) -> None:
    foreign_apis.switch(work, organization=ada.organization, api="waldur", is_on=False)

    assert mallory_api.get(PATHS["waldur"]).status_code == 200
    assert ada_api.get(PATHS["waldur"]).status_code == 404
    on = foreign_apis.switched_on(work, organization_number=mallory.organization.number)
    assert on == {"waldur"}


def test_an_api_that_is_switched_on_again_answers(ada_api: Caller, work: Work, ada: Any) -> None:
    for is_on in (False, True):
        foreign_apis.switch(work, organization=ada.organization, api="oms", is_on=is_on)

    assert ada_api.get(PATHS["oms"]).status_code == 200
    assert [changes for _, _, changes in audited(work)] == [{"oms": ["automatic", "off"]}, {"oms": ["off", "on"]}]


def test_to_switch_what_is_so_already_changes_and_audits_nothing(work: Work, ada: Any) -> None:
    done = [foreign_apis.switch(work, organization=ada.organization, api="oms", is_on=True) for _ in range(2)]

    assert done == [True, False]
    assert len(audited(work)) == 1


@pytest.mark.both_databases
def test_of_many_first_requests_exactly_one_switches_the_api_on(
    caller: Any, token_of: Any, ada: Any, work: Any
) -> None:
    token, barrier = token_of(ada), threading.Barrier(6)
    answers: list[int] = []

    def call() -> None:
        mine = caller(token)
        barrier.wait()
        answers.append(mine.get(PATHS["waldur"]).status_code)

    threads = [threading.Thread(target=call) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert answers == [200] * 6
    assert len(audited(work)) == 1
    assert work.session.scalar(select(func.count()).select_from(ApiSwitch)) == 1


def test_the_document_of_web_v1_is_public_although_the_api_is_off(anyone: Caller, work: Work, ada: Any) -> None:
    foreign_apis.switch(work, organization=ada.organization, api="web_v1", is_on=False)

    assert anyone.get("/v2/api-docs").status_code == 200
