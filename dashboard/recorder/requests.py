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

from dashboard.recorder.recorder import Recorder, current_request
from dashboard.records import Kind

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping
    from contextvars import Token

    Scope = MutableMapping[str, Any]
    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    App = Callable[[Scope, Receive, Send], Awaitable[None]]

REQUEST, ANSWERED = int(Kind.REQUEST), int(Kind.ANSWERED)
next_request = itertools.count(1).__next__


def wrap_app(
    app: App,
    *,
    recorder_of: Callable[[], Recorder | None],
    on_startup: Callable[[Any], None],
    on_shutdown: Callable[[], None],
) -> App:
    """Return `app` with its requests recorded by the running loop's recorder.

    Lifespan events pass through `on_startup` and `on_shutdown`, which begin and
    end the recording of the loop that serves the app.
    """
    rec: Recorder | None = None
    home: Any = None

    async def observed(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal rec, home
        if scope["type"] != "http":
            await _pass_through(app, scope, receive, send, on_startup, on_shutdown)
            return
        if rec is None or not rec.enabled or get_running_loop() is not home:
            rec, home = recorder_of(), get_running_loop()
            if rec is None or not rec.enabled:
                await app(scope, receive, send)
                return
        # One function and two records for a plain request, written out in place:
        # code that runs once per request finds the caches cold, and then each
        # Python call costs a microsecond.
        ring, now_ns, pack, buffer = (
            rec.ring,
            rec.now_ns,
            rec.ring.pack,
            rec.ring.buffer,
        )
        number = next_request()
        status = 0
        is_answered = task_is_its_own = False
        try:
            for name, value in scope["headers"]:
                if name == b"traceparent":
                    _note_trace(rec, number, value)
                    break
            entry = rec.entry
            if entry is not None and entry.no == rec.current:
                # Servers make a task for each request, whose end is the request's.
                task_is_its_own = entry.since_ns == 0
            rec.requests[number] = scope
            tag = ring.lap + REQUEST
            try:
                offset = ring.advance()
            except StopIteration:
                offset = ring.wrap()
                tag = ring.lap + REQUEST
            if offset:
                task = rec.current if rec.current > 0 else 0
                pack(buffer, offset, now_ns(), task_is_its_own, number, task, tag)
        except Exception as error:  # noqa: BLE001 - nothing may reach the app
            rec.fail(error)
        recorder = rec

        def recorded_send(message: Message) -> Awaitable[None]:
            nonlocal status, is_answered
            kind = message["type"]
            if kind == "http.response.start":
                status = message.get("status", 0)
            elif kind == "http.response.body" and not is_answered:
                if message.get("more_body", False):
                    _note_stream(recorder, number, scope, status)
                    return send(message)
                is_answered = True
                try:
                    route = scope.get("route")
                    key = (scope["method"], getattr(route, "path", None))
                    name = recorder.names.get(key) or _route_name(recorder, key)
                    tag = ring.lap + ANSWERED
                    try:
                        offset = ring.advance()
                    except StopIteration:
                        offset = ring.wrap()
                        tag = ring.lap + ANSWERED
                    if offset and recorder.enabled:
                        pack(buffer, offset, now_ns(), status, number, name, tag)
                except Exception as error:  # noqa: BLE001 - nothing may reach the app
                    recorder.fail(error)
            return send(message)

        token = current_request.set(number)
        try:
            await app(scope, receive, recorded_send)
        finally:
            recorder.requests.pop(number, None)
            if not is_answered or not task_is_its_own:
                _note_end(recorder, number, is_answered, status, token)

    return observed


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


def _route_name(rec: Recorder, key: tuple[str, str | None]) -> int:
    """Return the string index of a method and a route template.

    A path is never recorded: it may carry what a user typed.
    """
    index = rec.names[key] = rec.intern(key[0], key[1] or "(no route)")
    return index


def tell_names(rec: Recorder) -> None:
    """Record the routes of requests that are under way, once each."""
    for number, scope in list(rec.requests.items()):
        path = getattr(scope.get("route"), "path", None)
        if path is not None and number not in rec.told:
            rec.told.add(number)
            name = _route_name(rec, (scope["method"], path))
            rec.ring.write(Kind.REQUEST_NAME, rec.now_ns(), 0, number, name)
    rec.told.intersection_update(rec.requests)


def _note_stream(rec: Recorder, number: int, scope: Scope, status: int) -> None:
    """Record the first piece of an answer that comes in several."""
    if number in rec.streaming or not rec.enabled:
        return
    try:
        rec.streaming.add(number)
        rec.ring.write(Kind.RESPONSE, rec.now_ns(), status, number, 0)
        rec.streaming.intersection_update(rec.requests)
    except Exception as error:  # noqa: BLE001 - nothing may reach the app
        rec.fail(error)


def _note_end(
    rec: Recorder, number: int, is_answered: bool, status: int, token: Token[int]
) -> None:
    """Do what a plain request does not need: it had no answer, or its task goes on."""
    # A task that was made for the request takes its context with it.
    with suppress(ValueError):
        current_request.reset(token)
    if not rec.enabled:
        return
    try:
        if not is_answered:
            rec.ring.write(ANSWERED, rec.now_ns(), status, number, 0)
        rec.ring.write(Kind.REQUEST_END, rec.now_ns(), 0, number, 0)
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
