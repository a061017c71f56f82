"""Bound what the buttons spend: requests, seconds of a held-up loop, bytes of a disk.

A press is taken whole or refused whole, before anything is sent, with a sentence
that has the numbers. What it took comes back with each answer. Sends nothing.
"""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dashboard.errors import BadParameter, OverBudget

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dashboard.demo.scenario import Scenario

#: Twice the largest button. One lane each still fits a screen, just.
MAX_COUNT = 200
#: Of one scenario: a second click on the largest button works.
MAX_IN_FLIGHT_EACH = 200
#: Two scenarios beside each other, to compare them.
MAX_IN_FLIGHT = 400
#: After this nobody waits for an answer any more, however long the loop is held.
MAX_BLOCK_S = 60.0
#: The articles' five files four times; half of what a small /tmp has.
MAX_BYTES = 1_000_000_000
#: A file that is dropped on the page: five million spans. It is read by a process that
#: may take so much memory and time, and becomes a page of at most so many bytes.
DROP_BYTES = 64 << 20
#: Until its last byte is there; whoever is slower keeps the one place from others.
DROP_ARRIVES_S = 60.0
DROP_MEMORY_BYTES = 4 << 30
DROP_CPU_S = 120
DROP_PAGE_BYTES = 256 << 20
#: Pages of such files that are kept on the disk, and their bytes together.
DROP_KEEP = 8
DROP_KEEP_BYTES = 512 << 20
#: How long one of a unit holds the loop, on a slow machine. Others hold nothing.
_SECONDS_PER = {
    "s": 1.0,
    "": 1.0,
    "million": 1 / 40,
    "million rows": 1 / 3,
    "bytes": 1e-8,
}
#: A regular expression that tries everything: twice as long for each letter.
_SLOW_LENGTH, _SLOW_LENGTH_S = 25, 3.0


@dataclass(frozen=True, slots=True)
class Price:
    """What one request may cost, at most."""

    block_s: float = 0.0
    """For how long it may hold the loop."""
    bytes: float = 0.0
    """How much it may write."""


NOTHING = Price()


def price_of(scenario: Scenario, query: Mapping[str, float]) -> Price:
    """Return what one request to a scenario's handler may cost."""
    block_s, written = 0.0, 0.0
    for parameter in scenario.params:
        value = query[parameter.name]
        if parameter.unit == "bytes":
            written += value
        if scenario.state == "blocked":
            if parameter.unit == "letters":
                block_s += _SLOW_LENGTH_S * 2 ** (value - _SLOW_LENGTH)
            elif parameter.unit or parameter.name == "seconds":
                block_s += value * _SECONDS_PER.get(parameter.unit, 0.0)
    return Price(block_s, written)


class Budgets:
    """What is spent just now. Called from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._each: Counter[str] = Counter()
        self._block_s = 0.0
        self._bytes = 0.0

    def __repr__(self) -> str:
        return (
            f"<Budgets {self.in_flight} requests, {self._block_s:g} s, "
            f"{self._bytes:.0f} bytes>"
        )

    @property
    def in_flight(self) -> int:
        """How many requests are under way."""
        return self._each.total()

    def take(self, scenario: str, leads: int, others: int, price: Price) -> None:
        """Take what a press costs, or nothing.

        Raises:
            BadParameter: it is more than there ever is.
            OverBudget: it is more than is left just now.
        """
        amount, block_s, written = (
            leads + others,
            leads * price.block_s,
            leads * price.bytes,
        )
        _check_alone(leads, block_s, written)
        with self._lock:
            each, in_flight = self._each[scenario], self.in_flight
            if in_flight + amount > MAX_IN_FLIGHT:
                raise OverBudget(
                    f"{in_flight} requests are under way and {amount} more "
                    f"would exceed {MAX_IN_FLIGHT}; wait until some are answered"
                )
            if each + amount > MAX_IN_FLIGHT_EACH:
                raise OverBudget(
                    f"{each} requests of {scenario} are under way and {amount} more "
                    f"would exceed {MAX_IN_FLIGHT_EACH}; wait until some are answered"
                )
            if self._block_s + block_s > MAX_BLOCK_S:
                raise OverBudget(
                    f"the loop is asked to stand still for {self._block_s:g} s already "
                    f"and {block_s:g} s more would exceed {MAX_BLOCK_S:g} s; "
                    "wait until it goes on"
                )
            if self._bytes + written > MAX_BYTES:
                raise OverBudget(
                    f"{_mb(self._bytes)} are being written and {_mb(written)} more "
                    f"would exceed {_mb(MAX_BYTES)}; wait until some are"
                )
            self._each[scenario] += amount
            self._block_s += block_s
            self._bytes += written

    def give_back(self, scenario: str, price: Price) -> None:
        """Take note that one request is answered, or failed."""
        with self._lock:
            self._each[scenario] -= 1
            self._block_s -= price.block_s
            self._bytes -= price.bytes
            if not self.in_flight:
                # Sums of fractions, up and down, do not end at zero.
                self._block_s = self._bytes = 0.0


def _check_alone(leads: int, block_s: float, written: float) -> None:
    if block_s > MAX_BLOCK_S:
        raise BadParameter(
            f"{leads} of these would hold the loop for {block_s:g} s, at most "
            f"{MAX_BLOCK_S:g} s are allowed; send fewer, or shorter ones"
        )
    if written > MAX_BYTES:
        raise BadParameter(
            f"{leads} of these would write {_mb(written)}, at most {_mb(MAX_BYTES)} "
            "are allowed; send fewer, or smaller ones"
        )


def _mb(count: float) -> str:
    return f"{count / 1e6:.0f} MB"
