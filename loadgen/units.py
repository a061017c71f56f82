"""Read durations as people write them: `200ms`, `1.5s`, `90`, `1m30s`, `1h`.

Locust's notation, and milliseconds for thresholds. Pure.
"""

from __future__ import annotations

import re

from loadgen.errors import UsageError

_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001, "us": 0.000_001}
_PART = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|us|s)")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


def parse_duration(text: str) -> float:
    """Return seconds; a bare number is seconds. Raises `UsageError`."""
    cleaned = text.strip().lower()
    if len(cleaned) <= 20:
        if _NUMBER.fullmatch(cleaned):
            return float(cleaned)
        parts = _PART.findall(cleaned)
        if parts and "".join(number + unit for number, unit in parts) == cleaned:
            return sum(float(number) * _SECONDS[unit] for number, unit in parts)
    raise UsageError(f"a time looks like 30s, 1m30s or 200ms, got {text[:40]!r}")
