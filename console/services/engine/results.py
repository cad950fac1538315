"""Results: a batch of ended attempts becomes attempt rows, delivery states, standings of hooks and roll-ups, at once.

A 2xx is accepted even when the claim was lost meanwhile, for it says what is true: the receiver has it. A failure
counts only while the claim is still ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import Row, update

from console.core.health import DISABLE_AFTER
from console.core.outcomes import Outcome
from console.core.rollups import bucket_of, hour_of, status_class
from console.core.verdicts import REASONS, Reason, Verdict, judge, state_after
from console.database import dialect_of
from console.models import DeliveryState, Hook, Trigger
from console.services import audit
from console.services.deliveries import backlogs
from console.services.engine import destinations, result_rows, standing
from console.services.engine.ended import Ended, attempt_row, changed_row
from console.services.engine.result_rows import Rows
from console.services.engine.standing import Served
from console.services.events.outbox import HELD_REASON
from console.services.hooks import reports
from console.services.hooks.reports import Report
from console.services.queries import listing
from console.services.work import DELIVERIES, DELIVERIES_SLOW, Work

BATCH = 64
LANES_OF_HOOKS = (DELIVERIES, DELIVERIES_SLOW)
_SILENT_REASONS = frozenset({Reason.DELIVERED, Reason.SCHEDULE})
"""What needs no words beside the state and the time of the next attempt."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a batch changed beyond its own rows: hooks whose unsent rows are to be given back now."""

    withdrawn: frozenset[int] = frozenset()
    discarded: int = 0


@dataclass(slots=True)
class _Batch:
    """What is to be written, collected while the results are judged."""

    reaches: dict[destinations.Key, destinations.Reach]
    rows: Rows = field(default_factory=Rows)
    disable: dict[int, str] = field(default_factory=dict)
    reports: list[tuple[Report, Served, dict[str, Any]]] = field(default_factory=list)


def record(work: Work, *, ended: Sequence[Ended]) -> Recorded:
    """Write what came of a batch of attempts, in one transaction; raise Busy to try again."""
    with work.transaction():
        # Destinations are locked before hooks, by everybody: in another order two workers could wait for each other.
        reaches = destinations.load(work, keys={_destination(one) for one in ended})
        before = {key: replace(reach) for key, reach in reaches.items()}
        served = standing.load(work, numbers={one.recipient.number for one in ended})
        lanes = {number: hook.standing.lane for number, hook in served.items()}
        openings = {number: hook.standing.openings for number, hook in served.items()}
        now_rows = _current(work, ended)
        batch = _Batch(reaches)
        for one in ended:
            row = now_rows.get(one.row.number)
            hook = served.get(one.recipient.number)
            if row is not None and hook is not None:
                _settle(work, batch, one, row=row, hook=hook)
        result_rows.write(work, batch.rows)
        for number, reason in sorted(batch.disable.items()):  # in the order in which everybody locks hooks
            held = _disable(work, served[number], reason=reason)
            batch.reports.append((Report.DISABLED, served[number], {"reason": reason, "held_deliveries": held}))
        standing.store(work, [hook.standing for hook in served.values()])
        destinations.store(work, before=before, after=reaches)
        organizations = {number: hook.organization_number for number, hook in served.items()}
        result_rows.count(work, batch.rows, organizations=organizations)
        is_heard = [
            reports.publish(work, report=report, about=hook.subject, facts=facts)
            for report, hook, facts in batch.reports
        ]
    if any(is_heard):
        work.ring.ring(DELIVERIES)
    moved = {number for number, hook in served.items() if hook.standing.lane != lanes[number]}
    is_turned = any(bool(reach.openings) != bool(before[key].openings) for key, reach in reaches.items())
    for lane in {served[number].standing.lane for number in moved} | (set(LANES_OF_HOOKS) if is_turned else set()):
        work.ring.ring(lane)
    opened = {number for number, hook in served.items() if hook.standing.openings > openings[number]}
    return Recorded(frozenset(moved | opened | set(batch.disable)), len(batch.rows.late_attempts))


# --- judging --------------------------------------------------------------------------------------------------------


@lru_cache
def _current_rows(dialect: str) -> Any:
    lock = "FOR UPDATE" if dialect == "postgresql" else ""
    return listing(
        dialect,
        f"""
    SELECT number, state, claimed_by, claim_no, cancel_requested, chain, interrupted, trigger FROM deliveries
    WHERE number IN :numbers ORDER BY number {lock}""",  # noqa: S608 a constant
    )


def _current(work: Work, ended: Sequence[Ended]) -> dict[int, Row[Any]]:
    statement = _current_rows(dialect_of(work.session))
    rows = work.session.execute(statement, {"numbers": [one.row.number for one in ended]}).all()
    return {row.number: row for row in rows}


def _settle(work: Work, batch: _Batch, one: Ended, *, row: Row[Any], hook: Served) -> None:
    """Decide what one result changes; a 2xx before it in the batch may have overtaken it."""
    is_ours = (
        row.state == DeliveryState.SENDING
        and (row.claimed_by, row.claim_no) == (one.row.worker, one.row.claim_no)
        and one.row.number not in batch.rows.overtaken
    )
    if one.outcome is Outcome.OK:
        is_news = is_ours or (row.chain == one.row.chain and row.state != DeliveryState.DELIVERED)
        batch.rows.attempts.append(attempt_row(one, charged=False))
        if is_ours:
            batch.rows.delivered.append(one.row.number)
        elif is_news:
            batch.rows.changes.append(changed_row(one, state=DeliveryState.DELIVERED, now=work.now()))
            batch.rows.overtaken.append(one.row.number)
        turns = hook.standing.succeed(
            now=one.ended_at, duration_s=one.duration_ms / 1000, maximum=one.recipient.max_in_flight
        )
        batch.reports += [(report, hook, {}) for report in turns]
        _note_reach(work, batch, one, hook=hook)
        _tally(batch, one)
        return
    if not is_ours:
        batch.rows.late_attempts.append(attempt_row(one, charged=False))
        return
    verdict = _judge(work, one, interrupted=row.interrupted)
    batch.rows.attempts.append(attempt_row(one, charged=verdict.charged))
    batch.rows.changes.append(_failure(work, one, verdict, row=row, hook=hook))
    _tally(batch, one)
    if verdict.charged and not one.row.is_test:
        _note_reach(work, batch, one, hook=hook)
        turns = hook.standing.fail(
            one.outcome,
            verdict=verdict,
            status=one.status,
            event_type=one.row.event.type,
            now=one.ended_at,
            duration_s=one.duration_ms / 1000,
            maximum=one.recipient.max_in_flight,
            random=work.random,
        )
        batch.reports += [(report, hook, _failure_facts(report, one, hook=hook)) for report in turns]
        _consider_disabling(work, batch, one, verdict, hook=hook)


def _destination(one: Ended) -> destinations.Key:
    return one.recipient.organization_number, one.recipient.destination


def _note_reach(work: Work, batch: _Batch, one: Ended, *, hook: Served) -> None:
    reach = batch.reaches.get(_destination(one))
    if reach is None:
        return
    report = reach.note(one.outcome, hook_number=hook.number, now=one.ended_at, random=work.random)
    facts: dict[str, Any] = {"destination": one.recipient.destination}
    if report is Report.CIRCUIT_OPENED:
        facts |= {"open_until": reach.open_until, "consecutive_failures": reach.failures}
    if report is not None:
        batch.reports.append((report, hook, facts))


def _failure_facts(report: Report, one: Ended, *, hook: Served) -> dict[str, Any]:
    if report is Report.BLOCKED:
        return {"outcome": one.outcome.value}
    return {"open_until": hook.standing.open_until, "consecutive_failures": hook.standing.consecutive_failures}


def _judge(work: Work, one: Ended, *, interrupted: int) -> Verdict:
    row = one.row
    uncharged = row.attempt - 1 - row.chain_failures if row.chain == 1 else 0
    return judge(
        one.outcome,
        status=one.status,
        retry_after=one.retry_after,
        now=one.ended_at,
        policy=one.recipient.policy,
        failures=row.chain_failures,
        interruptions=max(interrupted, uncharged),
        random=work.random,
        age_s=(one.ended_at - row.created_at).total_seconds() if row.chain == 1 else 0.0,
        is_test=row.is_test,
        is_own_fault=one.is_own_fault,
    )


def _failure(work: Work, one: Ended, verdict: Verdict, *, row: Row[Any], hook: Served) -> dict[str, Any]:
    """Say what becomes of a delivery whose attempt failed."""
    state = state_after(
        "pending" if verdict.state == "pending" else "failed",
        is_canceled=row.cancel_requested,
        is_hook_deleted=hook.is_deleted,
        is_hook_active=hook.is_active,
        is_automatic=row.trigger == Trigger.AUTOMATIC,
    )
    reason = None if verdict.reason in _SILENT_REASONS else REASONS[verdict.reason]
    return changed_row(
        one,
        state=DeliveryState(state),
        now=work.now(),
        failures=one.row.chain_failures + verdict.charged,
        reason={"canceled": None, "held": HELD_REASON}.get(state, reason),
        next_attempt_at=one.ended_at + timedelta(seconds=verdict.delay_s or 0) if state == "pending" else None,
    )


def _tally(batch: _Batch, one: Ended) -> None:
    key = (one.recipient.number, hour_of(one.started_at), status_class(one.status), bucket_of(one.duration_ms))
    batch.rows.hours[key] += 1


def _consider_disabling(work: Work, batch: _Batch, one: Ended, verdict: Verdict, *, hook: Served) -> None:
    if not hook.is_active or hook.number in batch.disable:
        return
    if verdict.disable_hook:
        batch.disable[hook.number] = "The receiver answered 410 Gone"
        return
    reach = batch.reaches.get(_destination(one))
    reason = hook.standing.disable_reason(one.ended_at, at_destination=reach.failures if reach else 0)
    if reason is not None:
        batch.disable[hook.number] = reason
        return
    percent = hook.standing.warn(one.ended_at)
    if percent is not None:
        audit.record_of_hook(work, hook=hook, action="hook.failing", changes={"percent_of_5_days": [None, percent]})
        since = hook.standing.failing_since or one.ended_at
        facts = {"percent": percent, "failing_since": since, "disables_at": since + DISABLE_AFTER}
        batch.reports.append((Report.FAILING, hook, {**facts, "last_outcome": one.outcome.value}))


# --- disabling ------------------------------------------------------------------------------------------------------


def _disable(work: Work, hook: Served, *, reason: str) -> int:
    """Switch a hook off and hold what waits for it, inside the caller's transaction; give how much that is."""
    now = work.now()
    work.session.execute(
        update(Hook)
        .where(Hook.number == hook.number)
        .values(is_active=False, disabled_at=now, disabled_reason=reason, version=Hook.version + 1, modified_at=now)
    )
    held = backlogs.hold(work, hook.number)
    audit.record_of_hook(
        work, hook=hook, action="hook.disabled", changes={"is_active": [True, False], "reason": [None, reason]}
    )
    return held
