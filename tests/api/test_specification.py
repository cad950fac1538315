"""The OpenAPI document: valid, complete, as it was when it was last looked at, and kept by the API."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from openapi_spec_validator import validate

SNAPSHOT = Path(__file__).parent / "openapi.json"
METHODS = {"get", "post", "put", "patch", "delete"}


@pytest.fixture
def document(anyone):
    response = anyone.get("/openapi.json")
    assert response.status_code == 200
    assert response.mimetype == "application/json"
    return response.get_json()


def operations(document):
    return [
        (f"{method.upper()} {path}", operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    ]


def test_the_document_is_valid_openapi_3_1(document):
    validate(document)

    assert document["openapi"].startswith("3.1.")
    assert document["servers"] == [{"url": "http://hookyard.test"}]


def test_the_document_is_as_it_was(document):
    """A change of the API shows here; when it is meant, what the API serves now is the new snapshot."""
    assert document == json.loads(SNAPSHOT.read_text(encoding="utf-8"))


def test_only_native_paths_are_described(document):
    assert all(path.startswith("/api/v1/") for path in document["paths"])
    assert not any("organizers" in path or "/oms/" in path for path in document["paths"])


def test_every_operation_says_what_it_needs_and_how_it_may_end(document):
    for name, operation in operations(document):
        assert operation["summary"], name
        assert operation["security"] == [{"token": []}, {"bearer": []}], name
        assert operation["x-permission"], name
        assert {"401", "403", "503"} <= set(operation["responses"]), name
        assert ("404" in operation["responses"]) == ("{" in name or name.startswith("DELETE ")), name
        if "requestBody" in operation:
            assert {"400", "413", "415", "422"} <= set(operation["responses"]), name
        for status, response in operation["responses"].items():
            if status[0] == "2":
                assert response["description"], name
            else:
                refusal = document["components"]["responses"][response["$ref"].rpartition("/")[2]]
                assert list(refusal["content"]) == ["application/problem+json"], name


def test_every_reference_leads_somewhere(document):
    text = json.dumps(document)
    for name in document["components"]["schemas"]:
        assert f'"#/components/schemas/{name}"' in text, f"{name} is not used"
        assert "." not in name


def test_names_of_operations_are_unique(document):
    names = [operation["operationId"] for _, operation in operations(document)]

    assert len(names) == len(set(names))


def test_what_must_be_sent_is_marked(document):
    bodies = {
        name: operation["requestBody"]["required"]
        for name, operation in operations(document)
        if "requestBody" in operation
    }

    assert bodies["POST /api/v1/hooks"]
    assert bodies["POST /api/v1/events"]
    assert not bodies["POST /api/v1/hooks/{hook_id}/test"]
    assert not bodies["POST /api/v1/hooks/{hook_id}/secret/rotate"]
