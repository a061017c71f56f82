"""Push the metrics to an OpenTelemetry collector, by OpenTelemetry's own exporter.

The same families as `/metrics`, histograms with all their buckets, which an observable
instrument could not give. An extra: without its packages nothing here is imported.
"""

from __future__ import annotations

import asyncio
import logging
import time
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import anyio.to_thread

from dashboard import __version__
from dashboard.errors import SettingsError
from dashboard.server.exports.metrics import SessionCollector

try:
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import (
        OTLPMetricExporter,
    )
    from opentelemetry.sdk.metrics import export as otel
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope
except ImportError as error:
    raise SettingsError(
        "to push metrics by OTLP, packages are missing; pip install 'loopscope[otlp]'"
    ) from error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from prometheus_client.core import Metric
    from prometheus_client.samples import Sample

    from dashboard.server.session import Session

logger = logging.getLogger("loopscope")
EXPORTER_LOG = logging.getLogger(OTLPMetricExporter.__module__)

#: As often as Prometheus asks by default, four times a minute.
EVERY_S = 15.0
#: A collector that does not answer within this has lost that batch.
TIMEOUT_S = 5.0
TOTAL = otel.AggregationTemporality.CUMULATIVE


class Otlp:
    """Export a session's metrics for as long as `run` is left to."""

    def __init__(
        self, session: Session, address: str, *, now_ns: Callable[[], int]
    ) -> None:
        self._collector = SessionCollector(session, now_ns)
        self._address = address
        self._exporter = OTLPMetricExporter(
            f"{address.rstrip('/')}/v1/metrics", timeout=TIMEOUT_S
        )
        self._began_unix_ns = time.time_ns()

    def __repr__(self) -> str:
        return f"<Otlp to {self._address}>"

    async def run(self) -> None:
        """Export now and every quarter of a minute, until cancelled.

        A collector that cannot be reached is told once, until it could be again.
        """
        was_down = False
        try:
            while True:
                problem = await self._push()
                if problem and not was_down:
                    logger.warning(
                        "the collector at %s took no metrics (%s); it is tried again "
                        "every %g s, and this is not said again",
                        self._address,
                        problem,
                        EVERY_S,
                    )
                was_down = bool(problem)
                # It has its own say about each attempt, several times a minute.
                EXPORTER_LOG.disabled = was_down
                await asyncio.sleep(EVERY_S)
        finally:
            # It may be waiting to try again, in its thread.
            self._exporter.shutdown()
            EXPORTER_LOG.disabled = False

    async def _push(self) -> str:
        """Export once; return what went wrong, or nothing."""
        try:
            data = describe(
                self._collector.collect(),
                began_unix_ns=self._began_unix_ns,
                now_unix_ns=time.time_ns(),
            )
            result = await anyio.to_thread.run_sync(
                self._exporter.export, data, abandon_on_cancel=True
            )
        except Exception as error:  # noqa: BLE001 - some releases raise, others answer
            return f"{type(error).__name__}: {error}"
        return "" if result is otel.MetricExportResult.SUCCESS else "the push failed"


def describe(
    families: Iterable[Metric], *, began_unix_ns: int, now_unix_ns: int
) -> otel.MetricsData:
    """Return families of Prometheus's client as OpenTelemetry's data, by their names."""
    times = (began_unix_ns, now_unix_ns)
    metrics = [
        otel.Metric(family.name, family.documentation, "", _data(family, times))
        for family in families
    ]
    scope = InstrumentationScope("loopscope", __version__)
    resource = Resource.create({"service.name": "loopscope"})
    return otel.MetricsData(
        [
            otel.ResourceMetrics(
                resource, [otel.ScopeMetrics(scope, metrics, "")], schema_url=""
            )
        ]
    )


def _data(family: Metric, times: tuple[int, int]) -> otel.DataT:
    if family.type == "histogram":
        return otel.Histogram(_histograms(family.samples, times), TOTAL)
    points = [
        otel.NumberDataPoint(each.labels, *times, each.value) for each in family.samples
    ]
    if family.type == "counter":
        return otel.Sum(points, TOTAL, is_monotonic=True)
    return otel.Gauge(points)


def _histograms(
    samples: Iterable[Sample], times: tuple[int, int]
) -> list[otel.HistogramDataPoint]:
    """Put the lines of each histogram together again; they come one after the other."""
    found: dict[tuple[tuple[str, str], ...], dict[str, Any]] = {}
    for sample in samples:
        labels = {name: text for name, text in sample.labels.items() if name != "le"}
        kept = found.setdefault(tuple(labels.items()), {"within": []})
        if sample.name.endswith("_bucket"):
            kept["within"].append((float(sample.labels["le"]), int(sample.value)))
        elif sample.name.endswith("_sum"):
            kept["sum"] = sample.value
    points = []
    for key, kept in found.items():
        ends, within = zip(*kept["within"], strict=True)
        counts = [within[0], *(after - before for before, after in pairwise(within))]
        point = otel.HistogramDataPoint(
            dict(key),
            *times,
            count=within[-1],
            sum=kept["sum"],
            bucket_counts=counts,
            explicit_bounds=ends[:-1],
            # Nobody has kept them; the protocol has them optional, these types do not.
            min=None,  # type: ignore[arg-type]
            max=None,  # type: ignore[arg-type]
        )
        points.append(point)
    return points
