"""Every page that htmx asks a part of answers the part alone, and the whole page to everybody else."""

from __future__ import annotations

import pytest
from bs4 import BeautifulSoup

from console.models import Which
from console.services.bins import bins, catching
from console.services.organizations import sources
from console.services.replays import replays
from console.services.replays.planning import ReplayDraft

HTMX = {"HX-Request": "true"}


@pytest.fixture
def stage(scene, work, ada, token_of):
    """Something on every page."""
    scene.hook()
    (delivery,) = scene.publish()
    made = bins.create(work, organization=ada.organization, name="Mine")
    catching.catch(work, key=made.key, method="POST", path="/", headers=[], body=b"{}")
    sources.create(work, organization_number=ada.organization.number, slug="shop")
    token_of(ada)
    draft = ReplayDraft(which=Which.ALL)
    replay = replays.start(work, organization_number=ada.organization.number, draft=draft)
    return {
        "replay": replay.id,
        "delivery": delivery.id,
        "event": delivery.event.id,
        "bin": made.id,
        "hook": delivery.hook.id,
    }


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("deliveries", "#log"),
        ("hooks/{hook}/deliveries", "#log"),
        ("events", "#events"),
        ("events/types", "#groups"),
        ("events/publish", "#publish"),
        ("events/new-type", "#type"),
        ("replays", "#replays"),
        ("replays/new", "#replay"),
        ("replays/{replay}", "#progress"),
        ("bins", "#bins"),
        ("bins/{bin}", "#requests"),
        ("bins/{bin}/edit", "#answer"),
        ("settings/tokens", "#tokens"),
        ("settings/sources", "#sources"),
        ("settings/members", "#members"),
        ("settings/audit", "#audit"),
    ],
)
def test_a_part_is_rendered_alone(signed_in, ada, stage, path, part) -> None:
    browser, url = signed_in(ada), f"/o/acme/{path.format(**stage)}"

    alone, restored = (
        browser.get(url, headers=HTMX),
        browser.get(url, headers={**HTMX, "HX-History-Restore-Request": "true"}, follow_redirects=True),
    )

    assert alone.status_code == 200
    assert "<html" not in alone.text
    assert len(BeautifulSoup(alone.text, "html.parser").select(part)) == 1
    assert "HX-Request" in alone.headers["Vary"]
    assert "<html" in restored.text
