"""A delivery as OMS writes it: as an event of a webhook, with what was sent and what came back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

from console.api.dialects import drf
from console.api.dialects.oms import webhooks
from console.core import strict_json
from console.core.bodies import display_body
from console.core.errors import Refused
from console.core.outcomes import EXPLANATIONS, Outcome
from console.models import Delivery, DeliveryState
from console.services.deliveries import bodies
from console.services.dialects import dialect_deliveries
from console.services.dialects.dialect_deliveries import UNANSWERED, History, Last
from console.services.event_types import object_models
from console.services.people.sight import Sight
from console.services.work import Work


class Raw(str):
    """A JSON text: it is written as it is, so that numbers keep their digits."""

    __slots__ = ()


def written(value: Any) -> str:
    """Write *value* as compact JSON; any ``Raw`` in it stays as it is."""
    if isinstance(value, Raw):
        return value
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(name)}:{written(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(written, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def shown(work: Work, deliveries: Sequence[Delivery]) -> list[dict[str, Any]]:
    """Write deliveries that were loaded with event and hook."""
    hooks = {delivery.hook_number: delivery.hook for delivery in deliveries}
    webhook_of = {number: webhooks.shown(work, hook) for number, hook in hooks.items()}
    histories = dialect_deliveries.histories(work, numbers=[delivery.number for delivery in deliveries])
    names = {delivery.event.object_model.lower() for delivery in deliveries if delivery.event.object_model}
    models = object_models.numbers_of(work, names=names)
    sight = Sight.of_token(drf.principal())
    return [
        _shown(
            delivery,
            sight=sight,
            webhook=webhook_of[delivery.hook_number],
            history=histories.get(delivery.number, History()),
            models=models,
        )
        for delivery in deliveries
    ]


def _shown(
    delivery: Delivery, *, sight: Sight, webhook: dict[str, Any], history: History, models: Mapping[str, int]
) -> dict[str, Any]:
    event = delivery.event
    return {
        "id": delivery.number,
        "webhook": webhook,
        "created_date": drf.moment(delivery.created_at),
        "modified_date": drf.moment(delivery.modified_at),
        "uuid": str(delivery.id),
        "request_payload": _request_payload(delivery),
        "response_content": _response_content(history.last, sight),
        "response_http_status": None if delivery.last_outcome is None else delivery.last_status or UNANSWERED,
        "delivered": delivery.state == DeliveryState.DELIVERED,
        "request_datetimes": [drf.moment(moment) for moment in history.started_at],
        "retry_count": len(history.started_at) or None,
        "object_id": _object_id(event.object_pk),
        "content_type": models.get(event.object_model.lower()) if event.object_model else None,
    }


def _request_payload(delivery: Delivery) -> Any:
    """Give the body as an object; the fields of a form are texts."""
    body = bodies.build(delivery.event, delivery, organization_slug=drf.principal().organization.slug)
    text = body.data.decode()
    return Raw(text) if delivery.content_type == "json" else dict(parse_qsl(text, keep_blank_values=True))


def _response_content(last: Last | None, sight: Sight) -> Any:
    """Give an answer that is a JSON object or list as such, any other as text; the error when none came.

    It is null for viewers, as in the native API.
    """
    if last is None:
        return {}
    if last.status is None:
        return last.error or EXPLANATIONS[Outcome(last.outcome)].meaning
    if not last.body:
        return {}
    if not sight.reads_responses:
        return None
    text = display_body([(name, value) for name, value in last.headers], last.body).text
    try:
        value = strict_json.load(text.encode(), takes_any_number=True)
    except Refused:
        return text
    return Raw(text) if isinstance(value, dict | list) else text


def _object_id(pk: str | None) -> int | str | None:
    return int(pk) if pk is not None and pk.isascii() and pk.isdigit() else pk
