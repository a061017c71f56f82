"""The session as metrics for Prometheus and OpenTelemetry: one set of families.

Named after those that Node's prom-client gives of its event loop. Only loops that
live have series of their own; requests count on by app and route.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector, CollectorRegistry

from dashboard.server.model.lanes import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from prometheus_client.core import Metric

    from dashboard.server.model.observed import ObservedLoop
    from dashboard.server.model.tallies import Histogram
    from dashboard.server.session import Session

LOOP = ("app", "pid", "loop", "worker")
ROUTE = ("app", "method", "route", "part")


def expose(session: Session, now_ns: int, accept: str) -> tuple[bytes, str]:
    """Return all metrics in the text format that a scraper accepts, and its type."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(SessionCollector(session, lambda: now_ns))
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


class SessionCollector(Collector):
    """Read a session when it is asked to; keep nothing."""

    def __init__(self, session: Session, now_ns: Callable[[], int]) -> None:
        self._session = session
        self._now_ns = now_ns

    def collect(self) -> Iterator[Metric]:
        """Yield every family. In the thread that feeds the session."""
        now_ns = self._now_ns()
        loops = [loop for loop in self._session.loops.values() if not loop.ended]
        for name, words, read in _gauges(self._session, now_ns):
            gauge = GaugeMetricFamily(name, words, labels=LOOP)
            for loop in loops:
                gauge.add_metric(_labels(loop), read(loop))
            yield gauge
        for name, words, count in COUNTERS:
            counter = CounterMetricFamily(name, words, labels=LOOP)
            for loop in loops:
                counter.add_metric(_labels(loop), count(loop))
            yield counter
        for name, words, find in _histograms(self._session):
            histogram = HistogramMetricFamily(name, words, labels=LOOP)
            for loop in loops:
                _add(histogram, _labels(loop), find(loop))
            yield histogram
        yield self._tokens(loops)
        yield self._splits()

    def _tokens(self, loops: list[ObservedLoop]) -> Metric:
        gauge = GaugeMetricFamily(
            "asyncio_thread_tokens",
            "Tokens of anyio's limiter of worker threads, and functions that wait for one.",
            labels=(*LOOP, "state"),
        )
        for loop in loops:
            tokens = loop.model.workers.tokens
            if not tokens.total:
                continue  # Never used: nothing is known of it.
            states = {
                "total": tokens.total,
                "borrowed": tokens.borrowed,
                "waiting": tokens.waiting,
            }
            for state, count in states.items():
                gauge.add_metric((*_labels(loop), state), count)
        return gauge

    def _splits(self) -> Metric:
        histogram = HistogramMetricFamily(
            "asyncio_request_seconds",
            "Where the time of answered requests went; part total is all of it.",
            labels=ROUTE,
        )
        for route, parts in self._session.requests.tallies.by_route.items():
            for part, lengths in parts.items():
                if lengths.total_ns or part == "total":
                    _add(histogram, (*route, part), lengths)
        return histogram


Gauge = tuple[str, str, "Callable[[ObservedLoop], float]"]


def _gauges(session: Session, now_ns: int) -> tuple[Gauge, ...]:
    def blocked_s(loop: ObservedLoop) -> float:
        stall = session.stalls.current(loop.model)
        return stall.duration_ns / 1e9 if stall is not None else 0.0

    def open_requests(loop: ObservedLoop) -> float:
        return sum(each.loop == loop.id for each in session.requests.open.values())

    return (
        (
            "asyncio_eventloop_utilization",
            "Share of the last second in which the loop did not poll, 0 to 1.",
            lambda loop: loop.utilisation(now_ns),
        ),
        (
            "asyncio_eventloop_lag_max_seconds",
            "How late the latest timer of the last second fired, or would by now.",
            lambda loop: loop.model.lag_ns(now_ns) / 1e9,
        ),
        (
            "asyncio_eventloop_blocked_seconds",
            "How long the stall that is under way has lasted; 0 when there is none.",
            blocked_s,
        ),
        (
            "asyncio_eventloop_ready_tasks",
            "Tasks that want their turn.",
            lambda loop: loop.model.tasks.count(State.READY, State.DUE),
        ),
        (
            "asyncio_eventloop_waiting_tasks",
            "Tasks that are suspended, or whose function runs off the loop.",
            lambda loop: loop.model.tasks.count(
                State.WAITING, State.THREAD, State.THREAD_QUEUE, State.PROCESS
            ),
        ),
        (
            "asyncio_requests_in_progress",
            "Requests that are not answered, those at the door included.",
            open_requests,
        ),
        (
            "loopscope_recording_cost_ratio",
            "Share of the last second that recording took, 0 to 1.",
            lambda loop: loop.recording_cost(now_ns),
        ),
    )


#: Counters leave the client with `_total` behind their names.
COUNTERS: tuple[Gauge, ...] = (
    (
        "asyncio_eventloop_idle_seconds",
        "Time in which the loop polled.",
        lambda loop: loop.model.idle_ns / 1e9,
    ),
    (
        "loopscope_records",
        "Records of the loop that were read.",
        lambda loop: loop.model.records,
    ),
    (
        "loopscope_records_lost",
        "Records of the loop that were overwritten before they were read.",
        lambda loop: loop.missed,
    ),
)


def _histograms(
    session: Session,
) -> tuple[tuple[str, str, Callable[[ObservedLoop], Histogram]], ...]:
    return (
        (
            "asyncio_eventloop_lag_seconds",
            "How long after they were due timers fired.",
            lambda loop: loop.model.lateness,
        ),
        (
            "asyncio_eventloop_step_seconds",
            "How long a task or callback ran in one go.",
            lambda loop: loop.model.effort.lengths,
        ),
        (
            "asyncio_eventloop_stall_seconds",
            "Steps that held the loop for longer than the threshold, and are over.",
            lambda loop: session.stalls.lengths[loop.id],
        ),
    )


def _labels(loop: ObservedLoop) -> tuple[str, str, str, str]:
    who = loop.identity
    return (who.title, str(who.pid), str(who.loop_no), str(loop.worker))


def _add(
    family: HistogramMetricFamily, labels: tuple[str, ...], lengths: Histogram
) -> None:
    buckets = [
        ("+Inf" if end == float("inf") else repr(end), count)
        for end, count in lengths.buckets()
    ]
    family.add_metric(labels, buckets, lengths.total_ns / 1e9)
