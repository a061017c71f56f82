"""Read where a thread is, from its innermost frame out to where its step began.

Reads frames, keeps none, and never looks beyond the loop's own machinery: who
called `asyncio.run` is not to blame for what runs in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from dashboard.recorder.reasons import RECORDER, is_users

if TYPE_CHECKING:
    from types import FrameType

#: A stack deeper than this is a recursion: its inner end tells.
MAX_FRAMES = 64
#: What of ours a step's frames hang below: the loop's round and, on uvloop, wrappers.
_OURS = frozenset({"run_once", "__call__"})
#: What of asyncio's they hang below where somebody else runs the handle.
_THEIRS = frozenset({"_run_once", "run_forever"})


class Frame(NamedTuple):
    """One line of a stack."""

    file: str
    line: int
    function: str
    is_users: bool


def walk(frame: FrameType | None) -> list[Frame]:
    """Return the frames of the step in progress, innermost first, without ours.

    Empty where no Python code runs in it: a builtin that the loop itself called.
    """
    found: list[Frame] = []
    while frame is not None and not _is_loops(frame):
        code = frame.f_code
        if len(found) < MAX_FRAMES and not code.co_filename.startswith(RECORDER):
            # A line that the compiler made up has no number.
            line = frame.f_lineno or 0
            found.append(
                Frame(code.co_filename, line, code.co_qualname, is_users(frame))
            )
        frame = frame.f_back
    return found


def culprit(stack: list[Frame]) -> tuple[Frame, int] | None:
    """Return the innermost line of the user's code, and how many are above it.

    The very innermost line when none is the user's; None of an empty stack.
    """
    for above, frame in enumerate(stack):
        if frame.is_users:
            return frame, above
    return (stack[0], 0) if stack else None


def _is_loops(frame: FrameType) -> bool:
    code = frame.f_code
    if code.co_filename.startswith(RECORDER):
        return code.co_name in _OURS
    return code.co_name in _THEIRS and code.co_filename.endswith("base_events.py")
