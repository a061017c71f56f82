"""What differs between two sessions: by route, in percentiles and splits, in a sentence.

For recordings of before and after. No clock and no I/O; percentiles are of requests
that were measured (nearest rank), never of buckets.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dashboard.server.model.request import PART_NAMES
from dashboard.server.presses.facts import duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dashboard.server.model.request import Request
    from dashboard.server.session import Session

#: Less of a difference is none: two runs of the same differ by as much.
CLEARLY = 1.25
WORDS = {
    "outside": "at the door",
    "running": "running",
    "ready": "waiting for its turn",
    "waiting": "waiting for something",
    "thread_queue": "waiting for a thread",
    "thread": "in a thread",
    "process": "in a process",
}


@dataclass(frozen=True, slots=True)
class Stats:
    """Requests of one route in one session, in ms."""

    count: int
    p50: float
    p95: float
    max: float
    split: dict[str, float]
    """The mean of each part, those that nobody knows counted as nothing."""


@dataclass(frozen=True, slots=True)
class Stalled:
    """How often and how long a session's loops were held, as far as that is kept."""

    count: int
    ms: float


def compare(one: Session, other: Session) -> dict[str, Any]:
    """Return `{"sentence", "routes", "stalls"}`, as the page shows them."""
    stats = (_stats(one), _stats(other))
    stalls = (_stalled(one), _stalled(other))
    routes = sorted(stats[0].keys() | stats[1].keys())
    return {
        "sentence": _sentence(stats, stalls),
        "routes": [
            {"route": route, "sides": [_wire(side.get(route)) for side in stats]}
            for route in routes
        ],
        "stalls": [{"count": each.count, "ms": each.ms} for each in stalls],
    }


def _stats(session: Session) -> dict[str, Stats]:
    by_route: dict[str, list[Request]] = {}
    for request in session.requests.finished:
        if not request.is_lost:
            by_route.setdefault(request.label, []).append(request)
    return {route: _stats_of(requests) for route, requests in by_route.items()}


def _stats_of(requests: Sequence[Request]) -> Stats:
    times = sorted(request.total_ns / 1e6 for request in requests)
    split = {
        name: sum(each.spent_ns[name] for each in requests) / len(requests) / 1e6
        for name in PART_NAMES
    }
    return Stats(len(times), _rank(times, 0.5), _rank(times, 0.95), times[-1], split)


def _rank(times: Sequence[float], share: float) -> float:
    """Return the nearest rank of sorted times."""
    return times[max(0, math.ceil(share * len(times)) - 1)]


def _stalled(session: Session) -> Stalled:
    lengths = [stall.duration_ns / 1e6 for stall in session.stalls.kept]
    return Stalled(len(lengths), sum(lengths))


def _wire(stats: Stats | None) -> dict[str, Any] | None:
    if stats is None:
        return None
    return {
        "count": stats.count,
        "p50_ms": stats.p50,
        "p95_ms": stats.p95,
        "max_ms": stats.max,
        "split": {f"{name}_ms": ms for name, ms in stats.split.items()},
    }


def _sentence(
    stats: tuple[dict[str, Stats], dict[str, Stats]], stalls: tuple[Stalled, Stalled]
) -> str:
    one, other = stats
    both = sorted(one.keys() & other.keys())
    if not one and not other:
        return _of_stalls(stalls)
    if not both:
        return f"No route is in both: {_list(one)} in the first, {_list(other)} in the second. {_of_stalls(stalls)}"
    route = max(both, key=lambda each: abs(one[each].p95 - other[each].p95))
    before, after = one[route], other[route]
    if not _is_clear(before.p95, after.p95):
        return f"No route is clearly faster or slower (p95). {_of_stalls(stalls)}"
    low, high = sorted((before.p95, after.p95))
    how = "slower" if after.p95 > before.p95 else "faster"
    times = high / max(low, 1e-6)
    part = max(PART_NAMES, key=lambda name: abs(before.split[name] - after.split[name]))
    return (
        f"{route} takes {duration(after.p95)} instead of {duration(before.p95)} (p95), "
        f"{times:.{0 if times >= 10 else 1}f} times {how}: it spends "
        f"{duration(after.split[part])} instead of {duration(before.split[part])} "
        f"{WORDS[part]} (mean). {_of_stalls(stalls)}"
    )


def _is_clear(one: float, other: float) -> bool:
    return max(one, other) > CLEARLY * min(one, other)


def _of_stalls(stalls: tuple[Stalled, Stalled]) -> str:
    words = [
        f"held for {duration(each.ms)} in {each.count} stall{'s' * (each.count > 1)}"
        if each.count
        else "never held"
        for each in stalls
    ]
    return f"The loop was {words[0]} before, {words[1]} after."


def _list(stats: dict[str, Stats]) -> str:
    return ", ".join(sorted(stats)[:3]) or "none"
