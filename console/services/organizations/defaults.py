"""What holds where a hook says nothing of its own, and for an organization as a whole: its defaults.

Each that an organization leaves open is the installation's. A hook that says "default" follows a change at once.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import or_, select, update

from console.core.errors import FieldError, Invalid, Refused
from console.core.retry import DEFAULT, RetryPolicy, with_delays
from console.core.retry_reading import parse_schedule, read_stored
from console.models import Hook, Organization
from console.services import audit
from console.services.events.event_drafts import LEAST_LONGEST_PAYLOAD, LONGEST_PAYLOAD
from console.services.hooks.hook_fields import LONGEST_TIMEOUT_S
from console.services.work import Work
from console.settings import Settings

KIB = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What an organization is to choose: delays in seconds as ``10,60,300``, seconds, days, bytes."""

    retry_schedule: str | None = None
    timeout_s: int | None = None
    retention_days: int | None = None
    largest_payload: int | None = None


def retry_of(settings: Settings, schedule: str | None) -> RetryPolicy:
    """Give the schedule of hooks that have none: the organization's waits, varied and put off as the installation's.

    One that cannot be read any more counts as none.
    """
    usual = settings.default_retry or DEFAULT
    if not schedule:
        return usual
    try:
        return with_delays(usual, parse_schedule(schedule))
    except Refused:
        return usual


def timeout_of(settings: Settings, seconds: int | None) -> int:
    """Give the seconds that an attempt may take for hooks that do not say."""
    return seconds or settings.timeout


def retention_of(settings: Settings, days: int | None) -> int:
    """Give the days that what is finished is kept; never longer than the operator keeps it."""
    return min(days or settings.retention_days, settings.retention_days)


def retention_for(work: Work, organization: Organization) -> int:
    """Give the days that what is finished in *organization* is kept."""
    return retention_of(work.settings, organization.retention_days)


def policy_of(work: Work, stored: dict[str, Any] | None, *, schedule: str | None) -> RetryPolicy:
    """Give the policy that holds for a hook that says *stored*; one that cannot be read any more counts as none.

    *schedule* is that of its organization.
    """
    return read_stored(stored, default=retry_of(work.settings, schedule))[0]


def policy_for(work: Work, hook: Hook) -> RetryPolicy:
    """Give the schedule that holds for *hook* when it has none of its own."""
    return retry_of(work.settings, hook.organization.retry_schedule)


def timeout_for(work: Work, hook: Hook) -> int:
    """Give the seconds that an attempt for *hook* may take."""
    return hook.timeout_s or timeout_of(work.settings, hook.organization.timeout_s)


def change(work: Work, *, organization: Organization, choice: Choice) -> None:
    """Make *choice* the defaults of *organization*; raise Invalid."""
    _check(work, choice)
    with work.transaction():
        # The row as it is now: what was read before may be old, and the audit log says what it was.
        # Events refer to it, so who publishes waits for FOR UPDATE, perhaps with a hook locked that is changed below.
        work.session.refresh(organization, with_for_update={"key_share": True})
        wanted = asdict(choice)
        changes = {
            name: [getattr(organization, name), value]
            for name, value in wanted.items()
            if getattr(organization, name) != value
        }
        if not changes:
            return
        for name, value in wanted.items():
            setattr(organization, name, value)
        _tell_workers(work, organization)
        audit.record(
            work,
            action="organization.changed",
            organization_number=organization.number,
            object_type="organization",
            object_id=str(organization.id),
            object_name=organization.name,
            changes=changes,
        )


def _tell_workers(work: Work, organization: Organization) -> None:
    """Let the hooks that follow the defaults count as changed: workers keep hooks by their version.

    They are locked in the order of their numbers first, as by who disables or publishes to several.
    """
    follows = or_(Hook.retry.is_(None), Hook.retry["kind"].as_string() == "schedule", Hook.timeout_s.is_(None))
    theirs = (Hook.organization_number == organization.number, follows)
    work.session.execute(select(Hook.number).where(*theirs).order_by(Hook.number).with_for_update(key_share=True)).all()
    work.session.execute(
        update(Hook).where(*theirs).values(version=Hook.version + 1).execution_options(synchronize_session=False)
    )


def _check(work: Work, choice: Choice) -> None:
    problems = []
    if choice.retry_schedule is not None:
        try:
            parse_schedule(choice.retry_schedule)
        except Refused as error:
            problems.append(FieldError("/retry_schedule", error.code, error.message))
    longest_kept = work.settings.retention_days
    ranges = (
        ("timeout_s", choice.timeout_s, 1, LONGEST_TIMEOUT_S, "seconds"),
        ("retention_days", choice.retention_days, 1, longest_kept, "days; the operator keeps nothing longer"),
    )
    problems += [
        FieldError(f"/{name}", "range", f"Choose from {low} to {high} {unit}.")
        for name, value, low, high, unit in ranges
        if value is not None and not low <= value <= high
    ]
    least, most = LEAST_LONGEST_PAYLOAD, LONGEST_PAYLOAD
    if choice.largest_payload is not None and not least <= choice.largest_payload <= most:
        problems.append(FieldError("/largest_payload", "range", f"Choose from {least // KIB} to {most // KIB} KiB."))
    if problems:
        raise Invalid(*problems)
