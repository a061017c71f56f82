"""Tell which request a task, callback or thread works for: a pure ASGI middleware.

It numbers requests, sets one context variable that everything below inherits,
and records begin, name, trace, answer and end. It changes nothing in what passes
through, and when recording is off it is one attribute look-up.
"""

from __future__ import annotations

import itertools
from asyncio import get_running_loop
from contextlib import suppress
from types import MethodType
from typing import TYPE_CHECKING, Any

from dashboard.recorder.names import MAX_NAMES
from dashboard.recorder.recorder import Recorder, TaskEntry, current_request
from dashboard.recorder.sockets import open_socket
from dashboard.records import Kind

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    Scope = MutableMapping[str, Any]
    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    App = Callable[[Scope, Receive, Send], Awaitable[None]]

REQUEST, ANSWERED = int(Kind.REQUEST), int(Kind.ANSWERED)
METHODS = frozenset(
    {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"}
)
#: In place of a request's number in its task's entry, once it is answered.
SERVED = -1
#: Scopes of requests that share their task, by number, while they are served.
_shared: dict[int, Scope] = {}
next_request = itertools.count(1).__next__
new: Any = object.__new__


class Answer:
    """The way of a request's answer to the server.

    One object with slots, filled in by hand: a closure over as many names would be
    ten objects, a tenth of what a request costs.
    """

    __slots__ = ("entry", "forward", "number", "rec", "scope", "status")

    rec: Recorder
    number: int
    """Of the request; 0 once its answer is complete."""
    scope: Scope
    entry: TaskEntry | None
    """The task that was made for this request, if one was."""
    forward: Send
    status: int

    def send(self, message: Message) -> Awaitable[None]:
        """Pass a message on; note the status, and when the last byte is handed over."""
        kind = message["type"]
        if kind == "http.response.start":
            self.status = message.get("status", 0)
        elif kind == "http.response.body" and self.number:
            if message.get("more_body"):
                _note_stream(self.rec, self.number, self.status)
                return self.forward(message)
            number, self.number = self.number, 0
            rec, scope = self.rec, self.scope
            if self.entry is not None:
                self.entry.request = SERVED
            try:
                try:
                    key = scope["method"], scope["root_path"], scope["route"].path
                    name = rec.names[key]
                except (KeyError, AttributeError):
                    name = _name_of(rec, scope)
                ring = rec.ring
                tag = ring.tags[ANSWERED]
                try:
                    offset = ring.advance()
                except StopIteration:
                    offset = ring.wrap()
                    tag = ring.tags[ANSWERED]
                if offset and rec.enabled:
                    now, status = rec.now_ns(), self.status
                    ring.pack(ring.buffer, offset, now, status, number, name, tag)
            except Exception as error:  # noqa: BLE001 - nothing may reach the app
                rec.fail(error)
        return self.forward(message)


def wrap_app(
    app: App,
    *,
    recorder_of: Callable[[], Recorder | None],
    on_startup: Callable[[Any], None],
    on_shutdown: Callable[[], None],
) -> App:
    """Return `app` with its requests recorded by the running loop's recorder.

    What is returned is called and awaited as an ASGI app is, but is no coroutine
    function: for a plain request there is no frame of ours around the app.

    Lifespan events pass through `on_startup` and `on_shutdown`, which begin and
    end the recording of the loop that serves the app.
    """
    # One tuple, as two loops in two threads may serve the same app.
    known: tuple[Recorder | None, Any] = (None, None)

    def observed(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        nonlocal known
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                return _open_socket(recorder_of(), app, scope, receive, send)
            return _pass_through(app, scope, receive, send, on_startup, on_shutdown)
        recorder, home = known
        if get_running_loop() is not home or recorder is None or not recorder.enabled:
            recorder, home = known = recorder_of(), get_running_loop()
            if recorder is None or not recorder.enabled:
                return app(scope, receive, send)
        # One function and two records for a plain request, written out in place:
        # code that runs once per request finds the caches cold, and then each
        # Python call costs a microsecond.
        ring = recorder.ring
        number = next_request()
        entry = recorder.entry
        try:
            if (
                entry is not None
                and entry.no == recorder.current
                and not entry.request
                and not entry.since_ns
                and (type(send) is MethodType or _is_servers(send))
            ):
                # This is the first step of a task that the server made for this
                # request: the task's end is the request's, and its context too. (A
                # server's `send` is a method of what knows the request; a test
                # client's is a function, and its task may do other things as well.)
                entry.scope, entry.request = scope, number
                # It began with its task, whatever is told here.
                began, owner = recorder.last_ns, entry.no
            elif _is_recorded(recorder, scope):
                # An observed app inside another.
                return app(scope, receive, send)
            else:
                entry = None
                began, owner = recorder.now_ns(), max(recorder.current, 0)
            headers = scope["headers"]
            # An iterator would be empty for the app.
            if type(headers) is list or type(headers) is tuple:
                for name, value in headers:
                    if name == b"traceparent":
                        _note_trace(recorder, number, value)
                        break
            tag = ring.tags[REQUEST]
            try:
                offset = ring.advance()
            except StopIteration:
                offset = ring.wrap()
                tag = ring.tags[REQUEST]
            if offset:
                is_first = entry is not None
                ring.pack(ring.buffer, offset, began, is_first, number, owner, tag)
        except Exception as error:  # noqa: BLE001 - nothing may reach the app
            recorder.fail(error)

        answer = new(Answer)
        answer.rec = recorder
        answer.number = number
        answer.scope = scope
        answer.entry = entry
        answer.forward = send
        answer.status = 0
        if entry is None:
            running = app(scope, receive, answer.send)
            return _in_a_shared_task(recorder, number, scope, running)
        current_request.set(number)
        return app(scope, receive, answer.send)

    return observed


def _is_servers(send: Any) -> bool:
    """Say whether it is a server's `send` that FastAPI's telemetry has wrapped.

    Tried with FastAPI 0.142 to 0.165; of one that calls it otherwise a request counts
    from when the app is called, not from its task's beginning.
    """
    code = getattr(send, "__code__", None)
    if (
        code is None
        or code.co_qualname != "NativeTelemetry.__call__.<locals>.wrapped_send"
    ):
        return False
    # A closure's names and cells are in one order.
    cells = dict(zip(code.co_freevars, send.__closure__ or (), strict=False))
    try:
        return type(cells["send"].cell_contents) is MethodType
    except (KeyError, ValueError):
        return False


def _is_recorded(rec: Recorder, scope: Scope) -> bool:
    """Say whether an app around this one records the same request."""
    entry = rec.entry
    if entry is not None and entry.no == rec.current and entry.request > 0:
        if entry.scope is scope:
            return True
    return _shared.get(current_request.get()) is scope


async def _in_a_shared_task(
    rec: Recorder, number: int, scope: Scope, running: Awaitable[None]
) -> None:
    """Serve a request in a task that does other things too: mark its end."""
    token = current_request.set(number)
    _shared[number] = scope
    try:
        await running
    finally:
        del _shared[number]
        # An app that is closed from another context has nothing to undo.
        with suppress(ValueError):
            current_request.reset(token)
        try:
            if rec.enabled:
                rec.ring.write(Kind.REQUEST_END, rec.now_ns(), 0, number, 0)
        except Exception as error:  # noqa: BLE001 - nothing may reach the app
            rec.fail(error)


def _open_socket(
    rec: Recorder | None, app: App, scope: Scope, receive: Receive, send: Send
) -> Awaitable[None]:
    """Serve a WebSocket, recorded if its loop is, and if nobody outside does it."""
    if rec is None or not rec.enabled or _shared.get(current_request.get()) is scope:
        return app(scope, receive, send)
    number = next_request()
    try:
        running = open_socket(rec, number, app, scope, receive, send)
    except Exception as error:  # noqa: BLE001 - nothing may reach the app
        rec.fail(error)
        return app(scope, receive, send)
    return _in_a_shared_task(rec, number, scope, running)


async def _pass_through(
    app: App,
    scope: Scope,
    receive: Receive,
    send: Send,
    on_startup: Callable[[Any], None],
    on_shutdown: Callable[[], None],
) -> None:
    if scope["type"] != "lifespan":
        await app(scope, receive, send)
        return
    on_startup(scope.get("app"))
    try:
        await app(scope, receive, send)
    finally:
        on_shutdown()


def _name_of(rec: Recorder, scope: Scope) -> int:
    """Return the string index of a method and a route template, mounts included.

    A path is never recorded: it may carry what a user typed; nor is a method that
    somebody made up.
    """
    path = getattr(scope.get("route"), "path", None)
    method, root = scope["method"], scope.get("root_path")
    index = rec.names.get((method, root, path))
    if index is None:
        route = "(no route)" if path is None else (root or "") + path
        index = rec.intern(method if method in METHODS else "?", route)
        if method in METHODS and len(rec.names) < MAX_NAMES:
            rec.names[method, root, path] = index
    return index


def tell_name(rec: Recorder, entry: TaskEntry) -> None:
    """Record the route of the request that a task serves, once it is known.

    In any thread: meanwhile the request may end, and is not the entry's any more.
    """
    scope, number = entry.scope, entry.request
    if scope is None or number <= 0 or hasattr(entry, "route"):
        return
    if getattr(scope.get("route"), "path", None) is not None:
        entry.route = route = _name_of(rec, scope)
        rec.ring.write(Kind.REQUEST_NAME, rec.now_ns(), 0, number, route)


def _note_stream(rec: Recorder, number: int, status: int) -> None:
    """Record a piece of an answer that comes in several."""
    if not rec.enabled:
        return
    try:
        rec.ring.write(Kind.RESPONSE, rec.now_ns(), status, number, 0)
    except Exception as error:  # noqa: BLE001 - nothing may reach the app
        rec.fail(error)


def _note_trace(rec: Recorder, number: int, value: bytes) -> None:
    """Record a W3C traceparent (`00-<trace id>-<span id>-<flags>`), if it is one."""
    parts = value.split(b"-")
    if len(parts) < 4 or len(parts[1]) != 32 or len(parts[2]) != 16:
        return
    try:
        trace = int.from_bytes(bytes.fromhex(parts[1][16:].decode()), signed=True)
        span = int.from_bytes(bytes.fromhex(parts[2].decode()), signed=True)
    except ValueError:
        return
    rec.ring.write(Kind.REQUEST_TRACE, trace, span, number, 0)
