"""Whether this installation works: /healthz, /readyz, and what the console says above its pages when it does not.

Words only, without addresses or names; details are the doctor's.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

from flask import Blueprint, Flask, Response, jsonify
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from console.extensions import collaborators, current_work, db
from console.ring import RedisRing
from console.services.upkeep import condition

LIVE, READY = "/healthz", "/readyz"
PATHS = frozenset({LIVE, READY})
checks = Blueprint("health", __name__)


def install(app: Flask) -> None:
    """Register the routes."""
    app.register_blueprint(checks)
    app.context_processor(lambda: {"troubles": troubles})


@checks.get(LIVE)
def live() -> Response:
    """Say that the process answers."""
    return jsonify(status="ok")


@checks.get(READY)
def ready() -> tuple[Response, int]:
    """Say whether requests can be served and deliveries be made, with reasons when not."""
    try:
        db.session.execute(text("SELECT 1"))
        reasons = [*troubles(), *condition.missing_workers(current_work())]
    except SQLAlchemyError:
        reasons = ["The database cannot be reached."]
    return jsonify(status="ready" if not reasons else "not ready", reasons=reasons), 503 if reasons else 200


def troubles() -> list[str]:
    """Say what an operator should mend: Redis, the secret key, the clocks."""
    work, ring = current_work(), collaborators().ring
    words = [ring.trouble()] if isinstance(ring, RedisRing) else []
    with suppress(SQLAlchemyError):  # a page that says so is being made, or /readyz says it
        words += condition.unreadable_secrets(work)
        words += condition.differing_clocks(work, host_now=datetime.now(UTC))
    return [one for one in words if one]
