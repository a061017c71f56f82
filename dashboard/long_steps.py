"""Find the steps that were too long, of every event loop that a block of code runs.

    with LongSteps(max_ns=50_000_000, folder=folder) as watch:
        asyncio.run(main())
    watch.steps

A loop is recorded from its first task on, as `record()` does it, and read back at the
end. Nothing is left behind: no hook, no ring.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from contextlib import suppress
from functools import wraps
from typing import TYPE_CHECKING, Any, NamedTuple

from dashboard.errors import DashboardError
from dashboard.recorder.attach import start_recording, stop_recording
from dashboard.recorder.every_loop import kinds_of_loop
from dashboard.records import KIND_MASK, RECORD, Cell, Kind
from dashboard.ring import DUMP_SUFFIX, RingReader
from dashboard.server.reading.names import Names, Place, to_line

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from dashboard.recorder.attach import Recording

#: How often a long step is looked at, in parts of what is allowed: one that is longer
#: has been seen at least once, if the interpreter's lock could be had.
LOOKS = 4
MIN_BEAT_S, MAX_BEAT_S = 0.002, 0.08
STEP_FIRST, STEP_LAST = int(Kind.STEP_WAITING), int(Kind.STEP_CANCELLED)
CALL, SAMPLE = int(Kind.CALL), int(Kind.SAMPLE)
#: Records that say a task's name.
NAMING = frozenset(map(int, (Kind.BORN, Kind.ADOPTED, Kind.LIVES)))


class LongStep(NamedTuple):
    """A step that was too long."""

    length_ns: int
    who: Place
    """The task's coroutine or the callback, and where it begins."""
    line: Place | None
    """Where it was seen most often; None if nobody could look."""


class LongSteps:
    """Record every loop of this process while a block runs; then know its long steps."""

    def __init__(self, *, max_ns: int, folder: Path) -> None:
        self.steps: list[LongStep] = []
        """Those longer than `max_ns`, the longest first."""
        self.missed = 0
        """How many records were overwritten before they could be read."""
        self.problems: list[str] = []
        """Why a loop could not be recorded or read."""
        self._max_ns = max_ns
        self._folder = folder
        self._beat_s = min(max(max_ns / 1e9 / LOOKS, MIN_BEAT_S), MAX_BEAT_S)
        self._began_ns = 0
        self._recordings: list[Recording] = []
        self._doors: list[tuple[type, str, Any]] = []
        self._turn = threading.RLock()

    def __repr__(self) -> str:
        return f"<LongSteps over {self._max_ns / 1e6:g} ms: {len(self.steps)}>"

    def __enter__(self) -> LongSteps:
        self._began_ns = time.monotonic_ns()
        for kind in kinds_of_loop():
            # A task may be made before its loop runs; the loop may have been made,
            # and have tasks, before we came.
            for name in ("create_task", "run_forever"):
                self._doors.append((kind, name, vars(kind).get(name)))
                setattr(kind, name, self._door(getattr(kind, name)))
        return self

    def __exit__(self, *_: object) -> None:
        for kind, name, stock in self._doors:
            if stock is None:
                delattr(kind, name)
            else:
                setattr(kind, name, stock)
        with self._turn:
            recordings, self._recordings = self._recordings, []
        for recording in recordings:
            self._end(recording)
        self.steps.sort(key=lambda step: -step.length_ns)

    def _door(self, stock: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(stock)
        def through(loop: Any, *args: Any, **options: Any) -> Any:
            self._begin(loop)
            return stock(loop, *args, **options)

        return through

    def _begin(self, loop: Any) -> None:
        with self._turn:
            if any(each.loop is loop for each in self._recordings):
                return
            # A ring has 8 MB: those of closed loops make room first.
            for over in [each for each in self._recordings if each.loop.is_closed()]:
                self._recordings.remove(over)
                self._end(over)
            try:
                recording = start_recording(
                    loop, title="test", directory=self._folder, beat_s=self._beat_s
                )
            except DashboardError as error:
                self.problems.append(str(error))
                return
            recorder = recording.recorder
            recorder.sample_ns = min(recorder.sample_ns, self._max_ns // 2)
            self._recordings.append(recording)

    def _end(self, recording: Recording) -> None:
        stop_recording(recording)
        path = recording.recorder.ring.path
        try:
            self._read(path)
        except DashboardError as error:
            self.problems.append(str(error))
        if path.parent == self._folder:
            with suppress(OSError):
                path.unlink()
                path.with_suffix(DUMP_SUFFIX).unlink(missing_ok=True)

    def _read(self, path: Path) -> None:
        reader = RingReader(path)
        try:
            if reader.begin_at_oldest():
                # A task names itself at its birth: some stay nameless.
                self.missed += 1
            tasks: dict[int, int] = {}
            samples: dict[int, Counter[int]] = defaultdict(Counter)
            found: list[tuple[int, int, int, int]] = []
            while data := reader.read(time.monotonic_ns()):
                for t, u, a, b, tag in RECORD.iter_unpack(data):
                    kind = tag & KIND_MASK
                    if kind in NAMING:
                        tasks[a] = b
                    elif kind == SAMPLE:
                        # The watchdog names a step by its beginning.
                        samples[u][a] += 1
                    elif kind == CALL or STEP_FIRST <= kind <= STEP_LAST:
                        if u - t > self._max_ns and t >= self._began_ns:
                            who = a if kind == CALL else tasks.get(a, 0)
                            found.append((t, u, who, kind))
            self.missed += reader.missed
            names = Names()
            reader.read_strings(reader.read_cells()[Cell.STRINGS])
            names.strings = reader.strings
        finally:
            reader.close()
        for t, u, who, kind in found:
            name, file, line = names.fields(who, 3)
            name = name or ("a callback" if kind == CALL else "a task")
            seen = [(count, at) for at, count in samples[t].items() if at]
            at = max(seen, key=lambda one: one[0])[1] if seen else 0
            self.steps.append(
                LongStep(
                    u - t,
                    Place(file, to_line(line), name),
                    names.place(at) if at else None,
                )
            )
