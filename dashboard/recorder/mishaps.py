"""Record what a loop's exception handler is told: what nobody else would hear of.

Exceptions of tasks that were never retrieved, of callbacks, tasks destroyed while
they were pending. asyncio calls `call_exception_handler` of the loop object, also
from `__del__`; ours notes and passes on. No message of an exception is recorded, as
it may carry what a user typed; its type and line are.
"""

from __future__ import annotations

from asyncio import Task
from types import CoroutineType
from typing import TYPE_CHECKING, Any

from dashboard.recorder.handles import coro_of
from dashboard.recorder.reasons import is_users_file
from dashboard.recorder.replacing import replaced, restore
from dashboard.records import Kind

if TYPE_CHECKING:
    from types import TracebackType

    from dashboard.recorder.recorder import Recorder


#: What asyncio and uvloop say, as far as it is the same each time: behind it stand
#: addresses, arguments, other people's text. What begins otherwise is not recorded.
MESSAGES = (
    "Accept failed on a socket",
    "An open stream was garbage collected",
    "Error calling eof_received()",
    "Error on reading from the event loop self pipe",
    "Error on transport creation for incoming connection",
    "Exception in callback",
    "Fatal error on SSL protocol",
    "Fatal error on pipe transport",
    "Fatal error on transport",
    "Fatal error: protocol",
    "Fatal read error on",
    "Fatal write error on",
    "Pipe accept failed",
    "Task was destroyed but it is pending!",
    "Unhandled error in exception handler",
    "Unhandled exception in client_connected_cb",
    "Unhandled exception in event loop",
    "an error occurred during closing of asynchronous generator",
    "protocol.pause_writing() failed",
    "protocol.resume_writing() failed",
    "socket.accept() out of system resource",
    "unhandled exception during asyncio.run() shutdown",
)
#: Before it stands the name of the future's class.
NEVER = " exception was never retrieved"
ANY_OTHER = "an error in the loop"


class MishapHooks:
    """Listen to one loop's exception handler."""

    def __init__(self, rec: Recorder, loop: Any) -> None:
        self._loop = loop
        self._stock = replaced(loop, "call_exception_handler")
        call_exception_handler = loop.call_exception_handler

        def recorded(context: dict[str, Any]) -> None:
            if rec.enabled:
                try:
                    _note(rec, context)
                except Exception as error:  # noqa: BLE001 - nothing may reach the app
                    rec.fail(error)
            call_exception_handler(context)

        self._ours = recorded

    def install(self) -> None:
        """Replace; safe while the loop runs."""
        self._loop.call_exception_handler = self._ours

    def remove(self) -> None:
        """Put it back, except what someone replaced after us."""
        restore(self._loop, "call_exception_handler", self._ours, self._stock)


def _note(rec: Recorder, context: Any) -> None:
    # Anybody may call it, with anything; what is in there is not asked for its truth.
    said = context if type(context) is dict else {}
    text = said.get("message")
    text = text if type(text) is str else ""
    task = said.get("task")
    task = said.get("future") if task is None else task
    message = next((each for each in MESSAGES if text.startswith(each)), ANY_OTHER)
    if text.endswith(NEVER):
        message = ("Task" if isinstance(task, Task) else "Future") + NEVER
    error = said.get("exception")
    kind = ""
    file, line, function = defined = _defined_at(task)
    if isinstance(error, BaseException):
        kind = type(error).__qualname__
        file, line, function = _raised_at(error.__traceback__)
    entry = rec.tasks.get(id(task))
    rec.ring.write(
        Kind.EXCEPTION,
        rec.now_ns(),
        0,
        entry.no if entry is not None else 0,
        rec.intern(
            message,
            kind,
            file,
            line,
            function,
            # Who is told from `__del__` has left the table of tasks before.
            defined[2],
        ),
    )


def _defined_at(task: object) -> tuple[str, int, str]:
    """Return where a task's coroutine is written: of one that is gone all there is."""
    # By asyncio's own method, as a subclass may have another.
    coro = coro_of(task) if isinstance(task, Task) else None
    if type(coro) is not CoroutineType:
        return "", 0, ""
    code = coro.cr_code
    return code.co_filename, code.co_firstlineno, code.co_qualname


def _raised_at(traceback: TracebackType | None) -> tuple[str, int, str]:
    """Return the innermost line of the user's code, or else the innermost line."""
    found = ("", 0, "")
    is_users = False
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if is_users_file(code.co_filename) or not is_users:
            is_users = is_users_file(code.co_filename)
            found = (code.co_filename, traceback.tb_lineno, code.co_qualname)
        traceback = traceback.tb_next
    return found
