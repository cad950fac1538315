"""Waldur's client for JavaScript: each call of its samples, as they are written but for host, token and uuid.

The client is generated, by ``openapi-ts`` with its fetch client; here the same generator makes it from what the samples
say of the API. It stays out of the repository: it is made anew in a folder of the test.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

PACKAGES = ("@hey-api/openapi-ts@0.97.3", "typescript@5.9.3")
SETTINGS = """
export default {
  input: "document.json",
  output: { path: "client", importFileExtension: ".js" },
  plugins: ["@hey-api/sdk", { name: "@hey-api/client-fetch", throwOnError: true }, "@hey-api/typescript"],
};
"""
MANIFEST = {
    "name": "waldur-js-client",
    "type": "module",
    "exports": {".": "./index.js", "./client.gen": "./client.gen.js"},
}
TARGET = "https://api.example.com/api/destination-url/a1b2c3d4-e5f6-7890-abcd-ef1234567890/"
OPERATIONS = {
    "/api/hooks-web/": {"get": "hooks_web_list", "post": "hooks_web_create"},
    "/api/hooks-web/{uuid}/": {
        "get": "hooks_web_retrieve",
        "put": "hooks_web_update",
        "patch": "hooks_web_partial_update",
        "delete": "hooks_web_destroy",
    },
}
SAMPLE = """
import {{ client }} from 'waldur-js-client/client.gen';
import {{ {function} }} from 'waldur-js-client';

client.setConfig({{ baseUrl: {address} }});
try {{
  const response = await {function}({options});
  console.log(JSON.stringify({{ status: response.response.status, data: response.data }}));
}} catch (error) {{
  console.log(JSON.stringify({{ error }}));
}}
"""


def document() -> dict[str, Any]:
    """Say in OpenAPI what the samples need to know."""
    any_object = {"content": {"application/json": {"schema": {"type": "object"}}}}
    uuid = {"name": "uuid", "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}}

    def operation(name: str, *, path: str, method: str) -> dict[str, Any]:
        return {
            "operationId": name,
            "security": [{"tokenAuth": []}],
            "parameters": [uuid] if "{uuid}" in path else [],
            "responses": {"default": {"description": "", **any_object}},
            **({"requestBody": any_object} if method in {"post", "put", "patch"} else {}),
        }

    return {
        "openapi": "3.0.3",
        "info": {"title": "Hooks", "version": "1"},
        "components": {"securitySchemes": {"tokenAuth": {"type": "apiKey", "in": "header", "name": "Authorization"}}},
        "paths": {
            path: {method: operation(name, path=path, method=method) for method, name in methods.items()}
            for path, methods in OPERATIONS.items()
        },
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder in which ``waldur-js-client`` can be imported."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("the client needs Node.js with npm, and these were not found")
    (tmp_path / "package.json").write_text('{"private": true, "type": "module"}')
    install = ["npm", "install", "--no-audit", "--no-fund", "--fetch-retries=0", *PACKAGES]
    done = subprocess.run(install, cwd=tmp_path, capture_output=True, timeout=120, check=False)
    if done.returncode:
        pytest.skip("the generator of the client could not be had from the npm registry")
    (tmp_path / "document.json").write_text(json.dumps(document()))
    (tmp_path / "openapi-ts.config.mjs").write_text(SETTINGS)
    _run(tmp_path, "node_modules/.bin/openapi-ts")
    package = tmp_path / "node_modules" / "waldur-js-client"
    to_modules = ["--module", "esnext", "--moduleResolution", "bundler", "--target", "es2022", "--skipLibCheck"]
    _run(tmp_path, "node_modules/.bin/tsc", "client/index.ts", *to_modules, "--outDir", str(package))
    (package / "package.json").write_text(json.dumps(MANIFEST))
    return tmp_path


def _run(folder: Path, *command: str) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def call(
    folder: Path, address: str, token_of: Callable[..., str], ada: Any, session: Session
) -> Callable[..., dict[str, Any]]:
    """Run a sample; give the status and the data that its client gives, or its error."""
    token = token_of(ada)
    session.commit()  # the test's own transaction would keep the app's waiting

    def run(function: str, **options: Any) -> dict[str, Any]:
        given = json.dumps({"auth": f"Token {token}", **options}, indent=2)
        script = folder / "sample.mjs"
        script.write_text(SAMPLE.format(function=function, options=given, address=json.dumps(address)))
        done = subprocess.run(["node", script], capture_output=True, text=True, timeout=30, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        said: dict[str, Any] = json.loads(done.stdout)
        return said

    return run


def test_every_sample_of_the_document_runs(call: Callable[..., dict[str, Any]]) -> None:
    created = call("hooksWebCreate", body={"destination_url": TARGET})
    hook = created["data"]
    path = {"uuid": hook["uuid"]}

    assert (created["status"], len(hook), hook["destination_url"]) == (201, 14, TARGET)
    assert call("hooksWebList") == {"status": 200, "data": [hook]}
    assert call("hooksWebRetrieve", path=path) == {"status": 200, "data": hook}
    updated = call("hooksWebUpdate", path=path, body={"destination_url": TARGET})
    assert updated == {"status": 200, "data": {**hook, "modified": updated["data"]["modified"]}}
    patched = call("hooksWebPartialUpdate", path=path)
    assert patched == {"status": 200, "data": {**hook, "modified": patched["data"]["modified"]}}
    assert call("hooksWebDestroy", path=path)["status"] == 204
    assert call("hooksWebRetrieve", path=path) == {"error": {"detail": "No WebHook matches the given query."}}
    assert call("hooksWebList") == {"status": 200, "data": []}
