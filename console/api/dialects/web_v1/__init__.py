"""WebhooksApi web/v1: a registry of callback URLs, in the words of the Swagger document at /v2/api-docs.

Answers are bare objects and arrays with status 200; errors have the form that Spring Boot gives them.
"""

from __future__ import annotations

from flask import Flask

from console.api import faces
from console.api.dialects.web_v1 import document, entry, errors, views

__all__ = ["install"]


def install(app: Flask) -> None:
    """Register the six operations and their document."""
    app.register_blueprint(views.webhooks)
    app.register_blueprint(document.swagger)
    faces.register(entry.ROOT, errors.face(enter=entry.enter_astray))
    faces.register(document.PATH, errors.face())
