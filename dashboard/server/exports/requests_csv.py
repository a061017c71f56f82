"""Finished requests as a table for spreadsheets: one row each, with its split.

No clock and no I/O. What a client sent stays text: it is no formula to whoever
opens the table.
"""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from dashboard.server.model.request import PART_NAMES, PHASE_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dashboard.server.model.request import Request

PARTS = tuple(f"{name}_ms" for name in PART_NAMES)
HEAD = (
    *("id", "loop", "kind", "method", "route", "status", "state", "scenario"),
    *("started", "start_ms", "total_ms", *PARTS, "after_ms", "outside_most_ms"),
    *(f"{name}_ms" for name in PHASE_NAMES),
)
#: With these a spreadsheet begins to calculate.
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write_table(
    requests: Iterable[Request], *, origin_ns: int, origin_unix_ms: int
) -> str:
    """Return CSV with a head. Times in ms; `started` is UTC; unknown is empty."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\r\n")
    table.writerow(HEAD)
    for request in requests:
        since_ns = request.begun_ns - origin_ns
        wire = request.to_wire()
        wire |= {f"{name}_ms": request.spent_ns[name] / 1e6 for name in PART_NAMES}
        wire |= {f"{name}_ms": request.phase_ms(name) for name in PHASE_NAMES}
        if not request.sent:
            wire["outside_ms"] = None
        wire["started"] = _iso(origin_unix_ms * 1_000_000 + since_ns)
        wire["start_ms"] = since_ns / 1e6
        table.writerow([_cell(wire[name]) for name in HEAD])
    return text.getvalue()


def _iso(unix_ns: int) -> str:
    moment = datetime.fromtimestamp(unix_ns // 1_000_000_000, UTC)
    micros = unix_ns % 1_000_000_000 // 1000
    return moment.replace(microsecond=micros).isoformat().replace("+00:00", "Z")


def _cell(value: object) -> object:
    if isinstance(value, str) and value.startswith(FORMULA):
        return f"'{value}"
    return value
