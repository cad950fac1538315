"""The OpenAPI 3.1 document at /api/v1/openapi.json: made by APIFlask from the declarations, completed here.

APIFlask 3.1.2 leaves out the media types of errors, ``requestBody.required``, the format of path parameters and every
status that is not declared, and names models inside models ``Parent.Child``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

from apiflask import APIFlask
from flask import Blueprint, Response, current_app
from pydantic import BaseModel

from console.api.blueprints import ROOT
from console.api.problems import MEDIA_TYPE
from console.api.schemas.hooks import RETRY
from console.extensions import collaborators

OPENAPI_VERSION = "3.1.0"
EXTENSION = "hookyard.specification"
"""Where the app keeps the function that gives the document, for pages that show it."""

REF = "#/components/schemas/"
METHODS = frozenset({"get", "post", "put", "patch", "delete"})
SECURITY_SCHEMES = {
    "token": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": "A token of this organization after the word Token: `Authorization: Token hy_…`.",
    },
    "bearer": {"type": "http", "scheme": "bearer", "description": "The same token as `Authorization: Bearer hy_…`."},
}
ABOUT = (
    "Publish events, manage hooks, read what was delivered. Times are RFC 3339 in UTC, ids are UUIDs; lists are newest "
    "first, in pages of up to 100 behind a cursor. Errors are RFC 9457 problem details."
)
PROBLEM = {
    "type": "object",
    "description": "What went wrong (RFC 9457).",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string", "description": "The name of the status."},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "One sentence for people."},
        "code": {"type": "string", "description": "Stable, for programs."},
        "errors": {
            "type": "array",
            "description": "One entry a wrong field; only with 422.",
            "items": {
                "type": "object",
                "required": ["detail", "pointer", "code"],
                "properties": {
                    "detail": {"type": "string"},
                    "pointer": {"type": "string", "description": "RFC 6901; of a query parameter, / and its name."},
                    "code": {"type": "string"},
                },
            },
        },
        "permission": {"type": "string", "description": "What the token lacks; only with 403."},
        "request_id": {"type": "string", "description": "What to tell the operator; only with 500."},
    },
}
PROBLEMS = {
    "400": ("NotJson", "The body is no JSON that can be taken."),
    "401": ("Unauthenticated", "No token, or one that does not work."),
    "403": ("Forbidden", "The token lacks the permission."),
    "404": ("NotFound", "There is no such object in this organization."),
    "409": ("Conflict", "The state of things does not allow it."),
    "411": ("LengthRequired", "The body does not say how long it is."),
    "413": ("TooLarge", "The body is over its limit."),
    "415": ("MediaType", "The body is not JSON, or compressed."),
    "422": ("Invalid", "Fields are wrong; errors says which."),
    "429": ("TooMany", "Asked too often; Retry-After says when to come back."),
    "503": ("Busy", "The database is busy; Retry-After says when to come back."),
}
"""How an operation may be refused: the name of the answer among the components, and what it means."""

EVERYWHERE = frozenset({"401", "403", "429", "503"})
WITH_BODY = frozenset({"400", "411", "413", "415", "422"})
CONFLICTING = frozenset({"post", "put", "patch", "delete"})

_models: dict[str, type[BaseModel]] = {}
public = Blueprint("api", __name__, url_prefix=ROOT)


def response_of(model: type[BaseModel], description: str) -> Any:
    """Document an answer that is not the usual one of its view, or that the view writes by itself."""
    _models[model.__name__] = model
    return {
        "description": description,
        "content": {"application/json": {"schema": {"$ref": f"{REF}{model.__name__}"}}},
    }


def install(app: APIFlask) -> None:
    """Configure what APIFlask writes, and serve it."""
    app.config.update(
        OPENAPI_VERSION=OPENAPI_VERSION,
        AUTO_SERVERS=False,
        AUTO_200_RESPONSE=False,
        AUTO_404_RESPONSE=False,
        AUTO_VALIDATION_ERROR_RESPONSE=False,
        AUTO_AUTH_ERROR_RESPONSE=False,
        AUTO_OPERATION_ID=True,
        SUCCESS_DESCRIPTION="Done.",
        SECURITY_SCHEMES=SECURITY_SCHEMES,
    )
    app.description = ABOUT
    app.spec_processor(complete)  # type: ignore[arg-type]  # SPEC_FORMAT is json, so it is a dict
    app.extensions[EXTENSION] = cache(lambda: _written(app))
    app.register_blueprint(public)


def _written(app: APIFlask) -> Any:
    for blueprint in app.blueprints.values():
        if not hasattr(blueprint, "enable_openapi"):  # APIFlask 3.1.2 fails on plain ones with a before_request
            blueprint.enable_openapi = False  # type: ignore[attr-defined]  # its own attribute
    return app.spec


@public.get("/openapi.json")
def read() -> Response:
    """Give the specification; it is for everybody."""
    return Response(json.dumps(current_app.extensions[EXTENSION]()), mimetype="application/json")


def complete(document: dict[str, Any]) -> dict[str, Any]:
    """Add to APIFlask's *document* what it leaves out, and take out paths that are not native."""
    document["paths"] = {path: item for path, item in sorted(document["paths"].items()) if path.startswith(f"{ROOT}/")}
    document["servers"] = [{"url": collaborators().settings.base_url or "/"}]
    schemas = document["components"]["schemas"]
    _add_models(schemas)
    for path, method, operation in operations(document):
        _complete_parameters(operation)
        _complete_body(operation, schemas)
        _complete_responses(operation, path=path, method=method)
    for schema in schemas.values():
        _tidy(schema)
    schemas |= {"Problem": PROBLEM, "Retry": RETRY}
    document["components"]["responses"] = _refusals()
    return _with_inner_names_lifted(document)


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Give every operation with its path and method."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method in METHODS:
                yield path, method, operation


def _complete_parameters(operation: dict[str, Any]) -> None:
    for parameter in operation["parameters"]:
        if parameter["in"] == "path":
            parameter["required"] = True
            if parameter["name"].endswith("_id"):
                parameter["schema"] = {"type": "string", "format": "uuid"}
        if parameter["in"] == "header":
            parameter["name"] = parameter["name"].title()
        schema = parameter["schema"]
        if "anyOf" in schema:  # absent is not null: no text of a query says null
            schema.update(schema.pop("anyOf")[0])
        if schema.get("default", ...) is None:
            del schema["default"]
        schema.pop("title", None)
        if description := schema.pop("description", None):
            parameter["description"] = description


def _complete_body(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    body = operation.get("requestBody")
    if body is not None:
        schema = body["content"]["application/json"]["schema"]
        body["required"] = bool(schemas[schema["$ref"].removeprefix(REF)].get("required"))


def _complete_responses(operation: dict[str, Any], *, path: str, method: str) -> None:
    responses = operation["responses"]
    if "201" in responses or (method == "post" and path.endswith(("/test", "/replays"))):
        for status in responses:
            responses[status]["headers"] = {"Location": {"schema": {"type": "string"}, "description": "Its address."}}
    refusals = set(EVERYWHERE)
    if "requestBody" in operation:
        refusals |= WITH_BODY
    if any(parameter["in"] == "query" for parameter in operation["parameters"]):
        refusals.add("422")
    if "{" in path or method == "delete":  # what is deleted is named in the path or in the query
        refusals.add("404")
    if method in CONFLICTING:
        refusals.add("409")
    for status in refusals:
        responses[status] = {"$ref": f"#/components/responses/{PROBLEMS[status][0]}"}
    operation["responses"] = dict(sorted(responses.items()))


def _refusals() -> dict[str, Any]:
    """Write the answers that operations refer to."""
    content = {MEDIA_TYPE: {"schema": {"$ref": f"{REF}Problem"}}}
    return {name: {"description": description, "content": content} for name, description in PROBLEMS.values()}


def _add_models(schemas: dict[str, Any]) -> None:
    """Put the models of ``response_of`` among the components, with the models inside them."""
    for name, model in _models.items():
        schema = model.model_json_schema(ref_template=f"{REF}{{model}}")
        for inner_name, inner in schema.pop("$defs", {}).items():
            schemas.setdefault(inner_name, inner)
        schemas.setdefault(name, schema)


def _tidy(schema: dict[str, Any]) -> None:
    """Take out the titles, which pydantic makes from the names, and write the retry policies once."""
    schema.pop("title", None)
    for field in schema.get("properties", {}).values():
        field.pop("title", None)
        if field.get("oneOf") == RETRY["oneOf"]:
            del field["oneOf"], field["description"]
            field["$ref"] = f"{REF}Retry"


def _with_inner_names_lifted(document: dict[str, Any]) -> dict[str, Any]:
    """Call ``Parent.Child`` just ``Child``: no two of our models share a name."""
    text = json.dumps(document)
    for name in document["components"]["schemas"]:
        text = text.replace(f'"{REF}{name}"', f'"{REF}{name.rpartition(".")[2]}"')
    lifted: dict[str, Any] = json.loads(text)
    schemas = lifted["components"]["schemas"]
    lifted["components"]["schemas"] = {name.rpartition(".")[2]: schemas[name] for name in sorted(schemas)}
    return lifted
