"""The documents stay true: settings and commands that exist are described, links lead somewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from console.cli import cli
from console.core.catalogue import HOOKYARD, packaged
from console.settings import Settings
from tests.documents import DOCUMENTS, ROOT, blocks

OPERATIONS = (ROOT / "docs" / "operations.md").read_text()


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_every_setting_is_described(name: str) -> None:
    assert f"| `HOOKYARD_{name.upper()}` |" in OPERATIONS


@pytest.mark.parametrize("name", sorted(set(re.findall(r"HOOKYARD_([A-Z_]+)", OPERATIONS))))
def test_every_variable_in_operations_is_a_setting(name: str) -> None:
    assert name.lower() in Settings.model_fields


@pytest.mark.parametrize(("path", "command"), list(commands(cli)), ids=[path for path, _ in commands(cli)])
def test_every_command_and_option_is_described(path: str, command: click.Command) -> None:
    family, _, verb = path.partition(" ")
    line = next((line for line in OPERATIONS.splitlines() if line.startswith(f"| `hookyard {family}")), "")

    assert verb in line
    for option in command.params:
        if isinstance(option, click.Option) and not option.hidden:
            longest = max(option.opts, key=len)
            assert f"`{longest}`" in "\n".join(
                line for line in OPERATIONS.splitlines() if line.startswith(f"| `hookyard {family}")
            ), longest


RELIABILITY = (ROOT / "docs" / "reliability.md").read_text()


@pytest.mark.parametrize("number", range(1, 21))
def test_every_row_of_the_fault_table_names_the_tests_that_inject_it(number: int) -> None:
    [row] = [line for line in RELIABILITY.splitlines() if line.startswith(f"| F{number} |")]
    files = re.findall(r"`(tests/[a-z_/]+\.py)`", row)

    assert files
    assert f"def test_f{number}_" in "".join((ROOT / file).read_text() for file in files)


def test_every_test_of_a_fault_stands_in_the_table() -> None:
    for file in (ROOT / "tests" / "faults").glob("test_*.py"):
        for number in set(re.findall(r"def test_f([0-9]+)_", file.read_text())):
            [row] = [line for line in RELIABILITY.splitlines() if line.startswith(f"| F{number} |")]
            assert f"`tests/faults/{file.name}`" in row, (number, file.name)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_relative_link_leads_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", document.read_text()):
        if "://" not in target:
            assert (document.parent / target).exists(), target


def test_no_document_speaks_of_this_machine() -> None:
    for document in DOCUMENTS:
        assert not re.search(r"(?<![A-Za-z0-9_.])/(work|root|tmp)/", document.read_text()), document.name


@pytest.mark.parametrize("document", ["README.md", "docs/getting-started.md"])
def test_installing_is_preceded_by_making_and_entering_an_environment(document: str) -> None:
    installing = [block.text for block in blocks(document) if "pip install" in block.text]

    assert installing
    for text in installing:
        assert text.startswith("python3 -m venv .venv && . .venv/bin/activate\npip install ")


def test_the_readme_has_its_two_commands() -> None:
    lines = [line for block in blocks("README.md") for line in block.text.splitlines()]

    assert "pip install . && hookyard up" in lines
    assert "pip install '.[test]' && pytest" in lines


PASTED = {
    "README.md": {
        "pip install . && hookyard up": "tests/test_packaging.py",
        "pip install '.[test]' && pytest": "tests/test_packaging.py",
        "curl": "tests/up/test_documents.py",
        "HOOKYARD_ALLOW_NETS": "tests/up/test_documents.py",
        "hookyard receiver": "tests/up/test_documents.py",
    },
    "docs/getting-started.md": {
        "pip install . && hookyard up": "tests/test_packaging.py",
        "hookyard publish": "tests/up/test_documents.py",
        "HOOKYARD_ALLOW_NETS": "tests/up/test_documents.py",
        "hookyard receiver": "tests/up/test_documents.py",
    },
    "docs/operations.md": {
        "cat > hookyard.env": "tests/up/test_recipes.py",
        "users create": "tests/up/test_recipes.py",
        "--wait": "tests/up/test_recipes.py",
    },
    "docs/maintenance.md": {
        "VACUUM INTO": "tests/up/test_recipes.py",
        "pg_dump": "tests/up/test_recipes.py",
        "pg_restore": "tests/up/test_recipes.py",
        "hookyard db check": "tests/up/test_recipes.py",
        "hookyard db copy": "tests/up/test_recipes.py",
        "rm -r .venv": "tests/up/test_recipes.py",
    },
}
"""The shell blocks of the documents by words that only one block has, and the test that pastes each."""
NOT_PASTED = {("docs/maintenance.md", "systemctl restart")}
"""Needs systemd as the first process of the machine."""


@pytest.mark.parametrize("document", sorted(PASTED))
def test_every_shell_block_is_pasted_by_a_test(document: str) -> None:
    known = {**PASTED[document], **{words: "" for one, words in NOT_PASTED if one == document}}
    for block in blocks(document):
        [(words, file)] = [(words, file) for words, file in known.items() if words in block.text]
        assert not file or f'"{words}"' in (ROOT / file).read_text(), words


@pytest.mark.parametrize("name", [packaged_type.name for packaged_type in packaged(HOOKYARD)])
def test_every_event_that_hookyard_reports_is_described(name: str) -> None:
    assert f"`{name}`" in (ROOT / "docs" / "concepts.md").read_text()


def test_the_files_that_contributors_are_shown_exist() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    places = [
        ROOT,
        ROOT / "console",
        ROOT / "console" / "services",
        ROOT / "console" / "services" / "events",
        ROOT / "workers",
    ]

    named = re.findall(r"`([a-z_./]+(?:\.(?:py|md|json)|/))`", text)

    assert len(named) > 20
    for name in named:
        assert any((place / name).exists() for place in places), name
