from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from sqlalchemy import create_engine, text

Run = Callable[..., Result]


@pytest.fixture
def acme(installed: Run) -> Run:
    installed("organizations", "create", "acme")
    return installed


def payloads(data: Path) -> list[bytes]:
    engine = create_engine(f"sqlite:///{data / 'hookyard.sqlite3'}")
    with engine.connect() as connection:
        rows = [bytes(row.payload) for row in connection.execute(text("SELECT payload FROM events ORDER BY number"))]
    engine.dispose()
    return rows


def test_the_only_organization_need_not_be_named(acme: Run) -> None:
    published = acme("publish", "order.paid", "--data", '{"code": "ABC"}')

    assert published.exit_code == 0
    assert published.output.startswith("Published order.paid as ")
    assert published.output.endswith(": 0 deliveries.\n")


def test_a_payload_is_taken_as_it_is_from_a_file_or_standard_input(acme: Run, data: Path, tmp_path: Path) -> None:
    (tmp_path / "order.json").write_bytes(b'{ "b":1,\n"a": 2.50 }')

    acme("publish", "order.paid", "--data", f"@{tmp_path / 'order.json'}")
    acme("publish", "order.paid", "--data", "-", stdin=b'["\xc3\xa4"]')

    assert payloads(data) == [b'{ "b":1,\n"a": 2.50 }', b'["\xc3\xa4"]']


def test_the_same_id_and_content_are_published_once(acme: Run, data: Path) -> None:
    words = ("publish", "order.paid", "--data", "{}", "--id", "order-1", "--quiet")

    assert acme(*words).output == acme(*words).output
    assert len(payloads(data)) == 1


def test_the_same_id_with_other_content_is_refused(acme: Run) -> None:
    acme("publish", "order.paid", "--data", "{}", "--id", "order-1")

    again = acme("publish", "order.paid", "--data", "[]", "--id", "order-1")

    assert again.exit_code == 1
    assert again.stderr.startswith("Error: ")


@pytest.mark.parametrize("data_option", ["{", "NaN", '{"a": 1, "a": 2}', "@/nowhere.json"])
def test_what_is_no_payload_is_refused_before_anything_is_opened(hookyard: Run, data_option: str) -> None:
    refused = hookyard("publish", "order.paid", "--data", data_option)

    assert refused.exit_code == 2
    assert "Invalid value for --data" in refused.stderr


def test_several_organizations_must_be_chosen_from(acme: Run) -> None:
    acme("organizations", "create", "elsewhere")

    published = acme("publish", "order.paid", "--data", "{}")

    assert published.exit_code == 2
    assert "there are: acme, elsewhere." in published.stderr


def test_an_event_says_what_it_is_about(acme: Run, data: Path) -> None:
    published = acme("publish", "order.paid", "--data", "{}", "--object", "order:17:b")

    assert published.exit_code == 0
    engine = create_engine(f"sqlite:///{data / 'hookyard.sqlite3'}")
    with engine.connect() as connection:
        assert connection.execute(text("SELECT object_model, object_pk FROM events")).one() == ("order", "17:b")
    engine.dispose()


@pytest.mark.parametrize("about", ["order", "order:", ":17"])
def test_an_object_without_model_or_key_is_refused(acme: Run, about: str) -> None:
    refused = acme("publish", "order.paid", "--data", "{}", "--object", about)

    assert refused.exit_code == 2
    assert "Give a model and a key, such as order:17." in refused.stderr


def test_an_unknown_source_is_refused(acme: Run) -> None:
    published = acme("publish", "order.paid", "--data", "{}", "--source", "shop")

    assert published.exit_code == 1
    assert published.stderr == "Error: source: There is no source shop; create it first.\n"


def test_without_a_database_the_way_out_is_named(hookyard: Run, data: Path) -> None:
    published = hookyard("publish", "order.paid", "--data", "{}")

    assert published.exit_code == 1
    assert "run `hookyard db upgrade`, or `hookyard up`" in published.stderr
    assert not data.exists()
