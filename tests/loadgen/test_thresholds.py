"""Conditions say what must hold, and are judged by what was found."""

from __future__ import annotations

import pytest

from loadgen.errors import UsageError
from loadgen.thresholds import parse_threshold

TOTALS = {"p95_ms": 180.0, "rps": 500.0, "failure_share": 0.01, "failures": 3}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("p95<200ms", True),
        ("p95<0.1s", False),
        ("p95 <= 180ms", True),
        ("rps>=500", True),
        ("rps>500", False),
        ("failures<2%", True),
        ("failures<1%", False),
        ("failures<=3", True),
        ("p99<1s", False),
    ],
)
def test_verdicts(text, holds):
    """A condition holds or not; one about something that was not measured never does."""
    assert parse_threshold(text).verdict(TOTALS)[0] is holds


@pytest.mark.parametrize(
    "text",
    ["", "p95", "p95=200ms", "p97<1s", "rps>many", "failures<x%", "p95<", "rps<1%"],
)
def test_unreadable(text):
    """What is no condition is refused with examples, or with how a time looks."""
    with pytest.raises(UsageError, match=r"takes a condition|a time looks like"):
        parse_threshold(text)
