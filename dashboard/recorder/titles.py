"""Tell the name that the program gave a task: `create_task(…, name="poller")`, `set_name`.

asyncio gives every task one; those are left alone, as are the names of functions that
anyio gives. A request's own task does not come by here: its way must stay cheap.
"""

from __future__ import annotations

from asyncio import Task
from typing import TYPE_CHECKING, Any

from dashboard.records import Kind

if TYPE_CHECKING:
    from types import FrameType

    from dashboard.recorder.recorder import Recorder, TaskEntry

#: Programs that number their tasks would fill the string table: so many names are told,
#: and from then on the coroutine's must do.
MAX_TITLES = 500
MAX_LETTERS = 80
#: From the birth of a task to the frame of asyncio's that knows its name.
REACH = 8
#: What anyio calls a task of a `functools.partial`.
PARTIAL = "functools"

# Called unbound: a method of a class of somebody's own is their program.
_get_name = Task.get_name


def tell_title(rec: Recorder, task: Any, entry: TaskEntry, given: str = "") -> None:
    """Record a task's name, if it was given one and that is news.

    `given`: the name that it is about to get. Costs some 0.2 µs if there is no news.
    """
    if not given:
        try:
            given = _get_name(task)
        except TypeError:
            # A task of somebody's own making.
            return
        if type(given) is not str:
            return
    given = given[:MAX_LETTERS]
    title = rec.titles.get(given)
    if title is None:
        title = _learn(rec, task, given)
    if title and title != getattr(entry, "title", 0):
        entry.title = title
        rec.ring.write(Kind.NAMED, rec.now_ns(), 0, entry.no, title)


def given_by(frame: FrameType | None) -> str:
    """Return the name that asyncio's frames, from this one on, give the task they make.

    Up to 3.12, and on uvloop, it has that name only once it is made.
    """
    is_making = False
    for _ in range(REACH):
        if frame is None:
            break
        module = str(frame.f_globals.get("__name__"))
        if frame.f_code.co_name == "create_task" and module.startswith("asyncio."):
            is_making = True
            name = frame.f_locals.get("name")
            # Of anything else asyncio makes a string: that would be to run a program.
            if type(name) is str:
                return name
        elif is_making:
            # Whatever else is being made further out is another task.
            break
        frame = frame.f_back
    return ""


def _learn(rec: Recorder, task: Any, given: str) -> int:
    if given.startswith("Task-") and given[5:].isdigit():
        return 0
    if len(rec.titles) >= MAX_TITLES:
        return 0
    # In one line, and without what separates fields in a string of the ring.
    name = " ".join(given.split())
    qualname = rec.coroutine_of(task)
    is_functions = name in (qualname, PARTIAL) or name.endswith(f".{qualname}")
    title = 0 if is_functions or not name else rec.intern(name)
    if title or is_functions or not name:
        # Otherwise another thread was at the table: next time.
        rec.titles[given] = title
    return title
