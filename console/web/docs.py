"""/docs/api: the reference of the JSON API, rendered from its specification; public, within the console's shell."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from flask import Blueprint, Response, current_app, g

from console.extensions import current_work
from console.services.people import members
from console.web import access, home, hx

pages = Blueprint("docs", __name__)

SPECIFICATION = "hookyard.specification"
"""Where the API keeps the function that gives its OpenAPI document."""

REFERENCE = "hookyard.reference"
SHOWN_FIRST = ("Hooks", "Events", "Deliveries")
ORDER = {"get": 0, "post": 1, "put": 2, "patch": 3, "delete": 4}


@dataclass(frozen=True, slots=True)
class Kind:
    """The type of a value in words; *objects* names the objects it is made of, which have a table of their own."""

    words: str
    objects: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter, or a field of an object. *default* is JSON text, empty when there is none."""

    name: str
    kind: Kind
    is_required: bool
    default: str
    about: str


@dataclass(frozen=True, slots=True)
class Answer:
    """One way for an operation to end; *kind* is what the body holds, None without a body."""

    status: str
    about: str
    kind: Kind | None


@dataclass(frozen=True, slots=True)
class Operation:
    """A verb on a path. *body* names the object that is sent; *example* is such an object as JSON text."""

    id: str
    method: str
    path: str
    summary: str
    about: str
    permission: str
    parameters: tuple[Field, ...]
    body: str
    example: str
    answers: tuple[Answer, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """The operations of a resource."""

    name: str
    about: str
    operations: tuple[Operation, ...]


@dataclass(frozen=True, slots=True)
class Shape:
    """An object that goes in or out, field by field; *choices* instead of fields for a list of words."""

    name: str
    about: str
    fields: tuple[Field, ...]
    choices: tuple[str, ...]
    variants: tuple[Shape, ...]


@dataclass(frozen=True, slots=True)
class Reference:
    """The whole page."""

    about: str
    server: str
    sections: tuple[Section, ...]
    shapes: tuple[Shape, ...]


@pages.get("/docs/api")
def api() -> Response:
    """Show the reference, with the navigation of the organization that was looked at last."""
    someone = access.person()
    organization = home.last_organization(someone.user) if someone else None
    if someone is not None and organization is not None:
        permissions = members.permissions_of(current_work(), user=someone.user, organization_number=organization.number)
        g.organization_slug, g.place = organization.slug, access.Place(organization, permissions)
    return hx.page("docs_api.html", reference=reference(), organization=organization)


def reference() -> Reference:
    """Give the page's content, made once from the specification of the running app."""
    if REFERENCE not in current_app.extensions:
        current_app.extensions[REFERENCE] = read(current_app.extensions[SPECIFICATION]())
    return cast("Reference", current_app.extensions[REFERENCE])


def read(document: Mapping[str, Any]) -> Reference:
    """Turn an OpenAPI document into what the page shows."""
    operations = list(_operations(document))
    tags = sorted(document["tags"], key=lambda tag: (tag["name"] not in SHOWN_FIRST, document["tags"].index(tag)))
    return Reference(
        about=document["info"]["description"],
        server=document["servers"][0]["url"].rstrip("/"),
        sections=tuple(
            Section(tag["name"], tag["description"], tuple(one for name, one in operations if name == tag["name"]))
            for tag in tags
        ),
        shapes=tuple(_shape(name, schema) for name, schema in sorted(document["components"]["schemas"].items())),
    )


def _operations(document: Mapping[str, Any]) -> Iterator[tuple[str, Operation]]:
    schemas = document["components"]["schemas"]
    for path, item in document["paths"].items():
        for method, operation in sorted(item.items(), key=lambda pair: ORDER[pair[0]]):
            body = _body_of(operation)
            yield (
                operation["tags"][0],
                Operation(
                    id=operation["operationId"],
                    method=method.upper(),
                    path=path,
                    summary=operation["summary"].rstrip("."),
                    about=operation.get("description", ""),
                    permission=operation["x-permission"],
                    parameters=tuple(
                        _field(one["name"], one["schema"] | one, is_required=one.get("required", False))
                        for one in operation["parameters"]
                        if one["in"] != "path"  # the path shows it
                    ),
                    body=body,
                    example=_pretty(schemas[body].get("examples", [""])[0]) if body else "",
                    answers=tuple(_answers(operation, document["components"]["responses"])),
                ),
            )


def _body_of(operation: Mapping[str, Any]) -> str:
    if "requestBody" not in operation:
        return ""
    return _name(operation["requestBody"]["content"]["application/json"]["schema"]["$ref"])


def _answers(operation: Mapping[str, Any], refusals: Mapping[str, Any]) -> Iterator[Answer]:
    for status, response in operation["responses"].items():
        whole = refusals[_name(response["$ref"])] if "$ref" in response else response
        content = next(iter(whole.get("content", {}).values()), None)
        yield Answer(status, whole["description"], _kind(content["schema"]) if content else None)


def _shape(name: str, schema: Mapping[str, Any]) -> Shape:
    required = schema.get("required", ())
    return Shape(
        name=name,
        about=schema.get("description", ""),
        fields=tuple(
            _field(field, inner, is_required=field in required) for field, inner in schema.get("properties", {}).items()
        ),
        choices=tuple(schema.get("enum", ())),
        variants=tuple(_shape(one["title"], one) for one in schema.get("oneOf", ()) if "title" in one),
    )


def _field(name: str, schema: Mapping[str, Any], *, is_required: bool) -> Field:
    default = schema.get("default", "")
    return Field(
        name=name,
        kind=_kind(schema),
        is_required=is_required,
        default="" if default == "" else json.dumps(default),
        about=schema.get("description", ""),
    )


def _kind(schema: Mapping[str, Any]) -> Kind:
    """Say in words what values *schema* allows."""
    if "$ref" in schema:
        return Kind(_name(schema["$ref"]), (_name(schema["$ref"]),))
    if "const" in schema or "enum" in schema:
        return Kind(" or ".join(schema["enum"]) if "enum" in schema else json.dumps(schema["const"]))
    types = schema.get("type", "any JSON")
    choices = schema.get("anyOf") or schema.get("oneOf")
    if isinstance(types, list):
        choices = [{**schema, "type": one} for one in types]
    if choices:
        kinds = [_kind(one) for one in choices]
        return Kind(" or ".join(kind.words for kind in kinds), tuple(one for kind in kinds for one in kind.objects))
    if types == "array":
        items = _kind(schema.get("items", {}))
        return Kind(f"list of {items.words}", items.objects)
    return Kind(_words(types, schema))


def _words(kind: str, schema: Mapping[str, Any]) -> str:
    if kind == "string":
        return {"date-time": "time", "uuid": "id"}.get(schema.get("format", ""), "text")
    if kind == "object" and "additionalProperties" in schema and schema["additionalProperties"] is not True:
        return f"object of {_kind(schema['additionalProperties'] or {}).words}"
    words = {"integer": "whole number"}.get(kind, kind)
    if kind == "null" or "minimum" not in schema:
        return words
    return f"{words} from {schema['minimum']:.10g} to {schema['maximum']:.10g}"


def _name(reference: str) -> str:
    return reference.rpartition("/")[2]


def _pretty(example: object) -> str:
    return json.dumps(example, indent=2) if example else ""
