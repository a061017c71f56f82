"""The second heartbeat: a thread beside the loop that looks when the loop cannot.

Every 80 ms it beats in the ring's header. When a step lasts longer than the
stall threshold it samples where the loop's thread is, by `sys._current_frames`,
which is safe (a signal-driven dump of a running interpreter is not). While one C
call holds the interpreter's lock it cannot run at all: its beat, which is there
for a reader to see just that, goes stale, and its sample comes when the call
returns.

It also names what the hooks have no time for: routes of requests under way, and
what tasks wait for while they still wait.
"""

from __future__ import annotations

import sys
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any

from dashboard.recorder.reasons import is_users, note_reason
from dashboard.recorder.recorder import WAITING
from dashboard.recorder.requests import tell_name
from dashboard.records import Cell, Kind

if TYPE_CHECKING:
    from types import FrameType

    from dashboard.recorder.recorder import Recorder

#: Each beat makes the loop's thread hand over the interpreter's lock once, which
#: costs it most of a millisecond of CPU here: every 20 ms that was 3 % of a busy
#: loop.
BEAT_S = 0.08
#: Looking through the waiting tasks may take this share of the time.
SCAN_SHARE = 0.005
SCAN_EVERY_NS = 60_000_000
#: How long a task waits before its reason is looked up while it still waits.
LIVE_WAIT_NS = 15_000_000


class Watchdog:
    """A daemon thread that watches one recorded loop until `stop`."""

    def __init__(self, recorder: Recorder, loop: Any) -> None:
        self._recorder = recorder
        self._loop = weakref.ref(loop)
        self._stopped = False
        self._thread = threading.Thread(
            target=self._run, name="loopscope-watchdog", daemon=True
        )
        self._next_scan_ns = 0

    def start(self) -> None:
        """Begin to beat."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread, without waiting for it."""
        self._stopped = True

    def _run(self) -> None:
        recorder = self._recorder
        while True:
            # An Event's timed wait would be twenty lines of Python at each beat.
            time.sleep(BEAT_S)
            if self._stopped or not recorder.enabled:
                return
            try:
                self.beat(recorder.now_ns())
            except Exception as error:  # noqa: BLE001 - nothing may reach the app
                recorder.fail(error)

    def beat(self, now_ns: int) -> None:
        """Do one round: beat, sample a stall, name what is unnamed."""
        recorder = self._recorder
        cells = recorder.ring.cells
        cells[Cell.BEAT] = now_ns
        started_ns, owner = recorder.last_ns, recorder.current
        if owner and started_ns:
            cells[Cell.SINCE] = started_ns
            if now_ns - started_ns > recorder.stall_ns:
                self._sample(started_ns, now_ns)
        if now_ns >= self._next_scan_ns:
            self._scan(now_ns)

    def _sample(self, started_ns: int, now_ns: int) -> None:
        # asyncio says which thread it runs in; a loop that was attached before it
        # ran may run in another one than it was attached from.
        thread_id = (
            getattr(self._loop(), "_thread_id", None) or self._recorder.thread_id
        )
        frame = sys._current_frames().get(thread_id)
        found = locate(frame)
        if found is None or self._recorder.last_ns != started_ns:
            return
        file, line, function, above = found
        recorder = self._recorder
        recorder.ring.write(
            Kind.SAMPLE,
            now_ns,
            started_ns,
            recorder.intern(file, line, function),
            above,
        )

    def _scan(self, now_ns: int) -> None:
        """Name the waits that have lasted; bounded by a share of the time."""
        recorder = self._recorder
        for entry in list(recorder.tasks.values()):
            tell_name(recorder, entry)
            if (
                entry.state == WAITING
                and not entry.named
                and now_ns - entry.since_ns > LIVE_WAIT_NS
                and entry.gone is not None
                and entry.no != recorder.current
            ):
                task = entry.gone()
                # It may have been woken by now: then its reason is in the ring,
                # or it was too short to matter.
                if task is not None and entry.state == WAITING:
                    note_reason(recorder, task, entry, now_ns)
        took = recorder.now_ns() - now_ns
        self._next_scan_ns = now_ns + max(SCAN_EVERY_NS, int(took / SCAN_SHARE))


def locate(frame: FrameType | None) -> tuple[str, int, str, int] | None:
    """Find the innermost line of the user's code in a stack.

    Returns file, line, function, and how many frames of other people's code were
    above it; the very innermost frame when none is the user's.
    """
    innermost = frame
    above = 0
    while frame is not None:
        if is_users(frame):
            code = frame.f_code
            return code.co_filename, frame.f_lineno, code.co_qualname, above
        frame = frame.f_back
        above += 1
    if innermost is None:
        return None
    code = innermost.f_code
    return code.co_filename, innermost.f_lineno, code.co_qualname, 0
