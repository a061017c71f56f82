"""Where a long step was seen: the watchdog's samples and stacks on demand.

What they mean for a stall is `stalls.py`; here they find their step, and it its name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dashboard.server.model import tape as told
from dashboard.server.model.stall import Line, Sample
from dashboard.server.reading.names import Place

if TYPE_CHECKING:
    from dashboard.server.model.loop_model import LoopModel


class Samples:
    """Take in the samples of one loop."""

    def __init__(self, loop: LoopModel) -> None:
        self._loop = loop
        self._frames: list[Line] = []
        self._stack: tuple[int, tuple[Line, ...]] = (0, ())
        """Of the last sample: when its step began, and the stack."""

    def __repr__(self) -> str:
        return f"<Samples of loop {self._loop.number}>"

    def frame(self, t: int, u: int, a: int, b: int) -> None:
        """A line of the stack of the sample that follows."""
        self._frames.append(Line(self._loop.names.place(a), bool(b)))

    def sample(self, t: int, u: int, a: int, b: int) -> None:
        """The step that began at `u` was seen at a line."""
        if self._frames or self._stack[0] != u:
            # Without lines of its own it is the same stack as before.
            self._stack = (u, tuple(self._frames))
            self._frames.clear()
        # A builtin that the loop itself calls has no line: its name says it all.
        place = self._loop.names.place(a) if a else None
        place = place or Place("", 0, self._loop.running_name())
        self._see(u, Sample(t, place, self._stack[1], is_dump=False))

    def dumped(self, t: int, place: Place, stack: tuple[Line, ...]) -> None:
        """The stack of the step in progress was written by its thread, on demand."""
        loop = self._loop
        if loop.tape is not None:
            loop.tape(_describe_stack(loop.number, t, place, stack))
        if loop.running_owner:
            self._see(loop.running_since, Sample(t, place, stack, is_dump=True))

    def _see(self, step_ns: int, sample: Sample) -> None:
        loop = self._loop
        loop.stalls.sample(loop, step_ns, sample)
        if loop.running_owner and sample.t > loop.running_since:
            place = sample.place
            # What has no file has no line to look at either.
            loop.relabel(f"{place.function}\t{place}" if place.file else place.function)


def _describe_stack(
    loop: int, t: int, place: Place, stack: tuple[Line, ...]
) -> told.Stack:
    return told.Stack(
        loop,
        t,
        place.file,
        place.line,
        place.function,
        tuple(line.place.file for line in stack),
        tuple(line.place.line for line in stack),
        tuple(line.place.function for line in stack),
        tuple(int(line.is_users) for line in stack),
    )
