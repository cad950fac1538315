"""The recipes for operators, pasted into a shell; only addresses and names of databases are replaced."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest
import requests
from sqlalchemy import create_engine, make_url, text

from console import migrations
from tests.databases import PostgresDatabases, postgres_programs
from tests.documents import block_with
from tests.up.shell import Shell, free_port

OPERATIONS, MAINTENANCE = "docs/operations.md", "docs/maintenance.md"


@pytest.fixture
def database(postgres_databases: PostgresDatabases) -> Iterator[str]:
    """The URL of an empty database that belongs to a role without further rights, as in production."""
    admin = make_url(postgres_databases.url)
    name = f"hookyard_{uuid4().hex[:8]}"
    engine = create_engine(admin, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE ROLE {name} LOGIN PASSWORD 'password'"))
        connection.execute(text(f"CREATE DATABASE {name} OWNER {name}"))
        yield admin.set(drivername="postgresql", username=name, password="password", database=name).render_as_string(
            hide_password=False
        )
        for one in (name, f"{name}_restored"):
            connection.execute(text(f"DROP DATABASE IF EXISTS {one} WITH (FORCE)"))
        connection.execute(text(f"DROP ROLE {name}"))
    engine.dispose()


@pytest.mark.postgres
def test_the_production_set_up_works_as_pasted(database: str, valkey: str, tmp_path: Path) -> None:
    shell, port = Shell(tmp_path), free_port()
    write, create, start = (block_with(OPERATIONS, words) for words in ("cat > hookyard.env", "users create", "--wait"))
    write = write.replace("postgresql://hookyard:password@db/hookyard", database)
    write = write.replace("redis://queue:6379/0", valkey)
    start = start.replace("8000", str(port))

    with shell.running(f"{write}{create}{start}echo Sound\nwait\n") as process:
        password = shell.line_of(process, "Sign in as ada with the password ")
        shell.line_of(process, "Sound")
        page = system_page(f"http://127.0.0.1:{port}", password=password)

    assert "None is alive" not in page
    assert "HOOKYARD_BASE_URL" in page
    assert (tmp_path / "hookyard.env").stat().st_mode & 0o777 == 0o600


def system_page(url: str, *, password: str) -> str:
    """Sign in as ada through a proxy as the recipe's settings expect it; return the System page."""
    with requests.Session() as browser:
        browser.headers.update(
            {
                "X-Forwarded-For": "198.51.100.7",
                "X-Forwarded-Proto": "https",
                "X-Forwarded-Host": "hooks.example.com",
                "Referer": "https://hooks.example.com/login",
            }
        )
        form = browser.get(f"{url}/login", timeout=20)
        token = form.text.split('name="csrf_token"', 1)[1].split('value="', 1)[1].split('"', 1)[0]
        entered = {"csrf_token": token, "login": "ada", "password": password}
        # The cookies are for https alone, and there is no proxy here that speaks it: they are carried by hand.
        held = form.cookies.get_dict()
        signed_in = browser.post(f"{url}/login", data=entered, cookies=held, timeout=20, allow_redirects=False)
        assert signed_in.status_code == 303, signed_in.text
        held |= signed_in.cookies.get_dict()
        page = browser.get(f"{url}/o/acme/settings/system", cookies=held, timeout=20, allow_redirects=False)
    assert page.status_code == 200, page.status_code
    return page.text


# --- backups --------------------------------------------------------------------------------------------------------


def test_backing_up_sqlite(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    shell.paste("hookyard db upgrade && hookyard organizations create acme")

    shell.paste(block_with(MAINTENANCE, "VACUUM INTO"))

    [backup] = tmp_path.glob("hookyard-*.sqlite3")
    with closing(sqlite3.connect(backup)) as raw:
        assert raw.execute("SELECT slug FROM organizations").fetchall() == [("acme",)]
    assert backup.stat().st_mode & 0o777 == 0o600


@pytest.mark.postgres
def test_backing_up_and_restoring_postgresql_as_a_superuser(
    database: str, postgres_databases: PostgresDatabases, tmp_path: Path
) -> None:
    name, admin = make_url(database).database or "", make_url(postgres_databases.url)
    reader = Shell(tmp_path, {"HOOKYARD_DATABASE_URL": database}, tools=postgres_programs())
    superuser = Shell(tmp_path, {"PGHOST": str(admin.query["host"]), "PGUSER": str(admin.username)}, tools=reader.tools)
    reader.paste("hookyard db upgrade && hookyard organizations create acme")

    def renamed(block: str) -> str:
        """Put the test's names in the place of the recipe's."""
        block = block.replace("postgresql://hookyard:password@db/hookyard_restored", f"'{restored}'")
        return re.sub(r"(--owner|--role)=hookyard\b", rf"\1={name}", block).replace(
            "hookyard_restored", f"{name}_restored"
        )

    restored = make_url(database).set(database=f"{name}_restored").render_as_string(hide_password=False)
    reader.paste(block_with(MAINTENANCE, "pg_dump"))
    superuser.paste(renamed(block_with(MAINTENANCE, "pg_restore")))

    checked = reader.paste(renamed(block_with(MAINTENANCE, "hookyard db check")))
    assert checked == f"The database is at {migrations.head()}, as this version needs.\n"


# --- moving and leaving ---------------------------------------------------------------------------------------------


@pytest.mark.postgres
def test_moving_from_sqlite_to_postgresql(database: str, tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    shell.paste("hookyard db upgrade && hookyard organizations create acme")
    block = block_with(MAINTENANCE, "hookyard db copy")

    copied = shell.paste(block.replace("postgresql://hookyard:password@db/hookyard", f"'{database}'"))

    assert "Copied everything to postgresql://" in copied
    assert "password" not in copied
    shell.settings["HOOKYARD_DATABASE_URL"] = database
    assert shell.paste("hookyard organizations list") == "acme\tacme\n"


def test_uninstalling_leaves_nothing(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    shell.paste("hookyard db upgrade")
    (tmp_path / ".venv").mkdir()

    shell.paste(block_with(MAINTENANCE, "rm -r .venv"))

    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == []
