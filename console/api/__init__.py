"""The JSON APIs: the native one under /api/v1, and the dialects, each with paths and error bodies of its own.

A view parses, calls one service, answers. ``console.app`` asks here whose path it is when an error must be answered,
since errors of routing belong to no blueprint.
"""

from __future__ import annotations

from apiflask import APIFlask

from console.api.faces import answer_crash, answer_error, owns

__all__ = ["answer_crash", "answer_error", "install", "owns"]


def install(app: APIFlask) -> None:
    """Register the native resources with their specification, and the dialects."""
    from console.api import native  # noqa: PLC0415  the resources need this package's modules
    from console.api.dialects import oms, pretix, waldur, web_v1  # noqa: PLC0415  as above

    native.install(app)
    waldur.install(app)
    web_v1.install(app)
    pretix.install(app)
    oms.install(app)
