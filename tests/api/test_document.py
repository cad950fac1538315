"""docs/api.md says all that the API can be asked and can answer."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from console.api.json_body import FIELD_WORDS
from tests.api.test_permissions import OPERATIONS

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
SOURCES = [*(ROOT / "console" / "api").glob("*.py"), *(ROOT / "console" / "api" / "schemas").glob("*.py")]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_operation_stands_beside_its_permission(operation):
    method, path = operation.split(" ")
    line = next(line for line in TEXT.splitlines() if f"`{path}`" in line and method in line)

    assert line.endswith(f"`{OPERATIONS[operation][0]}` |")


def test_every_code_of_the_api_is_described():
    codes = {code for source in SOURCES for code in re.findall(r'code="([a-z_]+)"', source.read_text())}
    codes |= {code for code, _ in FIELD_WORDS.values()}
    for name in ("urls", "targets", "strict_json"):
        source = (ROOT / "console" / "core" / f"{name}.py").read_text()
        codes |= set(re.findall(r'"((?:url|host|address|port|json)_[a-z_]+)"', source))

    assert {"url_scheme", "json_depth", "range", "token_missing"} <= codes
    assert [code for code in sorted(codes) if f"`{code}`" not in TEXT] == []
