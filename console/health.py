"""Whether this installation works: /healthz, /readyz. Words only; details are the doctor's and the console's."""

from __future__ import annotations

from flask import Blueprint, Flask, Response, jsonify
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from console.extensions import collaborators, db
from console.services.work import SilentRing

checks = Blueprint("health", __name__)


def install(app: Flask) -> None:
    """Register the routes."""
    app.register_blueprint(checks)


@checks.get("/healthz")
def live() -> Response:
    """Say that the process answers."""
    return jsonify(status="ok")


@checks.get("/readyz")
def ready() -> tuple[Response, int]:
    """Say whether requests can be served and deliveries be made, with reasons when not."""
    reasons = []
    try:
        db.session.execute(text("SELECT 1"))
    except SQLAlchemyError:
        reasons.append("The database cannot be reached.")
    ring = collaborators().ring
    if not isinstance(ring, SilentRing) and not getattr(ring, "is_reachable", bool)():
        reasons.append("Redis cannot be reached; deliveries go on, later than usual.")
    return jsonify(status="ready" if not reasons else "not ready", reasons=reasons), 503 if reasons else 200
