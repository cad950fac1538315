"""The bare extension objects, and the Work of a request."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

from flask import Flask, current_app, g, request
from flask_login import LoginManager
from flask_sqlalchemy import SQLAlchemy
from flask_wtf import CSRFProtect
from sqlalchemy.orm import Session

from console.failpoints import NO_FAILPOINTS, Failpoints
from console.models import Base
from console.rates import Rates
from console.services.group_commit import GroupCommit
from console.services.keys import KeyRing
from console.services.work import Actor, Clock, Ring, Work
from console.settings import Settings
from console.waits import Waits

db = SQLAlchemy(metadata=Base.metadata, session_options={"expire_on_commit": False})
csrf = CSRFProtect()
login = LoginManager()


@dataclass(frozen=True, slots=True)
class Collaborators:
    """What the app was built with and every request's Work is made of."""

    settings: Settings
    keys: KeyRing
    clock: Clock
    ring: Ring
    rates: Rates
    failpoints: Failpoints = NO_FAILPOINTS
    group_commit: GroupCommit = field(default_factory=GroupCommit)
    waits: Waits = field(default_factory=Waits)

    def install(self, app: Flask) -> None:
        """Keep them with *app*."""
        app.extensions["hookyard"] = self


def collaborators() -> Collaborators:
    """Give what the running app was built with."""
    return cast("Collaborators", current_app.extensions["hookyard"])


def current_work() -> Work:
    """Give the Work of this request; who acts is what sign-in or the token put into ``g.actor``."""
    parts = collaborators()
    return Work(
        session=cast("Session", db.session()),
        settings=parts.settings,
        keys=parts.keys,
        clock=parts.clock,
        ring=parts.ring,
        failpoints=parts.failpoints,
        actor=g.get("actor") or Actor(name="Anonymous", ip=request.remote_addr),
        group_commit=parts.group_commit,
    )
