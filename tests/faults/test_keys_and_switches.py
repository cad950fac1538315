"""F18 and F19: the secret key is missing or wrong; a hook is changed while its deliveries are tried again."""

from __future__ import annotations

import subprocess
import sys

from sqlalchemy import func, select

from console.models import Delivery, Event
from console.services.work import DELIVERIES, DELIVERIES_SLOW
from tests.engine import delivery, scalars
from tests.faults.stage import Stage

WORDS = "Stored secrets cannot be decrypted"


def test_f18_with_a_wrong_key_deliveries_wait_at_no_cost_and_go_on_with_the_right_one(stage: Stage) -> None:
    stage.hook(retry={"kind": "fixed", "seconds": 60, "attempts": 1})
    [number] = stage.publish()
    wrong = "another key that is long enough"
    worker = stage.start_worker(secret_key=wrong)
    for times in (1, 2):  # more often than the hook's policy would allow
        stage.wait_until(lambda times=times: stage.outcomes(number).count("system_error") == times)
        stage.wait_for(pending=1)
        if times == 1:
            stage.make_due()
    row = delivery(stage.work, number)
    assert (row.chain_failures, row.state) == (0, "pending")
    assert stage.ledger.receipts == []
    confused = stage.app(secret_key=wrong)
    assert WORDS in confused.test_client().get("/readyz").text
    assert WORDS in stage.browser(confused).get("/o/acme/").text

    worker.terminate()
    worker.wait(10)
    stage.start_worker()
    stage.make_due()

    stage.wait_for(delivered=1)
    sound = stage.app()
    assert WORDS not in sound.test_client().get("/readyz").text
    assert WORDS not in stage.browser(sound).get("/o/acme/").text
    stage.check()


def test_f18_without_any_key_no_worker_starts_and_nothing_is_touched(stage: Stage) -> None:
    stage.hook()
    stage.publish()
    command = [sys.executable, "-P", "-m", "workers"]
    environment = stage.environment(secret_key="")

    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)

    assert ended.returncode == 2
    assert "HOOKYARD_SECRET_KEY" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert stage.states() == {"pending": 1}


def test_f19_what_becomes_of_a_hook_between_attempts_becomes_of_its_deliveries(stage: Stage) -> None:
    stage.ledger.answer = lambda path, _id: 200 if path == "new" else 500
    retry = {"kind": "fixed", "seconds": 1, "attempts": 50}
    disabled, deleted, edited = (stage.hook(path, retry=retry) for path in ("disabled", "deleted", "edited"))
    stage.ledger.secrets["new"] = stage.ledger.secrets["edited"]
    for lane in (DELIVERIES, DELIVERIES_SLOW):
        stage.start_worker(lane=lane)
    caller = stage.caller(stage.app())
    stage.publish(5)
    stage.wait_until(lambda: {one.path for one in stage.ledger.receipts} == {"disabled", "deleted", "edited"})

    assert caller.call("POST", f"/hooks/{disabled.id}/disable").status_code == 200
    assert caller.call("DELETE", f"/hooks/{deleted.id}").status_code == 204
    answer = caller.call("PATCH", f"/hooks/{edited.id}", {"url": stage.ledger.url("new")})
    assert answer.status_code == 200, answer.text

    stage.wait_for(held=5, canceled=5, delivered=5)
    by_hook = select(Delivery.hook_number, func.count()).group_by(Delivery.hook_number, Delivery.state)
    assert len(scalars(stage.work, by_hook)) == 3
    accepted = [one for one in stage.ledger.receipts if one.status == 200]
    assert {one.path for one in accepted} == {"new"}
    assert len(scalars(stage.work, select(Event.id))) == 5
    stage.check(is_over=False)

    assert caller.call("POST", f"/hooks/{disabled.id}/enable").status_code == 200
    stage.ledger.answer = lambda _path, _id: 200
    stage.wait_for(delivered=10, canceled=5)
    stage.check()
