from __future__ import annotations

from typing import Any

import pytest

from console.core.catalogue import all_packaged
from console.core.errors import Conflict, Invalid, NotFound
from console.services.event_types import catalogue
from console.services.organizations import organizations
from console.services.work import Work

pytestmark = pytest.mark.both_databases


# --- organizations ---------------------------------------------------------------------------------------------------


def test_a_new_organization_has_the_packaged_catalogue(work: Work) -> None:
    organization = organizations.create(work, slug="acme", name="Acme")

    names = catalogue.known_names(work, organization_number=organization.number)

    assert names == {packaged.name for packaged in all_packaged()}


def test_an_organization_without_a_name_is_called_by_its_slug(work: Work) -> None:
    assert organizations.create(work, slug="acme").name == "acme"


@pytest.mark.parametrize("slug", ["", "Acme", "acme corp", "-acme", "acme-", "ämter", "a" * 51, "a/b", "acme\n"])
def test_a_slug_is_short_and_plain(work: Work, slug: Any) -> None:
    with pytest.raises(Invalid) as caught:
        organizations.create(work, slug=slug)

    assert caught.value.fields[0].pointer == "/organization_slug"


def test_a_slug_is_given_once(work: Work) -> None:
    organizations.create(work, slug="acme")

    with pytest.raises(Conflict):
        organizations.create(work, slug="acme")

    assert len(organizations.find(work)) == 1


def test_an_unknown_organization_is_not_found(work: Work) -> None:
    with pytest.raises(NotFound):
        organizations.get(work, slug="nowhere")


def test_an_organization_is_renamed_and_keeps_its_slug(work: Work, ada: Any) -> None:
    organizations.rename(work, organization=ada.organization, name=" Acme Corporation ")

    assert (ada.organization.slug, ada.organization.name) == ("acme", "Acme Corporation")
    with pytest.raises(Invalid):
        organizations.rename(work, organization=ada.organization, name=" ")
