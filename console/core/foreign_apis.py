"""The webhook APIs of other systems that Hookyard speaks, each switched on or off per organization.

An API that nobody has switched goes on with the first request that may use it. While it is not on, its event types,
payload format and panels do not show.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from console.core.catalogue import OMS, PRETIX, WALDUR

WEB_V1 = "web_v1"


class ApiState(StrEnum):
    """Whether an organization uses an API; AUTOMATIC: not yet, the first request that may use it switches it on."""

    AUTOMATIC = "automatic"
    ON = "on"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class ForeignApi:
    """An API of another system: *short* is its name in lists, *path* where it begins."""

    name: str
    short: str
    title: str
    path: str
    has_types: bool = True


APIS = MappingProxyType(
    {
        api.name: api
        for api in (
            ForeignApi(WALDUR, "Waldur", "Waldur hooks-web", "/api/hooks-web/"),
            ForeignApi(WEB_V1, "web/v1", "web/v1 WebhooksApi", "/api/web/v1/webhooks", has_types=False),
            ForeignApi(PRETIX, "pretix", "pretix organizer webhooks", "/api/v1/organizers/"),
            ForeignApi(OMS, "OMS", "Akinon OMS hook events", "/api/v1/oms/"),
        )
    }
)
"""All of them by name."""
