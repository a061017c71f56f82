"""The watchdog's alarm: it sleeps on while the loop comes by."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time

import pytest

import dashboard
from dashboard.recorder import alarm as alarms
from dashboard.recorder.alarm import Alarm
from dashboard.records import Cell

linux_only = pytest.mark.skipif(
    sys.platform != "linux", reason="timers of the kernel's are Linux's"
)


def waiting_for(alarm):
    """Wait for an alarm in a thread; return the event that says it went off."""
    gone_off = threading.Event()

    def wait():
        alarm.wait()
        gone_off.set()

    threading.Thread(target=wait, daemon=True).start()
    return gone_off


@linux_only
def test_put_off():
    """An alarm that is put off does not go off, and does when nobody comes by."""
    alarm = Alarm(1)
    gone_off = waiting_for(alarm)
    ends = time.monotonic() + 1.5
    while time.monotonic() < ends and not gone_off.is_set():
        before = time.monotonic()
        alarm.put_off()
        # Unless the machine stopped for so long.
        assert not gone_off.wait(0.02) or time.monotonic() - before >= 1

    assert gone_off.wait(20)
    alarm.close()


@linux_only
def test_leaves_nothing_open():
    """A closed alarm has given its descriptor back, and putting it off does nothing."""
    before = set(os.listdir("/proc/self/fd"))
    alarm = Alarm(60)
    assert len(set(os.listdir("/proc/self/fd")) - before) == 1
    alarm.close()

    alarm.put_off()
    assert set(os.listdir("/proc/self/fd")) == before


def test_without_a_timer(monkeypatch):
    """Where the kernel has no such timer an alarm is a sleep."""
    monkeypatch.setattr(alarms, "_make_timer", lambda seconds: None)
    alarm = Alarm(0.01)
    alarm.put_off()

    assert waiting_for(alarm).wait(20)
    alarm.close()


def test_the_loop_looks_around(loop_factory):
    """A loop that comes by looks around in its own thread, and says that it lives."""
    seen = []

    async def main():
        with dashboard.record() as recording:
            look, cells = recording.recorder.look, recording.recorder.ring.cells

            def seeing(now_ns):
                look(now_ns)
                seen.append((threading.get_ident(), now_ns, cells[Cell.BEAT]))

            recording.recorder.look = seeing
            for _ in range(20_000):
                await asyncio.sleep(0.0005)
                if len(seen) >= 3:
                    break

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())
    assert {thread for thread, _, _ in seen} == {threading.get_ident()}
    assert all(beat >= looked for _, looked, beat in seen)
    assert len(seen) >= 3
