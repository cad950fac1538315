"""The hook events of an order management system, ``/api/v1/oms/``, spoken as Akinon OMS does (docs: oms).

A webhook is a hook with one event type; its event is a delivery, with its attempts.
"""

from __future__ import annotations

from flask import Flask

from console.api.dialects.oms import event_views, hook_views
from console.api.dialects.oms.face import oms

__all__ = ["event_views", "hook_views", "install"]


def install(app: Flask) -> None:
    """Register the dialect."""
    oms.install(app)
