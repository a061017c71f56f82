"""What happened to the requests of one batch, as numbers and as words.

Everything is taken from the model's own records of these requests and of the
stalls meanwhile; nothing is estimated. No clock and no I/O.
"""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from dashboard.server.model.victims import REQUEST, Key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from dashboard.server.model.request import Request
    from dashboard.server.model.stall import Stall

Facts = dict[str, float | str | None]
"""Times in milliseconds (`…_ms`), counts, names; None where there is none."""

#: A request waited for a thread token if that took at least this share of the time
#: that a worker thread was busy with another: the start of a thread is far less.
TOKEN_SHARE = 0.5


def find_facts(
    leads: Sequence[Request],
    others: Sequence[Request],
    stalls: Iterable[Stall],
    kinds: Sequence[str],
    stall_threshold_ms: float,
) -> Facts:
    """Return the facts of a batch whose requests are all answered.

    `leads` went to the scenario's handler, `others` were sent beside them. What they
    waited because something else held the loop (`foreign_ms` at most) is in no time.
    """
    everybody = [*leads, *others]
    if not everybody:
        return {}
    first_ns = min(request.begun_ns for request in everybody)
    last_ns = max(request.answered_ns for request in leads or others)
    over_ns = max(max(r.ended_ns, r.answered_ns) for r in everybody)
    loops = {request.loop for request in everybody}
    ours: list[Stall] = []
    foreign: list[Stall] = []
    ids = {request.id for request in everybody}
    for stall in stalls:
        end_ns = stall.start_ns + stall.duration_ns
        if stall.loop in loops and stall.start_ns < over_ns and end_ns > first_ns:
            # Whose step it was is known, or at least that it began before all of it.
            is_ours = (
                stall.request in ids if stall.request else stall.start_ns >= first_ns
            )
            (ours if is_ours else foreign).append(stall)
    late_ns = {request.id: _held_by(foreign, request) for request in everybody}
    worst = max(ours, key=lambda stall: stall.duration_ns, default=None)
    culprit = worst.culprit if worst is not None else None
    machine = "a busy machine" if worst is not None and worst.is_starved else None
    return {
        "count": len(leads),
        "good": sum(request.status == 200 for request in leads),
        "wall_ms": (last_ns - first_ns - min(late_ns.values())) / 1e6,
        **_times("", leads, lambda request: request.total_ns - late_ns[request.id]),
        "running_ms": _middle(leads, lambda request: request.spent_ns["running"]),
        "waiting_ms": _middle(leads, lambda request: request.spent_ns["waiting"]),
        "in_thread_ms": _middle(leads, lambda request: request.spent_ns["thread"]),
        "in_process_ms": _middle(leads, lambda request: request.spent_ns["process"]),
        "threads": _middle(leads, lambda request: request.trips, unit=1),
        "tasks": _middle(leads, lambda request: request.tasks, unit=1),
        "after_ms": max(
            (max(0, r.ended_ns - r.answered_ns) / 1e6 for r in leads), default=0.0
        ),
        "tokens": _count_token_waits(leads),
        "others": len(others),
        **_times("others_", others, lambda r: r.total_ns - late_ns[r.id]),
        "others_running_ms": _middle(others, lambda r: r.spent_ns["running"]),
        "held_ms": max((held_ns(r) - late_ns[r.id] for r in others), default=0) / 1e6,
        "foreign_ms": max(late_ns.values()) / 1e6,
        "stalls": len(ours),
        "blocked_ms": worst.duration_ns / 1e6 if worst is not None else None,
        "culprit": str(culprit) if culprit is not None else machine,
        "culprit_function": culprit.function if culprit is not None else None,
        "culprit_line": culprit.line if culprit is not None else None,
        "loops": len({request.loop for request in leads}),
        "loop_kind": ", ".join(sorted(set(kinds))) or None,
        "stall_threshold_ms": stall_threshold_ms,
    }


def held_ns(request: Request) -> int:
    """Return how long a request waited for nothing but the loop."""
    return request.spent_ns["outside"] + request.spent_ns["ready"]


def _held_by(stalls: Iterable[Stall], request: Request) -> int:
    """Return how long these stalls kept a request from its turn, in ns."""
    key = Key(REQUEST, request.id)
    known = (stall.victims.known.get(key) for stall in stalls)
    late_ns = sum(victim.delay_ns for victim in known if victim is not None)
    return min(late_ns, held_ns(request))


def in_words(facts: Facts) -> dict[str, str]:
    """Return the facts as they stand in a sentence: `blocked_ms` as `blocked`."""
    words: dict[str, str] = {}
    for name, value in facts.items():
        if name.endswith("_ms"):
            words[name[:-3]] = "no time" if value is None else duration(float(value))
        elif value is None:
            words[name] = "nothing"
        else:
            words[name] = f"{value:g}" if isinstance(value, float | int) else value
    if facts.get("blocked_ms") is None and "stall_threshold_ms" in facts:
        words["blocked"] = f"less than {words['stall_threshold']}"
        words["culprit"] = "no line"
    return words


def duration(ms: float) -> str:
    """Return a time with three digits, as the page shows it."""
    if ms < 0.9995:
        return f"{ms * 1000:.0f} µs"
    if ms < 999.5:
        return f"{ms:.{2 if ms < 9.995 else 1 if ms < 99.95 else 0}f} ms"
    return f"{ms / 1000:.{2 if ms < 9995 else 1}f} s"


def _times(
    prefix: str, requests: Sequence[Request], of: Callable[[Request], int]
) -> Facts:
    times = sorted(of(request) / 1e6 for request in requests)
    if not times:
        return {}
    return {
        f"{prefix}fastest_ms": times[0],
        f"{prefix}middle_ms": median(times),
        f"{prefix}slowest_ms": times[-1],
    }


def _middle(
    requests: Sequence[Request], of: Callable[[Request], int], unit: float = 1e6
) -> float:
    return median(of(r) for r in requests) / unit if requests else 0.0


def _count_token_waits(requests: Sequence[Request]) -> int:
    busy = [r.spent_ns["thread"] for r in requests if r.spent_ns["thread"]]
    if not busy:
        return 0
    long = TOKEN_SHARE * min(busy)
    return sum(request.spent_ns["thread_queue"] >= long for request in requests)
