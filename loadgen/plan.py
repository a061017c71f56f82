"""Decide what to send: targets, users, times, order. Pure: no clock and no socket.

A plan that can be made is allowed and bounded; everything that is wrong with the
flags is said here, before anything is sent.
"""

from __future__ import annotations

import ipaddress
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from loadgen.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

Client = Literal["httpx", "fast"]
CLIENTS: tuple[Client, ...] = ("httpx", "fast")

#: A connection each: beyond this, one machine measures its own sockets.
MAX_USERS = 2_000
#: What eight generator processes can send at best.
MAX_RATE = 50_000.0
MAX_RUN_TIME_S = 4 * 3600.0
MAX_PROCESSES = 32
#: More of them hold each other up in their own loop: answers come in bunches.
USERS_PER_PROCESS = 50
MAX_REPEATS = 20
MAX_TARGETS = 20
#: A point is at least this long: one raw second is noise.
MIN_WINDOW_S = 1.0
RAMP_POINTS = 20
#: Part of an open run in which the rate rises; the rest holds it.
RAMP_SHARE = 0.8
#: One user alone, before each turn: the service time of the ideal lines.
PROBE_S = 1.0
#: What a turn takes beside that and its load: fresh processes, and the last answers.
AROUND_S = 1.0


@dataclass(frozen=True, slots=True)
class Target:
    """One address, and how often it is asked for in relation to the others."""

    url: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Variant:
    """One line on the chart: a name and what its users ask for."""

    name: str
    targets: tuple[Target, ...]


@dataclass(frozen=True, slots=True)
class Shape:
    """How much load, and for how long.

    Without `rate` the model is closed: `users` come at `spawn_rate` a second, and
    each waits for its answer before it asks again. With `rate` (first, last; per
    second) it is open: requests start on time whatever the answers do, over at most
    `users` connections.
    """

    users: int
    spawn_rate: float
    run_time_s: float
    rate: tuple[float, float] | None = None
    warm_up_s: float = 1.0
    timeout_s: float = 30.0

    @property
    def model(self) -> Literal["closed", "open"]:
        """Say which model it is."""
        return "open" if self.rate else "closed"

    @property
    def ramp_s(self) -> float:
        """How long until the load is at its height."""
        if self.rate is None:
            return min(self.users / self.spawn_rate, self.run_time_s)
        first, last = self.rate
        return 0.0 if first == last else self.run_time_s * RAMP_SHARE

    @property
    def window_s(self) -> float:
        """How long one point of the ramp is measured."""
        return max(MIN_WINDOW_S, self.ramp_s / RAMP_POINTS)

    def users_at(self, t_s: float) -> int:
        """How many users there are so long after the start (closed model)."""
        return min(self.users, math.floor(t_s * self.spawn_rate) + 1)

    def point_at(self, t_s: float) -> int:
        """Which point of the chart a moment belongs to; the height is the last."""
        points = math.ceil(self.ramp_s / self.window_s - 0.01)
        # A ramp shorter than a window has no points of its own worth drawing.
        return points if t_s >= self.ramp_s else int(t_s / self.window_s)

    def arrivals(self, first: int = 0, stride: int = 1) -> Iterator[float]:
        """Yield when every `stride`-th request starts, from the `first` on (open)."""
        assert self.rate is not None
        low, high = self.rate
        ramp_s = self.ramp_s
        in_ramp = (low + high) / 2 * ramp_s
        number = first
        while True:
            if number < in_ramp:
                # Area under a rising line: low·t + slope·t²/2 = number.
                slope = (high - low) / ramp_s
                t_s = (math.sqrt(low * low + 2 * slope * number) - low) / slope
            else:
                t_s = ramp_s + (number - in_ramp) / high
            if t_s >= self.run_time_s:
                return
            yield t_s
            number += stride


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that a run needs to know."""

    variants: tuple[Variant, ...]
    shape: Shape
    repeats: int = 1
    processes: int = 1
    client: Client = "httpx"
    loop: Literal["auto", "asyncio", "uvloop"] = "auto"
    seed: int = 1

    def turns(self) -> list[int]:
        """Which variant is measured when: there, and back, and there again.

        A machine that slowly warms up or fills its disk then hits all alike.
        """
        there = list(range(len(self.variants)))
        return [
            variant
            for repeat in range(self.repeats)
            for variant in (there if repeat % 2 == 0 else reversed(there))
        ]

    @property
    def turn_s(self) -> float:
        """Roughly how long one turn takes, with what comes before its load."""
        shape = self.shape
        return AROUND_S + shape.warm_up_s + PROBE_S + shape.run_time_s

    @property
    def seconds(self) -> float:
        """Roughly how long all of it takes."""
        return self.turn_s * len(self.turns())


def usual_processes(users: int, cores: int) -> int:
    """Return how many generator processes share so many users: at most one per core."""
    return max(1, min(users // USERS_PER_PROCESS, cores, MAX_PROCESSES))


def checked(plan: Plan, *, allow_remote: bool = False) -> Plan:
    """Return the plan itself, or raise `UsageError` with one sentence."""
    shape = plan.shape
    _within("--users", shape.users, 1, MAX_USERS)
    _within("--spawn-rate", shape.spawn_rate, 0.01, MAX_USERS)
    _within("--run-time", shape.run_time_s, 1, MAX_RUN_TIME_S, "s")
    _within("--warm-up", shape.warm_up_s, 0, 60, "s")
    _within("--timeout", shape.timeout_s, 0.01, 600, "s")
    _within("--processes", plan.processes, 1, MAX_PROCESSES)
    _within("--repeat", plan.repeats, 1, MAX_REPEATS)
    if plan.processes > shape.users:
        raise UsageError(
            f"{plan.processes} processes cannot share {shape.users} users; "
            "give each process at least one"
        )
    if shape.rate is not None:
        for rate in shape.rate:
            _within("--rate", rate, 0.1, MAX_RATE)
        if shape.rate[0] > shape.rate[1]:
            raise UsageError(
                f"--rate rises from the first number to the second, got "
                f"{shape.rate[0]:g}..{shape.rate[1]:g}"
            )
    for variant in plan.variants:
        _within("the number of addresses", len(variant.targets), 1, MAX_TARGETS)
        for target in variant.targets:
            _check_target(target, allow_remote=allow_remote)
    return plan


def parse_rate(text: str) -> tuple[float, float]:
    """Read `500`, or `10..500` for a rate that rises. Raises `UsageError`."""
    first, dots, last = text.partition("..")
    try:
        return float(first), float(last if dots else first)
    except ValueError:
        raise UsageError(
            f"--rate looks like 500 or 10..500, got {text[:40]!r}"
        ) from None


def _within(name: str, value: float, low: float, high: float, unit: str = "") -> None:
    # Written so that NaN fails it, too.
    if not low <= value <= high:
        raise UsageError(
            f"{name} must be from {low:g} to {high:g} {unit}".rstrip()
            + f", got {value:g}"
        )


def _check_target(target: Target, *, allow_remote: bool) -> None:
    _within("a weight", target.weight, 0.001, 1_000_000)
    try:
        parts = urlsplit(target.url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https"):
        raise UsageError(
            f"an address looks like http://127.0.0.1:8001/hello, got {target.url[:80]!r}"
        )
    if not allow_remote and not is_this_machine(host):
        raise UsageError(
            f"{host} is not this machine; add --allow-remote if you may load it"
        )


def is_this_machine(host: str) -> bool:
    """Say whether a host can only be this machine, without asking any name server."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
