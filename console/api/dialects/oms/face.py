"""The dialect itself: its paths, its codes, and which hooks it shows to whom."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from console.api.dialects import drf
from console.api.dialects.drf import ErrorAnswer
from console.api.dialects.drf.dialect import View
from console.core.catalogue import OMS, packaged
from console.core.errors import NotFound
from console.core.patterns import is_pattern
from console.core.permissions import Permission
from console.models import Hook
from console.services.dialects import dialect_hooks, oms_hooks
from console.services.dialects.dialect_hooks import HooksWanted
from console.services.event_types import catalogue
from console.services.work import Work

ROOT = "/api/v1/oms"
EVENTS = f"{ROOT}/oms_hook_events/"
WHISPERER = "/whisperer/hooks"
HOOK_PLACES = (f"{ROOT}/oms_hooks/", f"{WHISPERER}/")
USUAL_PAGE = 20
LARGEST_PAGE = 100

FIELD_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "url": "target_url",
        "secret": "secret_key",
        "event_types": "event_type",
        "headers": "additional_headers",
        "retry": "retry_countdown_config",
        "payload": "instance",
        "object": "instance",
    }
)
CODES: Mapping[str, str] = MappingProxyType(
    {
        "webhook_100_1": "Webhook does not exist",
        "webhook_100_2": "Webhook already registered",
        "webhook_100_3": "Webhook is not active",
        "event_100_1": "WebhookEvent does not exist",
        "event_100_2": "Unknown event type",
    }
)

oms = drf.Dialect(name=OMS, prefixes=(ROOT, WHISPERER), field_names=FIELD_NAMES)


def on_hooks(method: str, path: str, *, permission: Permission) -> Callable[[View], View]:
    """Offer *method* on *path* below both places of hooks."""

    def register(view: View) -> View:
        for place in HOOK_PLACES:
            oms.on(method, f"{place}{path}", permission=permission)(view)
        return view

    return register


def refusal(code: str) -> ErrorAnswer:
    """Make the answer of one of ``CODES``."""
    return ErrorAnswer(406, {"code": code, "en": CODES[code]})


def registered_types(work: Work) -> list[str]:
    """List the event types that exist: those of OMS, then by name those that the organization added."""
    own = catalogue.own_names(work, organization_number=drf.organization_number())
    names = [kind.name for kind in packaged(OMS)] + [name for name in own if not is_pattern(name)]
    return list(dict.fromkeys(names))


def shown_hooks(
    work: Work, *, wanted: dialect_hooks.CanSay = oms_hooks.can_say, is_active: bool | None = None
) -> list[int]:
    """Give the numbers of the hooks that the caller sees, oldest first."""
    return dialect_hooks.numbers(
        work,
        organization_number=drf.organization_number(),
        can_say=wanted,
        wanted=HooksWanted(author_number=drf.shown_author(), is_active=is_active),
    )


def get_hook(work: Work, number: str) -> Hook:
    """Give the hook of that number, if the caller sees it; raise NotFound."""
    wanted = drf.read_number(number)
    if wanted is None:
        raise NotFound("hook")
    hook = dialect_hooks.get(
        work, organization_number=drf.organization_number(), number=wanted, can_say=oms_hooks.can_say
    )
    if drf.shown_author() not in {None, hook.author_number}:
        raise NotFound("hook")
    return hook
