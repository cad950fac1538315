"""/metrics: the installation in figures for Prometheus, told by rows and not by this process alone.

It asks for a token with the permission ADMIN, as ``Authorization: Bearer hy_…``, which Prometheus can send; of
somebody on the staff, once there are several organizations.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from importlib.metadata import version

from flask import Blueprint, Flask, Response, request
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from console.api import auth, faces, problems
from console.core.permissions import Permission
from console.core.rollups import BUCKETS_MS
from console.extensions import collaborators, current_work
from console.ring import RedisRing
from console.services.figures import metrics
from console.services.figures.metrics import Metrics

PATH = "/metrics"
pages = Blueprint("api_metrics", __name__)  # its name begins like the API's: no sign-in, no cookie
pages.before_request(auth.enter)


def install(app: Flask) -> None:
    """Register the route; what goes wrong is answered as by the native API."""
    app.register_blueprint(pages)
    faces.register(PATH, faces.Face(problems.answer_error, problems.answer_crash))


@pages.get(PATH)
@auth.permission(Permission.ADMIN)
def show() -> Response:
    """Give all metrics, in the form that the caller accepts: OpenMetrics or Prometheus' own."""
    metrics.require_sight(current_work(), is_staff=auth.principal().is_staff)
    registry = CollectorRegistry(auto_describe=False)
    ring = collaborators().ring
    is_redis_there = not ring.trouble() if isinstance(ring, RedisRing) else None
    registry.register(Told(metrics.read(current_work()), is_redis_there=is_redis_there))
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    return Response(encode(registry), content_type=content_type)


class Told(Collector):
    """Tells what was read as Prometheus' library wants to hear it."""

    def __init__(self, found: Metrics, *, is_redis_there: bool | None) -> None:
        self._found = found
        self._is_redis_there = is_redis_there

    def collect(self) -> Iterator[Metric]:
        """Yield every family."""
        found = self._found
        yield _gauge("info", "Which version answers.", "version", [(version("hookyard"), 1)])
        yield _gauge("queue_depth", "Deliveries due now, up to 10,001.", "lane", found.depths.items())
        oldest = [
            (lane, _age_s(found, found.oldest_due[lane]) if lane in found.oldest_due else 0) for lane in found.depths
        ]
        yield _gauge("queue_age_seconds", "How long the oldest that could be sent now is due.", "lane", oldest)
        yield _gauge("deliveries", "Unfinished deliveries, up to 10,001.", "state", found.deliveries.items())
        words = "Events whose deliveries the workers still have to create, up to 10,001."
        yield GaugeMetricFamily("hookyard_events_pending", words, value=found.events)
        yield _gauge("hooks", "Hooks that are not deleted.", "state", found.hooks.items())
        yield _gauge("circuits_open", "Hooks and destinations that rest after failures.", "of", found.circuits.items())
        yield from self._workers()
        yield from self._attempts()

    def _workers(self) -> Iterator[Metric]:
        found = self._found
        yield _gauge("workers", "Worker processes alive.", "lane", [(lane.name, lane.workers) for lane in found.lanes])
        in_flight = [(lane.name, lane.in_flight) for lane in found.lanes]
        yield _gauge("in_flight", "Requests under way, as of the last beats.", "lane", in_flight)
        beats = [(lane.name, _age_s(found, lane.beat_at)) for lane in found.lanes if lane.beat_at is not None]
        yield _gauge("worker_beat_age_seconds", "Since the latest beat of a living worker.", "lane", beats)
        is_led = found.leader_beat_at is not None
        yield GaugeMetricFamily("hookyard_leader", "Whether a worker leads.", value=int(is_led))
        freed = CounterMetricFamily("hookyard_claims_freed", "Deliveries that dead workers held, made due again.")
        freed.add_metric([], found.freed)
        yield freed
        if self._is_redis_there is not None:
            yield GaugeMetricFamily("hookyard_redis", "Whether Redis answers.", value=int(self._is_redis_there))

    def _attempts(self) -> Iterator[Metric]:
        found = self._found
        attempts = CounterMetricFamily(
            "hookyard_attempts", "Attempts since midnight UTC by class of status; none: no answer.", labels=["status"]
        )
        for status in ("1xx", "2xx", "3xx", "4xx", "5xx", "none"):
            attempts.add_metric([status], found.attempts.get(status, 0))
        yield attempts
        durations = HistogramMetricFamily("hookyard_attempt_duration_seconds", "Durations of these attempts.")
        durations.add_metric([], _cumulative(found.durations), sum_value=None)
        yield durations


def _gauge(name: str, about: str, label: str, values: Iterable[tuple[str, float]]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"hookyard_{name}", about, labels=[label])
    for value, figure in values:
        family.add_metric([value], figure)
    return family


def _age_s(found: Metrics, moment: datetime) -> float:
    return max(0.0, (found.now - moment).total_seconds())


def _cumulative(buckets: dict[int, int]) -> list[tuple[str, float]]:
    """Add counts up, as histograms are told; the sum of the durations is not known, only their buckets."""
    total = 0
    told: list[tuple[str, float]] = []
    for index, bound in enumerate((*BUCKETS_MS, None)):
        total += buckets.get(index, 0)
        told.append(("+Inf" if bound is None else str(bound / 1000), total))
    return told
