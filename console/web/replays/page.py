"""One replay while it goes on: progress that asks for itself, stop, resume."""

from __future__ import annotations

import hashlib
from functools import partial
from typing import Any
from uuid import UUID

from flask import Response, request, url_for

from console.core.permissions import Permission
from console.extensions import current_work
from console.models import Replay
from console.services.replays import replays
from console.services.replays.selection import SKIP_WORDS
from console.web import access, hx
from console.web.delivery_rows import name_of
from console.web.replays.shared import pages, replay_of, rows_of

MOST_PARTS = 50


@pages.get("/<uuid:replay_id>")
@access.requires(Permission.DELIVERIES_VIEW)
def show(replay_id: UUID) -> Response:
    """Show a replay."""
    return _render(replay_of(replay_id))


@pages.get("/<uuid:replay_id>/progress")
@access.requires(Permission.DELIVERIES_VIEW)
def progress(replay_id: UUID) -> Response:
    """Give the progress if it changed since it was shown (``seen``); else 204."""
    row = replay_of(replay_id)
    if not hx.wants_fragment():
        return hx.redirect_to(url_for("replays.show", replay_id=row.id))
    facts = _facts(row)
    if request.args.get("seen", "") == facts["seen"]:
        return hx.nothing_new()
    return hx.page("replays/show.html", block="progress", **facts)


@pages.post("/<uuid:replay_id>/stop")
@access.requires(Permission.DELIVERIES_RESEND)
def stop(replay_id: UUID) -> Response:
    """Stop a replay."""
    row = replay_of(replay_id)
    return hx.answer_of(
        lambda: replays.stop(current_work(), row=row),
        done="Stopped. What was on its way finishes, what waited is as it was before.",
        answer=partial(_answer, row),
    )


@pages.post("/<uuid:replay_id>/resume")
@access.requires(Permission.DELIVERIES_RESEND)
def resume(replay_id: UUID) -> Response:
    """Let a stopped replay go on."""
    row = replay_of(replay_id)
    return hx.answer_of(
        lambda: replays.resume(current_work(), row=row),
        done="It goes on where it was.",
        answer=partial(_answer, row),
    )


def _answer(row: Replay, message: str, tone: hx.Tone) -> Response:
    if not hx.wants_fragment():
        return hx.redirect_to(url_for("replays.show", replay_id=row.id), message=message, tone=tone)
    hx.toast(message, tone=tone)
    return _render(row)


def _render(row: Replay) -> Response:
    return hx.page("replays/show.html", block="progress", **_facts(row))


def _facts(row: Replay) -> dict[str, Any]:
    [replay] = rows_of([row])
    parts = replays.parts_of(current_work(), row, limit=MOST_PARTS + 1)
    seen = hashlib.sha256(repr((replay.badge, replay.progress, replay.rest)).encode()).hexdigest()[:16]
    return {
        "replay": replay,
        "parts": parts[:MOST_PARTS],
        "has_more_parts": len(parts) > MOST_PARTS,
        "skips": [(SKIP_WORDS[skip], count) for skip, count in replays.skips_of(current_work(), row).items()],
        "seen": seen,
        "name_of": name_of,
    }
