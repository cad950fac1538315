"""/tokens: make, list and end the credentials of an organization."""

from __future__ import annotations

from functools import partial
from typing import Any
from uuid import UUID

from flask import url_for

from console.api import paging, shown
from console.api.auth import organization_number, permission, principal
from console.api.blueprints import resource
from console.api.schemas.base import ListQuery
from console.api.schemas.tokens import Token, TokenPage, TokenWithText, TokenWrite
from console.core.errors import Invalid, NotFound
from console.core.permissions import Permission
from console.extensions import current_work
from console.models import Token as TokenRow
from console.services.organizations import organizations
from console.services.people import accounts
from console.services.people import tokens as cases
from console.services.work import Work

tokens = resource("tokens", about="Credentials of this API.")


@tokens.get("/tokens")
@permission(Permission.TOKENS_MANAGE)
@tokens.input(ListQuery, location="query")
@tokens.output(TokenPage)
def index(query_data: ListQuery) -> dict[str, Any]:
    """List tokens.

    Those that are not revoked: of all people, and of the organization itself.
    """
    work = current_work()
    rows = cases.find(
        work,
        organization_number=organization_number(),
        before=paging.before(query_data.cursor),
        limit=query_data.limit + 1,
    )
    return paging.page(rows, limit=query_data.limit, shown=partial(shown.token, work))


@tokens.post("/tokens")
@permission(Permission.TOKENS_MANAGE)
@tokens.input(TokenWrite)
@tokens.output(TokenWithText, 201)
def create(json_data: TokenWrite) -> tuple[TokenWithText, int, dict[str, str]]:
    """Create a token.

    It belongs to the caller's user, or to the organization with `service: true`; what a service token creates is a
    service token too. It has no more permissions than the caller's token, expires no later and is revoked with it. The
    response holds its text, this once.
    """
    if json_data.expires_at is not None and json_data.expires_in_days is not None:
        raise Invalid.field("expires_at", "Give expires_at or expires_in_days, not both.", code="ambiguous")
    work, caller = current_work(), principal()
    issued = cases.issue(
        work,
        user=accounts.get_user_by_number(work, number=caller.user.number) if caller.user else None,
        parent_number=caller.token_number,
        is_service=json_data.service,
        organization=organizations.get(work, slug=caller.organization.slug),
        permissions=json_data.permissions,
        name=json_data.name,
        expires_in_days=json_data.expires_in_days,
        expires_at=json_data.expires_at,
    )
    location = url_for(".read", token_id=issued.token.id)
    return shown.token_with_text(work, _get(work, issued.token.id), issued.text), 201, {"Location": location}


@tokens.get("/tokens/<uuid:token_id>")
@permission(Permission.TOKENS_MANAGE)
@tokens.output(Token)
def read(token_id: UUID) -> Token:
    """Read a token."""
    work = current_work()
    return shown.token(work, _get(work, token_id))


@tokens.delete("/tokens/<uuid:token_id>")
@permission(Permission.TOKENS_MANAGE)
@tokens.doc(responses={204: "The token, and the tokens that it created, are refused from this moment on."})
def revoke(token_id: UUID) -> tuple[str, int]:
    """Revoke a token."""
    work = current_work()
    cases.revoke(work, token=_get(work, token_id))
    return "", 204


def _get(work: Work, token_id: UUID) -> TokenRow:
    token = cases.get(work, organization_number=organization_number(), token_id=token_id)
    if token.revoked_at is not None:
        raise NotFound("token")
    return token
