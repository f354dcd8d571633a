"""Figures about the service for Prometheus, in a registry of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 60.0)  # edges of the histograms


class Figures:
    """What is counted."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._answered = Counter(
            "earmark_requests", "Requests that were answered.", ("method", "route", "status"), registry=self.registry
        )
        self._seconds = Histogram(
            "earmark_request_seconds", "Seconds to answer a request.", ("route",), buckets=SECONDS,
            registry=self.registry,
        )  # fmt: skip
        self._in_flight = Gauge(
            "earmark_in_flight", "Requests and streams at the moment.", ("kind",), registry=self.registry
        )
        self.identified = Counter(
            "earmark_identified", "Clips by what was said of them.", ("outcome",), registry=self.registry
        )
        self.workers_replaced = Counter(
            "earmark_workers_replaced", "Workers that died of a question.", registry=self.registry
        )
        self.listened = Counter(
            "earmark_listened_seconds", "Seconds of sound that were listened to.", registry=self.registry
        )

    def watch(self, name: str, help: str, value: Callable[[], float]) -> None:
        """Add a figure that is looked up when it is asked for."""
        Gauge(name, help, registry=self.registry).set_function(value)

    @contextmanager
    def in_flight(self, kind: str) -> Iterator[None]:
        """Count one more request inside."""
        gauge = self._in_flight.labels(kind)
        gauge.inc()
        try:
            yield
        finally:
            gauge.dec()

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answer."""
        self._answered.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def text(self) -> bytes:
        """Return all figures in Prometheus's text format."""
        return generate_latest(self.registry)
