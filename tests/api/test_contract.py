"""Schemathesis against the app itself: whatever is sent, the answer is one that the document describes."""

from __future__ import annotations

import json
from pathlib import Path
from zlib import crc32

import pytest
from hypothesis import HealthCheck, settings

pytestmark = pytest.mark.slow  # thousands of requests
HERE = Path(__file__).parent
DOCUMENT = HERE / "openapi.json"
PATHS = json.loads(DOCUMENT.read_bytes())["paths"]
OPERATIONS = [f"{verb.upper()} {path}" for path, item in PATHS.items() for verb in item if verb != "parameters"]
EXAMPLES = settings().max_examples // 10
"""Beside those that schemathesis derives from the document: each bound, each missing and each surplus field."""


@pytest.fixture
def ids(ada_api):
    """An object of each kind, whose ids are put into every other address."""
    hook = ada_api.make_hook()
    event = ada_api.publish()
    ada_api.post("/sources", json={"slug": "shop"})
    ada_api.post("/event-types", json={"name": "our.own"})
    token = ada_api.post("/tokens", json={"permissions": ["EVENTS:VIEW"]}).get_json()
    return {
        "hook_id": hook["id"],
        "event_id": event["id"],
        "delivery_id": ada_api.only_delivery()["id"],
        "token_id": token["id"],
        "replay_id": ada_api.post("/replays", json={"which": "all"}).get_json()["id"],
        "name": "our.own",
        "slug": "shop",
    }


@pytest.fixture(scope="module")
def document():
    import schemathesis  # not above: every process collects this file, and it takes a second to import
    from schemathesis.config import SchemathesisConfig

    config = SchemathesisConfig.from_path(HERE.parents[1] / "schemathesis.toml")
    return schemathesis.openapi.from_path(DOCUMENT, config=config)


@pytest.fixture
def schema(document, app):
    """The document, and who answers."""
    document.app = app
    return document


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_answer_is_one_that_is_described(request, operation):
    from schemathesis.pytest import from_fixture

    # Schemathesis would collect one test for each operation, and take two seconds in every process to prepare them.
    request.node._nodeid = request.node.nodeid  # where it looks for it; pytest 9.1 keeps it elsewhere
    from_fixture("schema").include(name=operation).parametrize()(ask)(request=request)


@settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
def ask(case, ada_api, ids):
    if case.path_parameters and crc32(repr(case.body).encode()) % 2:
        case.path_parameters = {name: ids[name] for name in case.path_parameters}
    if isinstance(case.query, dict) and case.operation.label.endswith("/test"):
        case.query.pop("wait", None)  # nobody delivers here, so it would only take time

    case.call_and_validate(base_url="http://hookyard.test", headers={"Authorization": f"Token {ada_api.token}"})
