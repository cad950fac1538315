"""The examples of docs/deploy stay true: every setting, command and option in them exists, and files can be read."""

from __future__ import annotations

import configparser
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import click
import pytest
import yaml

from console.cli import cli
from console.services.work import LANES
from console.settings import Settings

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "deploy"
FILES = sorted(path for path in FOLDER.rglob("*") if path.is_file())
UNITS = sorted(FOLDER.glob("systemd/*.service"))
COMPOSE = yaml.safe_load((FOLDER / "compose" / "compose.yaml").read_text())
PROGRAM = "/opt/hookyard/bin/hookyard"


def understand(words: list[str]) -> None:
    """Let the command line parse *words* without running them; an unknown command or option is an error."""
    command: click.Command = cli
    context = click.Context(cli, info_name="hookyard")
    while isinstance(command, click.Group):
        name, *words = words
        found = command.get_command(context, name)
        assert found is not None, name
        command = found
    command.make_context(command.name, list(words), parent=context)


def unit(path: Path) -> dict[str, dict[str, str]]:
    parser = configparser.ConfigParser(interpolation=None, comment_prefixes="#", delimiters="=", strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # systemd's names have capitals
    parser.read_string(path.read_text())
    return {name: dict(section) for name, section in parser.items()}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_setting_in_the_examples_exists(path: Path) -> None:
    for name in re.findall(r"HOOKYARD_([A-Z_]+)", path.read_text()):
        assert name.lower() in Settings.model_fields, name


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_units_run_commands_that_exist_and_give_them_time_to_stop(path: Path) -> None:
    service = unit(path)["Service"]
    program, *words = shlex.split(service["ExecStart"])

    assert program == PROGRAM
    understand(words)
    assert service["Restart"] == "always"
    if words[0] == "worker":
        assert int(service["TimeoutStopSec"]) >= 45


def test_there_is_a_unit_for_each_lane() -> None:
    commands = [unit(path)["Service"]["ExecStart"] for path in UNITS]

    assert sorted(line.split("--lane ")[1] for line in commands if "--lane" in line) == sorted(LANES)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not here")
def test_systemd_finds_nothing_wrong_with_the_units(tmp_path: Path) -> None:
    for path in FOLDER.glob("systemd/*.*"):
        (tmp_path / path.name).write_text(path.read_text().replace(PROGRAM, shutil.which("true") or ""))
    names = [path.name.replace("@.", "@1.") for path in UNITS] + ["hookyard.target"]

    told = subprocess.run(
        ["systemd-analyze", "verify", *names],
        env={"SYSTEMD_UNIT_PATH": f"{tmp_path}:", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert "hookyard" not in told.stderr, told.stderr


def test_containers_run_commands_that_exist_after_the_migration() -> None:
    ours = {name: one for name, one in COMPOSE["services"].items() if one.get("image") == "hookyard"}

    assert {one["command"][0] for one in ours.values()} == {"db", "web", "worker"}
    for name, one in ours.items():
        understand(one["command"])
        assert one["read_only"], name
        assert set(one["depends_on"]) <= set(COMPOSE["services"])
        if name != "migrate":
            assert one["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
    lanes = [one["command"][2] for one in ours.values() if one["command"][0] == "worker"]
    assert sorted(lanes) == sorted(LANES)


def test_the_image_is_built_from_files_that_exist_and_runs_as_nobody_special() -> None:
    lines = (FOLDER / "compose" / "Dockerfile").read_text().splitlines()
    top = FOLDER.parents[1]
    copied = [line.split()[1:-1] for line in lines if line.startswith("COPY ") and "--from" not in line]

    assert all((top / name).exists() for names in copied for name in names)
    assert "USER 10001" in lines
    [command] = [line.removeprefix("CMD ") for line in lines if line.startswith("CMD ")]
    understand(yaml.safe_load(command))
    build = COMPOSE["services"]["web"]["build"]
    assert (FOLDER / "compose" / build["context"]).resolve() == top
    assert (top / build["dockerfile"]).is_file()
