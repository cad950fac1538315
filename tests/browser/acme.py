"""What a journey finds when it begins, made without clicks: the ways of making it are journeys of their own."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select

from console.models import Delivery, DeliveryState, Event
from console.services.bins import bins
from console.services.organizations import organizations
from tests.up.stage import Up, Wait


@dataclass(frozen=True)
class Acme:
    """The organization acme of a running product."""

    product: Up
    wait_until: Wait

    def hook_to_a_bin(self, name: str) -> str:
        """Make a hook for every event, with a bin for a receiver; give the path of its page."""
        with self.product.work() as work:
            caught_in = bins.create(work, organization=organizations.get(work, slug="acme"), name=name)
        hook = {"name": name, "url": f"{self.product.url}/in/{caught_in.key}", "all_events": True}
        return f"/o/acme/hooks/{self.product.post('/hooks', hook)['id']}"

    def send_test(self, hook: str) -> None:
        """Send a test to the hook with that page and await that it is delivered."""
        sent = self.product.post(f"/hooks/{hook.rpartition('/')[2]}/test?wait=15", {})
        assert sent["state"] == "delivered"

    def publish(self, event_type: str) -> None:
        """Publish an event and await that it is delivered to a hook."""
        event_id = UUID(str(self.product.post("/events", {"type": event_type, "payload": {"order": 17}})["id"]))
        wanted = select(Delivery.state).join(Event).where(Event.id == event_id)
        with self.product.work() as work:

            def has_arrived() -> bool:
                work.session.rollback()  # see what the workers have done meanwhile
                return DeliveryState.DELIVERED in set(work.session.scalars(wanted))

            self.wait_until(has_arrived, seconds=20)
