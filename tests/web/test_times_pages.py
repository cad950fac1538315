"""Times that people write into filters, and times in addresses that they share."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.web.soup import soup_of

HTMX = {"HX-Request": "true"}
LISTS = ("deliveries", "events", "settings/audit", "replays/new")
ENDS = {"America/New_York": "9999-12-31T23:59", "Asia/Tokyo": "0001-01-01T00:00"}


@pytest.fixture
def reader(signed_in: Callable[[Any], Any]) -> Callable[[Any, str], Any]:
    """Give a browser of somebody who lives in a zone: ``reader(ada, "Asia/Tokyo")``."""

    def sign_in(person: Any, zone: str) -> Any:
        browser = signed_in(person)
        assert browser.submit("/account/time-zone", {"time_zone": zone}).status_code == 303
        return browser

    return sign_in


@pytest.mark.both_databases
@pytest.mark.parametrize("name", ["since", "from", "until"])
@pytest.mark.parametrize("zone", ENDS)
@pytest.mark.parametrize("path", LISTS)
def test_a_time_at_the_end_of_the_calendar_is_an_error_of_its_field(reader, ada, path, zone, name) -> None:
    browser = reader(ada, zone)

    for end in ENDS.values():
        for offset in ("", "Z", "%2B14:00", "-12:00"):
            for headers in ({}, HTMX):
                url = f"/o/acme/{path}?{name}={end}{offset}"
                answer = browser.get(url, headers=headers, follow_redirects=True)
                assert answer.status_code == 422, url
                assert "years 2 to 9998" in answer.text


@pytest.mark.parametrize("zone", ENDS)
def test_a_replay_of_a_time_at_the_end_of_the_calendar_shows_the_form_with_the_error(reader, ada, zone) -> None:
    browser = reader(ada, zone)

    for end in ENDS.values():
        answer = browser.submit("/o/acme/replays", {"which": "all", "since": "exact", "from": end})
        shown = browser.get(answer.headers["Location"], follow_redirects=True)
        assert (answer.status_code, shown.status_code) == (303, 422)


@pytest.mark.parametrize("path", LISTS)
def test_a_time_without_an_offset_is_sent_on_to_the_address_that_carries_one(reader, ada, path) -> None:
    browser = reader(ada, "Asia/Tokyo")

    answer = browser.get(f"/o/acme/{path}?since=&from=2026-11-22T09:30&until=2026-11-22T18:00")

    query = parse_qs(urlsplit(answer.headers["Location"]).query)
    assert (query["from"], query["until"]) == (["2026-11-22T00:30Z"], ["2026-11-22T09:00Z"])


def test_a_shared_link_is_the_same_time_for_a_reader_in_another_zone(reader, ada, ed) -> None:
    in_tokyo, in_new_york = reader(ada, "Asia/Tokyo"), reader(ed, "America/New_York")
    link = in_tokyo.get("/o/acme/deliveries?from=2026-11-22T09:30").headers["Location"]

    assert in_tokyo.see(link).select_one("#filter-from")["value"] == "2026-11-22T09:30"
    page = in_new_york.see(link)
    assert page.select_one("#filter-from")["value"] == "2026-11-21T19:30"
    assert "21 Nov 2026 19:30" in page.select_one(".chips").get_text()


@pytest.mark.parametrize("path", ["deliveries", "events", "settings/audit"])
def test_every_address_in_the_answer_to_htmx_carries_an_offset(reader, ada, scene, path) -> None:
    scene.hook()
    scene.publish()
    browser = reader(ada, "Asia/Tokyo")

    answer = browser.get(f"/o/acme/{path}?from=2026-01-01T09:30", headers=HTMX)

    assert "from=2026-01-01T00%3A30Z" in answer.headers["HX-Push-Url"]
    soup = soup_of(answer)
    links = [str(tag.get(name, "")) for tag in soup.find_all() for name in ("href", "hx-get", "value")]
    times = [found for link in links for found in re.findall(r"from=([^&]*)", link)]
    assert {time for time in times if not time.endswith("Z")} == set()


def test_an_offset_whose_plus_was_not_encoded_is_understood(reader, ada) -> None:
    page = reader(ada, "UTC").see("/o/acme/events?since=2026-11-22T09:30+01:00")

    assert "22 Nov 2026 08:30" in page.select_one(".chips").get_text()


def test_seconds_of_a_link_stay_when_the_form_is_sent_again(reader, ada) -> None:
    page = reader(ada, "Asia/Tokyo").see("/o/acme/deliveries?from=2026-11-22T00:30:15Z")

    assert page.select_one("#filter-from")["value"] == "2026-11-22T09:30:15"
