"""Tell which request a task, callback or thread works for: a pure ASGI middleware.

It numbers requests, sets one context variable that everything below inherits,
and records begin, name, trace, answer and end. It changes nothing in what passes
through, and when recording is off it is one attribute look-up.
"""

from __future__ import annotations

import itertools
from asyncio import get_running_loop
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from dashboard.recorder.recorder import (
    MAX_NAMES,
    Recorder,
    TaskEntry,
    current_request,
)
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
next_request = itertools.count(1).__next__
new: Any = object.__new__


class Answer:
    """The way of a request's answer to the server.

    One object with slots, filled in by hand: a closure over as many names would be
    ten objects, a tenth of what a request costs.
    """

    __slots__ = (
        "entry",
        "forward",
        "is_complete",
        "number",
        "rec",
        "scope",
        "status",
    )

    rec: Recorder
    number: int
    scope: Scope
    entry: TaskEntry | None
    """The task that was made for this request, if one was."""
    forward: Send
    status: int
    is_complete: bool

    def send(self, message: Message) -> Awaitable[None]:
        """Pass a message on; note the status, and when the last byte is handed over."""
        kind = message["type"]
        if kind == "http.response.start":
            self.status = message.get("status", 0)
        elif kind == "http.response.body" and not self.is_complete:
            if message.get("more_body"):
                _note_stream(self.rec, self.number, self.status)
                return self.forward(message)
            self.is_complete = True
            rec, scope = self.rec, self.scope
            if self.entry is not None:
                self.entry.request = SERVED
            try:
                path = getattr(scope.get("route"), "path", None)
                key = (scope["method"], scope.get("root_path"), path)
                name = rec.names.get(key) or _route_name(rec, key)
                ring = rec.ring
                tag = ring.lap + ANSWERED
                try:
                    offset = ring.advance()
                except StopIteration:
                    offset = ring.wrap()
                    tag = ring.lap + ANSWERED
                if offset and rec.enabled:
                    ring.pack(
                        ring.buffer,
                        offset,
                        rec.now_ns(),
                        self.status,
                        self.number,
                        name,
                        tag,
                    )
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
            return _pass_through(app, scope, receive, send, on_startup, on_shutdown)
        recorder, home = known
        if recorder is None or not recorder.enabled or get_running_loop() is not home:
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
            for name, value in scope["headers"]:
                if name == b"traceparent":
                    _note_trace(recorder, number, value)
                    break
            if entry is None or entry.no != recorder.current or entry.since_ns:
                entry = None
            elif entry.request > 0:
                # An observed app inside another: the request is recorded already.
                return app(scope, receive, send)
            elif entry.request:
                entry = None
            else:
                # This is the first step of a task that the server made for this
                # request: the task's end is the request's, and its context too.
                entry.scope, entry.request = scope, number
            tag = ring.lap + REQUEST
            try:
                offset = ring.advance()
            except StopIteration:
                offset = ring.wrap()
                tag = ring.lap + REQUEST
            if offset:
                ring.pack(
                    ring.buffer,
                    offset,
                    recorder.now_ns(),
                    entry is not None,
                    number,
                    recorder.current if recorder.current > 0 else 0,
                    tag,
                )
        except Exception as error:  # noqa: BLE001 - nothing may reach the app
            recorder.fail(error)

        answer = new(Answer)
        answer.rec = recorder
        answer.number = number
        answer.scope = scope
        answer.entry = entry
        answer.forward = send
        answer.status = 0
        answer.is_complete = False
        if entry is None:
            running = app(scope, receive, answer.send)
            return _in_a_shared_task(recorder, number, running)
        current_request.set(number)
        return app(scope, receive, answer.send)

    return observed


async def _in_a_shared_task(
    rec: Recorder, number: int, running: Awaitable[None]
) -> None:
    """Serve a request in a task that does other things too: mark its end."""
    token = current_request.set(number)
    try:
        await running
    finally:
        # An app that is closed from another context has nothing to undo.
        with suppress(ValueError):
            current_request.reset(token)
        try:
            if rec.enabled:
                rec.ring.write(Kind.REQUEST_END, rec.now_ns(), 0, number, 0)
        except Exception as error:  # noqa: BLE001 - nothing may reach the app
            rec.fail(error)


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


def _route_name(rec: Recorder, key: tuple[str, str | None, str | None]) -> int:
    """Return the string index of a method and a route template, mounts included.

    A path is never recorded: it may carry what a user typed; nor is a method that
    somebody made up.
    """
    method, root, path = key
    route = "(no route)" if path is None else (root or "") + path
    index = rec.intern(method if method in METHODS else "?", route)
    if method in METHODS and len(rec.names) < MAX_NAMES:
        rec.names[key] = index
    return index


def tell_name(rec: Recorder, entry: TaskEntry) -> None:
    """Record the route of the request that a task serves, once it is known."""
    scope = entry.scope
    if scope is None:
        return
    path = getattr(scope.get("route"), "path", None)
    if path is not None:
        entry.scope = None
        if entry.request > 0:
            key = (scope["method"], scope.get("root_path"), path)
            name = _route_name(rec, key)
            rec.ring.write(Kind.REQUEST_NAME, rec.now_ns(), 0, entry.request, name)


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
