"""Say why a function was sent to a worker thread when nobody wrote so.

FastAPI and Starlette send `def` dependencies, files, uploads and background tasks
there by themselves. Which one it was is told by who awaits it: library functions,
known by name, between the thread's door and the user's code. Reads frames, touches
nothing.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from dashboard.recorder.reasons import is_users_file

if TYPE_CHECKING:
    from types import FrameType

#: Qualified name of a library's function → what it uses a thread for.
#: FastAPI 0.110 to 0.165, Starlette 0.37 to 1.10, anyio 4.
HOPS = {
    "run_endpoint_function": "handler",
    "request_response.<locals>.app.<locals>.app": "handler",
    "HTTPEndpoint.dispatch": "handler",
    "solve_dependencies": "dependency",
    "contextmanager_in_threadpool": "dependency",
    "serialize_response": "response validation",
    "BackgroundTask.__call__": "background task",
    "BackgroundTasks.__call__": "background task",
    "UploadFile.write": "upload",
    "UploadFile.read": "upload",
    "UploadFile.seek": "upload",
    "UploadFile.close": "upload",
    "FileResponse.__call__": "file response",
    "FileResponse._open_file": "file response",
    "FileResponse._handle_simple": "file response",
    "FileResponse._handle_single_range": "file response",
    "FileResponse._handle_multiple_ranges": "file response",
    "StaticFiles.get_response": "static file",
    "StaticFiles.check_config": "static file",
    "iterate_in_threadpool": "streamed response",
    "wrap_app_handling_exceptions.<locals>.wrapped_app": "error handler",
    "ServerErrorMiddleware.__call__": "error handler",
    "WSGIResponder.__call__": "WSGI app",
    "AsyncFile.read": "file",
    "AsyncFile.write": "file",
    "AsyncFile.aclose": "file",
    "open_file": "file",
}
#: Library functions between the door and the one that tells.
DEPTH = 8


def find_hop(
    func: Any, args: tuple[Any, ...], frame: FrameType | None
) -> tuple[Any, str]:
    """Return the function that is meant and why it hops, or "" if that is not hidden.

    `frame` is that of whoever awaits the door.
    """
    why = ""
    for _ in range(DEPTH):
        if frame is None or is_users_file(frame.f_code.co_filename):
            break
        found = HOPS.get(frame.f_code.co_qualname, "")
        # The innermost tells, but for a file that is read to answer with it.
        if not why or found == "file response":
            why = found
        if why and why != "file":
            break
        frame = frame.f_back
    meant = find_meant(func)
    if why == "dependency" and getattr(meant, "__name__", "") == "__exit__":
        why = "dependency, after its yield"
    if why == "streamed response" and args:
        code = getattr(args[0], "gi_code", None)
        meant = meant if code is None else _Named(code)
    return find_generator(meant), why


def find_meant(func: Any) -> Any:
    """Find the function that is really meant inside `functools.partial`.

    Libraries hand over helpers of their own with the user's function among the
    arguments: asyncio `context.run(func)`, FastAPI `_run_sync_endpoint(function=…)`.
    """
    if not isinstance(func, functools.partial):
        return func
    for inner in (func.func, *func.args, *func.keywords.values()):
        found = find_meant(inner) if isinstance(inner, functools.partial) else inner
        code = getattr(getattr(found, "__func__", found), "__code__", None)
        if code is not None and is_users_file(code.co_filename):
            return found
    return func.func


def find_generator(func: Any) -> Any:
    """Return the generator's function behind a `@contextmanager`'s enter or exit."""
    generator = getattr(getattr(func, "__self__", None), "gen", None)
    code = getattr(generator, "gi_code", None)
    return func if code is None else _Named(code)


class _Named:
    """As much of a function as its name needs."""

    def __init__(self, code: Any) -> None:
        self.__code__ = code
