from __future__ import annotations

from typing import Any

import pytest

from console.core.errors import Conflict, Invalid, NotFound
from console.services.organizations import sources
from console.services.work import Work

pytestmark = pytest.mark.both_databases


def test_a_source_has_a_slug_of_its_own_in_each_organization(work: Work, ada: Any, mallory: Any) -> None:
    sources.create(work, organization_number=ada.organization.number, slug="democon", name="Demo Conference")
    sources.create(work, organization_number=mallory.organization.number, slug="democon")

    with pytest.raises(Conflict):
        sources.create(work, organization_number=ada.organization.number, slug="democon")
    assert sources.get(work, organization_number=ada.organization.number, slug="democon").name == "Demo Conference"
    assert sources.get(work, organization_number=mallory.organization.number, slug="democon").name == "democon"


@pytest.mark.parametrize("slug", ["", "demo con", "-demo", "demo/", "ä", "x" * 51])
def test_a_source_slug_is_short_and_plain(work: Work, ada: Any, slug: Any) -> None:
    with pytest.raises(Invalid):
        sources.create(work, organization_number=ada.organization.number, slug=slug)


def test_sources_are_listed_newest_first_in_pages(work: Work, ada: Any) -> None:
    for slug in ("a", "c", "b"):
        sources.create(work, organization_number=ada.organization.number, slug=slug)

    first = sources.find(work, organization_number=ada.organization.number, limit=2)
    second = sources.find(work, organization_number=ada.organization.number, before=first[-1].number)

    assert [one.slug for one in first + second] == ["b", "c", "a"]
    assert [one.slug for one in sources.all_of(work, organization_number=ada.organization.number)] == ["a", "b", "c"]


def test_an_unknown_source_is_not_found(work: Work, ada: Any) -> None:
    with pytest.raises(NotFound):
        sources.get(work, organization_number=ada.organization.number, slug="nowhere")
