"""Durations are read as people write them."""

from __future__ import annotations

import pytest

from loadgen.errors import UsageError
from loadgen.units import parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30", 30),
        ("30s", 30),
        ("1m30s", 90),
        ("1h", 3600),
        ("200ms", 0.2),
        ("1.5s", 1.5),
        ("50us", 0.00005),
        (" 2S ", 2),
    ],
)
def test_durations(text, seconds):
    """A time is read in Locust's notation, or in milliseconds."""
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text", ["", "s", "-1", "1x", "1 h", "nan", "1s2", "inf", "9" * 400]
)
def test_nonsense(text):
    """What is no time is refused with an example of one."""
    with pytest.raises(UsageError, match="looks like 30s, 1m30s or 200ms, got "):
        parse_duration(text)
