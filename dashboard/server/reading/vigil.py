"""Keep watch over a process that has fallen silent, from outside.

A silent one may be frozen, or blocked; held by one C call, so that it cannot even
say where; and requests may pile up at its door that it has not seen. Looks only
while there is silence: of a healthy loop nothing is asked but how long its thread has
waited for a processor, and it is never sent a signal.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from dashboard.records import Cell
from dashboard.server.reading import process
from dashboard.server.reading.dumps import STALE_NS, Dumps

if TYPE_CHECKING:
    from collections.abc import Callable

    from dashboard.ring import RingReader
    from dashboard.server.model.observed import ObservedLoop

#: A step this long is worth a look at what has arrived meanwhile.
DOOR_AFTER_NS = 40_000_000
#: A server opens its ports once, and long before it is busy.
DOORS_EVERY_NS = 2_000_000_000
#: To have waited less than this for a processor between two looks is nothing.
STARVED_NS = 1_000_000
#: Looking at the door may take this share of the time.
DOOR_SHARE = 0.2


class Vigil:
    """Watch one loop's process while it is silent."""

    def __init__(
        self,
        reader: RingReader,
        loop: ObservedLoop,
        *,
        allow_dumps: bool = True,
        tell_sent: Callable[[], None] = lambda: None,
        clock_ns: Callable[[], int] = time.thread_time_ns,
    ) -> None:
        self._reader = reader
        self._loop = loop
        self._pid = reader.identity.pid
        self._began_ns = reader.identity.began_ns
        self._tell_sent = tell_sent
        """Has the model told what our own senders have sent by now."""
        self._clock_ns = clock_ns
        self._dumps = Dumps(reader)
        if not allow_dumps:
            self._dumps.refusal = "switched off in the dashboard"
        self._went_ns = 0
        """When the process was last seen not to be stopped."""
        self._frozen_since_ns = 0
        self._waited = (0, 0, -1)
        """Which thread, when it was looked at, and how long it had waited by then."""
        self._step_ns = 0
        self._sockets: frozenset[str] = frozenset()
        self._doors: dict[str, frozenset[str]] = {}
        self._next_door_ns = 0
        self._next_doors_ns = 0

    def __repr__(self) -> str:
        return f"<Vigil over {self._pid}, {self._dumps!r}>"

    @property
    def is_busy(self) -> bool:
        """Whether the next look should come sooner than the next frame."""
        return self._dumps.is_busy

    def close(self) -> None:
        """Let go of what is open."""
        self._dumps.close()

    def frozen_since(self, now_ns: int, cells: dict[Cell, int]) -> int:
        """Return since when the process stands still, or 0. Before its records."""
        # Its first beat is due 80 ms after recording began.
        beat_ns = cells[Cell.BEAT] or self._began_ns
        if now_ns - beat_ns <= STALE_NS:
            self._frozen_since_ns = 0
        elif process.is_stopped(self._pid):
            # Up to one beat too early: the step that it was in must not be blamed.
            self._frozen_since_ns = self._frozen_since_ns or max(beat_ns, self._went_ns)
        else:
            self._frozen_since_ns = 0
            self._went_ns = now_ns
        return self._frozen_since_ns

    def look_at_waits(self, now_ns: int, thread: int) -> None:
        """Tell the model how long the loop's thread has waited for a processor.

        After records were read, so that it covers them, and before they are told.
        """
        before, since_ns, then_ns = self._waited
        waited_ns = process.wait_of_thread(self._pid, thread) if thread else -1
        self._waited = (thread, now_ns, waited_ns)
        if thread == before and waited_ns - then_ns >= STARVED_NS and then_ns >= 0:
            self._loop.starved(since_ns, now_ns, waited_ns - then_ns)

    def look(self, now_ns: int, cells: dict[Cell, int]) -> None:
        """Look after the records have been read, and tell the model what is seen."""
        loop, model = self._loop, self._loop.model
        number = cells[Cell.DUMP_SIGNAL]
        loop.dump_refusal = self._dumps.refusal or (
            loop.model.names.text(-number) if number < 0 else ""
        )
        if self._frozen_since_ns or loop.ended:
            loop.is_held = False
            return
        # Nothing is looked at unless a step has lasted, so that a healthy loop costs
        # a comparison.
        lasted = now_ns - model.running_since if model.running_owner else 0
        loop.is_held = lasted > STALE_NS and now_ns - cells[Cell.BEAT] > STALE_NS
        if lasted > DOOR_AFTER_NS:
            self._look_at_door(now_ns, cells[Cell.OWNER])
        self._dumps.follow(now_ns, cells, model)
        loop.dumps_sent = self._dumps.sent

    def _look_at_door(self, now_ns: int, owner: int) -> None:
        model = self._loop.model
        began_ns = self._clock_ns()
        if model.running_since != self._step_ns:
            # A blocked loop opens no sockets.
            self._step_ns = model.running_since
            self._sockets = process.sockets_of(self._pid)
            if now_ns >= self._next_doors_ns:
                self._doors = process.doors_of(self._pid, self._sockets)
                self._next_doors_ns = now_ns + DOORS_EVERY_NS
        if not self._doors or now_ns < self._next_door_ns:
            return
        arrived = process.count_arrived(self._pid, self._sockets, self._doors)
        took_ns = self._clock_ns() - began_ns
        self._next_door_ns = now_ns + int(took_ns / DOOR_SHARE)
        if self._reader.read_cells()[Cell.OWNER] != owner:
            # The step has ended meanwhile, and the loop may have emptied its door.
            return
        # What went out since the last time is in the count: known, or counted twice.
        self._tell_sent()
        self._loop.arrived(now_ns, arrived)
