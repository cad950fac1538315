"""GET /v2/api-docs: the Swagger document that clients are generated from, with the address of this installation."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Response, request

from console.api.dialects.web_v1.errors import written
from console.extensions import collaborators

PATH = "/v2/api-docs"
swagger = Blueprint("api_web_v1_document", __name__)


@swagger.get(PATH, provide_automatic_options=False)
def read() -> Response:
    """Give the document; it is for everybody."""
    return written(addressed(collaborators().settings.base_url or request.url_root))


def addressed(base_url: str) -> dict[str, Any]:
    """Give the packaged document with host, schemes and base path of *base_url*."""
    place = urlsplit(base_url)
    address = {"host": place.netloc, "basePath": place.path or "/", "schemes": [place.scheme]}
    document: dict[str, Any] = {}
    for name, value in _packaged().items():
        document[name] = address.pop(name, value)
        if name == "basePath":
            document["schemes"] = address.pop("schemes")
    return document


@cache
def _packaged() -> dict[str, Any]:
    text = files("console").joinpath("catalogue", "web_v1_swagger.json").read_text(encoding="utf-8")
    document: dict[str, Any] = json.loads(text)
    return document
