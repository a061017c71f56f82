"""Count lengths of time for as long as a session lasts, in buckets that double.

For monitoring, which asks now and then and wants to have missed nothing. Bounded,
whatever clients call. No clock and no I/O.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dashboard.server.model.request import Request

#: Upper ends of the buckets that are told, as powers of two of a nanosecond: 16 µs,
#: 65 µs, 0.26 ms, then each from 1 ms to 17 s.
LEVELS = (14, 16, 18, *range(20, 35))
#: Routes counted one by one; the rest, such as what a scanner asks for, is one.
MAX_ROUTES = 200
OTHER = ("", "other routes")


class Histogram:
    """How many lengths fell between one power of two and the next, and their sum."""

    __slots__ = ("counts", "total_ns")

    def __init__(self) -> None:
        self.counts = [0] * 65
        """By the number of bits of the length in ns: `counts[k]` were below 2^k."""
        self.total_ns = 0

    def __repr__(self) -> str:
        return f"<Histogram of {sum(self.counts)}, {self.total_ns / 1e9:g} s>"

    def add(self, ns: int) -> None:
        """Count a length; what two clocks made negative counts as nothing."""
        ns = max(ns, 0)
        # A third of what finding a place among bounds of one's own choice costs.
        self.counts[ns.bit_length()] += 1
        self.total_ns += ns

    def buckets(self) -> Iterator[tuple[float, int]]:
        """Yield the upper end of each bucket in s, and how many were within it."""
        for level in LEVELS:
            yield 2**level / 1e9, sum(self.counts[: level + 1])
        yield float("inf"), sum(self.counts)


class RequestTallies:
    """Where the time of all requests went, by app and route."""

    def __init__(self) -> None:
        self.apps: dict[int, str] = {}
        """What each loop is called; loops come and go, what they served counts."""
        self.by_route: dict[tuple[str, str, str], dict[str, Histogram]] = {}
        """By app, method and route: one histogram per part of the split, and `total`."""

    def __repr__(self) -> str:
        return f"<RequestTallies of {len(self.by_route)} routes>"

    def add(self, request: Request) -> None:
        """Count a request that is answered."""
        app = self.apps.get(request.loop, "")
        key = (app, request.method, request.route)
        if key not in self.by_route and len(self.by_route) >= MAX_ROUTES:
            key = (app, *OTHER)
        parts = self.by_route.setdefault(key, {})
        lengths = request.spent_ns | {"total": request.total_ns}
        for name, ns in lengths.items():
            if name == "outside" and not request.sent:
                continue  # Nobody knows, which is not the same as none.
            histogram = parts.get(name)
            if histogram is None:
                histogram = parts[name] = Histogram()
            histogram.add(ns)
