"""Tell which line makes a task, and by which name, for tasks that work for no request.

A request's tasks stand with their request, whatever made them: their way, which is
the one that must stay cheap, does not come by here.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from dashboard.recorder.reasons import is_users_file
from dashboard.recorder.titles import given_by, tell_title
from dashboard.records import Kind

if TYPE_CHECKING:
    from types import FrameType

    from dashboard.recorder.recorder import Recorder, TaskEntry


def tell_spawn(rec: Recorder, task: Any, entry: TaskEntry) -> None:
    """Record the innermost line of the user's that now makes a task, and its name.

    Called in the step of the task that makes it; costs one or two microseconds.
    """
    maker = sys._getframe(2)
    # Above this and its caller are asyncio's own frames, at best.
    frame: FrameType | None = maker
    while frame is not None and not is_users_file(frame.f_code.co_filename):
        frame = frame.f_back
    if frame is not None:
        line = rec.name_line(frame)
        rec.ring.write(Kind.SPAWNED, rec.now_ns(), 0, entry.no, line)
    tell_title(rec, task, entry, given_by(maker))
