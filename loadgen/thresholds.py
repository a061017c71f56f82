"""Judge a run by conditions such as `p95<200ms`, `rps>=500` or `failures<1%`.

A condition says what must hold; one that does not makes the exit code 99. Pure.
"""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from loadgen.errors import UsageError
from loadgen.units import parse_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_LATENCIES = ("p50", "p90", "p95", "p99", "max", "mean")
_FORM = re.compile(r"\s*(\w+)\s*(<=|>=|<|>)\s*([\w.]+%?)\s*")


@dataclass(frozen=True, slots=True)
class Threshold:
    """One condition. `key` is what it reads from a variant's totals."""

    text: str
    key: str
    compare: str
    bound: float

    def verdict(self, totals: Mapping[str, float | None]) -> tuple[bool, float | None]:
        """Return whether it holds, and the value found; no value never holds."""
        found = totals.get(self.key)
        if found is None:
            return False, None
        return _COMPARE[self.compare](found, self.bound), found


def parse_threshold(text: str) -> Threshold:
    """Read one condition. Raises `UsageError`."""
    found = _FORM.fullmatch(text[:80])
    if found:
        metric, compare, bound = found.groups()
        if metric in _LATENCIES:
            return Threshold(text, f"{metric}_ms", compare, parse_duration(bound) * 1e3)
        try:
            if metric == "failures" and bound.endswith("%"):
                share = float(bound[:-1]) / 100
                return Threshold(text, "failure_share", compare, share)
            if metric in ("failures", "rps"):
                return Threshold(text, metric, compare, float(bound))
        except ValueError:
            pass
    raise UsageError(
        "--fail takes a condition such as 'p95<200ms', 'rps>=500' or 'failures<1%', "
        f"got {text[:40]!r}"
    )
