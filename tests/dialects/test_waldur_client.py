"""Waldur's own client for Python, as published, against a server on a socket: every function it has for these hooks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy.orm import Session

from console.core.catalogue import packaged_groups, packaged_names
from tests.dialects import waldur_models  # noqa: F401  for its effect on what follows

pytest.importorskip("waldur_api_client", reason="the client is not installed: pip install '.[test]'")

from waldur_api_client.api.hooks_web import (
    hooks_web_count,
    hooks_web_create,
    hooks_web_destroy,
    hooks_web_list,
    hooks_web_partial_update,
    hooks_web_retrieve,
    hooks_web_update,
)
from waldur_api_client.client import AuthenticatedClient
from waldur_api_client.errors import UnexpectedStatus
from waldur_api_client.models.event_groups_enum import EventGroupsEnum
from waldur_api_client.models.event_types_enum import EventTypesEnum
from waldur_api_client.models.patched_web_hook_request import PatchedWebHookRequest
from waldur_api_client.models.web_hook_content_type_enum import WebHookContentTypeEnum
from waldur_api_client.models.web_hook_content_type_enum_1 import WebHookContentTypeEnum1
from waldur_api_client.models.web_hook_request import WebHookRequest

URL = "https://receiver.example.com/hook"
SSH = [EventTypesEnum.SSH_KEY_CREATION_SUCCEEDED, EventTypesEnum.SSH_KEY_DELETION_SUCCEEDED]


@pytest.fixture
def client_of(address: str, token_of: Callable[..., str], session: Session) -> Callable[..., AuthenticatedClient]:
    """Make the client of a person."""

    def make(person: Any, *permissions: str) -> AuthenticatedClient:
        token = token_of(person, *permissions)
        session.commit()  # the test's own transaction would keep the app's waiting
        return AuthenticatedClient(base_url=address, token=token)

    return make


@pytest.fixture
def client(client_of: Callable[..., AuthenticatedClient], ada: Any) -> Iterator[AuthenticatedClient]:
    """The client of Ada, admin of acme."""
    with client_of(ada) as client:
        yield client


def make(client: AuthenticatedClient, **fields: Any) -> Any:
    return hooks_web_create.sync(client=client, body=WebHookRequest(**({"destination_url": URL} | fields)))


@pytest.mark.both_databases
def test_the_client_makes_reads_changes_and_deletes_a_hook(client: AuthenticatedClient, ada: Any) -> None:
    made = make(client, event_groups=[EventGroupsEnum.SSH])
    assert (made.destination_url, made.event_types, made.event_groups) == (URL, SSH, [EventGroupsEnum.SSH])
    assert (made.author_uuid, made.author_username, made.author_email) == (ada.user.id, "ada", "ada@example.com")
    assert (made.hook_type, made.is_active, made.content_type) == ("webhook", True, WebHookContentTypeEnum.JSON)
    assert made.created == made.modified == datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
    assert made.additional_properties == {}

    read = hooks_web_retrieve.sync(uuid=made.uuid, client=client)
    assert read == made

    patch = PatchedWebHookRequest(event_types=[EventTypesEnum.CUSTOMER_UPDATE_SUCCEEDED], is_active=False)
    patched = hooks_web_partial_update.sync(uuid=made.uuid, client=client, body=patch)
    assert (patched.event_types, patched.event_groups) == (patch.event_types, [EventGroupsEnum.SSH])
    assert patched.is_active is False

    put = WebHookRequest(destination_url=f"{URL}/2", content_type=WebHookContentTypeEnum.FORM)
    updated = hooks_web_update.sync(uuid=made.uuid, client=client, body=put)
    assert (updated.destination_url, updated.content_type) == (f"{URL}/2", WebHookContentTypeEnum.FORM)
    assert (updated.event_types, updated.is_active) == (patch.event_types, False)

    assert hooks_web_destroy.sync_detailed(uuid=made.uuid, client=client).status_code == 204
    with pytest.raises(UnexpectedStatus, match="404"):
        hooks_web_retrieve.sync(uuid=made.uuid, client=client)


def test_the_documents_examples_run_as_they_are_written(client: AuthenticatedClient) -> None:
    made = make(client)  # the URL alone
    nothing = hooks_web_partial_update.sync(uuid=made.uuid, client=client, body=PatchedWebHookRequest())
    same = hooks_web_update.sync(uuid=made.uuid, client=client, body=WebHookRequest(destination_url=URL))

    assert (made.event_types, made.event_groups) == ([], [])
    assert nothing == same == made
    assert list(hooks_web_list.sync(client=client)) == [made]


def test_the_client_reads_every_page_of_more_than_a_hundred_hooks(client: AuthenticatedClient) -> None:
    made = [make(client, destination_url=f"{URL}/{number},x").uuid for number in range(205)]

    found = hooks_web_list.sync_all(client=client)
    found_async = asyncio.run(_all(client))

    assert [hook.uuid for hook in found] == made[::-1]
    assert found_async == found
    assert hooks_web_count.sync(client=client) == 205
    assert len(hooks_web_list.sync(client=client)) == 10
    assert [hook.uuid for hook in hooks_web_list.sync(client=client, page=3, page_size=2)] == made[-5:-7:-1]
    assert len(hooks_web_list.sync(client=client, page_size=300)) == 205


async def _all(client: AuthenticatedClient) -> list[Any]:
    fresh = AuthenticatedClient(base_url=client._base_url, token=client.token)
    async with fresh:
        return await hooks_web_list.asyncio_all(client=fresh)


def test_the_client_filters_by_everything_it_can_ask_for(client: AuthenticatedClient, ada: Any) -> None:
    wanted = make(client, destination_url="https://example.com/a,b?c=d", content_type=WebHookContentTypeEnum.FORM)
    make(client, is_active=False)
    matching = {
        "author_email": "ada@example.com",
        "author_fullname": "aD",
        "author_username": "ada",
        "author_uuid": ada.user.id,
        "content_type": WebHookContentTypeEnum1.VALUE_2,
        "destination_url": wanted.destination_url,
        "is_active": True,
        "query": "example.com",
    }

    assert hooks_web_list.sync(client=client, **matching) == [wanted]
    assert hooks_web_list.sync_all(client=client, **matching) == [wanted]
    assert hooks_web_count.sync(client=client, **matching) == 1
    for name, other in {
        "author_uuid": uuid4(),
        "content_type": WebHookContentTypeEnum1.VALUE_1,
        "destination_url": "https://example.com/a",
        "is_active": False,
        "last_published": datetime(2026, 11, 21, 23, 10, 1, 44605, tzinfo=UTC),
        "query": "nobody",
    }.items():
        assert hooks_web_count.sync(client=client, **(matching | {name: other})) == 0, name


def test_the_asynchronous_functions_do_the_same(client_of: Callable[..., AuthenticatedClient], ada: Any) -> None:
    async def session() -> None:
        async with client_of(ada) as client:
            made = await hooks_web_create.asyncio(client=client, body=WebHookRequest(destination_url=URL))
            assert await hooks_web_retrieve.asyncio(uuid=made.uuid, client=client) == made
            assert await hooks_web_list.asyncio(client=client) == [made]
            assert await hooks_web_list.asyncio_all(client=client) == [made]
            assert await hooks_web_count.asyncio(client=client) == 1
            patch = PatchedWebHookRequest(event_types=SSH)
            patched = await hooks_web_partial_update.asyncio(uuid=made.uuid, client=client, body=patch)
            assert patched.event_types == SSH
            put = WebHookRequest(destination_url=f"{URL}/2")
            updated = await hooks_web_update.asyncio(uuid=made.uuid, client=client, body=put)
            assert updated.destination_url == f"{URL}/2"
            await hooks_web_destroy.asyncio_detailed(uuid=made.uuid, client=client)
            assert await hooks_web_count.asyncio(client=client) == 0

    asyncio.run(session())


def test_the_client_knows_every_type_and_group_that_is_shown_to_it(client: AuthenticatedClient) -> None:
    groups = [EventGroupsEnum(name) for name in sorted(packaged_groups("waldur"))]

    made = make(client, event_groups=groups, event_types=[EventTypesEnum(name) for name in packaged_names("waldur")])

    assert set(made.event_groups) == set(groups)
    assert len(made.event_types) == 388


def test_the_client_is_told_why_it_may_not(client_of: Callable[..., AuthenticatedClient], ada: Any, ed: Any) -> None:
    with client_of(ada) as client:
        of_ada = make(client)

    with client_of(ed, "WEBHOOKS:VIEW") as client:
        with pytest.raises(UnexpectedStatus, match="403"):
            make(client)
        with pytest.raises(UnexpectedStatus, match="404"):
            hooks_web_retrieve.sync(uuid=of_ada.uuid, client=client)
        assert hooks_web_list.sync(client=client) == []
    with (
        AuthenticatedClient(base_url=client._base_url, token="nonsense") as stranger,
        pytest.raises(UnexpectedStatus, match="401"),
    ):
        hooks_web_list.sync(client=stranger)


def test_a_wrong_field_reaches_the_client_with_its_words(client: AuthenticatedClient) -> None:
    with pytest.raises(UnexpectedStatus) as raised:
        make(client, destination_url="INVALID_URL")

    assert raised.value.content == b'{"destination_url":["Enter a valid URL."]}'


def test_the_address_in_a_hook_is_where_it_is_read(client: AuthenticatedClient) -> None:
    made = make(client)

    answer = client.get_httpx_client().get(made.url)

    assert (answer.status_code, UUID(answer.json()["uuid"])) == (200, made.uuid)
