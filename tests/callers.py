"""Callers of an API: somebody with a token, in this process."""

from __future__ import annotations

from typing import Any

from flask.testing import FlaskClient
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse


class Caller:
    """Somebody with a token: ``ada_api.get("/api/hooks-web/")``. *token* None sends no Authorization.

    *session* is that of the test: its own transaction ends before each call, which would keep the app's waiting.
    """

    prefix = ""
    scheme = "Token"

    def __init__(self, client: FlaskClient, token: str | None, *, session: Session | None = None) -> None:
        self.client = client
        self.token = token
        self.session = session

    def call(self, method: str, path: str, **kwargs: Any) -> TestResponse:
        if self.session is not None:
            self.session.commit()
            self.session.expire_all()
        headers = {"Authorization": f"{self.scheme} {self.token}"} if self.token else {}
        headers |= kwargs.pop("headers", {})
        return self.client.open(f"{self.prefix}{path}", method=method, headers=headers, **kwargs)

    def get(self, path: str, **kwargs: Any) -> TestResponse:
        return self.call("GET", path, **kwargs)

    def head(self, path: str, **kwargs: Any) -> TestResponse:
        return self.call("HEAD", path, **kwargs)

    def post(self, path: str, **kwargs: Any) -> TestResponse:
        return self.call("POST", path, **kwargs)

    def put(self, path: str, **kwargs: Any) -> TestResponse:
        return self.call("PUT", path, **kwargs)

    def patch(self, path: str, **kwargs: Any) -> TestResponse:
        return self.call("PATCH", path, **kwargs)

    def delete(self, path: str, **kwargs: Any) -> TestResponse:
        return self.call("DELETE", path, **kwargs)
