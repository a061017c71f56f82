"""The second heartbeat: a thread beside the loop that looks when the loop cannot.

Every 80 ms it beats in the ring's header. When a step lasts it samples the stack of
the loop's thread, by `sys._current_frames`, which is safe (a signal-driven dump of a
running interpreter is not). While one C call holds the interpreter's lock it cannot
run at all: its beat goes stale, from which the dashboard concludes just that
(server/reading/dumps.py), and its own sample comes when the call returns.

It also sees that somebody looks around, for what the hooks have no time: routes of
requests under way, what tasks wait for while they still wait, who lives, how many
tokens are taken. The loop's own thread does that as long as it comes by, for it needs
no lock: a loop that has to wait for the interpreter's lock falls asleep, and wakes up
with cold caches.
"""

from __future__ import annotations

import sys
import threading
import time
import weakref
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from dashboard.recorder import stacks
from dashboard.recorder.alarm import Alarm
from dashboard.recorder.holders import find_holders
from dashboard.recorder.reasons import note_reason
from dashboard.recorder.recorder import WAITING
from dashboard.recorder.requests import tell_name
from dashboard.records import Cell, Kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from dashboard.recorder.dump import DumpDoor
    from dashboard.recorder.recorder import Recorder
    from dashboard.recorder.stacks import Frame

#: At each beat the loop's thread may have to wait for the interpreter's lock: on a virtual
#: machine 30 µs of that go unnoticed, but after 0.3 ms a busy loop was slower for 50 ms,
#: which is 6 % of its time.
BEAT_S = 0.08
#: How often somebody looks around: less than a beat, so that a loop that comes by has
#: always done it already.
LOOK_NS = 50_000_000
#: With more living tasks than that it would hold up the loop's thread: a millisecond.
FEW_TASKS = 100
#: A beat this late may have been kept from the lock: there may be dumps.
HELD_NS = 110_000_000
#: Looking through the waiting tasks may take this share of the time.
SCAN_SHARE = 0.005
SCAN_EVERY_NS = 15_000_000
#: How long a task waits before its reason is looked up while it still waits.
LIVE_WAIT_NS = 15_000_000


class Watchdog:
    """A daemon thread that watches one recorded loop until `stop`."""

    def __init__(
        self,
        recorder: Recorder,
        loop: Any,
        dump_door: DumpDoor | None = None,
        duties: tuple[Callable[[int], None], ...] = (),
        beat_s: float = BEAT_S,
    ) -> None:
        self._recorder = recorder
        self._loop = weakref.ref(loop)
        self._dump_door = dump_door
        self._duties = duties
        """What else is done whenever somebody looks around, given the time."""
        self._beat_s = beat_s
        self._alarm: Alarm | None = None
        self._stopped = False
        self._looked_ns = 0
        self._looking = threading.Lock()
        self._next_scan_ns = 0
        self._thread_id = 0
        self._seen: tuple[int, list[Frame]] = (0, [])
        """Of the last sample: when its step began, and the stack."""

    def start(self) -> None:
        """Begin to beat."""
        # Set before there is a thread, which a C call may keep from coming so far.
        self._alarm = alarm = Alarm(self._beat_s)
        try:
            threading.Thread(
                target=self._run, args=(alarm,), name="loopscope-watchdog", daemon=True
            ).start()
        except BaseException:
            alarm.close()
            raise

    def stop(self) -> None:
        """End the thread, without waiting for it."""
        self._stopped = True

    def _run(self, alarm: Alarm) -> None:
        recorder = self._recorder
        recorder.ring.cells[Cell.WATCHDOG_THREAD] = threading.get_native_id()
        try:
            while True:
                alarm.wait()
                if self._stopped or not recorder.enabled:
                    return
                self.beat(recorder.now_ns())
        except Exception as error:  # noqa: BLE001 - nothing may reach the app
            recorder.fail(error)
        finally:
            alarm.close()

    def beat(self, now_ns: int) -> None:
        """Do one round: beat, sample a long step, look around if nobody did."""
        recorder = self._recorder
        cells = recorder.ring.cells
        has_been_held = now_ns - cells[Cell.BEAT] > HELD_NS
        cells[Cell.BEAT] = now_ns
        is_due = now_ns - self._looked_ns > LOOK_NS
        started_ns, owner = recorder.last_ns, recorder.current
        if owner and started_ns:
            cells[Cell.SINCE] = started_ns
            if now_ns - started_ns > recorder.sample_ns:
                self._find_thread()
                self._sample(started_ns, now_ns)
                is_due = True
        if has_been_held and self._dump_door is not None:
            self._dump_door.trim()
        if is_due:
            self.look(now_ns)

    def look_beside(self, now_ns: int) -> None:
        """Look around in the loop's own thread, if that does not take long."""
        recorder = self._recorder
        recorder.look_due_ns = now_ns + LOOK_NS
        if not recorder.enabled or len(recorder.tasks) > FEW_TASKS:
            return
        try:
            # All is well: the other thread may sleep on.
            recorder.ring.cells[Cell.BEAT] = now_ns
            if self._alarm is not None:
                self._alarm.put_off()
        except Exception as error:  # noqa: BLE001 - nothing may reach the app
            recorder.fail(error)
        self.look(now_ns)

    def look(self, now_ns: int) -> None:
        """Name what is unnamed and do the other duties; what was done a moment ago is
        left out. Never raises."""
        # Another thread is at it.
        if not self._looking.acquire(blocking=False):
            return
        try:
            if now_ns >= self._next_scan_ns:
                self._scan(now_ns)
            if now_ns - self._looked_ns > LOOK_NS:
                self._looked_ns = now_ns
                self._find_thread()
                for duty in self._duties:
                    duty(now_ns)
        except Exception as error:  # noqa: BLE001 - nothing may reach the app
            self._recorder.fail(error)
        finally:
            self._looking.release()

    def _find_thread(self) -> None:
        """Tell which thread of the system runs the loop, once and when it moves."""
        # asyncio says which thread it runs in; a loop that was attached before it
        # ran may run in another one than it was attached from.
        thread_id = (
            getattr(self._loop(), "_thread_id", None) or self._recorder.thread_id
        )
        if thread_id == self._thread_id:
            return
        self._thread_id = thread_id
        self._recorder.ring.cells[Cell.LOOP_THREAD] = next(
            (
                thread.native_id or 0
                for thread in threading.enumerate()
                if thread.ident == thread_id
            ),
            0,
        )

    def _sample(self, started_ns: int, now_ns: int) -> None:
        recorder = self._recorder
        frame = sys._current_frames().get(self._thread_id)
        if frame is None:
            return
        stack = stacks.walk(frame)
        del frame
        if recorder.last_ns != started_ns:
            return
        write, intern = recorder.ring.write, recorder.intern
        if self._seen != (started_ns, stack):
            self._seen = (started_ns, stack)
            for each in stack:
                place = intern(each.file, each.line, each.function)
                write(Kind.FRAME, now_ns, started_ns, place, each.is_users)
        place, above = 0, 0
        found = stacks.culprit(stack)
        if found is not None:
            line, above = found
            place = intern(line.file, line.line, line.function)
        write(Kind.SAMPLE, now_ns, started_ns, place, above)

    def _scan(self, now_ns: int) -> None:
        """Name the waits that have lasted; bounded by a share of the time."""
        recorder = self._recorder
        # Not by the clock: to wait for the interpreter's lock costs nobody anything.
        began_ns = time.thread_time_ns()
        # Once for all locks, and only if there is one.
        holders = cache(partial(find_holders, recorder))
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
                    note_reason(recorder, task, entry, now_ns, holders)
        took = time.thread_time_ns() - began_ns
        self._next_scan_ns = now_ns + max(SCAN_EVERY_NS, int(took / SCAN_SHARE))
