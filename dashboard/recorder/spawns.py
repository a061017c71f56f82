"""Tell which line of the user's code makes a task, for tasks that work for no request.

A request's tasks stand with their request, whatever made them: their way, which is
the one that must stay cheap, does not come by here.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from dashboard.recorder.reasons import is_users_file
from dashboard.records import Kind

if TYPE_CHECKING:
    from types import FrameType

    from dashboard.recorder.recorder import Recorder


def tell_spawn(rec: Recorder, number: int) -> None:
    """Record the innermost line of the user's that now makes task `number`.

    Called in the step of the task that makes it; costs about a microsecond.
    """
    # Above this and its caller are asyncio's own frames, at best.
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and not is_users_file(frame.f_code.co_filename):
        frame = frame.f_back
    if frame is not None:
        line = rec.name_line(frame)
        rec.ring.write(Kind.SPAWNED, rec.now_ns(), 0, number, line)
