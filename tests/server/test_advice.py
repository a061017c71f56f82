"""Remedies are found beside the loop: who asks never waits."""

from __future__ import annotations

import logging
import threading

import pytest

from dashboard.server.diagnosis.advice import Advice
from dashboard.server.diagnosis.remedies import NOT_YET
from dashboard.server.reading.names import Place

PLACE = Place("/srv/shop.py", 2, "buy")


@pytest.fixture
def door():
    """What the reader of files waits for."""
    return threading.Event()


def asked_until_done(advice: Advice):
    """Return the answer, once there is one."""
    (found,) = advice._found.values()
    found.exception(timeout=30)
    return advice.find(PLACE, ())


def test_who_asks_is_told_to_ask_again(door: threading.Event) -> None:
    """While a file is read the answer is not yet; then it is kept, read once."""
    reads = []

    def read(place: Place) -> list[str]:
        door.wait(30)
        reads.append(place)
        return ["async def buy():", "    time.sleep(1)"]

    advice = Advice(read)
    assert advice.find(PLACE, ()) is NOT_YET
    assert advice.find(PLACE, ()) is NOT_YET
    door.set()
    found = asked_until_done(advice)
    assert found is not None
    assert found.after == "await asyncio.sleep(1)"
    assert advice.find(PLACE, ()) is found
    assert reads == [PLACE]
    advice.close()


def test_a_file_that_makes_trouble_has_no_remedy(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is logged once, and everybody goes on."""

    def read(place: Place) -> list[str]:
        raise RuntimeError(place.file)

    advice = Advice(read)
    advice.find(PLACE, ())
    with caplog.at_level(logging.ERROR, "loopscope"):
        assert asked_until_done(advice) is None
        assert advice.find(PLACE, ()) is None
    assert len(caplog.records) == 1
    advice.close()
