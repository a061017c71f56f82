"""Turn numbers into places on a chart, and choose where the ticks are. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Linear:
    """Values from `low` to `high` lie between two pixels."""

    low: float
    high: float
    low_px: float
    high_px: float

    def px(self, value: float) -> float:
        """Return where a value lies, also beyond the ends."""
        share = (value - self.low) / (self.high - self.low)
        return self.low_px + share * (self.high_px - self.low_px)

    def ticks(self, wanted: int) -> Iterator[float]:
        """Yield about so many round values."""
        step = _round_step((self.high - self.low) / wanted)
        at = math.ceil(self.low / step) * step
        while at <= self.high * (1 + 1e-9):
            yield at
            at += step


@dataclass(frozen=True, slots=True)
class Logarithmic:
    """The same for values that differ by powers of ten."""

    low: float
    high: float
    low_px: float
    high_px: float

    def px(self, value: float) -> float:
        """Return where a value above zero lies."""
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return self.low_px + share * (self.high_px - self.low_px)

    def ticks(self) -> Iterator[float]:
        """Yield the powers of ten in between."""
        power = math.ceil(math.log10(self.low) - 1e-9)
        while 10.0**power <= self.high * (1 + 1e-9):
            yield 10.0**power
            power += 1


def decades(low: float, high: float) -> tuple[float, float]:
    """Return the whole powers of ten around a range, at least one apart."""
    first = math.floor(math.log10(low))
    last = max(math.ceil(math.log10(high)), first + 1)
    return 10.0**first, 10.0**last


def _round_step(rough: float) -> float:
    power = 10.0 ** math.floor(math.log10(rough))
    for factor in (1, 2, 2.5, 5):
        if factor * power >= rough:
            return factor * power
    return 10 * power
