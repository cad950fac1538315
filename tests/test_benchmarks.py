"""Measurements are found: by the command that runs them and in the document that shows their figures."""

from __future__ import annotations

import ast
from pathlib import Path

from benchmarks.__main__ import MEASUREMENTS, usage

ROOT = Path(__file__).parents[1]
ALL_IN_ONE = "figures"


def test_every_measurement_is_listed_with_what_it_answers() -> None:
    with_main = {
        path.stem
        for path in (ROOT / "benchmarks").glob("[a-z]*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef) and node.name == "main" and node.args.args
    }

    assert with_main - {ALL_IN_ONE} == set(MEASUREMENTS)
    lines = usage().splitlines()[-len(MEASUREMENTS) :]
    assert [line.split()[0] for line in lines] == list(MEASUREMENTS)
    assert all(len(line.split()) > 5 for line in lines)


def test_the_document_knows_every_measurement() -> None:
    document = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")

    assert [name for name in MEASUREMENTS if f"`{name}" not in document and f"benchmarks {name}" not in document] == []
